// Sums before each step make every mean a difference.
// SPDX-License-Identifier: MIT
#include "lagged.h"

#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400.0
enum { DAYS_IN_WEEK = 7, SHORT_MEAN = 8, SMOOTHING = 200 /* parts of a day */ };
enum { MEAN, DEVIATION, HOUR, WEEKDAY, TIME_OF_DAY, DAY_BEFORE, FURTHER_BEFORE, PLAIN_EXTRAS = WEEKDAY + 1 };
static const char *const extra_names[] = {
        "mean", "deviation", "hour", "weekday", "time of day", "day before", "day or week further back"};

// ---- the series

void lagged_series_init(struct lagged_series *series, int64_t start_ns, double step_seconds) {
	*series = (struct lagged_series){.start_ns = start_ns, .step_seconds = step_seconds};
}

void lagged_series_fini(struct lagged_series *series) {
	free(series->values);
	free(series->sums);
	free(series->squares);
	free(series->known);
	*series = (struct lagged_series){0};
}

static int resize(void **array, size_t size) {
	void *moved = realloc(*array, size);

	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	return 0;
}

static int reserve(struct lagged_series *series) {
	size_t wanted = series->capacity > 0 ? series->capacity + series->capacity / 2 : 1024;

	if (series->n + 1 < series->capacity)
		return 0;
	if (resize((void **)&series->values, wanted * sizeof(double)) < 0 ||
	    resize((void **)&series->sums, (wanted + 1) * sizeof(double)) < 0 ||
	    resize((void **)&series->squares, (wanted + 1) * sizeof(double)) < 0 ||
	    resize((void **)&series->known, wanted * sizeof(bool)) < 0)
		return -ENOMEM;
	if (series->capacity == 0)
		series->sums[0] = series->squares[0] = 0;
	series->capacity = wanted;
	return 0;
}

int lagged_series_add(struct lagged_series *series, double value) {
	size_t n = series->n;
	double away;

	if (n >= LAGGED_MOST_STEPS)
		return -E2BIG;
	if (reserve(series) < 0)
		return -ENOMEM;
	if (n == 0)
		series->centre = value;
	series->known[n] = !isnan(value);
	series->values[n] = isnan(value) ? series->values[n - 1] : value;
	away = series->values[n] - series->centre;
	series->sums[n + 1] = series->sums[n] + away;
	series->squares[n + 1] = series->squares[n] + away * away;
	series->n++;
	return 0;
}

int64_t lagged_time_ns(const struct lagged_series *series, size_t step) {
	return series->start_ns +
	       (int64_t)llround((double)step * series->step_seconds * (double)NS_PER_SECOND);
}

// ---- summaries

// Mean of the steps [from, to).
static double mean_of(const struct lagged_series *series, size_t from, size_t to) {
	return series->centre + (series->sums[to] - series->sums[from]) / (double)(to - from);
}

static size_t before(size_t t, size_t n) {
	return t > n ? t - n : 0;
}

// Of the last 'n' values before 't', or of what there is.
static double mean_before(const struct lagged_series *series, size_t t, size_t n) {
	return mean_of(series, before(t, n), t);
}

static double deviation_before(const struct lagged_series *series, size_t t, size_t n) {
	size_t from = before(t, n);
	double count = (double)(t - from);
	double sum = series->sums[t] - series->sums[from];
	double squares = series->squares[t] - series->squares[from];

	return count < 2 ? 0 : sqrt(fmax(squares - sum * sum / count, 0) / (count - 1));
}

// What lies around the same time of other days: so many steps 'back', and 'half' as many to both sides.
struct around {
	size_t back, half;
};

enum before { DAY_BEFORE_IT, FURTHER_BEFORE_IT };

// The latest day whose moment lies 'ahead' steps (what is predicted less what is known) or more back, with as much
// around it as is known; or, further back and with all around it, the same weekday or the day before that day.
static struct around around_days(const struct lagged_shape *shape, size_t ahead, enum before which) {
	double day = DAY_SECONDS / shape->step_seconds;
	double period = which == FURTHER_BEFORE_IT && shape->weeks ? DAYS_IN_WEEK * day : day;
	size_t half = (size_t)fmin(shape->window / 2.0, day / SMOOTHING);
	double least = which == DAY_BEFORE_IT ? (double)ahead : (double)(ahead + half);
	struct around around = {.back = (size_t)llround(ceil(least / period) * period), .half = half};

