// Page's tests: of a frequency, and of a level.
// SPDX-License-Identifier: MIT
#include "cusum.h"

#include <math.h>

#define WEEK_SECONDS    604800.0
#define MEMORY_SECONDS  WEEK_SECONDS
#define LASTING_SECONDS 86400.0 // a change that lasts so long is the new usual
#define CEILING         1.5     // of a sum, in thresholds: how long an alarm lasts after its cause is bounded
#define LEARNING        0.5     // below so many thresholds all is well
#define LEAST_THRESHOLD 5.0

// What is known of a frequency before anything was seen: half an event in half an hour.
#define PRIOR_EVENTS  0.5
#define PRIOR_SECONDS 1800.0

// An alarm is over when nothing came for so many times the usual time between what came while it lasted.
#define QUIET_TIMES 10.0
#define LEAST_QUIET 120.0
#define MOST_QUIET  1800.0

static const double times_as_frequent[CUSUM_ALTERNATIVES] = {8, 64};

// Shift of the level that the test is made for, in deviations.
#define SHIFT           0.5
#define OUTLIER         4.0 // what lies further out counts as much as this
#define LEAST_VALUES    60.0
#define LEVEL_SECONDS   43200.0 // memory of the level: half a day, so that a slow change is not taken for usual
#define MAD_TO_SIGMA    1.2533 // of a normal distribution: mean absolute deviation to standard deviation
#define MOST_CORRELATED 0.95
#define CALM            0.5 // deviations that the mean of the last values may be off ...
#define CALM_VALUES     10.0
#define CALM_SECONDS    300.0 // ... for so long, then an alarm is over

double cusum_threshold(double false_alarms_per_week, double seconds) {
	double threshold = log(WEEK_SECONDS / seconds / false_alarms_per_week);

	return threshold > LEAST_THRESHOLD ? threshold : LEAST_THRESHOLD;
}

// Sums are kept below a ceiling and above zero.
static double clip_sum(double sum, double threshold) {
	return fmin(fmax(sum, 0), CEILING * threshold);
}

// May it be learnt from? A sum that stays high is believed in the end.
static bool learns(double share, double *frozen_seconds, double seconds) {
	*frozen_seconds = share < LEARNING ? 0 : *frozen_seconds + seconds;
	return share < LEARNING || *frozen_seconds > LASTING_SECONDS;
}

static void end_rare_alarm(struct rare_test *test, bool happened, double share, double seconds) {
	double gap;

	test->quiet_seconds = happened ? 0 : test->quiet_seconds + seconds;
	if (share < 1 && test->alarm_events == 0)
		return;
	test->alarm_seconds += seconds;
	test->alarm_events += happened;
	gap = test->alarm_seconds / fmax(test->alarm_events, 1);
	if (test->quiet_seconds < fmin(fmax(QUIET_TIMES * gap, LEAST_QUIET), MOST_QUIET))
		return;
	for (int i = 0; i < CUSUM_ALTERNATIVES; i++)
		test->sum[i] = 0;
	test->alarm_seconds = test->alarm_events = 0;
}

double rare_test_advance(struct rare_test *test, bool happened, double seconds, double threshold) {
	double usual = (test->events + PRIOR_EVENTS) / (test->trials + PRIOR_SECONDS / seconds);
	double share = 0;

	for (int i = 0; i < CUSUM_ALTERNATIVES; i++) {
		double changed = fmin(times_as_frequent[i] * usual, (1 + usual) / 2);
		double step = happened ? log(changed / usual) : log((1 - changed) / (1 - usual));

		test->sum[i] = clip_sum(test->sum[i] + step, threshold);
		share = fmax(share, test->sum[i] / threshold);
	}
	if (learns(share, &test->frozen_seconds, seconds)) {
		double keep = exp(-seconds / MEMORY_SECONDS);

		test->events = keep * test->events + happened;
		test->trials = keep * test->trials + 1;
	}
	end_rare_alarm(test, happened, share, seconds);
	return share;
}

static void learn_level(struct level_test *test, double value, double z, double seconds) {
	double memory = LEVEL_SECONDS / seconds, cut = fmin(fmax(z, -OUTLIER), OUTLIER);
	double weight;

	if (test->n == 0) {
		test->mean = value;
		test->n = 1;
		return;
	}
	test->n = fmin(test->n + 1, memory);
	weight = 1 / test->n;
	if (test->n <= LEAST_VALUES / 4) { // nothing is an outlier yet
		test->deviation += weight * (MAD_TO_SIGMA * fabs(value - test->mean) - test->deviation);
		test->mean += weight * (value - test->mean);
		return;
	}
	test->correlation += weight * (cut * test->last - test->correlation);
	test->mean += weight * cut * test->deviation;
	test->deviation += weight * (MAD_TO_SIGMA * fabs(cut) - 1) * test->deviation;
	test->last = cut;
}

static void end_level_alarm(struct level_test *test, double z, double share, double seconds) {
	test->recent += (fmin(fmax(z, -OUTLIER), OUTLIER) - test->recent) / CALM_VALUES;
	test->calm_seconds = fabs(test->recent) < CALM ? test->calm_seconds + seconds : 0;
	if (share >= LEARNING && test->calm_seconds >= fmax(CALM_SECONDS, CALM_VALUES * seconds))
		test->up = test->down = 0;
}

// The part of a value that doesn't follow from the one before is what is summed: values that stick together would
// make false alarms.
double level_test_advance(struct level_test *test, double value, double seconds, double threshold,
                          double *ret_z) {
	double least = 1e-6 * (1 + fabs(test->mean));
	double z = test->n > 0 ? (value - test->mean) / fmax(test->deviation, least) : 0;
	double correlation = fmin(fmax(test->correlation, 0), MOST_CORRELATED), news, share;

	*ret_z = z;
	if (test->n < LEAST_VALUES) {
		learn_level(test, value, z, seconds);
		return 0;
	}
	news = (z - correlation * test->last) / sqrt(1 - correlation * correlation);
	news = fmin(fmax(news, -OUTLIER), OUTLIER);
	test->up = clip_sum(test->up + SHIFT * news - SHIFT * SHIFT / 2, threshold);
	test->down = clip_sum(test->down - SHIFT * news - SHIFT * SHIFT / 2, threshold);
	share = fmax(test->up, test->down) / threshold;
	if (learns(share, &test->frozen_seconds, seconds))
		learn_level(test, value, z, seconds);
	else
		test->last = fmin(fmax(z, -OUTLIER), OUTLIER);
	end_level_alarm(test, z, share, seconds);
	return share;
}
