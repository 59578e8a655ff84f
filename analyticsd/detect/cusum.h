// cusum.h: sequential tests with a stated rate of false alarms. Pure. One thread at a time.
//
// Each is Page's cumulative sum of a log-likelihood ratio (E. S. Page: Continuous inspection schemes, Biometrika
// 41, 1954). Under the distribution before a change the mean time to a false alarm is at least exp(threshold)
// observations (G. Lorden: Procedures for reacting to a change in distribution, Annals of Mathematical
// Statistics 42, 1971), so the threshold follows from the wanted rate and from nothing else. What is usual is learnt
// from the series itself, while nothing is wrong; a change that lasts for a day is the new usual. An alarm is over when
// what made it has stopped, which is much sooner than the sum alone would fall for what hardly ever happens.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CUSUM_ALTERNATIVES 2

// The sum that an alarm takes, for so many false alarms a week, at one observation each 'seconds'.
double cusum_threshold(double false_alarms_per_week, double seconds);

// ---- how often something happens: rarely, or more and more

struct rare_test {
	double events, trials;                             // seen while all was well, old ones forgotten
	double sum[CUSUM_ALTERNATIVES];                    // against being some and many times as frequent
	double alarm_seconds, alarm_events, quiet_seconds; // since the alarm; since the last event
	double frozen_seconds;                             // for so long it was not learnt from
};

// One trial of 'seconds': did it happen? Returns the sum as a share of the threshold: at 1 it is an alarm.
double rare_test_advance(struct rare_test *, bool happened, double seconds, double threshold);

// ---- the level of a value: higher, or lower, than usual

struct level_test {
	double n;               // seen while all was well, at most a memory's length
	double mean, deviation; // of the value, outliers cut
	double last;            // deviation from the mean of the value before, in units of 'deviation'
	double correlation;     // of a value with the one before
	double up, down;        // sums
	double recent,
	        calm_seconds; // mean deviation of the last values; for so long it is no more than usual
	double frozen_seconds;
};

// One value of 'seconds'; returns the larger sum as a share of the threshold, 0 while the test still learns.
// '*ret_z' is how far the value is from the usual, in deviations.
double level_test_advance(struct level_test *, double value, double seconds, double threshold, double *ret_z);
