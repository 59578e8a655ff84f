// One forecast, asked for at the prompt. The thread that asks is the plugin's, because ZeroMQ's own threads
// take the CPUs of whoever makes them, and the prompt's thread sits on an lcore.
// SPDX-License-Identifier: MIT
#include "forecast.h"

#include "client.h"
#include "clock.h"
#include "cores.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (CLIENT_TIMEOUT_MS * NS_PER_MS + NS_PER_SECOND / 2)

struct inquiry {
	struct forecast_question question;
	int64_t deadline_ns;
	bool has_end; // of the link, that the port is at
	int end;
	char *text; // the answer
	size_t text_size;
	int rc;
	struct status status;
};

// What is left of the time for one call; at the end of it still long enough to say that nobody answers.
static int call(const struct inquiry *inquiry, enum op op, const void *request, void *reply,
                struct document **ret, struct status *status) {
	CLEANUP(client_closep) struct client *client = NULL;
	int64_t left_ms = (inquiry->deadline_ns - clock_mono_ns()) / NS_PER_MS;
	int rc;

	rc = client_open(inquiry->question.server, left_ms > 1 ? (int)left_ms : 1, &client, status);
	if (rc < 0)
		return rc;
	return client_call(client, op, request, reply, ret, status);
}

static const struct source_port *find_port(const struct source_list *list,
                                           const struct forecast_question *question) {
	for (size_t i = 0; i < list->n_sources; i++) {
		const struct source *source = &list->sources[i];

		if (strcmp(source->host, question->host) != 0)
			continue;
		for (size_t j = 0; j < source->n_ports; j++) {
			if (strcmp(source->ports[j].name, question->port_name) == 0)
				return &source->ports[j];
		}
	}
	return NULL;
}

// analyticsd knows the topology's bindings, which win over `set link`, and the end that a port is at.
static int find_link(struct inquiry *inquiry) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct forecast_question *question = &inquiry->question;
	const struct source_port *port;
	struct source_list list;
	struct empty nothing;
	int rc;

	empty_init(&nothing);
	rc = call(inquiry, OP_LIST_SOURCES, &nothing, &list, &document, &inquiry->status);
	if (rc < 0 && (rc == -EHOSTUNREACH || question->link[0] == '\0'))
		return rc;
	port = rc == 0 ? find_port(&list, question) : NULL;
	if (port != NULL && port->link != NULL) {
		snprintf(question->link, sizeof(question->link), "%s", port->link);
		inquiry->has_end = ((port->has >> source_port_has_end) & 1) != 0;
		inquiry->end = port->end;
	}
	if (question->link[0] == '\0')
		return status_set(&inquiry->status, STATUS_FAILED_PRECONDITION,
		                  "%s has no link: 'analytics set link PORT LINK_ID' names one",
		                  question->port_name);
	return 0;
}

// ---- printing

static void print_capacities(const struct link_forecast *forecast, double quantile, FILE *out) {
	double used = forecast->forecast_used_capacity_gbps;

	fprintf(out, "  used now     %.6g Gbps\n", forecast->current_used_capacity_gbps);
	fprintf(out, "  will use     %.6g Gbps: no more than that in %.4g of 100 such windows\n", used,
	        100 * quantile);
	if (forecast->reserved_gbps > 0)
		fprintf(out, "  reserved     %.6g Gbps\n", forecast->reserved_gbps);
	if (((forecast->has >> link_forecast_has_total_capacity_gbps) & 1) == 0) {
		fprintf(out, "  total        not known\n");
		return;
	}
	fprintf(out, "  total        %.6g Gbps\n", forecast->total_capacity_gbps);
	fprintf(out, "  free         %.6g Gbps\n",
	        forecast->total_capacity_gbps - used - forecast->reserved_gbps);
}

// The band where it is highest: that is what the forecast of a peak speaks of.
static void print_band(const struct link_forecast *forecast, double quantile, FILE *out) {
	const struct band_point *highest = NULL;
	char time[TIME_TEXT_SIZE];

	for (size_t i = 0; i < forecast->n_series; i++) {
		if (highest == NULL || forecast->series[i].upper > highest->upper)
			highest = &forecast->series[i];
	}
	if (highest == NULL)
		return;
	fprintf(out,
	        "  band         %.6g to %.6g Gbps (quantiles %.4g and %.4g), median %.6g, at its highest "
	        "%s\n",
	        highest->lower, highest->upper, 1 - quantile, quantile, highest->median,
	        text_from_time_ns(highest->ts_ns, time));
}

