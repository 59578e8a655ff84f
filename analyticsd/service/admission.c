// Admission of a service: times, forecasts, and the check of each link, in whole bit/s, at every moment.
// SPDX-License-Identifier: MIT
#include "admission.h"

#include "clock.h"
#include "forecasting.h"
#include "links.h"
#include "reserved.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_AHEAD_NS  INT64_C(1000000000000000000) // a window starts within 30 years
#define START_SLACK_NS (60 * NS_PER_SECOND)         // a client's clock may be behind by so much
#define LONGEST_NS     (1000000000 * NS_PER_SECOND)
#define MOST_HELD_BPS  (INT64_MAX / 4) // on a link whose total isn't known

// ---- the request by itself

static int check_meter(struct call *call, const struct reserve_request *request) {
	const struct meter *meter = request->meter;
	bool is_port, is_link;

	if ((request->traffic == TRAFFIC_METERED) != (meter != NULL))
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "meter: goes with traffic 'metered', and only with it");
	if (meter == NULL)
		return 0;
	is_port = meter->host != NULL && meter->name != NULL && meter->link_id == NULL;
	is_link = meter->host == NULL && meter->name == NULL && meter->link_id != NULL;
	if (!is_port && !is_link)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "meter: needs host and name of a port, or link_id");
	return 0;
}

static int check_links(struct call *call, const struct reserve_request *request) {
	if (request->n_links == 0)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "links: none");
	for (size_t i = 0; i < request->n_links; i++) {
		for (size_t j = 0; j < i; j++) {
			if (request->links[i].direction == request->links[j].direction &&
			    strcmp(request->links[i].link_id, request->links[j].link_id) == 0)
				return status_set(call->status, STATUS_INVALID_ARGUMENT,
				                  "links[%zu]: '%s' is there twice", i,
				                  request->links[i].link_id);
		}
	}
	return 0;
}

static int settle_start(struct admission *admission, const struct service_view *changed) {
	const struct reserve_request *request = admission->request;
	int64_t now_ns = admission->call->now_ns;
	int64_t start_ns = changed != NULL ? changed->start_ns : now_ns;

	if (HAS(request, reserve_request, start_ns)) {
		start_ns = request->start_ns;
		if (changed == NULL && start_ns < now_ns - START_SLACK_NS)
			return status_set(admission->call->status, STATUS_INVALID_ARGUMENT,
			                  "start_ns: in the past");
	}
	if (start_ns > now_ns + MOST_AHEAD_NS)
		return status_set(admission->call->status, STATUS_INVALID_ARGUMENT,
		                  "start_ns: over 30 years ahead");
	admission->start_ns = start_ns > now_ns ? start_ns : now_ns; // the past can't be held any more
	return 0;
}

static int settle_end(struct admission *admission, const struct service_view *changed) {
	const struct reserve_request *request = admission->request;
	struct status *status = admission->call->status;
	bool by_time = HAS(request, reserve_request, end_ns),
	     by_length = HAS(request, reserve_request, duration_seconds);
	bool as_before = !by_time && !by_length && changed != NULL && HAS(changed, service_view, end_ns);

	if (by_time && by_length)
		return status_set(status, STATUS_INVALID_ARGUMENT, "duration_seconds: end_ns is given too");
	admission->end_ns = by_time ? request->end_ns : as_before ? changed->end_ns : LEDGER_OPEN;
	if (by_length)
		admission->end_ns = admission->start_ns + llround(request->duration_seconds * 1e9);
	if (admission->end_ns <= admission->start_ns)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "end_ns: not after the start, or in the past");
	if ((by_time || by_length) && admission->end_ns - admission->start_ns > LONGEST_NS)
		return status_set(status, STATUS_INVALID_ARGUMENT, "end_ns: over 10^9 s after the start");
	return 0;
}

