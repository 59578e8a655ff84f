// zap.h: who may speak to the tcp sockets: the allow-list, and the thread that libzmq asks about each CURVE
// client (inproc://zeromq.zap.01). What a client may do on a socket that answers requests depends on the request
// (peer.h).
//
// The allow-list is a text file: `PUBLIC-KEY role[,role...] name` lines, # for comments; roles of choices.def. It
// is read again when it changed: a key that was taken out gets no new connection, those that stand stay.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "keys.h"
#include "peer.h"
#include "status.h"

// The ZAP domains of the sockets.
#define ZAP_SAMPLES "samples" // takes `publish`
#define ZAP_EVENTS  "events"  // takes `read`
#define ZAP_API     "api"     // takes any role; each request has its own
#define ZAP_PATH    "path"    // the same

// ---- the allow-list

struct allow_list;

// Returns 0 or a negative errno with 'status', which names the line.
int allow_list_read(const char *path, struct allow_list **ret, struct status *status);
void allow_list_free(struct allow_list *);
DEFINE_CLEANUP(struct allow_list *, allow_list_free)

// The peer of a key in Z85. Returns false when it isn't in the list.
bool allow_list_find(const struct allow_list *, const char *key, struct peer *ret);

// ---- the thread

struct zap;

// Reads the list and starts the thread; before any socket is bound with keys. Returns 0 or a negative errno with
// 'status'.
int zap_start(const char *allow_list_path, void *context, struct zap **ret, struct status *status);

// After the sockets are closed. NULL is fine.
void zap_stop(struct zap *);
