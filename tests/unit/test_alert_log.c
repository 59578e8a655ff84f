// Alerts, maintenance times, actions and labels in state.db.
// SPDX-License-Identifier: MIT
#include "alert_log.h"
#include "labels.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static struct state *state;
static struct document *memory;
static struct status status;

static void open_state(void) {
	snprintf(path, sizeof(path), "/tmp/alert_log.%d.db", (int)getpid());
	cr_assert_eq(state_open(path, true, &state, &status), 0, "%s", status.message);
	cr_assert_eq(document_from_msgpack("\x80", 1, &memory, &status), 0);
}

static void close_state(void) {
	char other[80];

	document_close(memory);
	state_close(state);
	unlink(path);
	for (int i = 0; i < 2; i++) {
		snprintf(other, sizeof(other), "%s%s", path, i == 0 ? "-wal" : "-shm");
		unlink(other);
	}
}

TestSuite(alert_log, .init = open_state, .fini = close_state);

static struct alert about(const char *object, const char *rule) {
	struct alert alert;

	alert_init(&alert);
	alert.kind = ALERT_KIND_LINK;
	alert.object = alert.link_id = object;
	alert.rule = rule;
	alert.severity = SEVERITY_MAJOR;
	alert.text = "something";
	alert.alert_id = 1;
	return alert;
}

Test(alert_log, one_thing_has_one_active_alert_and_the_directions_are_two_things) {
	struct alert first = about("l", "errors"), again = about("l", "errors"),
	             forward = about("l", "errors"), other = about("m", "errors");

	SET(&forward, alert, direction, DIRECTION_FORWARD);
	cr_assert_eq(alert_log_raise(state, &first, 100, 0, &status), 1, "%s", status.message);
	cr_assert_eq(alert_log_raise(state, &again, 200, 0, &status), 0);
	cr_assert_eq(again.alert_id, first.alert_id);
	cr_assert_eq(alert_log_raise(state, &forward, 200, 0, &status), 1);
	cr_assert_eq(alert_log_raise(state, &other, 200, 0, &status), 1);
	cr_assert_neq(forward.alert_id, first.alert_id);
}

Test(alert_log, what_clears_and_returns_soon_is_the_same_and_later_another) {
	struct alert alert = about("l", "errors"), soon = about("l", "errors"), late = about("l", "errors"),
	             seen;
	int64_t id;

	cr_assert_eq(alert_log_raise(state, &alert, 100, 0, &status), 1);
	id = alert.alert_id;
	cr_assert_eq(alert_log_clear(state, id, 200, &status), 1);
	cr_assert_eq(alert_log_clear(state, id, 201, &status), 0, "it is cleared already");
	cr_assert_eq(alert_log_raise(state, &soon, 300, 150, &status), 2);
	cr_assert_eq(soon.alert_id, id);
	cr_assert_eq(soon.occurrences, 2);
	cr_assert_eq(soon.raised_ns, 100);
	cr_assert_eq(alert_log_get(state, id, memory, &seen, &status), 0);
	cr_assert_not(HAS(&seen, alert, cleared_ns));
	cr_assert_eq(alert_log_clear(state, id, 400, &status), 1);
	cr_assert_eq(alert_log_raise(state, &late, 1000, 900, &status), 1);
	cr_assert_neq(late.alert_id, id);
}

Test(alert_log, updates_keep_who_acknowledged_and_taking_back_forgets_it) {
	struct alert alert = about("l", "errors"), seen;
	struct alert_ack ack = {.note = "on it", .acknowledged = true};

	cr_assert_eq(alert_log_raise(state, &alert, 100, 0, &status), 1);
	ack.alert_id = alert.alert_id;
	cr_assert_eq(alert_log_ack(state, &ack, "alice", 150, &status), 0);
	cr_assert_eq(alert_log_get(state, alert.alert_id, memory, &seen, &status), 0);
	seen.text = "worse";
	cr_assert_eq(alert_log_update(state, &seen, &status), 0);
	cr_assert_eq(alert_log_get(state, alert.alert_id, memory, &seen, &status), 0);
	cr_assert_str_eq(seen.text, "worse");
	cr_assert_str_eq(seen.acknowledged_by, "alice");
	cr_assert_str_eq(seen.note, "on it");
	ack.acknowledged = false;
	cr_assert_eq(alert_log_ack(state, &ack, "bob", 160, &status), 0);
	cr_assert_eq(alert_log_get(state, alert.alert_id, memory, &seen, &status), 0);
	cr_assert(!seen.acknowledged && seen.acknowledged_by == NULL && seen.note == NULL);
	cr_assert_not(HAS(&seen, alert, acknowledged_ns));
	ack.alert_id = 99;
	cr_assert_eq(alert_log_ack(state, &ack, "bob", 160, &status), -ENOENT);
}

