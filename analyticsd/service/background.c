// Measured use less the traffic of services. Where it isn't known what a meter showed, nothing is
// subtracted: too much background costs a path, too little breaks a promise.
// SPDX-License-Identifier: MIT
#include "background.h"

#include "clock.h"
#include "rates.h"
#include "reserved.h"
#include "service.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CURRENT_NS    (60 * NS_PER_SECOND)
#define LONG_SPAN_NS  (86400 * NS_PER_SECOND)
#define METER_STEP_NS (60 * NS_PER_SECOND)  // of a port over a long span
#define METER_GAP_NS  (300 * NS_PER_SECOND) // a point of a series speaks of so much time before it at most
#define BPS_PER_GBPS  1e9

static int64_t earlier(int64_t at_ns, int64_t by_ns) {
	return at_ns < INT64_MIN + by_ns ? INT64_MIN : at_ns - by_ns;
}

// ---- what a meter measured, as pieces of time with a rate

struct piece {
	int64_t from_ns, to_ns;
	double gbps;
};

struct metering {
	struct piece *pieces; // ascending, apart
	size_t n;
};

static void metering_fini(struct metering *metering) {
	free(metering->pieces);
}

static int meter_series(struct worker *worker, const struct meter *meter, int64_t from_ns, int64_t to_ns,
                        struct metering *ret, struct status *status) {
	struct kpi_range range = {
	        .link_id = meter->link_id,
	        .direction = (enum directions)meter->direction,
	        .kpi = KPI_LINK_USED_CAPACITY,
	        .from_ns = earlier(from_ns, METER_GAP_NS),
	        .to_ns = to_ns + METER_GAP_NS,
	        .limit = SIZE_MAX,
	};
	CLEANUP(freep) struct kpi_point *points = NULL;
	int64_t next_ns;
	size_t n = 0;
	int rc;

	if ((rc = history_kpi(worker->history, &range, &points, &n, &next_ns, status)) < 0)
		return rc;
	ret->pieces = calloc(n + 1, sizeof(*ret->pieces));
	if (ret->pieces == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++) {
		int64_t begin_ns = points[i - 1].ts_ns;

		if (points[i].ts_ns - begin_ns > METER_GAP_NS)
			begin_ns = points[i].ts_ns - METER_GAP_NS;
		ret->pieces[ret->n++] = (struct piece){begin_ns, points[i].ts_ns, points[i].gbps};
	}
	return 0;
}

// In the accounting of what it is taken from. Counters that fell tell nothing of the time between.
static int meter_port(struct worker *worker, const struct meter *meter, int64_t from_ns, int64_t to_ns,
                      struct metering *ret, struct status *status) {
	bool sent = meter->way == PORT_WAY_TX, frames = worker->options->accounting == ACCOUNTING_L1;
	const char *const counters[] = {
	        port_counters[sent ? COUNTER_tx_bytes : COUNTER_rx_bytes].name,
	        port_counters[sent ? COUNTER_tx_packets : COUNTER_rx_packets].name,
	};
	struct port_range range = {
	        .host = meter->host,
	        .name = meter->name,
	        .counters = counters,
	        .n_counters = frames ? 2 : 1,
	        .from_ns = earlier(from_ns, METER_GAP_NS),
	        .to_ns = to_ns + METER_GAP_NS,
	        .step_ns = to_ns - from_ns > LONG_SPAN_NS ? METER_STEP_NS : 0,
	        .limit = SIZE_MAX,
	};
	CLEANUP(freep) uint64_t *rows = NULL;
	int64_t next_ns;
	size_t n = 0;
	int rc;

	rc = history_port(worker->history, &range, &rows, &n, &next_ns, NULL);
	if (rc < 0 && rc != -ENOENT) // a port that was never heard measured nothing
		return status_set(status, STATUS_INTERNAL, "meter %s %s: cannot be read", meter->host,
		                  meter->name);
	ret->pieces = calloc(n + 1, sizeof(*ret->pieces));
	if (ret->pieces == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++) {
		const uint64_t *row = rows + i * (1 + range.n_counters), *before = row - 1 - range.n_counters;
		bool fell = row[1] < before[1] || (frames && row[2] < before[2]);

		if (row[0] > before[0] && !fell)
			ret->pieces[ret->n++] = (struct piece){
			        (int64_t)before[0], (int64_t)row[0],
			        rate_gbps(row[1] - before[1], frames ? row[2] - before[2] : 0,
			                  worker->options->accounting, (int64_t)(row[0] - before[0]))};
	}
	return 0;
}

// ---- subtracting

struct correction {
	struct worker *worker;
	struct status *status;
	const struct hold *holds;
	size_t n_holds;
	const struct kpi_point *points;
	size_t n_points;
	double *taken_gbps; // from each point
};

// The interval that a point speaks of; of the first one only its end is known.
static int64_t begin_of(const struct correction *correction, size_t i) {
	return i > 0 ? correction->points[i - 1].ts_ns : earlier(correction->points[i].ts_ns, 1);
}

static bool is_assumed(const struct hold *hold, int64_t unused) {
	(void)unused;
	return hold->traffic == TRAFFIC_ASSUMED;
}

static bool is_metered_by(const struct hold *hold, int64_t meter) {
	return hold->traffic == TRAFFIC_METERED && hold->meter == meter;
}

static int take_assumed(const struct correction *correction) {
	CLEANUP(reserved_fini) struct reserved reserved = {0};
	int rc = reserved_init(&reserved, correction->holds, correction->n_holds, is_assumed, 0);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < correction->n_points; i++)
		correction->taken_gbps[i] +=
		        reserved_mean(&reserved, begin_of(correction, i), correction->points[i].ts_ns) /
		        BPS_PER_GBPS;
	return 0;
}