	if (which == FURTHER_BEFORE_IT && !shape->weeks && around.back - ahead < (size_t)day)
		around.back += (size_t)llround(day);
	if (around.back < ahead + around.half) // also where a day is no whole number of steps
		around.half = around.back > ahead ? around.back - ahead : 0;
	return around;
}

size_t lagged_reach(const struct lagged_shape *shape, size_t horizon) {
	struct around around = around_days(shape, horizon, DAY_BEFORE_IT);
	size_t reach = shape->n_lags > shape->window ? shape->n_lags : shape->window;

	if (!shape->seasons || shape->step_seconds > DAY_SECONDS)
		return shape->n_lags;
	return around.back + around.half > reach ? around.back + around.half : reach;
}

// 'otherwise' where the series doesn't reach back so far.
static double mean_around(const struct lagged_series *series, const struct lagged_shape *shape, size_t t,
                          size_t s, enum before which, double otherwise) {
	size_t ahead = s - t + 1;
	struct around around = around_days(shape, ahead, which);

	if (shape->step_seconds > DAY_SECONDS || around.back < ahead || s < around.back + around.half)
		return otherwise;
	return mean_of(series, s - around.back - around.half, s - around.back + around.half + 1);
}

static double day_before(const struct lagged_series *series, const struct lagged_shape *shape, size_t t,
                         size_t s) {
	return mean_around(series, shape, t, s, DAY_BEFORE_IT, mean_before(series, t, shape->window));
}

static double further_before(const struct lagged_series *series, const struct lagged_shape *shape, size_t t,
                             size_t s) {
	return mean_around(series, shape, t, s, FURTHER_BEFORE_IT, day_before(series, shape, t, s));
}

void lagged_linear(const struct lagged_series *series, const struct lagged_shape *shape, size_t t,
                   size_t horizon, double ret[static LAGGED_LINEAR]) {
	size_t s = t + horizon - 1, half = shape->window > 1 ? shape->window / 2 : 1;

	ret[0] = 1;
	ret[1] = series->values[t - 1];
	ret[2] = mean_before(series, t, SHORT_MEAN);
	ret[3] = mean_before(series, t, shape->window);
	ret[4] = mean_before(series, t, half);
	ret[5] = day_before(series, shape, t, s);
	ret[6] = further_before(series, shape, t, s);
	ret[7] = day_before(series, shape, t, t);
}

// ---- bytes

int lagged_bins_fit(const struct lagged_series *series, const struct lagged_shape *shape, size_t n,
                    struct lagged_bins *ret) {
	double *summaries = malloc(n * sizeof(*summaries));
	int rc;

	if (summaries == NULL)
		return -ENOMEM;
	rc = binning_fit(series->values, n, &ret->value);
	for (size_t t = 1; t <= n; t++)
		summaries[t - 1] = mean_before(series, t, shape->window);
	if (rc == 0)
		rc = binning_fit(summaries, n, &ret->mean);
	for (size_t t = 1; t <= n; t++)
		summaries[t - 1] = deviation_before(series, t, shape->window);
	if (rc == 0)
		rc = binning_fit(summaries, n, &ret->deviation);
	free(summaries);
	return rc;
}

int lagged_bytes_update(struct lagged_bytes *bytes, const struct lagged_bins *bins,
                        const struct lagged_series *series) {
	if (bytes->capacity < series->n + MATRIX_PADDING) {
		size_t wanted = series->n + series->n / 2 + 1024;

		if (resize((void **)&bytes->bytes, wanted) < 0)
			return -ENOMEM;
		memset(bytes->bytes + bytes->n, 0, wanted - bytes->n);
		bytes->capacity = wanted;
	}
	for (; bytes->n < series->n; bytes->n++)
		bytes->bytes[bytes->n] = binning_of(&bins->value, series->values[bytes->n]);
	return 0;
}

void lagged_bytes_fini(struct lagged_bytes *bytes) {
	free(bytes->bytes);
	*bytes = (struct lagged_bytes){0};
}

static size_t extras_of(const struct lagged_shape *shape) {
	return shape->seasons ? sizeof(extra_names) / sizeof(extra_names[0]) : PLAIN_EXTRAS;
}

size_t lagged_features(const struct lagged_shape *shape) {
	return shape->n_lags + extras_of(shape);
}

const char *lagged_feature_name(const struct lagged_shape *shape, size_t feature, char text[static 32]) {
	if (feature >= shape->n_lags)
		return extra_names[feature - shape->n_lags];
	snprintf(text, 32, "lag %zu", (size_t)shape->n_lags - feature);
	return text;
}

