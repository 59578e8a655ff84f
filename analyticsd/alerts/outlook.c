// Forecasts, looked at for alerts.
// SPDX-License-Identifier: MIT
#include "outlook.h"

#include "clock.h"
#include "codec.h"
#include "cusum.h"
#include "detector.h"
#include "log.h"
#include "service.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>
#include <zmq.h>

#define PAGE_LINKS        200    // links in one question
#define ANSWER_MS         300000 // that a forecast of a page may take
#define POLL_MS           200
#define COMPLAIN_NS       (600 * NS_PER_SECOND)
#define BAND_QUANTILE     0.99 // of the band that use should stay in
#define BAND_ROUNDS       2    // a band is made for so many rounds to come
#define LEAST_BAND_S      60.0
#define CLEAR_UTILIZATION 0.95 // of the share that alerts: below it the alert may clear

// The band that was last forecast for a link and direction.
struct band {
	char key[LIMIT_ID_SIZE + 4];
	struct band_point *points;
	size_t n;
	struct rare_test outside;
	int64_t tested_ns;
	UT_hash_handle hh;
};

struct outlook {
	const struct alert_settings *settings;
	void *context, *api, *detector;
	int stop_fd;
	atomic_bool stopping;
	struct band *bands;
	int64_t complained_mono_ns;
	pthread_t thread;
};

// ---- asking the API

static int open_api(struct outlook *outlook) {
	const int no_linger = 0;

	outlook->api = zmq_socket(outlook->context, ZMQ_REQ);
	if (outlook->api == NULL)
		return -ENOMEM;
	zmq_setsockopt(outlook->api, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	return zmq_connect(outlook->api, SERVICE_INPROC) == 0 ? 0 : -errno;
}

// A question without an answer leaves the socket unusable.
static void close_api(struct outlook *outlook) {
	if (outlook->api != NULL)
		zmq_close(outlook->api);
	outlook->api = NULL;
}

static int receive(struct outlook *outlook, zmq_msg_t *frame) {
	zmq_pollitem_t item = {outlook->api, 0, ZMQ_POLLIN, 0};

	for (int waited_ms = 0; waited_ms < ANSWER_MS; waited_ms += POLL_MS) {
		if (atomic_load(&outlook->stopping))
			return -ECANCELED;
		if (zmq_poll(&item, 1, POLL_MS) > 0)
			return zmq_msg_recv(frame, outlook->api, 0) >= 0 ? 0 : -errno;
	}
	return -ETIMEDOUT;
}

static int read_reply(enum op op, zmq_msg_t *frame, void *reply, struct document **ret,
                      struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct reply_head head;
	int rc;

	if ((rc = document_from_msgpack(zmq_msg_data(frame), zmq_msg_size(frame), &document, status)) < 0 ||
	    (rc = document_read(document, &reply_head_message, &head, status)) < 0)
		return rc;
	if (!head.ok)
		return status_set(status,
		                  head.error != NULL ? status_from_name(head.error->code) : STATUS_INTERNAL,
		                  "%s", head.error != NULL ? head.error->message : "refused");
	if ((rc = document_read(document, requests[op].reply, reply, status)) < 0)
		return rc;
	*ret = document;
	document = NULL;
	return 0;
}

static int ask(struct outlook *outlook, enum op op, const void *request, void *reply, struct document **ret,
               struct status *status) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	zmq_msg_t answer;
	int rc;

	if (outlook->api == NULL && (rc = open_api(outlook)) < 0)
		return rc;
	if ((rc = request_encode(op, NULL, request, &frame)) < 0)
		return rc;
	zmq_msg_init(&answer);
	rc = zmq_send(outlook->api, frame.data, frame.size, ZMQ_DONTWAIT) >= 0 ? receive(outlook, &answer)
	                                                                       : -errno;
	if (rc == 0)
		rc = read_reply(op, &answer, reply, ret, status);
	else
		close_api(outlook);
	zmq_msg_close(&answer);
	return rc;
}

