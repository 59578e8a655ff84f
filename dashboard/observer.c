// Two rounds of questions, each asked one after the other: what is now, and forecasts. A round's answers replace those
// of the round before when it is over.
// SPDX-License-Identifier: MIT
#include "observer.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRESH_NS            (1 * NS_PER_SECOND)
#define FORECASTS_NS        (60 * NS_PER_SECOND)
#define FORECASTS_REST      10 // times as long as the last round took
#define NOW_TIMEOUT_MS      5000
#define FORECAST_TIMEOUT_MS 60000
#define MAX_WAITERS         64
#define MAX_QUESTIONS       10000 // of a round: topologies, their pages and horizons

struct question {
	enum observation_kind kind;
	char *topology_id;
	int64_t page;
	double horizon_seconds;
};

struct round {
	struct observer *observer;
	struct question *questions;
	size_t n_questions, next;
	struct observation *list; // of this round
	size_t n;
	bool running;
	int timeout_ms;
	int64_t begun_ns, ended_ns;
	struct observation *kept; // of the round before
	size_t n_kept;
};

struct observer {
	struct observer_options options;
	struct backend *backend;
	struct round now, forecasts;
	struct {
		void (*done)(void *context);
		void *context;
	} waiters[MAX_WAITERS];
	size_t n_waiters;
};

static const struct {
	enum op op;
	const struct message *reply;
} kinds[] = {
        [OBSERVED_SOURCES] = {OP_LIST_SOURCES, &source_list_message},
        [OBSERVED_METRICS] = {OP_METRICS, &metric_list_message},
        [OBSERVED_TOPOLOGIES] = {OP_LIST_TOPOLOGIES, &topology_list_message},
        [OBSERVED_TOPOLOGY] = {OP_GET_TOPOLOGY, &topology_view_message},
        [OBSERVED_FORECAST] = {OP_FORECAST_TOPOLOGY, &topology_forecast_message},
};

int observer_new(const struct observer_options *options, struct backend *backend, struct observer **ret) {
	struct observer *observer = calloc(1, sizeof(*observer));

	if (observer == NULL)
		return -ENOMEM;
	observer->options = *options;
	observer->backend = backend;
	observer->now = (struct round){.observer = observer, .timeout_ms = NOW_TIMEOUT_MS};
	observer->forecasts = (struct round){.observer = observer, .timeout_ms = FORECAST_TIMEOUT_MS};
	*ret = observer;
	return 0;
}

static void free_observations(struct observation *list, size_t n) {
	for (size_t i = 0; i < n; i++)
		document_close(list[i].document);
	free(list);
}

static void free_questions(struct round *round) {
	for (size_t i = 0; i < round->n_questions; i++)
		free(round->questions[i].topology_id);
	free(round->questions);
	round->questions = NULL;
	round->n_questions = round->next = 0;
}

static void round_fini(struct round *round) {
	free_questions(round);
	free_observations(round->list, round->n);
	free_observations(round->kept, round->n_kept);
}

void observer_free(struct observer *observer) {
	if (observer == NULL)
		return;
	round_fini(&observer->now);
	round_fini(&observer->forecasts);
	free(observer);
}

