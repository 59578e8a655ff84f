// From a series with gaps to what models can walk over. Short gaps are bridged, long ones take the shape of
// the day before; both stay marked. One giant spike counts as not measured, since a faulty sample would
// otherwise set the scale of everything; bursts that happen twice are traffic.
// SPDX-License-Identifier: MIT
#include "past.h"

#include "season.h"

#include <errno.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_GAP = 3, REGRESSION_STEPS = 2048 };
#define SPIKE_FACTOR 10.0 // times the range of everything else
#define CALM_FACTOR  4.0  // times the distance of the outer tenths from the median

// Bridges the gap [from, to).
static void fill_gap(struct past *past, size_t from, size_t to, size_t day) {
	double *v = past->values;

	for (size_t t = from; t < to; t++) {
		double share = (double)(t - from + 1) / (double)(to - from + 1);

		if (from == 0)
			v[t] = v[to];
		else if (to - from > SHORT_GAP && day > 0 && t >= day)
			v[t] = v[t - day];
		else if (to < past->n)
			v[t] = v[from - 1] * (1 - share) + v[to] * share;
		else
			v[t] = v[from - 1];
	}
}

static void fill_gaps(struct past *past, double step_seconds) {
	size_t day = (size_t)lround(86400 / step_seconds);

	for (size_t t = 0; t < past->n; t++) {
		size_t to = t;

		while (to < past->n && !past->known[to])
			to++;
		if (to > t)
			fill_gap(past, t, to, day);
		t = to;
	}
}

static double least_known(const struct past *past) {
	double least = INFINITY;

	for (size_t t = 0; t < past->n; t++)
		least = past->known[t] ? fmin(least, past->values[t]) : least;
	return least;
}

// The greatest value that isn't next to step 'except'.
static double greatest_elsewhere(const struct past *past, size_t except) {
	double greatest = -INFINITY;

	for (size_t t = 0; t < past->n; t++) {
		if (past->known[t] && (t + 1 < except || t > except + 1))
			greatest = fmax(greatest, past->values[t]);
	}
	return greatest;
}

// A spike is known by what came after it: at the very end it may as well be the new level.
static void forget_spike(struct past *past) {
	size_t top = gsl_stats_max_index(past->values, 1, past->n);
	double least = least_known(past);
	double rest;

	if (past->n_known < 8 || top + 2 >= past->n)
		return;
	rest = greatest_elsewhere(past, top);
	if (!(rest > least) || past->values[top] - least <= SPIKE_FACTOR * (rest - least))
		return;
	for (size_t t = top > 0 ? top - 1 : 0; t <= top + 1; t++) {
		if (!past->known[t] || past->values[t] <= rest)
			continue;
		past->known[t] = false;
		past->n_known--;
	}
}

// The steps are measured from their mean in units of their mean deviation from it.
static void set_units(struct past *past) {
	double sum = 0, deviation = 0;

	for (size_t t = 0; t < past->n; t++)
		sum += past->known[t] ? past->values[t] : 0;
	past->offset = sum / (double)past->n_known;
	for (size_t t = 0; t < past->n; t++)
		deviation += past->known[t] ? fabs(past->values[t] - past->offset) : 0;
	past->scale = deviation / (double)past->n_known;
	// What is left of a constant is rounding.
	if (past->scale <= 1e-12 * fabs(past->offset) || past->scale < 1e-300) {
		past->offset = past->values[past->n - 1];
		past->scale = 1;
	}
	past->floor = -past->offset / past->scale;
	past->lowest = INFINITY;
	past->highest = -INFINITY;
	for (size_t t = 0; t < past->n; t++) {
		past->values[t] = (past->values[t] - past->offset) / past->scale;
		past->lowest = fmin(past->lowest, past->values[t]);
		past->highest = fmax(past->highest, past->values[t]);
	}
}

// Least squares follows the greatest values; where those are far out of proportion they are cut for it.
static void calm_down(struct past *past) {
	double *v = past->calm; // moved about first, to find the tenths
	double median, most, least, reach;

	memcpy(v, past->values, past->n * sizeof(*v));
	median = gsl_stats_select(v, 1, past->n, past->n / 2);
	most = gsl_stats_select(v, 1, past->n, past->n * 9 / 10);
	least = gsl_stats_select(v, 1, past->n, past->n / 10);
	reach = CALM_FACTOR * fmax(most - median, median - least);
	for (size_t t = 0; t < past->n; t++)
		v[t] = reach > 0 ? fmin(past->values[t], median + reach) : past->values[t];
}

static int make_past(struct past *ret, const struct series *series, const struct season *season) {
	struct past past = {.n = series->n, .thin = 1 + series->n / REGRESSION_STEPS};
	int rc;

	past.values = calloc(series->n, sizeof(*past.values));
	past.calm = calloc(series->n, sizeof(*past.calm));
	past.known = calloc(series->n, sizeof(*past.known));
	if (past.values == NULL || past.calm == NULL || past.known == NULL) {
		past_fini(&past);
		return -ENOMEM;
	}
	for (size_t t = 0; t < series->n; t++) {
		past.known[t] = !isnan(series->values[t]);
		past.values[t] = past.known[t] ? series->values[t] : 0;
		past.n_known += past.known[t];
	}
	forget_spike(&past);
	fill_gaps(&past, series->step_seconds);
	set_units(&past);
	calm_down(&past);
	if (season != NULL)
		past.season = *season;
	else if ((rc = season_find(&past, series->step_seconds, &past.season)) < 0) {
		past_fini(&past);
		return rc;
	}

	*ret = past;
	return 0;
}

int past_init(struct past *ret, const struct series *series) {
	return make_past(ret, series, NULL);
}

int past_init_after(struct past *ret, const struct series *series, const struct season *season) {
	return make_past(ret, series, season);
}

void past_fini(struct past *past) {
	free(past->values);
	free(past->calm);
	free(past->known);
	past->values = NULL;
	past->calm = NULL;
	past->known = NULL;
}

double past_gbps(const struct past *past, double value) {
	return fmax(past->offset + past->scale * value, 0);
}

double past_season_before(const double *values, size_t n, size_t t, double period) {
	double seasons = (double)t < (double)n + period ? 1 : floor((double)(t - n) / period) + 1;
	size_t back = (size_t)(seasons * period + 0.5);

	if (t >= back + n) // rounding of a period that isn't whole
		back = t - n + 1;
	return values[t >= back ? t - back : 0];
}
