// Alerts: raised, told, acted upon, cleared.
// SPDX-License-Identifier: MIT
#include "desk.h"

#include "alarm.h"
#include "alert_event.h"
#include "alert_log.h"
#include "clock.h"
#include "codec.h"
#include "log.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define KEY_SIZE          (2 * LIMIT_ID_SIZE + 32)
#define UPDATE_NS         (60 * NS_PER_SECOND) // between changes of what an active alert says
#define COMPLAIN_NS       (60 * NS_PER_SECOND)
#define NOTEWORTHY_CHANGE 0.1

// One thing that may be wrong; kept while it is, or may be.
struct condition {
	char key[KEY_SIZE];
	enum alert_kinds kind;
	enum rule rule;
	struct alarm alarm;
	int64_t alert_id;  // while the alarm is on
	bool is_told;      // published and acted upon
	bool was_reopened; // what it will be told as
	int64_t scored_mono_ns, updated_mono_ns;
	double value; // when it was last told or updated
	UT_hash_handle hh;
};

struct desk {
	const struct alert_settings *settings;
	struct state *state;
	struct actions *actions;
	void *ingest;
	struct metrics *metrics;
	struct condition *conditions;
	size_t n_untold;
	double tokens; // of the rate limit
	int64_t refilled_ns, complained_mono_ns;
};

static void complain(struct desk *desk, const char *what, const struct status *status) {
	int64_t now = clock_mono_ns();

	if (desk->complained_mono_ns != 0 && now - desk->complained_mono_ns < COMPLAIN_NS)
		return;
	desk->complained_mono_ns = now;
	log_error("alerts: %s: %s", what, status->message);
}

// ---- conditions

static void key_of(const struct desk_object *object, enum rule rule, char key[static KEY_SIZE]) {
	if (object->kind == ALERT_KIND_PORT)
		snprintf(key, KEY_SIZE, "%d p %s\n%s", (int)rule, object->host, object->name);
	else
		snprintf(key, KEY_SIZE, "%d l%d %s", (int)rule, object->direction, object->link_id);
}

static struct condition *find(const struct desk *desk, const struct desk_object *object, enum rule rule) {
	struct condition *condition;
	char key[KEY_SIZE];

	key_of(object, rule, key);
	HASH_FIND_STR(desk->conditions, key, condition);
	return condition;
}

static struct condition *add(struct desk *desk, const struct desk_object *object, enum rule rule) {
	struct condition *condition = calloc(1, sizeof(*condition));

	if (condition == NULL)
		return NULL;
	key_of(object, rule, condition->key);
	condition->kind = object->kind;
	condition->rule = rule;
	condition->value = NAN;
	HASH_ADD_STR(desk->conditions, key, condition);
	return condition;
}

static void drop(struct desk *desk, struct condition *condition) {
	HASH_DEL(desk->conditions, condition);
	free(condition);
}

bool desk_is_active(const struct desk *desk, const struct desk_object *object, enum rule rule) {
	const struct condition *condition = find(desk, object, rule);

	return condition != NULL && condition->alarm.on;
}

// ---- telling

// Returns 1, 0, or a negative errno.
static int is_silenced(struct desk *desk, const struct alert *alert, int64_t now_ns, struct status *status) {
	CLEANUP(document_closep) struct document *memory = NULL;
	struct silence *silences;
	size_t n;
	int rc;

	if ((rc = document_from_msgpack("\x80", 1, &memory, status)) < 0 ||
	    (rc = silence_list(desk->state, now_ns, memory, &silences, &n, status)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const struct silence *silence = &silences[i];

		if (silence->from_ns <= now_ns &&
		    (silence->object == NULL || strcmp(silence->object, alert->object) == 0) &&
		    (silence->rule == NULL || strcmp(silence->rule, alert->rule) == 0))
			return 1;
	}
	return 0;
}

static bool is_for(const struct action *action, const struct condition *condition, const struct alert *alert,
                   enum alert_changes change) {
	return action->rules[condition->rule] && action->changes[change] &&
	       alert->severity >= (int)action->severity &&
	       (action->objects == NULL || fnmatch(action->objects, alert->object, 0) == 0);
}

static void act(struct desk *desk, const struct action *action, const struct alert *alert,
                enum alert_changes change, int64_t now_ns, const char *body) {
	struct action_record record = {
	        .alert_id = alert->alert_id,
	        .action = action->name,
	        .change = change,
	        .state = ACTION_WAITING,
	        .queued_ns = now_ns,
	        .body = body,
	};
	struct status status = {.message = "out of memory"};
	int rc = action_log_add(desk->state, &record, &status);

	if (rc == 0)
		rc = actions_submit(desk->actions, &record);
	if (rc == 0)
		return;
	METRIC_ADD(desk->metrics, actions_failed, 1);
	if (rc == -ENOBUFS)
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "too many actions wait");
	complain(desk, "an action was not run", &status);
	if (record.number != 0) {
		record.state = ACTION_FAILED;
		record.finished_ns = now_ns;
		record.result = status.message;
		(void)action_log_set(desk->state, &record, NULL);
	}
}

