// seasonal: as it was one period ago; the day, the week or the period found, whichever repeated itself best.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { DAY, WEEK, FOUND, N_PERIODS };

struct seasonal {
	size_t n;
	double periods[N_PERIODS];
	double errors[N_PERIODS]; // summed
	size_t n_errors[N_PERIODS];
};

static int create(const struct model *model, const struct past *past, void **ret) {
	struct seasonal *seasonal = calloc(1, sizeof(*seasonal));

	(void)model;
	if (seasonal == NULL)
		return -ENOMEM;
	seasonal->periods[DAY] = past->season.day;
	seasonal->periods[WEEK] = past->season.week;
	seasonal->periods[FOUND] = past->season.found;
	*ret = seasonal;
	return 0;
}

// The shortest period there is, and a little to compare.
static size_t least(const struct model *model, const struct past *past) {
	const struct season *season = &past->season;
	double shortest = INFINITY;

	(void)model;
	if (season->day > 0)
		shortest = season->day;
	if (season->week > 0)
		shortest = fmin(shortest, season->week);
	if (season->found > 0)
		shortest = fmin(shortest, season->found);
	return isinf(shortest) ? SIZE_MAX : (size_t)ceil(shortest) + 1;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct seasonal *seasonal = fit;

	for (; seasonal->n < n; seasonal->n++) {
		size_t t = seasonal->n;

		for (int i = 0; i < N_PERIODS && past->known[t]; i++) {
			double period = seasonal->periods[i];

			if (period <= 0 || (double)t < ceil(period))
				continue;
			seasonal->errors[i] +=
			        fabs(past->values[t] - past_season_before(past->values, t, t, period));
			seasonal->n_errors[i]++;
		}
	}
	return 0;
}

static double best_period(const struct seasonal *seasonal) {
	double best = 0, least_error = INFINITY;

	for (int i = 0; i < N_PERIODS; i++) {
		double error;

		if (seasonal->periods[i] <= 0 || (double)seasonal->n < ceil(seasonal->periods[i]))
			continue;
		error = seasonal->n_errors[i] == 0 ? 1e100
		                                   : seasonal->errors[i] / (double)seasonal->n_errors[i];
		if (error < least_error) {
			least_error = error;
			best = seasonal->periods[i];
		}
	}
	return best;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct seasonal *seasonal = fit;
	double period = best_period(seasonal);

	for (size_t i = 0; i < ahead; i++)
		ret[i] = period > 0 ? past_season_before(past->values, seasonal->n, seasonal->n + i, period)
		                    : past->values[seasonal->n - 1];
}

const struct model model_seasonal = {
        .name = "seasonal",
        .help = "as it was a day, a week or a found period ago",
        .least = least,
        .create = create,
        .destroy = free,
        .update = update,
        .predict = predict,
};