// The service that is to be changed as it is now.
static int look_at_changed(struct admission *admission, struct service_view *ret) {
	struct call *call = admission->call;
	const char *service_id = admission->request->service_id;
	int rc;

	if ((rc = ledger_service(call->worker->state, service_id, false, call->now_ns, call->document, ret,
	                         call->status)) < 0)
		return rc;
	if (ret->state == SERVICE_EXPIRED || ret->state == SERVICE_RELEASED)
		return status_set(call->status, STATUS_FAILED_PRECONDITION, "service '%s' has ended",
		                  service_id);
	return 0;
}

int admission_begin(struct admission *admission, struct call *call, const struct reserve_request *request) {
	struct service_view changed;
	bool changes = request->service_id != NULL;
	int rc;

	*admission = (struct admission){.call = call, .request = request};
	if ((rc = check_links(call, request)) < 0 || (rc = check_meter(call, request)) < 0)
		return rc;
	if (changes && (rc = look_at_changed(admission, &changed)) < 0)
		return rc;
	admission->service_version = changes ? changed.version : 0;
	if ((rc = settle_start(admission, changes ? &changed : NULL)) < 0)
		return rc;
	return settle_end(admission, changes ? &changed : NULL);
}

// ---- what counts as used

struct weighing {
	struct admission *admission;
	struct link_evidence *link;
	struct forecasting *forecasting; // NULL: the current use counts
	const char *reason;              // why
};

// One value for the whole time.
static int count_current(const struct weighing *weighing, const struct link_now *now, const char *reason) {
	struct link_evidence *link = weighing->link;
	double gbps = now->background_gbps[link->direction];
	struct document *memory = weighing->admission->call->document;

	link->capacity_source = CAPACITY_SOURCE_CURRENT;
	link->capacity_source_reason = reason;
	link->series = document_alloc(memory, sizeof(*link->series));
	if (link->series == NULL)
		return -ENOMEM;
	link->series[0] = (struct kpi_point){weighing->admission->end_ns, isnan(gbps) ? 0 : gbps};
	link->n_series = 1;
	link->forecast_used_capacity_gbps = link->series[0].gbps;
	return 0;
}

// The band's upper side over the service's time; neighbours of the same height become one. The band says when,
// the peak says how much, should the band stay below it.
static int take_band(const struct weighing *weighing, const struct forecast *forecast) {
	const struct admission *admission = weighing->admission;
	struct link_evidence *link = weighing->link;
	size_t highest = 0, n = 0;

	link->series =
	        document_alloc(admission->call->document, (forecast->n_series + 1) * sizeof(*link->series));
	if (link->series == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < forecast->n_series; i++) {
		if (forecast->series[i].upper > forecast->series[highest].upper)
			highest = i;
	}
	for (size_t i = 0; i < forecast->n_series; i++) {
		const struct band_point *point = &forecast->series[i];
		double gbps = fmax(i == highest ? fmax(point->upper, forecast->value_gbps) : point->upper, 0);

		if (point->ts_ns <= admission->start_ns && i + 1 < forecast->n_series && i != highest)
			continue;
		if (n > 0 && link->series[n - 1].gbps == gbps)
			n--;
		link->series[n++] = (struct kpi_point){point->ts_ns, gbps};
	}
	if (n == 0)
		link->series[n++] = (struct kpi_point){admission->end_ns, fmax(forecast->value_gbps, 0)};
	if (link->series[n - 1].ts_ns < admission->end_ns)
		link->series[n - 1].ts_ns = admission->end_ns;
	link->n_series = n;
	return 0;
}

