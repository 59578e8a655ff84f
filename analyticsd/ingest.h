// ingest.h: the thread that takes samples in. It owns the samples socket, the events socket and the writing
// handle of history.db; other threads reach it only by ingest_call(), over one queue (inproc://ingest).
//
// It decodes, stores, derives used capacity, commits at least every COMMIT_INTERVAL_NS, and publishes. What is
// missing of a port it asks its publisher for: the question goes to the router thread over a second queue
// (INGEST_QUESTIONS: routing id, an empty frame, the map), the answer comes as a call. A frame that can't be decoded or stored is counted and changes nothing else.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"
#include "endpoint.h"
#include "history.h"
#include "ingest_upload.h"
#include "message.h"
#include "metrics.h"
#include "rates.h"
#include "status.h"

#define COMMIT_INTERVAL_NS (200 * NS_PER_MS)
#define MAX_SAMPLE_SOURCES 64

// Where the router thread takes questions to publishers, as frames that it sends on as they are.
#define INGEST_QUESTIONS "inproc://questions"

struct ingest;
struct keypair;

struct ingest_options {
	const char *history_path;
	struct history_options history;          // what the settings say of it
	const char *state_path;                  // read for the bindings of ports to links
	const char *samples[MAX_SAMPLE_SOURCES]; // endpoints to bind, or, after '>', to connect to
	size_t n_samples;
	const char *events;
	enum accounting accounting;
	bool insecure;
	const struct keypair *keys; // NULL: tcp without keys
	bool detects;               // rows also go to the detector
	const char *publisher_key;  // public key of the publishers that are connected to over tcp, or NULL
};

// Opens the history, binds the sockets and starts the thread. 'context' is the process's ZeroMQ context.
// Returns 0 or a negative errno with 'status'.
int ingest_start(const struct ingest_options *, void *context, struct metrics *, struct ingest **ret,
                 struct status *status);

// Ends the thread, which first takes and commits what has arrived. Callers must have ended before. NULL is
// fine.
void ingest_stop(struct ingest *);

// ---- calls from other threads: each thread opens one caller

enum ingest_task {
	INGEST_APPEND_KPI,  // 'append' to history, into 'appended'
	INGEST_APPEND_PORT, // 'sample', which was checked, the same way
	INGEST_UPLOAD,      // all parts of 'upload_id', requests of 'op', the same way
	INGEST_HELLO,       // 'hello' came over the API socket from 'route'
	INGEST_ROWS,        // 'replayed' came over it, an answer to a question
	INGEST_BIND,        // bindings changed in state.db: read them again
	INGEST_PUBLISH,     // 'topic' and 'frame' on the events socket
	INGEST_DETECT,      // the detector began anew: rows go to it, or ('detects') no more
	INGEST_KEEP,        // keep history for 'keep_ns' from now on
};

struct ingest_call {
	enum ingest_task task;
	const struct kpi_append *append;
	const struct sample *sample;
	const char *upload_id;
	enum op op;
	struct upload_result appended;
	const struct hello *hello;
	const struct replay_rows *replayed;
	const void *route; // the peer's routing id at the API socket; questions go back to it
	size_t route_size;
	const char *topic;
	const struct bytes *frame;
	bool detects;
	const int64_t *keep_ns; // N_LEVELS of them, as in history_options
	int rc;                 // the answer: 0 or a negative errno with 'status'
	struct status status;
};

// A socket for ingest_call() of one thread; close it with zmq_close().
void *ingest_caller(void *context);

// Can these rows be stored: basic counters first, seq from 1, no time from the future, which would stay the newest
// until it comes? Any thread. Returns 0 or -EINVAL with 'status'.
int ingest_check_sample(const struct sample *, struct status *status);

// Hands the call over and waits until it is done: what AppendKpi wrote is then committed. Returns call->rc.
int ingest_call(void *caller, struct ingest_call *call);