// Mean over [from, to) of what the meter showed while a service that it measures held the link. '*at' goes
// along: intervals come in ascending order.
static double metered_mean(const struct metering *metering, const struct reserved *held, int64_t from_ns,
                           int64_t to_ns, size_t *at) {
	double bits = 0;

	while (*at < metering->n && metering->pieces[*at].to_ns <= from_ns)
		++*at;
	for (size_t i = *at; i < metering->n && metering->pieces[i].from_ns < to_ns; i++) {
		const struct piece *piece = &metering->pieces[i];
		int64_t begin_ns = piece->from_ns > from_ns ? piece->from_ns : from_ns;
		int64_t end_ns = piece->to_ns < to_ns ? piece->to_ns : to_ns;

		bits += piece->gbps * reserved_seconds(held, begin_ns, end_ns);
	}
	return bits / ((double)(to_ns - from_ns) / 1e9);
}

static int take_metered(const struct correction *correction, int64_t id) {
	CLEANUP(document_closep) struct document *memory = NULL;
	CLEANUP(metering_fini) struct metering metering = {0};
	CLEANUP(reserved_fini) struct reserved held = {0};
	int64_t from_ns = begin_of(correction, 0), to_ns = correction->points[correction->n_points - 1].ts_ns;
	struct meter meter;
	size_t at = 0;
	int rc;

	if ((rc = document_from_json("{}", 2, &memory, correction->status)) < 0 ||
	    (rc = ledger_meter(correction->worker->state, id, memory, &meter, correction->status)) < 0 ||
	    (rc = reserved_init(&held, correction->holds, correction->n_holds, is_metered_by, id)) < 0)
		return rc;
	rc = meter.link_id != NULL
	             ? meter_series(correction->worker, &meter, from_ns, to_ns, &metering, correction->status)
	             : meter_port(correction->worker, &meter, from_ns, to_ns, &metering, correction->status);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < correction->n_points; i++)
		correction->taken_gbps[i] += metered_mean(&metering, &held, begin_of(correction, i),
		                                          correction->points[i].ts_ns, &at);
	return 0;
}

// Each meter once, whatever the number of services that name it.
static int take_all_metered(const struct correction *correction) {
	int rc = 0;

	for (size_t i = 0; i < correction->n_holds && rc == 0; i++) {
		bool first = correction->holds[i].traffic == TRAFFIC_METERED;

		for (size_t before = 0; before < i && first; before++)
			first = !is_metered_by(&correction->holds[before], correction->holds[i].meter);
		if (first)
			rc = take_metered(correction, correction->holds[i].meter);
	}
	return rc;
}

int background_correct(struct worker *worker, const char *link_id, enum directions direction,
                       int64_t known_ns, struct kpi_point *points, size_t n, struct status *status) {
	struct hold_query query = {.link_id = link_id, .direction = direction, .known_ns = known_ns};
	CLEANUP(freep) struct hold *holds = NULL;
	CLEANUP(freep) double *taken_gbps = NULL;
	struct correction correction = {.worker = worker, .status = status, .points = points, .n_points = n};
	int rc;

	if (n == 0)
		return 0;
	query.from_ns = earlier(points[0].ts_ns, 1);
	query.to_ns = points[n - 1].ts_ns;
	if ((rc = ledger_holds(worker->state, &query, &holds, &correction.n_holds, status)) < 0 ||
	    correction.n_holds == 0)
		return rc;
	taken_gbps = calloc(n, sizeof(*taken_gbps));
	if (taken_gbps == NULL)
		return -ENOMEM;
	correction.holds = holds;
	correction.taken_gbps = taken_gbps;
	if ((rc = take_assumed(&correction)) < 0 || (rc = take_all_metered(&correction)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		points[i].gbps = fmax(points[i].gbps - taken_gbps[i], 0);
	return 0;
}

// ---- now

// Mean of the points after 'from_ns', or the last one.
static double mean_after(const struct kpi_point *points, size_t n, int64_t from_ns) {
	double sum = 0;
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (points[i].ts_ns <= from_ns)
			continue;
		sum += points[i].gbps;
		count++;
	}
	return count > 0 ? sum / (double)count : points[n - 1].gbps;
}

int background_current(struct worker *worker, const char *link_id, enum directions direction, int64_t at_ns,
                       double *ret, struct status *status) {
	struct kpi_range range = {
	        .link_id = link_id,
	        .direction = direction,
	        .kpi = KPI_LINK_USED_CAPACITY,
	        .limit = SIZE_MAX,
	};
	CLEANUP(freep) struct kpi_point *points = NULL;
	struct kpi_newest newest;
	int64_t next_ns;
	size_t n = 0;
	int rc;

	rc = history_kpi_newest(worker->history, link_id, direction, range.kpi, at_ns, &newest, status);
	if (rc <= 0)
		return rc;
	// one point more than needed tells when the first one's interval began
	range.from_ns = earlier(earlier(newest.point.ts_ns, newest.spacing_ns), CURRENT_NS);
	range.to_ns = newest.point.ts_ns + 1;
	if ((rc = history_kpi(worker->history, &range, &points, &n, &next_ns, status)) < 0 ||
	    (rc = background_correct(worker, link_id, direction, at_ns, points, n, status)) < 0)
		return rc;
	if (n > 0)
		*ret = mean_after(points, n, at_ns - CURRENT_NS);
	return 0;
}
