// ar: autoregression on the values themselves, or on their differences to the step, day or week before.
// SPDX-License-Identifier: MIT
#include "model.h"

#include "autoregress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { VALUES, FIRST, DAY, WEEK };

struct ar {
	size_t n;
	double lag; // of the difference; 0: none
	double *differences;
	struct autoregress autoregress;
};

static double lag_of(const struct model *model, const struct past *past) {
	switch (model->variant) {
	case FIRST:
		return 1;
	case DAY:
		return past->season.day > 0 ? past->season.day : past->season.found;
	case WEEK:
		return past->season.week;
	default:
		return 0;
	}
}

static size_t least(const struct model *model, const struct past *past) {
	double lag = lag_of(model, past);

	if (lag <= 0 && model->variant != VALUES)
		return SIZE_MAX;
	return (size_t)ceil(lag) + 3 * (size_t)AUTOREGRESS_ORDER;
}

static void destroy(void *fit) {
	struct ar *ar = fit;

	autoregress_fini(&ar->autoregress);
	free(ar->differences);
	free(ar);
}

static int create(const struct model *model, const struct past *past, void **ret) {
	struct ar *ar = calloc(1, sizeof(*ar));

	if (ar == NULL)
		return -ENOMEM;
	ar->lag = lag_of(model, past);
	ar->differences = calloc(past->n, sizeof(double));
	if (ar->differences == NULL || autoregress_init(&ar->autoregress) < 0) {
		destroy(ar);
		return -ENOMEM;
	}
	*ret = ar;
	return 0;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct ar *ar = fit;
	size_t first = (size_t)ceil(ar->lag);

	for (; ar->n < n; ar->n++) {
		size_t t = ar->n;

		ar->differences[t] = past->calm[t];
		if (t < first)
			continue;
		if (ar->lag > 0)
			ar->differences[t] -= past_season_before(past->calm, t, t, ar->lag);
		if (t >= first + AUTOREGRESS_ORDER && past->known[t] && t % past->thin == 0)
			autoregress_add(&ar->autoregress, &ar->differences[t]);
	}
	autoregress_solve(&ar->autoregress);
	return 0;
}

// The value a lag before step n + i: of the past, or of what was predicted already.
static double before(const struct ar *ar, const struct past *past, const double *predicted, size_t i) {
	size_t back = (size_t)(ar->lag + 0.5);

	if (i >= back)
		return predicted[i - back];
	return past->calm[ar->n + i - back];
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct ar *ar = fit;

	autoregress_predict(&ar->autoregress, &ar->differences[ar->n - AUTOREGRESS_ORDER], ahead, ret);
	for (size_t i = 0; i < ahead && ar->lag > 0; i++)
		ret[i] += before(ar, past, ret, i);
}

#define AR(SYMBOL, VARIANT, NAME, HELP)                                                                      \
	const struct model model_##SYMBOL = {                                                                \
	        .name = NAME,                                                                                \
	        .help = HELP,                                                                                \
	        .variant = VARIANT,                                                                          \
	        .least = least,                                                                              \
	        .create = create,                                                                            \
	        .destroy = destroy,                                                                          \
	        .update = update,                                                                            \
	        .predict = predict,                                                                          \
	}

AR(ar, VALUES, "ar", "autoregression on the last 12 steps");
AR(ar_first, FIRST, "ar_first", "autoregression on the differences between steps");
AR(ar_day, DAY, "ar_day", "autoregression on the differences to the day before");
AR(ar_week, WEEK, "ar_week", "autoregression on the differences to the week before");
