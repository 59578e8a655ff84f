// worker.h: what a worker has, and what a handler gets. A handler is a line in handlers.c and one function.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cache.h"
#include "codec.h"
#include "history.h"
#include "metrics.h"
#include "service.h"
#include "state.h"

#include <stdatomic.h>
#include "peer.h"

struct upkeeps;
struct jobs;

struct worker {
	const struct service_options *options;
	struct metrics *metrics;
	struct cache *cache;
	struct jobs *jobs;
	struct state *state;         // reads and writes
	struct history *history;     // reads; ingest writes
	struct upkeeps *upkeeps;     // of all workers
	void *ingest;                // for ingest_call()
	void *work;                  // from the router
	int64_t started_mono_ns;     // of the daemon
	const atomic_bool *stopping; // what takes long gives up with UNAVAILABLE
};

// Who asks.
struct caller {
	struct peer peer;
	const void *route; // routing id at the API socket, when the peer can be spoken to by that alone
	size_t route_size;
};

// A request being answered.
struct call {
	struct worker *worker;
	struct document *document; // of the request: its memory lives until the reply is encoded
	const void *frame;         // the request as it came
	size_t size;
	int64_t now_ns;
	struct status *status;
	const struct caller *caller;
};

// Reads 'request' and fills 'reply', structures of the operation's messages. Returns 0 or a negative errno
// with the call's status set.
typedef int (*handler_fn)(struct call *call, const void *request, void *reply);

#define HANDLER(NAME) int NAME(struct call *call, const void *request, void *reply)

HANDLER(handle_ping);
HANDLER(handle_metrics);
HANDLER(handle_hello);
HANDLER(handle_list_sources);
HANDLER(handle_set_topology);
HANDLER(handle_get_topology);
HANDLER(handle_delete_topology);
HANDLER(handle_list_topologies);
HANDLER(handle_set_link);
HANDLER(handle_append_kpi);
HANDLER(handle_append_port);
HANDLER(handle_backup);
HANDLER(handle_check);
HANDLER(handle_get_upkeep);
HANDLER(handle_query_kpi);
HANDLER(handle_query_port);
HANDLER(handle_forecast_link);
HANDLER(handle_forecast_topology);
HANDLER(handle_reserve);
HANDLER(handle_release);
HANDLER(handle_list_services);
HANDLER(handle_list_alerts);
HANDLER(handle_ack_alert);
HANDLER(handle_silence_alerts);
HANDLER(handle_end_silence);
HANDLER(handle_label_event);
HANDLER(handle_list_labels);
HANDLER(handle_drop_label);
HANDLER(handle_train);
HANDLER(handle_evaluate);
HANDLER(handle_get_job);
HANDLER(handle_list_models);
HANDLER(handle_predict);
HANDLER(handle_drop_model);

// Tells of services that have come to their end since.
void worker_note_expiry(struct worker *, int64_t now_ns);

// Answers one request frame: always with a reply, which the caller ends, but for a publisher's own answer
// (Rows): it gets none, 'ret' stays empty. Returns 0 or -ENOMEM.
int worker_answer(struct worker *, const struct caller *, const void *frame, size_t size, int64_t now_ns,
                  struct bytes *ret);

// A copy of 'text' that lives as long as the request, or NULL without memory.
const char *call_text(struct call *, const char *text);
