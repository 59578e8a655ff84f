// The signals of a port over several times, the tests on them (tests.def), the features made of them (features.def).
// SPDX-License-Identifier: MIT
#include "watch.h"

#include "clock.h"
#include "cusum.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEEK_SECONDS 604800.0
#define LEAST_SHARED 100.0 // packets in an interval from which on a share of them says something

enum scale { SCALE_1M, SCALE_10M, SCALE_1H, N_SCALES };
static const double scale_seconds[N_SCALES] = {60, 600, 3600};

// A mean that forgets, over several times.
struct smooth {
	double at[N_SCALES], seconds;
};

enum rare {
#define RARE(NAME, RULE, WHEN, HAPPENED) RARE_##NAME,
#define LEVEL(NAME, RULE, SECONDS, SPREAD, VALUE)
#include "tests.def"
#undef RARE
#undef LEVEL
	N_RARE
};

enum level {
#define RARE(NAME, RULE, WHEN, HAPPENED)
#define LEVEL(NAME, RULE, SECONDS, SPREAD, VALUE) LEVEL_##NAME,
#include "tests.def"
#undef RARE
#undef LEVEL
	N_LEVELS
};

#define N_TESTS (N_RARE * CUSUM_ALTERNATIVES + N_LEVELS * 2) // sums that can alarm

// What the latency of packets is at a load: a line, fitted to what was seen, old values forgotten.
struct latency_line {
	double n, load, latency, load_load, load_latency; // means and central moments
	double off;                                       // mean absolute deviation from the line
};

// The usual rate by quarter of an hour, on days of work and others.
#define SLOTS        96
#define SLOT_SECONDS 900.0
#define SLOT_KNOWN   20.0 // minutes that a quarter was seen: more than one day of it

struct slot {
	float mean, minutes;
};

struct watch {
	double false_alarms;
	double scores[N_RULES];
	struct rare_test rare[N_RARE];
	struct level_test levels[N_LEVELS];
	struct {
		double sum, seconds, last_z;
		unsigned n;
	} pending[N_LEVELS];
	struct smooth error_share, missed_share, no_buffer_share, error_often, missed_often, no_buffer_often,
	        down_often, silent_often, forwarded_excess, latency_off, packet_rate;
	struct latency_line line;
	struct slot slots[2][SLOTS];
	double minute_sum, minute_seconds;
	double latency_excess, rate_excess; // NAN when not known
	double rate_off, peak_rate, utilization, latency_ms;
	bool rx_has_bytes, tx_has_bytes, is_down;
};