// ---- telling the detector

static void send(struct outlook *outlook, const struct detect_message *message) {
	while (zmq_send(outlook->detector, message, sizeof(*message), ZMQ_DONTWAIT) < 0 && errno == EAGAIN &&
	       !atomic_load(&outlook->stopping))
		(void)poll(&(struct pollfd){outlook->stop_fd, POLLIN, 0}, 1, POLL_MS); // it is behind
}

static void tell(struct outlook *outlook, const struct link_forecast *forecast,
                 const struct detect_finding *finding) {
	struct detect_message message = {.kind = DETECT_LINK, .finding = *finding};

	snprintf(message.id, sizeof(message.id), "%s", forecast->link_id);
	send(outlook, &message);
}

// ---- how full it will be

// The first time that the band's upper bound is at 'gbps'; 0 when never.
static int64_t find_reach(const struct link_forecast *forecast, double gbps) {
	for (size_t i = 0; i < forecast->n_series; i++) {
		if (forecast->series[i].upper >= gbps)
			return forecast->series[i].ts_ns;
	}
	return 0;
}

static int when_full(struct outlook *outlook, const struct link_forecast *forecast, double gbps, int64_t *ret,
                     struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct link_forecast_query query;
	struct link_forecast detailed;
	int rc;

	link_forecast_query_init(&query);
	query.link_id = forecast->link_id;
	query.direction = forecast->direction;
	query.forecast_window_seconds = outlook->settings->utilization_window_seconds;
	query.quantile = outlook->settings->quantile;
	query.series = true;
	if ((rc = ask(outlook, OP_FORECAST_LINK, &query, &detailed, &document, status)) < 0)
		return rc;
	*ret = find_reach(&detailed, gbps);
	return 0;
}

static int look_ahead(struct outlook *outlook, const struct link_forecast *forecast, struct status *status) {
	const struct alert_settings *settings = outlook->settings;
	struct detect_finding finding = {.rule = RULE_utilization, .direction = forecast->direction};
	double share, total = forecast->total_capacity_gbps;
	char time[DURATION_TEXT_SIZE];
	int64_t now_ns = clock_real_ns();
	int rc;

	if (!HAS(forecast, link_forecast, total_capacity_gbps) || total <= 0)
		return 0;
	share = (forecast->forecast_used_capacity_gbps + forecast->reserved_gbps) / total;
	finding.value = share;
	finding.threshold = settings->utilization;
	// the desk clears below half of 1: the range from full to that is between the two shares
	finding.score = share >= settings->utilization                       ? 1
	                : share >= settings->utilization * CLEAR_UTILIZATION ? 0.75
	                                                                     : 0;
	if (finding.score >= 1) {
		double gbps = settings->utilization * total - forecast->reserved_gbps;

		if (forecast->current_used_capacity_gbps >= gbps)
			finding.expected_ns = now_ns;
		else if ((rc = when_full(outlook, forecast, gbps, &finding.expected_ns, status)) < 0)
			return rc;
		if (finding.expected_ns > now_ns + 60 * NS_PER_SECOND)
			snprintf(finding.text, sizeof(finding.text), "reaches %.3g %% in about %s, p%.3g",
			         100 * settings->utilization,
			         text_from_seconds(round((double)(finding.expected_ns - now_ns) / 60e9) * 60,
			                           time),
			         100 * settings->quantile);
		else if (finding.expected_ns != 0)
			snprintf(finding.text, sizeof(finding.text),
			         "reaches %.3g %% now, %.3g %% within %s, p%.3g", 100 * settings->utilization,
			         100 * share, text_from_seconds(settings->utilization_window_seconds, time),
			         100 * settings->quantile);
		else
			snprintf(finding.text, sizeof(finding.text), "reaches %.3g %% within %s, p%.3g",
			         100 * settings->utilization,
			         text_from_seconds(settings->utilization_window_seconds, time),
			         100 * settings->quantile);
	}
	tell(outlook, forecast, &finding);
	return 0;
}

