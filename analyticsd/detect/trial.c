// Trying failure prediction on data with known failures.
// SPDX-License-Identifier: MIT
#include "trial.h"

#include "array.h"
#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_SECONDS  10.0 // scores are kept as the largest of so long
#define CLEAR_SECONDS   300.0
#define REPAIR_SECONDS  600.0 // after an event, in which an alarm is neither right nor false
#define WEEK_SECONDS    604800.0
#define SWEEP           200 // thresholds of the precision-recall curve
#define NAIVE_THRESHOLD 1e-3
#define FAILING_SHARE   0.05
#define LASTING                                                                                              \
	6 // answers of the predictor, 10 s apart, of which the least counts: as raise_after of the rule

struct moment {
	int64_t ts_ns;
	uint32_t port;
	float seconds;
	float scores[N_METHODS];
	int32_t event; // whose window it is in, or -1
	bool is_repair;
};

struct event {
	uint32_t port;
	int64_t window_ns, from_ns, to_ns; // to: last moment of failure
	bool has_sign, has_window;
	const char *kind;
};

struct trial {
	struct trial_options options;
	struct trainer *trainer;
	struct foresight *foresight;
	struct watch *watch;
	uint32_t port;
	struct moment *moments;
	size_t n_moments, capacity;
	struct event *events;
	size_t n_events, events_capacity;
	char (*kinds)[64];
	size_t n_kinds;
	bool failed, degrading, has_values, is_matched;
	double last_value, value_n, value_mean, value_square;
	double answers[LASTING]; // of the predictor
	size_t n_answers;
};

static const struct {
	const char *name;
	double threshold;
} methods[N_METHODS] = {
        [METHOD_TOGETHER] = {"together", 1},
        [METHOD_TESTS] = {"tests", 1},
        [METHOD_PREDICTOR] = {"predictor", 0}, // of the options
        [METHOD_THRESHOLD] = {"naive: errors over a threshold", NAIVE_THRESHOLD},
        [METHOD_LAST] = {"naive: it fails now", 0.5},
};

int trial_new(const struct trial_options *options, struct trial **ret) {
	CLEANUP(trial_freep) struct trial *trial = calloc(1, sizeof(*trial));
	int rc;

	if (trial == NULL)
		return -ENOMEM;
	trial->options = *options;
	trial->last_value = NAN;
	trial->kinds = calloc(64, sizeof(*trial->kinds));
	if (trial->kinds == NULL)
		return -ENOMEM;
	if ((rc = trainer_new(options->horizon_seconds, &trial->trainer)) < 0)
		return rc;
	*ret = trial;
	trial = NULL;
	return 0;
}

void trial_free(struct trial *trial) {
	if (trial == NULL)
		return;
	trainer_free(trial->trainer);
	foresight_free(trial->foresight);
	watch_free(trial->watch);
	free(trial->moments);
	free(trial->events);
	free(trial->kinds);
	free(trial);
}

int trial_next_port(struct trial *trial) {
	trial->port++;
	trial->failed = trial->degrading = false;
	memset(trial->answers, 0, sizeof(trial->answers));
	trial->last_value = NAN;
	trial->value_n = trial->value_mean = trial->value_square = 0;
	trainer_next_port(trial->trainer);
	watch_free(trial->watch);
	trial->watch = NULL;
	return watch_new(trial->options.false_alarms_per_week, &trial->watch);
}

const struct foresight *trial_foresight(const struct trial *trial) {
	return trial->foresight;
}

int trial_learn(struct trial *trial, const struct trial_row *row, const char *skip) {
	bool is_skipped = skip != NULL && row->kind != NULL && strcmp(skip, row->kind) == 0;
	float values[N_FEATURES];

	watch_advance(trial->watch, &row->observation);
	watch_features(trial->watch, values);
	return trainer_add(trial->trainer, row->observation.ts_ns, values,
	                   is_skipped    ? TRUTH_UNKNOWN
	                   : row->failed ? TRUTH_FAILED
	                                 : TRUTH_WELL);
}