static void print_provenance(const struct link_forecast *forecast, FILE *out) {
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], step[DURATION_TEXT_SIZE];
	uint64_t has = forecast->has;

	fprintf(out, "  model        %s, %" PRId64 " samples", forecast->model, forecast->samples);
	if (forecast->samples > 0)
		fprintf(out, " of %s", text_from_seconds(forecast->step_seconds, step));
	if (((has >> link_forecast_has_history_from_ns) & 1) &&
	    ((has >> link_forecast_has_history_to_ns) & 1))
		fprintf(out, " from %s to %s", text_from_time_ns(forecast->history_from_ns, from),
		        text_from_time_ns(forecast->history_to_ns, to));
	if ((has >> link_forecast_has_staleness_seconds) & 1)
		fprintf(out, ", newest %.3g s old", forecast->staleness_seconds);
	fprintf(out, "\n  trust        %" PRId64 " windows calibrated", forecast->calibration_windows);
	if ((has >> link_forecast_has_coverage) & 1)
		fprintf(out, ", %.4g of 100 covered", 100 * forecast->coverage);
	if ((has >> link_forecast_has_backtest_mase) & 1)
		fprintf(out, ", backtest MASE %.3g", forecast->backtest_mase);
	fprintf(out, "\n");
	if (forecast->fallback_reason != NULL)
		fprintf(out, "  fell back    %s\n", forecast->fallback_reason);
}

// tx at end a and rx at end z are forward.
static const char *side(const struct inquiry *inquiry, enum directions direction) {
	if (!inquiry->has_end)
		return "";
	return (inquiry->end == END_A) == (direction == DIRECTION_FORWARD) ? ", what the port sends"
	                                                                   : ", what the port receives";
}

static int ask_direction(struct inquiry *inquiry, enum directions direction, FILE *out) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct link_forecast_query query;
	struct link_forecast forecast;
	char window[DURATION_TEXT_SIZE];
	int rc;

	link_forecast_query_init(&query);
	query.link_id = inquiry->question.link;
	query.direction = direction;
	query.forecast_window_seconds = inquiry->question.window_seconds;
	query.series = true;
	rc = call(inquiry, OP_FORECAST_LINK, &query, &forecast, &document, &inquiry->status);
	if (rc < 0)
		return rc;
	fprintf(out, "link %s %s%s: %s, next %s\n", forecast.link_id,
	        choice_word(&directions_choices, forecast.direction), side(inquiry, direction),
	        choice_word(&states_choices, forecast.state),
	        text_from_seconds(query.forecast_window_seconds, window));
	print_capacities(&forecast, query.quantile, out);
	print_band(&forecast, query.quantile, out);
	print_provenance(&forecast, out);
	return 0;
}

// A link that goes one way only has no reverse: that is no failure.
static int ask(struct inquiry *inquiry, FILE *out) {
	int rc;

	if ((rc = find_link(inquiry)) < 0 || (rc = ask_direction(inquiry, DIRECTION_FORWARD, out)) < 0)
		return rc;
	(void)ask_direction(inquiry, DIRECTION_REVERSE, out);
	return 0;
}

static void *run(void *context) {
	struct inquiry *inquiry = context;
	FILE *out = open_memstream(&inquiry->text, &inquiry->text_size);

	if (out == NULL) {
		inquiry->rc = status_set(&inquiry->status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
		return NULL;
	}
	inquiry->rc = ask(inquiry, out);
	fclose(out);
	return NULL;
}

static void inquiry_free(struct inquiry *inquiry) {
	if (inquiry == NULL)
		return;
	free(inquiry->text);
	free(inquiry);
}
DEFINE_CLEANUP(struct inquiry *, inquiry_free)

int forecast_print(const struct forecast_question *question, FILE *out, struct status *status) {
	CLEANUP(inquiry_freep) struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
	int64_t now_ns = clock_mono_ns();
	struct timespec end = {(now_ns + PATIENCE_NS) / NS_PER_SECOND,
	                       (now_ns + PATIENCE_NS) % NS_PER_SECOND};
	pthread_t thread;
	int rc;

	if (inquiry == NULL)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	inquiry->question = *question;
	inquiry->deadline_ns = now_ns + CLIENT_TIMEOUT_MS * NS_PER_MS;
	if ((rc = cores_thread_create("linkcast-ask", run, inquiry, &thread)) < 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "thread: %s", strerror(-rc));
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &end) != 0) {
		pthread_detach(thread);
		inquiry = NULL; // the thread's, which may yet use it
		return status_set(status, STATUS_UNAVAILABLE, "%s does not answer", question->server);
	}
	if (inquiry->rc < 0)
		*status = inquiry->status;
	else
		fputs(inquiry->text, out);
	return inquiry->rc;
}