static int tell_traffic(const struct weighing *weighing, int64_t from_ns) {
	const struct call *call = weighing->admission->call;
	struct link_evidence *link = weighing->link;
	struct hold_query query = {
	        .link_id = link->link_id,
	        .direction = (enum directions)link->direction,
	        .from_ns = from_ns,
	        .to_ns = call->now_ns,
	        .known_ns = call->now_ns,
	};
	CLEANUP(freep) struct hold *holds = NULL;
	bool told[N_traffic_modes] = {false};
	size_t n;
	int rc;

	if ((rc = ledger_holds(call->worker->state, &query, &holds, &n, call->status)) < 0 || n == 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		told[holds[i].traffic] = true;
	link->traffic = document_alloc(call->document, N_traffic_modes * sizeof(*link->traffic));
	if (link->traffic == NULL)
		return -ENOMEM;
	for (int word = 0; word < N_traffic_modes; word++) {
		if (told[word])
			link->traffic[link->n_traffic++] = choice_word(&traffic_modes_choices, word);
	}
	return 0;
}

static int count_forecast(const struct weighing *weighing, const struct forecast *forecast) {
	struct link_evidence *link = weighing->link;
	int rc;

	link->capacity_source = CAPACITY_SOURCE_FORECAST;
	link->model = forecast->model;
	link->samples = (int64_t)forecast->samples;
	if (forecast->samples > 0)
		SET(link, link_evidence, history_to_ns, forecast->history_to_ns);
	if ((rc = take_band(weighing, forecast)) < 0)
		return rc;
	for (size_t i = 0; i < link->n_series; i++)
		link->forecast_used_capacity_gbps =
		        fmax(link->forecast_used_capacity_gbps, link->series[i].gbps);
	return forecast->samples > 0 ? tell_traffic(weighing, forecast->history_from_ns) : 0;
}

static int weigh_forecast(const struct weighing *weighing, const struct link_now *now) {
	const struct reserve_request *request = weighing->admission->request;
	struct forecasting *forecasting = weighing->forecasting;
	struct call *call = weighing->admission->call;
	struct link_evidence *link = weighing->link;
	double background = now->background_gbps[link->direction];
	struct forecast forecast = {0};
	int rc;

	forecasting->query.fallback_gbps = isnan(background) ? 0 : background;
	rc = forecasting_find(forecasting, link->link_id, (enum directions)link->direction, &forecast);
	if (rc >= 0) {
		rc = count_forecast(weighing, &forecast);
		forecast_fini(&forecast);
		return rc;
	}
	if (request->forecaster == FORECASTER_ON)
		return status_set(call->status, STATUS_UNAVAILABLE, "link '%s': forecast failed: %s",
		                  link->link_id, strerror(-rc));
	call->status->code = STATUS_OK;
	return count_current(weighing, now, "forecast failed");
}

static int weigh_link(void *context, const struct link_record *record) {
	struct weighing *weighing = context;
	struct admission *admission = weighing->admission;
	struct call *call = admission->call;
	struct link_now now;
	int rc;

	if (weighing->link->direction == DIRECTION_REVERSE && !record->bidirectional)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "direction: link '%s' is unidirectional", record->id);
	if ((rc = link_look(call->worker, record, call->now_ns, &now, call->status)) < 0)
		return rc;
	if (weighing->forecasting == NULL)
		return count_current(weighing, &now, weighing->reason);
	if (now.state == STATE_STALE && admission->request->unknown == UNKNOWN_CURRENT)
		return count_current(weighing, &now, "stale");
	return weigh_forecast(weighing, &now);
}

static int begin_forecasting(const struct admission *admission, struct forecasting *forecasting) {
	const struct reserve_request *request = admission->request;
	struct forecasting_options options = {
	        .window_seconds = (double)(admission->end_ns - admission->start_ns) / 1e9,
	        .quantile = request->quantile,
	        .has_start = admission->start_ns > admission->call->now_ns,
	        .start_ns = admission->start_ns,
	        .series = true,
	        .statistic = STATISTIC_PEAK,
	        .model = "auto",
	};

	return forecasting_begin(forecasting, admission->call, &options);
}

