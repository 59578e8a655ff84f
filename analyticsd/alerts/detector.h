// detector.h: the thread that looks at ports as their rows come in: tests, features, prediction, alerts. It owns the
// desk. Rows come over a queue (DETECT_QUEUE) that ingest never waits at: when the detector is behind they are skipped
// and counted, which loses nothing but time, since counters are sums. Other threads send it what they found of links.
// SPDX-License-Identifier: MIT
#pragma once

#include "actions.h"
#include "cleanup.h"
#include "message.h"
#include "metrics.h"
#include "observe.h"
#include "foresight.h"
#include "settings.h"

#define DETECT_QUEUE      "inproc://detect"
#define DETECT_HIGH_WATER 20000 // messages
#define FINDING_SIZE      256

enum detect_kind {
	DETECT_ROW,        // of a port
	DETECT_LINK,       // what was found of a link
	DETECT_LINKS_DONE, // all links were looked at: those that were not are gone
	DETECT_MODEL,      // failure prediction was trained anew
	DETECT_STOPPED,    // a host's publisher said that it was stopped
};

struct detect_finding {
	enum rule rule;
	int direction;
	double score, value, threshold;
	int64_t expected_ns; // 0: not known
	char text[FINDING_SIZE];
};

// What is sent, as it is in memory.
struct detect_message {
	enum detect_kind kind;
	char id[LIMIT_ID_SIZE + 1];   // host, or link
	char name[LIMIT_ID_SIZE + 1]; // of the port
	union {
		struct port_row row;
		struct detect_finding finding;
		struct foresight *model; // the detector's from then on
		uint64_t instance;       // that was stopped
	};
};

// A socket to send to the detector: PUSH, closed by its owner with zmq_close(). NULL without memory.
void *detector_sender(void *context);

struct detector;

struct detector_options {
	const char *history_path, *state_path;
	const struct alert_settings *settings;
	struct actions *actions; // or NULL
};

// 'context' is the process's ZeroMQ context; ingest runs already. Returns 0 or a negative errno with 'status'.
int detector_start(const struct detector_options *, void *context, struct metrics *, struct detector **ret,
                   struct status *status);

// Before ingest and the actions end. NULL is fine.
void detector_stop(struct detector *);
DEFINE_CLEANUP(struct detector *, detector_stop)