int trial_train(struct trial *trial) {
	return foresight_train(trial->trainer, trial->options.seed, NULL, &trial->foresight);
}

// ---- testing: moments and events

static const char *keep_kind(struct trial *trial, const char *kind) {
	if (kind == NULL || kind[0] == '\0')
		return NULL;
	for (size_t i = 0; i < trial->n_kinds; i++) {
		if (strcmp(trial->kinds[i], kind) == 0)
			return trial->kinds[i];
	}
	if (trial->n_kinds == 64)
		return NULL;
	strncpy(trial->kinds[trial->n_kinds], kind, sizeof(trial->kinds[0]) - 1);
	return trial->kinds[trial->n_kinds++];
}

// An event begins with its first sign, or, where none was told, with the failure.
static int note_truth(struct trial *trial, const struct trial_row *row) {
	int64_t ts_ns = row->observation.ts_ns;
	struct event *event = trial->n_events > 0 ? &trial->events[trial->n_events - 1] : NULL;
	bool was_open = trial->degrading || trial->failed;
	int rc;

	if ((row->degrading || row->failed) && !was_open) {
		if ((rc = array_room((void **)&trial->events, trial->n_events, &trial->events_capacity,
		                     sizeof(*trial->events))) < 0)
			return rc;
		trial->events[trial->n_events++] = (struct event){
		        .port = trial->port,
		        .window_ns = row->degrading ? ts_ns
		                                    : ts_ns - (int64_t)(trial->options.warning_seconds * 1e9),
		        .from_ns = INT64_MAX,
		        .to_ns = ts_ns,
		        .has_sign = row->degrading,
		        .kind = keep_kind(trial, row->kind),
		};
	} else if (event != NULL && (row->degrading || row->failed)) {
		event->to_ns = ts_ns;
	}
	if (row->failed && !trial->failed) {
		assert(trial->n_events > 0 && trial->events != NULL);
		trial->events[trial->n_events - 1].from_ns = ts_ns;
	}
	trial->degrading = row->degrading;
	trial->failed = row->failed;
	return 0;
}

static double bad_share(const struct observation *o) {
	double bad = o->counters[COUNTER_rx_errors] + o->counters[COUNTER_tx_errors] +
	             o->counters[COUNTER_rx_missed] + o->counters[COUNTER_rx_nombuf];
	double all = o->counters[COUNTER_rx_packets] + o->counters[COUNTER_tx_packets] + bad;

	return all > 0 ? bad / all : 0;
}

static void score_value(struct trial *trial, const struct trial_row *row, float scores[static N_METHODS]) {
	double off = row->value - trial->value_mean, variance;

	trial->value_n++;
	trial->value_mean += off / trial->value_n;
	trial->value_square += off * (row->value - trial->value_mean);
	variance = trial->value_n > 1 ? trial->value_square / (trial->value_n - 1) : 0;
	scores[METHOD_TESTS] = scores[METHOD_TOGETHER] = (float)watch_score(trial->watch, RULE_unusual_rate);
	scores[METHOD_THRESHOLD] = (float)(variance > 0 ? fabs(off) / sqrt(variance) : 0);
	scores[METHOD_LAST] =
	        isnan(trial->last_value)
	                ? 0
	                : (float)(fabs(row->value - trial->last_value) / (fabs(trial->last_value) + 1));
	trial->last_value = row->value;
	trial->has_values = true;
}

static double lasting(struct trial *trial, double answer) {
	double least = answer;

	trial->answers[trial->n_answers++ % LASTING] = answer;
	for (size_t i = 0; i < LASTING; i++)
		least = fmin(least, trial->answers[i]);
	return least;
}

static void score(struct trial *trial, const struct trial_row *row, bool asks,
                  float scores[static N_METHODS]) {
	const struct observation *o = &row->observation;
	float values[N_FEATURES];
	double tests, predicted = 0;
	enum rule rule;

	if (!isnan(row->value)) {
		score_value(trial, row, scores);
		return;
	}
	tests = watch_worst(trial->watch, &rule);
	if (asks && trial->foresight != NULL) {
		watch_features(trial->watch, values);
		predicted = lasting(trial, foresight_ask(trial->foresight, values, NULL, 0));
	}
	scores[METHOD_TESTS] = (float)tests;
	scores[METHOD_PREDICTOR] = (float)predicted;
	scores[METHOD_TOGETHER] = (float)fmax(tests, predicted / trial->options.probability);
	scores[METHOD_THRESHOLD] = (float)bad_share(o);
	scores[METHOD_LAST] = !o->up || bad_share(o) >= FAILING_SHARE;
}