const struct rule_info rules[N_RULES] = {
#define RULE(NAME, KIND, SEVERITY, SIGN, RAISE, CLEAR, HELP)                                                 \
	{#NAME, ALERT_KIND_##KIND, SEVERITY_##SEVERITY, SIGN, RAISE, CLEAR, HELP},
#include "rules.def"
#undef RULE
};

const struct feature_info features[N_FEATURES] = {
#define FEATURE(NAME, EXPRESSION, HELP) {#NAME, HELP},
#include "features.def"
#undef FEATURE
};

int rule_find(const char *name, enum rule *ret) {
	for (int i = 0; i < N_RULES; i++) {
		if (strcmp(rules[i].name, name) == 0) {
			*ret = (enum rule)i;
			return 0;
		}
	}
	return -ENOENT;
}

int watch_new(double false_alarms_per_week, struct watch **ret) {
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return -ENOMEM;
	watch->false_alarms = false_alarms_per_week;
	watch->latency_excess = watch->rate_excess = NAN;
	*ret = watch;
	return 0;
}

void watch_free(struct watch *watch) {
	free(watch);
}

// ---- signals

static void smoothen(struct smooth *smooth, double value, double seconds) {
	smooth->seconds += seconds;
	for (int i = 0; i < N_SCALES; i++) {
		// at first the mean of what there is
		double memory = fmin(scale_seconds[i], smooth->seconds);

		smooth->at[i] += (1 - exp(-seconds / memory)) * (value - smooth->at[i]);
	}
}

static double errors(const struct observation *o) {
	return o->counters[COUNTER_rx_errors] + o->counters[COUNTER_tx_errors];
}

// Of all packets that passed or should have.
static double share(double bad, const struct observation *o) {
	double all = o->counters[COUNTER_rx_packets] + o->counters[COUNTER_tx_packets] + bad;

	return bad > 0 && all > 0 ? bad / all : 0;
}

static double forwarded(const struct observation *o) {
	if (!o->up || o->counters[COUNTER_rx_packets] < LEAST_SHARED)
		return NAN;
	return log((o->counters[COUNTER_tx_packets] + 1) / (o->counters[COUNTER_rx_packets] + 1));
}

static double rate_of(const struct observation *o) {
	return (o->counters[COUNTER_rx_packets] + o->counters[COUNTER_tx_packets]) / o->seconds;
}

// Shares and rates as features have them.
static double decades(double value) {
	return log10(value + 1e-9);
}

static double as_is(double value) {
	return value;
}

static double logarithm(double value) {
	return log(value + 1);
}

// ---- latency at a load

#define LINE_SECONDS 86400.0 // memory
#define LINE_LEAST   300.0   // observations before the line says anything
#define OUTLIER      4.0

static void learn_line(struct latency_line *line, double load, double latency, double excess,
                       double seconds) {
	double weight, load_off, latency_off;

	line->n = fmin(line->n + 1, LINE_SECONDS / seconds);
	weight = 1 / line->n;
	if (line->n > LINE_LEAST) // an outlier counts as one that is less far out
		latency += fmin(fmax(excess, -OUTLIER * line->off), OUTLIER * line->off) - excess;
	load_off = load - line->load;
	latency_off = latency - line->latency;
	line->load += weight * load_off;
	line->latency += weight * latency_off;
	line->load_load += weight * ((1 - weight) * load_off * load_off - line->load_load);
	line->load_latency += weight * ((1 - weight) * load_off * latency_off - line->load_latency);
}

static void look_at_latency(struct watch *w, const struct observation *o) {
	struct latency_line *line = &w->line;
	double load = rate_of(o), slope, excess;

	w->latency_excess = NAN;
	w->latency_ms = o->latency_ms;
	if (isnan(o->latency_ms) || !o->up || o->latency_ms <= 0)
		return;
	slope = line->load_load > 0 ? line->load_latency / line->load_load : 0;
	excess = o->latency_ms - line->latency - slope * (load - line->load);
	if (line->n > LINE_LEAST)
		w->latency_excess = excess;
	if (w->scores[RULE_latency] > 0.5)
		return;
	learn_line(line, load, o->latency_ms, excess, o->seconds);
	line->off += (fabs(excess) - line->off) / line->n;
}

// ---- the rate of the time of day

static struct slot *slot_at(struct watch *w, int64_t ts_ns) {
	int64_t seconds = ts_ns / NS_PER_SECOND;
	int64_t day = seconds / 86400; // 0 was a Thursday
	bool weekend = (day + 3) % 7 >= 5;

	return &w->slots[weekend][seconds % 86400 / (int64_t)SLOT_SECONDS];
}

static void look_at_rate(struct watch *w, const struct observation *o) {
	struct slot *slot;
	double value, weight;

	w->rate_excess = NAN;
	w->minute_sum += rate_of(o) * o->seconds;
	w->minute_seconds += o->seconds;
	if (w->minute_seconds < 60)
		return;
	slot = slot_at(w, o->ts_ns);
	value = logarithm(w->minute_sum / w->minute_seconds);
	if (slot->minutes >= SLOT_KNOWN)
		w->rate_excess = value - slot->mean;
	if (w->scores[RULE_unusual_rate] <= 0.5) {
		double minutes = w->minute_seconds / 60;

		weight = fmin(minutes / (slot->minutes + minutes), 0.2 * minutes / 15);
		weight = slot->minutes == 0 ? 1 : fmin(weight, 1);
		slot->mean += (float)(weight * (value - slot->mean));
		slot->minutes += (float)minutes;
	}
	w->minute_sum = w->minute_seconds = 0;
}

// ---- tests

static void take_rare(struct watch *w, const struct observation *o) {
	double threshold = cusum_threshold(w->false_alarms / N_TESTS, o->seconds);

#define RARE(NAME, RULE, WHEN, HAPPENED)                                                                     \
	if (WHEN)                                                                                            \
		w->scores[RULE_##RULE] =                                                                     \
		        fmax(w->scores[RULE_##RULE],                                                         \
		             rare_test_advance(&w->rare[RARE_##NAME], HAPPENED, o->seconds, threshold));
#define LEVEL(NAME, RULE, SECONDS, SPREAD, VALUE)
#include "tests.def"
#undef RARE
#undef LEVEL
}

// Means over 'seconds' at least, so that values near each other, which stick together, count once.
static double advance_level(struct watch *w, enum level level, double value, double seconds, double spread,
                            double step) {
	struct level_test *test = &w->levels[level];
	double z;

	if (!isnan(value)) {
		w->pending[level].sum += value;
		w->pending[level].n++;
	}
	w->pending[level].seconds = w->pending[level].n > 1 || w->pending[level].seconds < seconds
	                                    ? w->pending[level].seconds + step
	                                    : seconds; // nothing came for longer than that
	if (w->pending[level].n > 0 && w->pending[level].seconds >= seconds * 0.999) {
		double threshold = cusum_threshold(w->false_alarms / N_TESTS, w->pending[level].seconds);

		(void)level_test_advance(test, w->pending[level].sum / w->pending[level].n,
		                         w->pending[level].seconds, threshold, &z);
		w->pending[level].last_z = fmin(fmax(z, -50), 50);
		w->pending[level].sum = w->pending[level].seconds = w->pending[level].n = 0;
	}
	if (test->deviation > spread)
		return 0;
	return fmax(test->up, test->down) / cusum_threshold(w->false_alarms / N_TESTS, fmax(seconds, step));
}

static void take_levels(struct watch *w, const struct observation *o) {
#define RARE(NAME, RULE, WHEN, HAPPENED)
#define LEVEL(NAME, RULE, SECONDS, SPREAD, VALUE)                                                            \
	w->scores[RULE_##RULE] = fmax(w->scores[RULE_##RULE],                                                \
	                              advance_level(w, LEVEL_##NAME, VALUE, SECONDS, SPREAD, o->seconds));
#include "tests.def"
#undef RARE
#undef LEVEL
}

static void take_signals(struct watch *w, const struct observation *o) {
	const double *counters = o->counters;
	double missed = counters[COUNTER_rx_missed], no_buffer = counters[COUNTER_rx_nombuf];
	double bits = fmax(counters[COUNTER_rx_bytes], counters[COUNTER_tx_bytes]) * 8 / o->seconds;

	smoothen(&w->error_share, share(errors(o), o), o->seconds);
	smoothen(&w->missed_share, share(missed, o), o->seconds);
	smoothen(&w->no_buffer_share, share(no_buffer, o), o->seconds);
	smoothen(&w->error_often, errors(o) > 0, o->seconds);
	smoothen(&w->missed_often, missed > 0, o->seconds);
	smoothen(&w->no_buffer_often, no_buffer > 0, o->seconds);
	smoothen(&w->down_often, o->n_down > 0, o->seconds);
	smoothen(&w->silent_often, counters[COUNTER_rx_packets] <= 0, o->seconds);
	smoothen(&w->packet_rate, rate_of(o), o->seconds);
	w->peak_rate = fmax(w->packet_rate.at[SCALE_1M], w->peak_rate * exp(-o->seconds / WEEK_SECONDS));
	if (!isnan(o->speed_bps))
		w->utilization += (1 - exp(-o->seconds / 60)) * (bits / o->speed_bps - w->utilization);
	w->rx_has_bytes |= counters[COUNTER_rx_bytes] > 0;
	w->tx_has_bytes |= counters[COUNTER_tx_bytes] > 0;
}

void watch_advance(struct watch *w, const struct observation *o) {
	take_signals(w, o);
	look_at_latency(w, o);
	look_at_rate(w, o);
	memset(w->scores, 0, sizeof(w->scores));
	take_rare(w, o);
	take_levels(w, o);
	w->is_down = !o->up;
	w->scores[RULE_link_down] = w->is_down;
	smoothen(&w->forwarded_excess, w->pending[LEVEL_forwarded].last_z, o->seconds);
	smoothen(&w->latency_off, w->pending[LEVEL_queueing].last_z, o->seconds);
	w->rate_off = w->pending[LEVEL_rate_of_day].last_z;
}

// ---- looking

double watch_score(const struct watch *watch, enum rule rule) {
	return watch->scores[rule];
}

double watch_worst(const struct watch *watch, enum rule *ret) {
	double worst = 0;

	for (int i = 0; i < N_RULES; i++) {
		if (rules[i].is_sign && watch->scores[i] > worst) {
			worst = watch->scores[i];
			*ret = (enum rule)i;
		}
	}
	return worst;
}

void watch_features(const struct watch *w, float ret[static N_FEATURES]) {
#define FEATURE(NAME, EXPRESSION, HELP) ret[FEATURE_##NAME] = (float)(EXPRESSION);
#include "features.def"
#undef FEATURE
}

double watch_tell(const struct watch *w, enum rule rule, char *text, size_t size) {
	static const struct {
		enum rule rule;
		const char *format;
		size_t offset;
	} shares[] = {
	        {RULE_errors, "%.3g %% of packets with errors in the last minute",
	         offsetof(struct watch, error_share)},
	        {RULE_missed, "%.3g %% of packets missed in the last minute",
	         offsetof(struct watch, missed_share)},
	        {RULE_no_buffers, "%.3g %% of packets without a buffer in the last minute",
	         offsetof(struct watch, no_buffer_share)},
	        {RULE_flapping, "went down in %.3g %% of the intervals of the last ten minutes",
	         offsetof(struct watch, down_often)},
	        {RULE_silence, "no packets in %.3g %% of the last minute",
	         offsetof(struct watch, silent_often)},
	};

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		const struct smooth *smooth = (const void *)((const char *)w + shares[i].offset);
		double value = smooth->at[rule == RULE_flapping ? SCALE_10M : SCALE_1M];

		if (shares[i].rule == rule) {
			snprintf(text, size, shares[i].format, 100 * value);
			return value;
		}
	}
	if (rule == RULE_forwarding || rule == RULE_unusual_rate || rule == RULE_latency) {
		double z = rule == RULE_forwarding ? w->forwarded_excess.at[SCALE_1M]
		           : rule == RULE_latency  ? w->latency_off.at[SCALE_1M]
		                                   : w->rate_off;

		snprintf(text, size, "%.3g deviations %s the usual", fabs(z), z < 0 ? "below" : "above");
		return z;
	}
	snprintf(text, size, "%s", rules[rule].help);
	return w->scores[rule];
}
