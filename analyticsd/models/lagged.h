// lagged.h: what is known of a series before a moment, as features: its latest values, the mean and deviation of
// a window of them, the time of the moment asked about and what was measured around it days and weeks before.
// For target step s and horizon h, only values before step s - h + 1 are looked at: no feature knows what it
// shall predict. The latest values share one array of bytes; everything else takes O(1) a step.
// SPDX-License-Identifier: MIT
#pragma once

#include "binning.h"
#include "ensemble.h"

enum {
	LAGGED_MOST_LAGS = 4096,
	LAGGED_MOST_WINDOW = 1 << 20,
	LAGGED_MOST_HORIZON = 1 << 22,
	LAGGED_EXTRAS = 8, // bytes of a row behind the lags; not all are used
	LAGGED_LINEAR = 8, // exact summaries, for a linear start
	LAGGED_MOST_STEPS = 1 << 23
};

// A series on equal steps, and sums of it. Steps that were not measured hold the last value before them.
struct lagged_series {
	double *values;
	double *sums, *squares; // [t]: of the values before t, less 'centre'
	bool *known;
	size_t n, capacity;
	double centre;    // the first value
	int64_t start_ns; // of step 0
	double step_seconds;
};

void lagged_series_init(struct lagged_series *, int64_t start_ns, double step_seconds);
void lagged_series_fini(struct lagged_series *);

// One more step; 'value' is finite, or NAN when it was not measured (the first one must be). Returns 0,
// -E2BIG beyond LAGGED_MOST_STEPS, or -ENOMEM.
int lagged_series_add(struct lagged_series *, double value);
int64_t lagged_time_ns(const struct lagged_series *, size_t step);

struct lagged_shape {
	uint32_t n_lags, window; // at least 1
	double step_seconds;
	bool seasons; // time of day finer than an hour, and what was around the same time of days before
	bool weeks;   // ... and the weekday and the same of a week before; else a day further back
};

// How values become bytes: fitted once, then the same for ever.
struct lagged_bins {
	struct binning value, mean, deviation;
};

// From the steps before 'n'. Returns 0 or -ENOMEM.
int lagged_bins_fit(const struct lagged_series *, const struct lagged_shape *, size_t n,
                    struct lagged_bins *ret);

// Bytes of the values: what goes with a series and grows with it.
struct lagged_bytes {
	uint8_t *bytes;
	size_t n, capacity;
};

// Adds the bytes of the steps that 'series' has more. Returns 0 or -ENOMEM.
int lagged_bytes_update(struct lagged_bytes *, const struct lagged_bins *, const struct lagged_series *);
void lagged_bytes_fini(struct lagged_bytes *);

size_t lagged_features(const struct lagged_shape *);
const char *lagged_feature_name(const struct lagged_shape *, size_t feature, char text[static 32]);

// The first moment at which the day before is known at this horizon.
size_t lagged_reach(const struct lagged_shape *, size_t horizon);

// The features of step 't' + horizon - 1 that the values before 't' give, lags first; 't' is at least n_lags and
// at most series->n.
void lagged_row(const struct lagged_series *, const struct lagged_bytes *, const struct lagged_shape *,
                const struct lagged_bins *, size_t t, size_t horizon, uint8_t *ret);

// The same as real numbers without bins, for a linear start; ret[0] is 1.
void lagged_linear(const struct lagged_series *, const struct lagged_shape *, size_t t, size_t horizon,
                   double ret[static LAGGED_LINEAR]);

// All rows: row r is t = n_lags + r.
struct lagged_table {
	struct matrix matrix; // points into what follows and into the bytes
	uint8_t *extras, *lowest, *highest;
};

// For t up to 'n' (not included). Returns 0 or -ENOMEM; end with lagged_table_fini().
int lagged_table_init(struct lagged_table *ret, const struct lagged_series *, const struct lagged_bytes *,
                      const struct lagged_shape *, const struct lagged_bins *, size_t n, size_t horizon);
void lagged_table_fini(struct lagged_table *);