int trial_test(struct trial *trial, const struct trial_row *row, bool counts) {
	const struct observation *o = &row->observation;
	struct moment *last;
	float scores[N_METHODS] = {0};
	bool is_new;
	int rc;

	watch_advance(trial->watch, o);
	last = trial->n_moments > 0 ? &trial->moments[trial->n_moments - 1] : NULL;
	is_new = last == NULL || last->port != trial->port || (double)last->seconds >= SAMPLE_SECONDS * 0.999;
	score(trial, row, is_new, scores);
	if (!counts)
		return 0;
	if ((rc = note_truth(trial, row)) < 0)
		return rc;
	if (is_new) {
		if ((rc = array_room((void **)&trial->moments, trial->n_moments, &trial->capacity,
		                     sizeof(*trial->moments))) < 0)
			return rc;
		last = &trial->moments[trial->n_moments++];
		*last = (struct moment){.port = trial->port, .event = -1};
	}
	last->ts_ns = o->ts_ns;
	last->seconds += (float)o->seconds;
	for (int m = 0; m < N_METHODS; m++)
		last->scores[m] = fmaxf(last->scores[m], scores[m]);
	trial->is_matched = false;
	return 0;
}

// ---- matching

static bool is_in(const struct moment *moment, const struct event *event, int64_t after_ns) {
	return moment->port == event->port && moment->ts_ns >= event->window_ns &&
	       moment->ts_ns <= event->to_ns + after_ns;
}

// Events and moments are both in the order of ports and times.
static void match(struct trial *trial) {
	const int64_t repair_ns = (int64_t)(REPAIR_SECONDS * (double)NS_PER_SECOND);
	size_t first = 0;

	if (trial->is_matched)
		return;
	trial->is_matched = true;
	for (size_t i = 0; i < trial->n_moments; i++) {
		struct moment *moment = &trial->moments[i];

		while (first < trial->n_events && (trial->events[first].port < moment->port ||
		                                   (trial->events[first].port == moment->port &&
		                                    moment->ts_ns > trial->events[first].to_ns + repair_ns)))
			first++;
		moment->event = -1;
		moment->is_repair = false;
		for (size_t e = first; e < trial->n_events && e < first + 2; e++) {
			if (is_in(moment, &trial->events[e], 0))
				moment->event = (int32_t)e;
			else if (moment->event < 0 && is_in(moment, &trial->events[e], repair_ns))
				moment->is_repair = true;
		}
	}
}

double trial_weeks(const struct trial *trial) {
	double seconds = 0;

	for (size_t i = 0; i < trial->n_moments; i++) {
		if (trial->moments[i].event < 0 && !trial->moments[i].is_repair)
			seconds += (double)trial->moments[i].seconds;
	}
	return seconds / WEEK_SECONDS;
}

// ---- counting at a threshold

struct tally {
	size_t alarms, right, wrong, warned, found;
	double lead_seconds, lead_share;
};

struct verdict {
	bool warned, found;
	double lead_seconds, lead_share;
};

