// watch.h: a port under watch: the tests that say what is wrong now, and the features that failure prediction looks at.
// The same for training and live use: it is fed observations in the order of time and keeps nothing else. Pure; one
// thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "observe.h"

enum rule {
#define RULE(NAME, KIND, SEVERITY, SIGN, RAISE, CLEAR, HELP) RULE_##NAME,
#include "rules.def"
#undef RULE
	N_RULES
};

struct rule_info {
	const char *name;
	enum alert_kinds kind;
	enum severities severity;
	bool is_sign; // of a failure to come
	double raise_seconds, clear_seconds;
	const char *help;
};
extern const struct rule_info rules[N_RULES];

// Returns 0 or -ENOENT.
int rule_find(const char *name, enum rule *ret);

enum feature {
#define FEATURE(NAME, EXPRESSION, HELP) FEATURE_##NAME,
#include "features.def"
#undef FEATURE
	N_FEATURES
};

struct feature_info {
	const char *name;
	const char *help;
};
extern const struct feature_info features[N_FEATURES];

struct watch;

// 'false_alarms_per_week': of all tests of the port together, while all is as it usually is. Returns 0 or -ENOMEM.
int watch_new(double false_alarms_per_week, struct watch **ret);
void watch_free(struct watch *);
DEFINE_CLEANUP(struct watch *, watch_free)

// Takes the next observation.
void watch_advance(struct watch *, const struct observation *);

// How far a rule's condition is on: at 1 it holds, with the stated rate of false alarms. 0 for rules that look at
// something else than a port's counters.
double watch_score(const struct watch *, enum rule);

// The largest score of the rules that may come before a failure, and which it is.
double watch_worst(const struct watch *, enum rule *ret);

// The features after the last observation.
void watch_features(const struct watch *, float ret[static N_FEATURES]);

// What a person is told of a rule's value, such as "0.12 % of packets with errors"; returns the value.
double watch_tell(const struct watch *, enum rule, char *text, size_t size);