// Topology and version first: a path over links that went should be searched again.
static int check_topology(const struct admission *admission, int64_t *ret_version) {
	const struct reserve_request *request = admission->request;
	struct call *call = admission->call;
	struct topology_page page;
	int rc;

	if ((rc = state_topology(call->worker->state, request->topology_id, &page, call->status)) < 0)
		return rc;
	if (HAS(request, reserve_request, version) && request->version != page.version)
		return status_set(call->status, STATUS_ABORTED, "topology '%s' is at version %lld, not %lld",
		                  request->topology_id, (long long)page.version, (long long)request->version);
	*ret_version = page.version;
	return 0;
}

int admission_forecast(struct admission *admission) {
	const struct reserve_request *request = admission->request;
	struct admission_evidence *evidence = &admission->evidence;
	struct call *call = admission->call;
	CLEANUP(forecasting_end) struct forecasting forecasting = {0};
	struct weighing weighing = {.admission = admission};
	int rc;

	admission_evidence_init(evidence);
	evidence->decided_ns = call->now_ns;
	evidence->caller = request->evidence;
	if (HAS(request, reserve_request, max_utilization))
		SET(evidence, admission_evidence, max_utilization, request->max_utilization);
	evidence->links = document_alloc(call->document, request->n_links * sizeof(*evidence->links));
	if (evidence->links == NULL)
		return -ENOMEM;
	if ((rc = check_topology(admission, &evidence->topology_version)) < 0)
		return rc;
	if (request->forecaster == FORECASTER_OFF)
		weighing.reason = "forecaster off";
	else if (admission->end_ns == LEDGER_OPEN)
		weighing.reason = "no duration";
	else if ((rc = begin_forecasting(admission, &forecasting)) < 0)
		return rc;
	else
		weighing.forecasting = &forecasting;
	for (size_t i = 0; i < request->n_links; i++) {
		weighing.link = &evidence->links[i];
		link_evidence_init(weighing.link);
		weighing.link->link_id = request->links[i].link_id;
		weighing.link->direction = request->links[i].direction;
		if ((rc = state_link(call->worker->state, request->links[i].link_id, weigh_link, &weighing,
		                     call->status)) < 0)
			return rc;
	}
	evidence->n_links = request->n_links;
	return 0;
}

// ---- the check

struct looking {
	struct call *call;
	struct link_now now;
};

static int look(void *context, const struct link_record *record) {
	struct looking *looking = context;

	return link_look(looking->call->worker, record, looking->call->now_ns, &looking->now,
	                 looking->call->status);
}

static int refuse(const struct admission *admission, const struct link_evidence *link, const char *why) {
	int rc = status_set(admission->call->status, STATUS_ABORTED, "link '%s' %s: %s", link->link_id,
	                    choice_word(&directions_choices, link->direction), why);

	status_name_link(admission->call->status, link->link_id, link->direction);
	return rc;
}

static int check_state(const struct admission *admission, const struct link_evidence *link,
                       const struct link_now *now) {
	bool no_data = link->samples == 0 && isnan(now->current_gbps[link->direction]);
	int policy = admission->request->unknown;

	if (now->state == STATE_DOWN || now->state == STATE_ADMIN_DOWN)
		return refuse(admission, link, "is down");
	if (isnan(now->total_gbps[link->direction]) && policy != UNKNOWN_ALLOW)
		return refuse(admission, link, "its total capacity is not known");
	if (policy == UNKNOWN_REFUSE && (no_data || now->state == STATE_STALE || now->state == STATE_UNKNOWN))
		return refuse(admission, link, "its use is not known");
	return 0;
}

// The moment at which use and reservations together are the most.
static int64_t find_worst(const struct admission *admission, const struct reserved *reserved,
                          struct link_evidence *link) {
	int64_t from_ns = admission->start_ns, worst_bps = -1;

	for (size_t i = 0; i < link->n_series && from_ns < admission->end_ns; i++) {
		int64_t to_ns =
		        link->series[i].ts_ns < admission->end_ns ? link->series[i].ts_ns : admission->end_ns;
		int64_t at_ns, held_bps, bps;

		if (to_ns <= from_ns)
			to_ns = from_ns + 1; // the highest of a band that began before: at once
		held_bps = reserved_most(reserved, from_ns, to_ns, &at_ns);
		bps = ledger_bps(link->series[i].gbps) + held_bps;
		if (bps > worst_bps) {
			worst_bps = bps;
			link->worst_ns = at_ns;
			link->reserved_gbps = ledger_gbps(held_bps);
		}
		from_ns = to_ns;
	}
	return worst_bps;
}