static void fill_extras(const struct lagged_series *series, const struct lagged_shape *shape,
                        const struct lagged_bins *bins, size_t t, size_t horizon, uint8_t *ret) {
	size_t s = t + horizon - 1;
	int64_t seconds = lagged_time_ns(series, s) / NS_PER_SECOND;
	int64_t of_day = (seconds % 86400 + 86400) % 86400;
	int64_t day = (seconds - of_day) / 86400;

	ret[MEAN] = binning_of(&bins->mean, mean_before(series, t, shape->window));
	ret[DEVIATION] = binning_of(&bins->deviation, deviation_before(series, t, shape->window));
	ret[HOUR] = (uint8_t)(of_day / 3600);
	ret[WEEKDAY] = (uint8_t)((day % DAYS_IN_WEEK + DAYS_IN_WEEK) % DAYS_IN_WEEK);
	if (!shape->seasons)
		return;
	if (!shape->weeks)
		ret[WEEKDAY] = 0;
	ret[TIME_OF_DAY] = (uint8_t)(of_day * 256 / 86400);
	ret[DAY_BEFORE] = binning_of(&bins->mean, day_before(series, shape, t, s));
	ret[FURTHER_BEFORE] = binning_of(&bins->mean, further_before(series, shape, t, s));
}

void lagged_row(const struct lagged_series *series, const struct lagged_bytes *bytes,
                const struct lagged_shape *shape, const struct lagged_bins *bins, size_t t, size_t horizon,
                uint8_t *ret) {
	memcpy(ret, bytes->bytes + t - shape->n_lags, shape->n_lags);
	fill_extras(series, shape, bins, t, horizon, ret + shape->n_lags);
}

// ---- all rows

// Least and greatest of each 'width' bytes in a row: blocks of that width, running from both of their ends
// (M. van Herk, Pattern Recognition Letters 13, 1992). One of the ends runs in place.
static void slide(const uint8_t *bytes, size_t n_rows, size_t width, bool greatest, uint8_t *ret) {
	for (size_t block = 0; block < n_rows; block += width) {
		size_t last = block + width - 1;
		uint8_t edge = bytes[last];

		for (size_t i = last + 1; i-- > block;) {
			edge = greatest == (bytes[i] > edge) ? bytes[i] : edge;
			if (i < n_rows)
				ret[i] = edge;
		}
		edge = greatest ? 0 : 255;
		for (size_t i = block + 1; i < block + width && i < n_rows; i++) {
			uint8_t next = bytes[i + width - 1];

			edge = greatest == (next > edge) ? next : edge;
			ret[i] = greatest == (edge > ret[i]) ? edge : ret[i];
		}
	}
}

int lagged_table_init(struct lagged_table *ret, const struct lagged_series *series,
                      const struct lagged_bytes *bytes, const struct lagged_shape *shape,
                      const struct lagged_bins *bins, size_t n, size_t horizon) {
	size_t n_rows = n - shape->n_lags;
	struct lagged_table table = {.extras = malloc(n_rows * LAGGED_EXTRAS + MATRIX_PADDING),
	                             .lowest = malloc(n_rows + 1),
	                             .highest = malloc(n_rows + 1)};

	if (table.extras == NULL || table.lowest == NULL || table.highest == NULL) {
		lagged_table_fini(&table);
		return -ENOMEM;
	}
	memset(table.extras, 0, n_rows * LAGGED_EXTRAS + MATRIX_PADDING);
	for (size_t r = 0; r < n_rows; r++)
		fill_extras(series, shape, bins, shape->n_lags + r, horizon,
		            table.extras + r * LAGGED_EXTRAS);
	slide(bytes->bytes, n_rows, shape->n_lags, false, table.lowest);
	slide(bytes->bytes, n_rows, shape->n_lags, true, table.highest);
	table.matrix =
	        (struct matrix){.groups = {{bytes->bytes, 1, shape->n_lags, table.lowest, table.highest},
	                                   {table.extras, LAGGED_EXTRAS, extras_of(shape), NULL, NULL}},
	                        .n_groups = 2,
	                        .n_rows = n_rows};

	*ret = table;
	return 0;
}

void lagged_table_fini(struct lagged_table *table) {
	free(table->extras);
	free(table->lowest);
	free(table->highest);
	*table = (struct lagged_table){0};
}