static int compare_doubles(const void *a, const void *b) {
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, size_t n) {
	if (n == 0)
		return NAN;
	qsort(values, n, sizeof(*values), compare_doubles);
	return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void judge(const struct trial *trial, const struct moment *moment, struct verdict *verdicts,
                  struct tally *tally) {
	const struct event *event;
	struct verdict *verdict;

	if (moment->is_repair)
		return;
	tally->alarms++;
	if (moment->event < 0) {
		tally->wrong++;
		return;
	}
	tally->right++;
	event = &trial->events[moment->event];
	verdict = &verdicts[moment->event];
	verdict->found = true;
	if (verdict->warned || moment->ts_ns >= event->from_ns || event->from_ns == INT64_MAX)
		return;
	verdict->warned = true;
	verdict->lead_seconds = (double)(event->from_ns - moment->ts_ns) / (double)NS_PER_SECOND;
	verdict->lead_share = event->has_sign ? (double)(event->from_ns - moment->ts_ns) /
	                                                (double)(event->from_ns - event->window_ns)
	                                      : NAN;
}

// Walks the alarms of a method. 'verdicts': one for each event, zeroed.
static void walk(const struct trial *trial, enum trial_method method, double threshold,
                 struct verdict *verdicts, struct tally *tally) {
	double below = 0;
	bool on = false;

	for (size_t i = 0; i < trial->n_moments; i++) {
		const struct moment *moment = &trial->moments[i];
		double value = (double)moment->scores[method];

		if (i > 0 && trial->moments[i - 1].port != moment->port)
			on = false;
		if (!on && value >= threshold) {
			judge(trial, moment, verdicts, tally);
			on = true;
		}
		below = value < threshold / 2 ? below + (double)moment->seconds : 0;
		if (on && below >= CLEAR_SECONDS)
			on = false;
	}
}

static int count(const struct trial *trial, enum trial_method method, double threshold, struct tally *ret) {
	CLEANUP(freep) struct verdict *verdicts = calloc(trial->n_events + 1, sizeof(*verdicts));
	CLEANUP(freep) double *leads = calloc(2 * trial->n_events + 2, sizeof(*leads));
	double *shares = leads != NULL ? leads + trial->n_events + 1 : NULL;
	size_t n = 0, n_shares = 0;

	if (verdicts == NULL || leads == NULL)
		return -ENOMEM;
	*ret = (struct tally){0};
	walk(trial, method, threshold, verdicts, ret);
	for (size_t e = 0; e < trial->n_events; e++) {
		ret->found += verdicts[e].found;
		ret->warned += verdicts[e].warned;
		if (!verdicts[e].warned)
			continue;
		leads[n++] = verdicts[e].lead_seconds;
		if (!isnan(verdicts[e].lead_share))
			shares[n_shares++] = verdicts[e].lead_share;
	}
	ret->lead_seconds = median(leads, n);
	ret->lead_share = median(shares, n_shares);
	return 0;
}

// ---- over all thresholds

static int compare_falling(const void *a, const void *b) {
	float left = *(const float *)a, right = *(const float *)b;

	return (left < right) - (left > right);
}

// Thresholds in falling order: the scores themselves, denser where they are large, since alarms are few.
static int find_thresholds(const struct trial *trial, enum trial_method method, double *ret, size_t *ret_n) {
	CLEANUP(freep) float *scores = malloc((trial->n_moments + 1) * sizeof(*scores));
	size_t n = 0;

	if (scores == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < trial->n_moments; i++) {
		if (trial->moments[i].scores[method] > 0)
			scores[n++] = trial->moments[i].scores[method];
	}
	qsort(scores, n, sizeof(*scores), compare_falling);
	*ret_n = 0;
	for (size_t i = 0; i < SWEEP && n > 0; i++) {
		size_t at = (size_t)((double)(n - 1) * pow((double)i / (SWEEP - 1), 3));

		if (*ret_n == 0 || (double)scores[at] < ret[*ret_n - 1])
			ret[(*ret_n)++] = (double)scores[at];
	}
	return 0;
}

// Of a series of values nothing is told beforehand: its events are to be found.
static double recall_of(const struct trial *trial, const struct tally *tally) {
	size_t hits = trial->has_values ? tally->found : tally->warned;

	return trial->n_events > 0 ? (double)hits / (double)trial->n_events : NAN;
}

static int sweep(const struct trial *trial, enum trial_method method, double weeks,
                 struct trial_result *ret) {
	double thresholds[SWEEP], last_recall = 0;
	bool is_over = false;
	struct tally tally;
	size_t n;
	int rc;

	ret->budget_threshold = ret->budget_recall = ret->budget_lead_share = NAN;
	ret->pr_auc = 0;
	if ((rc = find_thresholds(trial, method, thresholds, &n)) < 0)
		return rc;
	ret->has_scores = n > 0;
	for (size_t i = 0; i < n; i++) {
		double recall, precision;

		if ((rc = count(trial, method, thresholds[i], &tally)) < 0)
			return rc;
		recall = recall_of(trial, &tally);
		precision = tally.right + tally.wrong > 0
		                    ? (double)tally.right / (double)(tally.right + tally.wrong)
		                    : 1;
		if (recall > last_recall) {
			ret->pr_auc += (recall - last_recall) * precision;
			last_recall = recall;
		}
		is_over |= (double)tally.wrong > fmax(weeks, 1);
		if (!is_over) {
			ret->budget_threshold = thresholds[i];
			ret->budget_recall = recall;
			ret->budget_lead_share = tally.lead_share;
		}
	}
	return 0;
}

static double threshold_of(const struct trial *trial, enum trial_method method) {
	if (method == METHOD_PREDICTOR)
		return trial->options.probability;
	if (trial->has_values && method == METHOD_THRESHOLD)
		return 3; // deviations
	return methods[method].threshold;
}

int trial_results(struct trial *trial, struct trial_result ret[static N_METHODS]) {
	double weeks;
	int rc;

	match(trial);
	weeks = trial_weeks(trial);
	for (int m = 0; m < N_METHODS; m++) {
		struct tally tally;

		ret[m] = (struct trial_result){
		        .name = methods[m].name,
		        .threshold = threshold_of(trial, (enum trial_method)m),
		        .events = trial->n_events,
		};
		if (trial->has_values && m == METHOD_THRESHOLD)
			ret[m].name = "naive: deviations from the mean";
		if (trial->has_values && m == METHOD_LAST)
			ret[m].name = "naive: change from the last value";
		if ((rc = count(trial, (enum trial_method)m, ret[m].threshold, &tally)) < 0 ||
		    (rc = sweep(trial, (enum trial_method)m, weeks, &ret[m])) < 0)
			return rc;
		ret[m].warned = tally.warned;
		ret[m].found = tally.found;
		ret[m].alarms = tally.alarms;
		ret[m].right_alarms = tally.right;
		ret[m].precision = tally.alarms > 0 ? (double)tally.right / (double)tally.alarms : NAN;
		ret[m].recall = recall_of(trial, &tally);
		ret[m].false_per_week = weeks > 0 ? (double)tally.wrong / weeks : NAN;
		ret[m].false_per_day = ret[m].false_per_week / 7;
		ret[m].lead_seconds = tally.lead_seconds;
		ret[m].lead_share = tally.lead_share;
	}
	return 0;
}

int trial_kinds(struct trial *trial, struct trial_kind **ret, size_t *ret_n) {
	CLEANUP(freep) struct verdict *verdicts = calloc(trial->n_events + 1, sizeof(*verdicts));
	CLEANUP(freep) double *shares = calloc(trial->n_events + 1, sizeof(*shares));
	struct trial_kind *kinds = calloc(trial->n_kinds + 1, sizeof(*kinds));
	struct tally tally = {0};

	if (verdicts == NULL || shares == NULL || kinds == NULL) {
		free(kinds);
		return -ENOMEM;
	}
	match(trial);
	walk(trial, METHOD_TOGETHER, 1, verdicts, &tally);
	for (size_t k = 0; k < trial->n_kinds; k++) {
		size_t n = 0;

		kinds[k].name = trial->kinds[k];
		for (size_t e = 0; e < trial->n_events; e++) {
			if (trial->events[e].kind != kinds[k].name)
				continue;
			kinds[k].events++;
			kinds[k].warned += verdicts[e].warned;
			kinds[k].found += verdicts[e].found;
			if (verdicts[e].warned && !isnan(verdicts[e].lead_share))
				shares[n++] = verdicts[e].lead_share;
		}
		kinds[k].lead_share = median(shares, n);
	}
	*ret = kinds;
	*ret_n = trial->n_kinds;
	return 0;
}