static int add_question(struct round *round, enum observation_kind kind, const char *topology_id,
                        int64_t page, double horizon_seconds) {
	struct question question = {.kind = kind, .page = page, .horizon_seconds = horizon_seconds};
	struct question *moved;

	if (round->n_questions >= MAX_QUESTIONS)
		return -E2BIG;
	moved = realloc(round->questions, (round->n_questions + 1) * sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	round->questions = moved;
	if (topology_id != NULL && (question.topology_id = strdup(topology_id)) == NULL)
		return -ENOMEM;
	round->questions[round->n_questions++] = question;
	return 0;
}

static void begin_forecasts(struct observer *observer, int64_t now_ns);

static void end_round(struct round *round) {
	struct observer *observer = round->observer;

	free_questions(round);
	free_observations(round->kept, round->n_kept);
	round->kept = round->list;
	round->n_kept = round->n;
	round->list = NULL;
	round->n = 0;
	round->running = false;
	round->ended_ns = clock_mono_ns();
	if (round != &observer->now)
		return;
	begin_forecasts(observer, round->ended_ns);
	while (observer->n_waiters > 0) {
		observer->n_waiters--;
		observer->waiters[observer->n_waiters].done(observer->waiters[observer->n_waiters].context);
	}
}

static void ask_next(struct round *round);

// What an answer makes worth asking: the topologies of the list, the next page.
static void follow(struct round *round, const struct question *question,
                   const struct observation *observation) {
	if (question->kind == OBSERVED_TOPOLOGIES) {
		for (size_t i = 0; i < observation->topologies.n_topologies; i++)
			(void)add_question(round, OBSERVED_TOPOLOGY,
			                   observation->topologies.topologies[i].topology_id, 0, 0);
	} else if (question->kind == OBSERVED_TOPOLOGY &&
	           HAS(&observation->topology, topology_view, next_page)) {
		(void)add_question(round, question->kind, question->topology_id,
		                   observation->topology.next_page, 0);
	} else if (question->kind == OBSERVED_FORECAST &&
	           HAS(&observation->forecast, topology_forecast, next_page)) {
		(void)add_question(round, question->kind, question->topology_id,
		                   observation->forecast.next_page, question->horizon_seconds);
	}
}

static int keep(struct round *round, const struct question *question, struct document *document) {
	struct observation observation = {.kind = question->kind,
	                                  .horizon_seconds = question->horizon_seconds};
	struct observation *moved;
	struct reply_head head;

	// the union's members begin at the same place, so any of them stands for the body
	if (document_read(document, &reply_head_message, &head, NULL) < 0 || !head.ok ||
	    document_read(document, kinds[question->kind].reply, &observation.sources, NULL) < 0)
		return -EINVAL;
	moved = reallocarray(round->list, round->n + 1, sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	round->list = moved;
	observation.document = document;
	round->list[round->n++] = observation;
	return 0;
}

static void on_answer(void *context, struct document *reply, const struct status *status) {
	struct round *round = context;
	struct question question = round->questions[round->next - 1];

	if (reply == NULL &&
	    (status->code == STATUS_UNAVAILABLE || status->code == STATUS_DEADLINE_EXCEEDED)) {
		end_round(round); // the others would not be answered either
		return;
	}
	if (reply != NULL && keep(round, &question, reply) < 0)
		document_close(reply);
	else if (reply != NULL)
		follow(round, &question, &round->list[round->n - 1]);
	ask_next(round);
}

static int encode(struct round *round, const struct question *question, struct bytes *ret) {
	const struct observer *observer = round->observer;
	struct topology_forecast_query forecast;
	struct topology_query topology;
	struct empty empty = {0};

	if (question->kind == OBSERVED_TOPOLOGY) {
		topology_query_init(&topology);
		topology.topology_id = question->topology_id;
		topology.page = question->page;
		return request_encode(kinds[question->kind].op, NULL, &topology, ret);
	}
	if (question->kind == OBSERVED_FORECAST) {
		topology_forecast_query_init(&forecast);
		forecast.topology_id = question->topology_id;
		forecast.page = question->page;
		forecast.forecast_window_seconds = question->horizon_seconds;
		forecast.quantile = observer->options.quantile;
		return request_encode(kinds[question->kind].op, NULL, &forecast, ret);
	}
	return request_encode(kinds[question->kind].op, NULL, &empty, ret);
}

static void ask_next(struct round *round) {
	CLEANUP(bytes_fini) struct bytes frame = {0};

	if (round->next == round->n_questions || encode(round, &round->questions[round->next], &frame) < 0) {
		end_round(round);
		return;
	}
	round->next++;
	backend_call(round->observer->backend, BACKEND_API, &frame, round->timeout_ms, on_answer, round);
}

static void begin(struct round *round, int64_t now_ns) {
	round->running = true;
	round->begun_ns = now_ns;
	ask_next(round);
}

// The topologies that the last round found, each with every horizon.
static void begin_forecasts(struct observer *observer, int64_t now_ns) {
	struct round *round = &observer->forecasts;
	int64_t rest_ns = FORECASTS_REST * (round->ended_ns - round->begun_ns);

	if (round->running || (round->ended_ns != 0 &&
	                       now_ns < round->ended_ns + (rest_ns > FORECASTS_NS ? rest_ns : FORECASTS_NS)))
		return;
	for (size_t i = 0; i < observer->now.n_kept; i++) {
		const struct observation *at = &observer->now.kept[i];

		for (size_t t = 0; at->kind == OBSERVED_TOPOLOGIES && t < at->topologies.n_topologies; t++) {
			for (size_t h = 0; h < observer->options.n_horizons; h++)
				(void)add_question(round, OBSERVED_FORECAST,
				                   at->topologies.topologies[t].topology_id, 0,
				                   observer->options.horizons[h]);
		}
	}
	if (round->n_questions > 0)
		begin(round, now_ns);
}

int observer_refresh(struct observer *observer, int64_t now_ns, void (*done)(void *context), void *context) {
	struct round *round = &observer->now;

	if ((!round->running && round->ended_ns != 0 && now_ns - round->ended_ns < FRESH_NS) ||
	    observer->n_waiters == MAX_WAITERS) {
		done(context);
		return 0;
	}
	observer->waiters[observer->n_waiters].done = done;
	observer->waiters[observer->n_waiters++].context = context;
	if (round->running)
		return 0;
	if (add_question(round, OBSERVED_SOURCES, NULL, 0, 0) < 0 ||
	    add_question(round, OBSERVED_METRICS, NULL, 0, 0) < 0 ||
	    add_question(round, OBSERVED_TOPOLOGIES, NULL, 0, 0) < 0)
		return -ENOMEM;
	begin(round, now_ns);
	return 0;
}

size_t observer_count(const struct observer *observer) {
	return observer->now.n_kept + observer->forecasts.n_kept;
}

const struct observation *observer_at(const struct observer *observer, size_t i) {
	return i < observer->now.n_kept ? &observer->now.kept[i]
	                                : &observer->forecasts.kept[i - observer->now.n_kept];
}
