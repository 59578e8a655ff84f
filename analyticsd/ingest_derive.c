// From rows to used capacity: points of links, and their events.
// SPDX-License-Identifier: MIT
#include "ingest_private.h"

#include "codec.h"
#include "rebuild.h"

#include <stdio.h>

static void publish_usage(struct ingest *ingest, const struct usage_point *point) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char topic[TOPIC_SIZE];
	struct link_usage usage = {
	        .link_id = point->link_id,
	        .direction = point->direction,
	        .ts_ns = point->point.ts_ns,
	        .used_capacity_gbps = point->point.gbps,
	        .state = STATE_UP, // measured on a port that is up
	};

	if (message_encode(&link_usage_message, &usage, &frame) < 0)
		return;
	snprintf(topic, sizeof(topic), "link/%s/", point->link_id);
	ingest_publish(ingest, topic, frame.data, frame.size);
}

static void count_event(struct metrics *metrics, enum rate_event event, uint64_t missing) {
	switch (event) {
	case RATE_RESET:
		METRIC_ADD(metrics, counter_resets, 1);
		break;
	case RATE_WRAP:
		METRIC_ADD(metrics, counter_wraps, 1);
		break;
	case RATE_GAP:
		METRIC_ADD(metrics, gaps, 1);
		METRIC_ADD(metrics, rows_missing, missing);
		break;
	case RATE_DOWN:
		METRIC_ADD(metrics, down_intervals, 1);
		break;
	case RATE_CLOCK_STEP:
		METRIC_ADD(metrics, clock_steps, 1);
		break;
	case RATE_READY:
	case RATE_WAITING:
	case RATE_STALE:
	case N_RATE_EVENTS:
		break;
	}
}

static struct port_reading reading_of(const struct sample *sample, const uint64_t *row) {
	const uint64_t *counters = row + 2;

	return (struct port_reading){
	        .instance = sample->instance,
	        .seq = row[0],
	        .epoch = sample->epoch,
	        .ts_ns = (int64_t)row[1],
	        .up = sample->up,
	        .rx_packets = counters[COUNTER_rx_packets],
	        .tx_packets = counters[COUNTER_tx_packets],
	        .rx_bytes = counters[COUNTER_rx_bytes],
	        .tx_bytes = counters[COUNTER_tx_bytes],
	};
}

static int derive_row(struct ingest *ingest, const struct sample *sample, const uint64_t *row,
                      struct status *status) {
	struct usage_point points[N_directions];
	struct port_reading reading = reading_of(sample, row);
	enum rate_event event;
	uint64_t missing = 0;
	size_t n_points;
	int rc;

	event = usage_advance(ingest->usage, sample->host, sample->name, &reading, &missing, points,
	                      &n_points);
	count_event(ingest->metrics, event, missing);
	for (size_t p = 0; p < n_points; p++) {
		if ((rc = history_add_kpi(ingest->history, points[p].link_id, points[p].direction,
		                          KPI_LINK_USED_CAPACITY, KPI_MEASURED, &points[p].point, 1, NULL,
		                          status)) < 0)
			return rc;
		ingest->tally.usage_points++;
		publish_usage(ingest, &points[p]);
	}
	return 0;
}

// Does the row continue what the port's rates are made from? What is published later by another instance begins
// anew there; what is replayed of another one is the past.
static bool is_late(const struct ingest *ingest, const struct sample *sample, uint64_t seq,
                    enum origin origin) {
	uint64_t instance, last_seq;

	if (!usage_last(ingest->usage, sample->host, sample->name, &instance, &last_seq))
		return false;
	if (instance != sample->instance)
		return origin == REPLAYED;
	return seq < last_seq;
}

static int rebuild(struct ingest *ingest, const struct late_rows *late, struct status *status) {
	int rc = rebuild_usage(ingest->history, ingest->usage, ingest->accounting, late, status);

	if (rc > 0)
		METRIC_ADD(ingest->metrics, rebuilds, 1);
	return rc < 0 ? rc : 0;
}

int ingest_derive(struct ingest *ingest, const struct sample *sample, enum origin origin, int64_t interval_ns,
                  struct status *status) {
	struct late_rows late = {sample->host, sample->name, INT64_MAX, INT64_MIN, interval_ns};
	size_t width = 2 + sample->n_names;
	int rc;

	for (size_t i = 0; i < sample->n_rows; i++) {
		const uint64_t *row = sample->rows + i * width;
		int64_t ts_ns = (int64_t)row[1];

		if (!is_late(ingest, sample, row[0], origin)) {
			if ((rc = derive_row(ingest, sample, row, status)) < 0)
				return rc;
			continue;
		}
		late.from_ns = ts_ns < late.from_ns ? ts_ns : late.from_ns;
		late.to_ns = ts_ns > late.to_ns ? ts_ns : late.to_ns;
	}
	return late.from_ns <= late.to_ns ? rebuild(ingest, &late, status) : 0;
}