Test(alert_log, cleared_alerts_are_forgotten_after_their_time_with_their_actions) {
	struct alert old = about("l", "errors"), new = about("m", "errors");
	struct action_record record = {.action = "a", .state = ACTION_WAITING, .body = "{}"};
	struct alerts_query query;
	struct alert_list list = {0};

	cr_assert_eq(alert_log_raise(state, &old, 100, 0, &status), 1);
	record.alert_id = old.alert_id;
	cr_assert_eq(action_log_add(state, &record, &status), 0);
	cr_assert_eq(alert_log_clear(state, old.alert_id, 200, &status), 1);
	cr_assert_eq(alert_log_raise(state, &new, 300 + ALERT_KEPT_NS, 0, &status), 1);
	alerts_query_init(&query);
	cr_assert_eq(alert_log_list(state, &query, memory, &list, &status), 0);
	cr_assert_eq(list.n_alerts, 1);
	cr_assert_str_eq(list.alerts[0].object, "m");
}

static int count_open(void *context, const struct action_record *record) {
	cr_assert_str_eq(record->body, "{\"x\":1}");
	(*(int *)context)++;
	return 0;
}

Test(alert_log, actions_are_open_until_they_finished) {
	struct alert alert = about("l", "errors"), seen;
	struct action_record record = {
	        .action = "page", .change = ALERT_CHANGE_RAISED, .queued_ns = 5, .body = "{\"x\":1}"};
	int n = 0;

	cr_assert_eq(alert_log_raise(state, &alert, 100, 0, &status), 1);
	record.alert_id = alert.alert_id;
	cr_assert_eq(action_log_add(state, &record, &status), 0);
	cr_assert_eq(action_log_each_open(state, count_open, &n, &status), 0);
	cr_assert_eq(n, 1);
	record.state = ACTION_DONE;
	record.attempts = 2;
	record.started_ns = 6;
	record.finished_ns = 7;
	record.result = "exit status 0";
	cr_assert_eq(action_log_set(state, &record, &status), 0);
	cr_assert_eq(action_log_each_open(state, count_open, &n, &status), 0);
	cr_assert_eq(n, 1);
	cr_assert_eq(alert_log_get(state, alert.alert_id, memory, &seen, &status), 0);
	cr_assert_eq(seen.n_actions, 1);
	cr_assert_str_eq(seen.actions[0].result, "exit status 0");
	cr_assert_eq(seen.actions[0].finished_ns, 7);
}

Test(alert_log, maintenance_is_listed_until_it_is_over) {
	struct silence silence = {.object = "l", .from_ns = 100, .until_ns = 200, .by = "alice"}, *listed;
	size_t n;

	cr_assert_eq(silence_add(state, &silence, 50, &status), 0);
	cr_assert_eq(silence_list(state, 199, memory, &listed, &n, &status), 0);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(listed[0].object, "l");
	cr_assert_eq(silence_list(state, 200, memory, &listed, &n, &status), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(silence_end(state, silence.silence_id, 150, &status), 0);
	cr_assert_eq(silence_end(state, silence.silence_id, 150, &status), -ENOENT);
}

Test(alert_log, labels_of_one_object_do_not_overlap) {
	struct event_label label = {.host = "h",
	                            .name = "p",
	                            .event = "x",
	                            .failure = true,
	                            .from_ns = 10,
	                            .to_ns = 20,
	                            .by = "a"};
	struct event_label same = label, touching = label, over = label, other = label;

	touching.from_ns = 20;
	touching.to_ns = 30;
	over.from_ns = 15;
	over.to_ns = 25;
	other.name = "q";
	cr_assert_eq(label_add(state, &label, &status), 1);
	cr_assert_eq(label_add(state, &same, &status), 0);
	cr_assert_eq(same.label_id, label.label_id);
	cr_assert_eq(label_add(state, &touching, &status), 1);
	cr_assert_eq(label_add(state, &over, &status), -EEXIST);
	cr_assert_eq(label_add(state, &other, &status), 1);
	cr_assert_eq(label_drop(state, label.label_id, &status), 0);
	cr_assert_eq(label_drop(state, label.label_id, &status), -ENOENT);
}

Test(alert_log, the_failure_model_is_one_and_replaced) {
	struct bytes model = {(uint8_t *)"abc", 3}, other = {(uint8_t *)"defg", 4}, loaded = {0};
	int64_t made_ns;

	cr_assert_eq(failure_model_load(state, &made_ns, &loaded, &status), 0);
	cr_assert_eq(failure_model_save(state, 1, &model, &status), 0);
	cr_assert_eq(failure_model_save(state, 2, &other, &status), 0);
	cr_assert_eq(failure_model_load(state, &made_ns, &loaded, &status), 1);
	cr_assert(made_ns == 2 && loaded.size == 4 && memcmp(loaded.data, "defg", 4) == 0);
	bytes_fini(&loaded);
}