// ---- is it as was forecast

static struct band *get_band(struct outlook *outlook, const struct link_forecast *forecast) {
	struct band *band;
	char key[sizeof(band->key)];

	snprintf(key, sizeof(key), "%d %s", forecast->direction, forecast->link_id);
	HASH_FIND_STR(outlook->bands, key, band);
	if (band != NULL)
		return band;
	band = calloc(1, sizeof(*band));
	if (band == NULL)
		return NULL;
	memcpy(band->key, key, sizeof(key));
	HASH_ADD_STR(outlook->bands, key, band);
	return band;
}

static const struct band_point *point_at(const struct band *band, int64_t ts_ns) {
	for (size_t i = 0; i < band->n; i++) {
		if (band->points[i].ts_ns >= ts_ns)
			return &band->points[i];
	}
	return NULL;
}

static int keep_band(struct band *band, const struct link_forecast *forecast) {
	struct band_point *points = calloc(forecast->n_series + 1, sizeof(*points));

	if (points == NULL)
		return -ENOMEM;
	if (forecast->n_series > 0)
		memcpy(points, forecast->series, forecast->n_series * sizeof(*points));
	free(band->points);
	band->points = points;
	band->n = forecast->n_series;
	return 0;
}

// What is used now is held against the band that an earlier round made for now.
static int look_at_band(struct outlook *outlook, const struct link_forecast *forecast) {
	struct detect_finding finding = {
	        .rule = RULE_unusual_use, .direction = forecast->direction, .threshold = NAN};
	double every = outlook->settings->outlook_seconds, use = forecast->current_used_capacity_gbps;
	bool is_fresh =
	        HAS(forecast, link_forecast, staleness_seconds) && forecast->staleness_seconds < 2 * every;
	struct band *band = get_band(outlook, forecast);
	const struct band_point *point;
	int64_t now_ns = clock_real_ns();

	if (band == NULL)
		return -ENOMEM;
	point = is_fresh ? point_at(band, now_ns) : NULL;
	if (point != NULL) {
		finding.value = use;
		finding.score = rare_test_advance(
		        &band->outside, use > point->upper || use < point->lower, every,
		        cusum_threshold(outlook->settings->false_alarms_per_week / CUSUM_ALTERNATIVES,
		                        every));
		snprintf(finding.text, sizeof(finding.text), "%.4g Gbps in use, %.4g to %.4g were forecast",
		         use, point->lower, point->upper);
		finding.threshold = use > point->upper ? point->upper : point->lower;
		tell(outlook, forecast, &finding);
	}
	return keep_band(band, forecast);
}

// ---- a round

typedef int (*forecast_fn)(struct outlook *, const struct link_forecast *, struct status *);

static int look_at_band_of(struct outlook *outlook, const struct link_forecast *forecast,
                           struct status *status) {
	(void)status;
	return look_at_band(outlook, forecast);
}

static int each_forecast(struct outlook *outlook, struct topology_forecast_query *query, forecast_fn look,
                         struct status *status) {
	int rc = 0;

	query->limit = PAGE_LINKS;
	query->page = 0;
	while (rc == 0) {
		CLEANUP(document_closep) struct document *document = NULL;
		struct topology_forecast forecast;

		if ((rc = ask(outlook, OP_FORECAST_TOPOLOGY, query, &forecast, &document, status)) < 0)
			return rc;
		for (size_t i = 0; i < forecast.n_link_capacities && rc == 0; i++)
			rc = look(outlook, &forecast.link_capacities[i], status);
		if (!HAS(&forecast, topology_forecast, next_page) || forecast.next_page <= query->page)
			break;
		query->page = forecast.next_page;
	}
	return rc;
}

