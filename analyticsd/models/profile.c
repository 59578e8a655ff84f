// profile: the usual day, smoothed and slowly forgetting, what the hour of the week adds to it, and an
// autoregression on what remains.
// SPDX-License-Identifier: MIT
#include "model.h"

#include "autoregress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { WEEK_SLOTS = 168, SMOOTHED_SLOTS = 144 };
#define DAY_RATE  0.2 // a day counts this much against those before it
#define WEEK_RATE 0.4

struct slot {
	double value;
	size_t n;
};

struct profile {
	size_t n;
	double day, week; // periods
	size_t n_day;
	struct slot *days;
	struct slot weeks[WEEK_SLOTS];
	double sum; // of all known
	size_t n_known;
	double *remains;
	struct autoregress autoregress;
};

static size_t least(const struct model *model, const struct past *past) {
	double day = past->season.day > 0 ? past->season.day : past->season.found;

	(void)model;
	return day > 0 ? (size_t)ceil(day) + 3 * (size_t)AUTOREGRESS_ORDER : SIZE_MAX;
}

static void destroy(void *fit) {
	struct profile *profile = fit;

	autoregress_fini(&profile->autoregress);
	free(profile->days);
	free(profile->remains);
	free(profile);
}

static int create(const struct model *model, const struct past *past, void **ret) {
	struct profile *profile = calloc(1, sizeof(*profile));

	(void)model;
	if (profile == NULL)
		return -ENOMEM;
	profile->day = past->season.day > 0 ? past->season.day : past->season.found;
	profile->week = past->season.week;
	profile->n_day = (size_t)ceil(profile->day);
	profile->days = calloc(profile->n_day, sizeof(*profile->days));
	profile->remains = calloc(past->n, sizeof(double));
	if (profile->days == NULL || profile->remains == NULL ||
	    autoregress_init(&profile->autoregress) < 0) {
		destroy(profile);
		return -ENOMEM;
	}
	*ret = profile;
	return 0;
}

static size_t day_slot(const struct profile *profile, size_t t) {
	return (size_t)fmod((double)t, profile->day);
}

static size_t week_slot(const struct profile *profile, size_t t) {
	return (size_t)(fmod((double)t, profile->week) / profile->week * WEEK_SLOTS);
}

// The slots around one of the day, averaged.
static double usual_day(const struct profile *profile, size_t slot) {
	size_t reach = profile->n_day / SMOOTHED_SLOTS, n = profile->n_day;
	double sum = 0;
	size_t seen = 0;

	for (size_t i = 0; i <= 2 * reach; i++) {
		const struct slot *near = &profile->days[(slot + n + i - reach) % n];

		if (near->n == 0)
			continue;
		sum += near->value;
		seen++;
	}
	if (seen > 0)
		return sum / (double)seen;
	return profile->n_known > 0 ? profile->sum / (double)profile->n_known : 0;
}

// What an hour of the week adds counts the more the more often it was seen.
static double usual_week(const struct profile *profile, size_t t) {
	const struct slot *slot;
	double full;

	if (profile->week <= 0)
		return 0;
	slot = &profile->weeks[week_slot(profile, t)];
	full = profile->week / WEEK_SLOTS;
	return slot->value * (double)slot->n / ((double)slot->n + full);
}

static double usual(const struct profile *profile, size_t t) {
	return usual_day(profile, day_slot(profile, t)) + usual_week(profile, t);
}

static void learn_slot(struct slot *slot, double value, double rate) {
	slot->n++;
	slot->value += fmax(rate, 1 / (double)slot->n) * (value - slot->value);
}

static void learn(struct profile *profile, size_t t, double value) {
	size_t slot = day_slot(profile, t);
	double beyond_day = value - usual_day(profile, slot);

	learn_slot(&profile->days[slot], value, DAY_RATE);
	if (profile->week > 0 && (double)t >= profile->day)
		learn_slot(&profile->weeks[week_slot(profile, t)], beyond_day,
		           fmin(1, WEEK_RATE * WEEK_SLOTS / profile->week));
	profile->sum += value;
	profile->n_known++;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct profile *profile = fit;
	size_t first = profile->n_day + AUTOREGRESS_ORDER;

	for (; profile->n < n; profile->n++) {
		size_t t = profile->n;

		if (!past->known[t])
			continue; // was as expected
		profile->remains[t] = past->calm[t] - usual(profile, t);
		if (t >= first && t % past->thin == 0)
			autoregress_add(&profile->autoregress, &profile->remains[t]);
		learn(profile, t, past->calm[t]);
	}
	autoregress_solve(&profile->autoregress);
	return 0;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct profile *profile = fit;

	(void)past;
	autoregress_predict(&profile->autoregress, &profile->remains[profile->n - AUTOREGRESS_ORDER], ahead,
	                    ret);
	for (size_t i = 0; i < ahead; i++)
		ret[i] += usual(profile, profile->n + i);
}

const struct model model_profile = {
        .name = "profile",
        .help = "the usual day and week with an autoregression on the rest",
        .least = least,
        .create = create,
        .destroy = destroy,
        .update = update,
        .predict = predict,
};