static int check_room(const struct admission *admission, struct link_evidence *link, int64_t worst_bps) {
	const struct reserve_request *request = admission->request;
	double share = HAS(request, reserve_request, max_utilization) ? request->max_utilization : 1;
	int64_t demand_bps = ledger_bps(request->gbps), free_bps = MOST_HELD_BPS - worst_bps;
	char why[128], time[TIME_TEXT_SIZE];

	if (HAS(link, link_evidence, total_capacity_gbps)) {
		free_bps = ledger_bps(link->total_capacity_gbps * share) - worst_bps;
		SET(link, link_evidence, available_gbps, ledger_gbps(free_bps));
	}
	if (demand_bps <= free_bps)
		return 0;
	snprintf(why, sizeof(why), "%.9g of %.9g Gbps free at %s", ledger_gbps(free_bps), request->gbps,
	         text_from_time_ns(link->worst_ns, time));
	return refuse(admission, link, why);
}

static int check_link(const struct admission *admission, struct link_evidence *link) {
	const struct reserve_request *request = admission->request;
	struct call *call = admission->call;
	struct hold_query query = {
	        .link_id = link->link_id,
	        .direction = (enum directions)link->direction,
	        .from_ns = admission->start_ns,
	        .to_ns = admission->end_ns,
	        .known_ns = INT64_MAX,
	        .without_service = request->service_id,
	};
	CLEANUP(reserved_fini) struct reserved reserved = {0};
	CLEANUP(freep) struct hold *holds = NULL;
	struct looking looking = {.call = call};
	size_t n;
	int rc;

	rc = ledger_is_member(call->worker->state, request->topology_id, link->link_id, call->status);
	if (rc == 0)
		return status_set(call->status, STATUS_NOT_FOUND, "link '%s' is not in topology '%s'",
		                  link->link_id, request->topology_id);
	if (rc < 0 || (rc = state_link(call->worker->state, link->link_id, look, &looking, call->status)) < 0)
		return rc;
	link->state = looking.now.state;
	if (!isnan(looking.now.total_gbps[link->direction]))
		SET(link, link_evidence, total_capacity_gbps, looking.now.total_gbps[link->direction]);
	if ((rc = check_state(admission, link, &looking.now)) < 0 ||
	    (rc = ledger_holds(call->worker->state, &query, &holds, &n, call->status)) < 0 ||
	    (rc = reserved_init(&reserved, holds, n, NULL, 0)) < 0)
		return rc;
	return check_room(admission, link, find_worst(admission, &reserved, link));
}

// Another change may have come first.
static int check_changed(const struct admission *admission) {
	struct service_view changed;
	int rc;

	if (admission->service_version == 0)
		return 0;
	if ((rc = look_at_changed((struct admission *)admission, &changed)) < 0)
		return rc;
	if (changed.version != admission->service_version)
		return status_set(admission->call->status, STATUS_ABORTED,
		                  "service '%s' was changed meanwhile", admission->request->service_id);
	return 0;
}

int admission_check(struct admission *admission) {
	struct admission_evidence *evidence = &admission->evidence;
	struct call *call = admission->call;
	int rc;

	if ((rc = ledger_version(call->worker->state, &evidence->ledger_version, call->status)) < 0 ||
	    (rc = check_topology(admission, &evidence->topology_version)) < 0 ||
	    (rc = check_changed(admission)) < 0)
		return rc;
	for (size_t i = 0; i < evidence->n_links; i++) {
		if ((rc = check_link(admission, &evidence->links[i])) < 0)
			return rc;
	}
	return 0;
}