static int look_at_topology(struct outlook *outlook, const char *topology_id, struct status *status) {
	const struct alert_settings *settings = outlook->settings;
	struct topology_forecast_query query;
	int rc = 0;

	topology_forecast_query_init(&query);
	query.topology_id = topology_id;
	if (!settings->rules[RULE_utilization].is_off) {
		query.forecast_window_seconds = settings->utilization_window_seconds;
		query.quantile = settings->quantile;
		rc = each_forecast(outlook, &query, look_ahead, status);
	}
	if (rc == 0 && !settings->rules[RULE_unusual_use].is_off) {
		query.forecast_window_seconds = fmax(BAND_ROUNDS * settings->outlook_seconds, LEAST_BAND_S);
		query.quantile = BAND_QUANTILE;
		query.series = true;
		rc = each_forecast(outlook, &query, look_at_band_of, status);
	}
	return rc;
}

static int look_around(struct outlook *outlook, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct topology_list list;
	struct empty nothing = {0};
	int rc;

	if ((rc = ask(outlook, OP_LIST_TOPOLOGIES, &nothing, &list, &document, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n_topologies && rc == 0; i++)
		rc = look_at_topology(outlook, list.topologies[i].topology_id, status);
	if (rc == 0)
		send(outlook, &(struct detect_message){.kind = DETECT_LINKS_DONE});
	return rc;
}

static void complain(struct outlook *outlook, int rc, const struct status *status) {
	int64_t now_ns = clock_mono_ns();

	if (rc == -ECANCELED ||
	    (outlook->complained_mono_ns != 0 && now_ns - outlook->complained_mono_ns < COMPLAIN_NS))
		return;
	outlook->complained_mono_ns = now_ns;
	log_warning("alerts: forecasts: %s", status->message[0] != '\0' ? status->message : strerror(-rc));
}

static void *run(void *argument) {
	struct outlook *outlook = argument;
	struct pollfd stop = {outlook->stop_fd, POLLIN, 0};
	int every_ms = (int)(outlook->settings->outlook_seconds * 1000);

	pthread_setname_np(pthread_self(), "linkcast-outlook");
	while (poll(&stop, 1, every_ms) == 0) {
		struct status status = {.message = ""};
		int rc = look_around(outlook, &status);

		if (rc < 0)
			complain(outlook, rc, &status);
	}
	return NULL;
}

// ---- start and stop

static void free_all(struct outlook *outlook) {
	struct band *band, *next;

	if (outlook == NULL)
		return;
	HASH_ITER (hh, outlook->bands, band, next) {
		HASH_DEL(outlook->bands, band);
		free(band->points);
		free(band);
	}
	close_api(outlook);
	if (outlook->detector != NULL)
		zmq_close(outlook->detector);
	if (outlook->stop_fd >= 0)
		close(outlook->stop_fd);
	free(outlook);
}
DEFINE_CLEANUP(struct outlook *, free_all)

int outlook_start(const struct alert_settings *settings, void *context, struct outlook **ret) {
	CLEANUP(free_allp) struct outlook *outlook = calloc(1, sizeof(*outlook));
	int rc;

	if (outlook == NULL)
		return -ENOMEM;
	outlook->settings = settings;
	outlook->context = context;
	outlook->stop_fd = eventfd(0, EFD_CLOEXEC);
	outlook->detector = detector_sender(context);
	if (outlook->stop_fd < 0 || outlook->detector == NULL)
		return -ENOMEM;
	rc = pthread_create(&outlook->thread, NULL, run, outlook);
	if (rc != 0)
		return -rc;
	*ret = outlook;
	outlook = NULL;
	return 0;
}

void outlook_stop(struct outlook *outlook) {
	if (outlook == NULL)
		return;
	atomic_store(&outlook->stopping, true);
	eventfd_write(outlook->stop_fd, 1);
	pthread_join(outlook->thread, NULL);
	free_all(outlook);
}