static int tell(struct desk *desk, const struct condition *condition, enum alert_changes change,
                int64_t now_ns, struct status *status) {
	CLEANUP(document_closep) struct document *memory = NULL;
	CLEANUP(freep) char *body = NULL;
	struct alert alert;
	struct alert_event event = {.change = change, .ts_ns = now_ns, .alert = &alert};
	int rc;

	if ((rc = document_from_msgpack("\x80", 1, &memory, status)) < 0 ||
	    (rc = alert_log_get(desk->state, condition->alert_id, memory, &alert, status)) < 0)
		return rc;
	alert.actions = NULL; // what was done before is in ListAlerts
	alert.n_actions = 0;
	(void)alert_event_publish(desk->ingest, change, now_ns, &alert);
	log_info("alert %lld %s: %s %s: %s", (long long)alert.alert_id,
	         choice_word(&alert_changes_choices, change), alert.object, alert.rule, alert.text);
	if (desk->actions == NULL || desk->settings->n_actions == 0)
		return 0;
	if ((rc = message_to_json(&alert_event_message, &event, false, &body)) < 0)
		return rc;
	for (size_t i = 0; i < desk->settings->n_actions; i++) {
		const struct action *action = &desk->settings->actions[i];

		if (is_for(action, condition, &alert, change))
			act(desk, action, &alert, change, now_ns, body);
	}
	return 0;
}

// Tells of a raised alert, unless it is silenced or there were too many.
static int tell_raised(struct desk *desk, struct condition *condition, const struct alert *alert,
                       int64_t now_ns, struct status *status) {
	int rc = is_silenced(desk, alert, now_ns, status);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (desk->tokens < 1)
		return 0;
	desk->tokens -= 1;
	if (alert->silenced && (rc = alert_log_set_silenced(desk->state, alert->alert_id, false, status)) < 0)
		return rc;
	condition->is_told = true;
	return tell(desk, condition, condition->was_reopened ? ALERT_CHANGE_REOPENED : ALERT_CHANGE_RAISED,
	            now_ns, status);
}

// ---- raising and clearing

static void fill(struct alert *alert, const struct desk_finding *finding) {
	alert->text = finding->text;
	alert->factors = (struct alert_factor *)finding->factors;
	alert->n_factors = finding->n_factors;
	if (isfinite(finding->value))
		SET(alert, alert, value, finding->value);
	if (isfinite(finding->threshold))
		SET(alert, alert, threshold, finding->threshold);
	if (isfinite(finding->probability))
		SET(alert, alert, probability, finding->probability);
	if (finding->expected_ns != 0)
		SET(alert, alert, expected_ns, finding->expected_ns);
}

