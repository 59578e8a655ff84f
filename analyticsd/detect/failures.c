// Failures that were.
// SPDX-License-Identifier: MIT
#include "failures.h"

#include "array.h"
#include "clock.h"

#include <errno.h>
#include <stdlib.h>

bool failure_is(const struct observation *o) {
	double bad = o->counters[COUNTER_rx_errors] + o->counters[COUNTER_tx_errors] +
	             o->counters[COUNTER_rx_missed] + o->counters[COUNTER_rx_nombuf];
	double all = o->counters[COUNTER_rx_packets] + o->counters[COUNTER_tx_packets] + bad;

	return !o->up || (bad > 0 && bad >= FAILURE_SHARE * all);
}

static int close_open(struct failures *failures) {
	struct failure_span open = failures->open;
	int rc;

	failures->open = (struct failure_span){0};
	if (open.from_ns == 0 ||
	    (double)(open.to_ns - open.from_ns) < FAILURE_LEAST_SECONDS * (double)NS_PER_SECOND)
		return 0;
	if ((rc = array_room((void **)&failures->found, failures->n, &failures->capacity,
	                     sizeof(*failures->found))) < 0)
		return rc;
	failures->found[failures->n++] = open;
	return 0;
}

int failures_add(struct failures *failures, const struct observation *o) {
	int64_t begin_ns = o->ts_ns - (int64_t)(o->seconds * (double)NS_PER_SECOND);
	struct failure_span *open = &failures->open;
	int rc = 0;

	if (open->from_ns != 0 &&
	    (double)(begin_ns - open->to_ns) > FAILURE_GAP_SECONDS * (double)NS_PER_SECOND)
		rc = close_open(failures);
	if (!failure_is(o))
		return rc;
	if (open->from_ns == 0)
		open->from_ns = begin_ns;
	open->to_ns = o->ts_ns;
	return rc;
}

int failures_end(struct failures *failures) {
	return close_open(failures);
}

void failures_fini(struct failures *failures) {
	free(failures->found);
	*failures = (struct failures){0};
}

bool failures_cover(const struct failures *failures, int64_t ts_ns, size_t *at) {
	while (*at < failures->n && failures->found[*at].to_ns < ts_ns)
		(*at)++;
	return *at < failures->n && failures->found[*at].from_ns < ts_ns;
}
