// Alerts on the events socket.
// SPDX-License-Identifier: MIT
#include "alert_event.h"

#include "codec.h"
#include "ingest.h"

#include <stdio.h>

int alert_event_publish(void *ingest, enum alert_changes change, int64_t now_ns, struct alert *alert) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char topic[TOPIC_SIZE];
	struct ingest_call call = {.task = INGEST_PUBLISH, .topic = topic, .frame = &frame};
	struct alert_event event = {.change = change, .ts_ns = now_ns, .alert = alert};
	int rc;

	if ((rc = message_encode(&alert_event_message, &event, &frame)) < 0)
		return rc;
	snprintf(topic, sizeof(topic), "alert/%s/%s/", choice_word(&severities_choices, alert->severity),
	         alert->object);
	return ingest_call(ingest, &call);
}