static int raise_alert(struct desk *desk, struct condition *condition, const struct desk_object *object,
                       int64_t now_ns, const struct desk_finding *finding, struct status *status) {
	int64_t reopen_ns = now_ns - (int64_t)(desk->settings->reopen_seconds * (double)NS_PER_SECOND);
	char name[KEY_SIZE];
	struct alert alert;
	int rc;

	alert_init(&alert);
	snprintf(name, sizeof(name), "%s/%s", object->host, object->name);
	alert.kind = object->kind;
	alert.object = object->kind == ALERT_KIND_PORT ? name : object->link_id;
	alert.host = object->kind == ALERT_KIND_PORT ? object->host : NULL;
	alert.name = object->kind == ALERT_KIND_PORT ? object->name : NULL;
	alert.link_id = object->link_id;
	if (object->kind == ALERT_KIND_LINK && object->direction >= 0)
		SET(&alert, alert, direction, object->direction);
	alert.rule = rules[condition->rule].name;
	alert.severity = desk->settings->rules[condition->rule].severity;
	alert.alert_id = 1;    // a message without one is none; the log gives it its own
	alert.silenced = true; // until it is told
	fill(&alert, finding);
	if ((rc = alert_log_raise(desk->state, &alert, now_ns, reopen_ns, status)) < 0)
		return rc;
	METRIC_ADD(desk->metrics, alerts_raised, 1);
	condition->alert_id = alert.alert_id;
	condition->was_reopened = rc == 2;
	condition->updated_mono_ns = clock_mono_ns();
	condition->value = finding->value;
	rc = tell_raised(desk, condition, &alert, now_ns, status);
	if (!condition->is_told) {
		desk->n_untold++;
		METRIC_ADD(desk->metrics, alerts_held, 1);
	}
	return rc;
}

static int clear_alert(struct desk *desk, struct condition *condition, int64_t now_ns,
                       struct status *status) {
	int rc = alert_log_clear(desk->state, condition->alert_id, now_ns, status);

	if (rc < 0)
		return rc;
	METRIC_ADD(desk->metrics, alerts_cleared, 1);
	if (condition->is_told)
		rc = tell(desk, condition, ALERT_CHANGE_CLEARED, now_ns, status);
	else if (desk->n_untold > 0)
		desk->n_untold--;
	condition->is_told = false;
	return rc < 0 ? rc : 0;
}

// What an active alert says follows what is so now; that alone is not told of.
static int update_alert(struct desk *desk, struct condition *condition, const struct desk_finding *finding,
                        struct status *status) {
	CLEANUP(document_closep) struct document *memory = NULL;
	double change = fabs(finding->value - condition->value);
	struct alert alert;
	int rc;

	condition->updated_mono_ns = clock_mono_ns();
	if (!(change > NOTEWORTHY_CHANGE * fabs(condition->value)))
		return 0;
	if ((rc = document_from_msgpack("\x80", 1, &memory, status)) < 0 ||
	    (rc = alert_log_get(desk->state, condition->alert_id, memory, &alert, status)) < 0)
		return rc;
	fill(&alert, finding);
	condition->value = finding->value;
	return alert_log_update(desk->state, &alert, status);
}

static int follow(struct desk *desk, struct condition *condition, const struct desk_object *object,
                  double score, int64_t now_ns, desk_tell_fn tell_finding, void *context,
                  struct status *status) {
	const struct alert_rule *rule = &desk->settings->rules[condition->rule];
	struct desk_finding finding = {.text = "", .value = NAN, .threshold = NAN, .probability = NAN};
	int rc = 0;

	switch (alarm_advance(&condition->alarm, score, now_ns, rule->raise_seconds, rule->clear_seconds)) {
	case ALARM_RAISED:
		tell_finding(context, &finding);
		rc = raise_alert(desk, condition, object, now_ns, &finding, status);
		if (condition->alert_id == 0)
			condition->alarm.on = false; // again with the next score
		break;
	case ALARM_CLEARED:
		rc = clear_alert(desk, condition, now_ns, status);
		if (rc < 0)
			condition->alarm.on = true;
		break;
	case ALARM_SAME:
		if (condition->alarm.on && score >= ALARM_CLEAR &&
		    clock_mono_ns() - condition->updated_mono_ns >= UPDATE_NS) {
			tell_finding(context, &finding);
			rc = update_alert(desk, condition, &finding, status);
		}
		break;
	}
	return rc;
}

bool desk_score(struct desk *desk, const struct desk_object *object, enum rule rule, double score,
                int64_t now_ns, desk_tell_fn tell_finding, void *context) {
	struct condition *condition = find(desk, object, rule);
	struct status status = {.message = "out of memory"};

	if (desk->settings->rules[rule].is_off)
		score = 0;
	if (condition == NULL && score < 1)
		return false;
	if (condition == NULL)
		condition = add(desk, object, rule);
	if (condition == NULL)
		return false;
	condition->scored_mono_ns = clock_mono_ns();
	if (follow(desk, condition, object, score, now_ns, tell_finding, context, &status) < 0)
		complain(desk, condition->key, &status);
	if (condition->alarm.on || score >= 1)
		return true;
	drop(desk, condition);
	return false;
}

void desk_forget(struct desk *desk, enum alert_kinds kind, int64_t since_mono_ns, int64_t now_ns) {
	struct condition *condition, *next;

	HASH_ITER (hh, desk->conditions, condition, next) {
		struct status status = {.message = "out of memory"};

		if (condition->kind != kind || condition->scored_mono_ns >= since_mono_ns)
			continue;
		if (condition->alarm.on && clear_alert(desk, condition, now_ns, &status) < 0)
			complain(desk, condition->key, &status);
		else
			drop(desk, condition);
	}
}

// ---- what was held back

static void refill(struct desk *desk, int64_t now_ns) {
	double most = fmax(desk->settings->alerts_per_minute, 1);
	double minutes = (double)(now_ns - desk->refilled_ns) / 60e9;

	desk->tokens = fmin(most, desk->tokens + fmax(minutes, 0) * desk->settings->alerts_per_minute);
	desk->refilled_ns = now_ns;
}

static int tell_late(struct desk *desk, struct condition *condition, int64_t now_ns, struct status *status) {
	CLEANUP(document_closep) struct document *memory = NULL;
	struct alert alert;
	int rc;

	if ((rc = document_from_msgpack("\x80", 1, &memory, status)) < 0 ||
	    (rc = alert_log_get(desk->state, condition->alert_id, memory, &alert, status)) < 0)
		return rc;
	rc = tell_raised(desk, condition, &alert, now_ns, status);
	if (condition->is_told)
		desk->n_untold--;
	return rc;
}

void desk_tick(struct desk *desk, int64_t now_ns) {
	struct condition *condition, *next;

	refill(desk, now_ns);
	if (desk->n_untold == 0)
		return;
	HASH_ITER (hh, desk->conditions, condition, next) {
		struct status status = {.message = "out of memory"};

		if (condition->alarm.on && !condition->is_told && desk->tokens >= 1 &&
		    tell_late(desk, condition, now_ns, &status) < 0)
			complain(desk, condition->key, &status);
	}
}

// ---- start and stop

static int take_up(void *context, const struct alert *alert) {
	struct desk *desk = context;
	struct desk_object object = {
	        .kind = (enum alert_kinds)alert->kind,
	        .host = alert->host,
	        .name = alert->name,
	        .link_id = alert->link_id,
	        .direction = HAS(alert, alert, direction) ? alert->direction : -1,
	};
	struct condition *condition;
	enum rule rule;

	if (rule_find(alert->rule, &rule) < 0)
		return 0; // of another release
	condition = add(desk, &object, rule);
	if (condition == NULL)
		return -ENOMEM;
	condition->alarm.on = true;
	condition->alert_id = alert->alert_id;
	condition->is_told = !alert->silenced;
	condition->was_reopened = alert->occurrences > 1;
	condition->scored_mono_ns = clock_mono_ns();
	condition->value = HAS(alert, alert, value) ? alert->value : NAN;
	desk->n_untold += alert->silenced;
	return 0;
}

int desk_new(const struct alert_settings *settings, const char *state_path, struct actions *actions,
             void *ingest, struct metrics *metrics, struct desk **ret, struct status *status) {
	CLEANUP(desk_freep) struct desk *desk = calloc(1, sizeof(*desk));
	int rc;

	if (desk == NULL)
		return -ENOMEM;
	desk->settings = settings;
	desk->actions = actions;
	desk->ingest = ingest;
	desk->metrics = metrics;
	desk->tokens = fmax(settings->alerts_per_minute, 1);
	desk->refilled_ns = clock_real_ns();
	if ((rc = state_open(state_path, true, &desk->state, status)) < 0 ||
	    (rc = alert_log_each_active(desk->state, take_up, desk, status)) < 0)
		return rc;
	*ret = desk;
	desk = NULL;
	return 0;
}

void desk_free(struct desk *desk) {
	struct condition *condition, *next;

	if (desk == NULL)
		return;
	HASH_ITER (hh, desk->conditions, condition, next) {
		HASH_DEL(desk->conditions, condition);
		free(condition);
	}
	state_close(desk->state);
	free(desk);
}
