// ledger.h: the services that were admitted and what each holds of which link and when, in state.db.
// Capacity is in whole bit/s here, so that sums are exact. What a service holds is never rewritten: a change
// or a release closes its holds and makes others, so the past stays as it was, and what is scheduled begins
// and ends by the clock alone. Same handle and thread as state.h.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "state.h"

#define LEDGER_OPEN INT64_MAX // an end that is not known: until it is released

int64_t ledger_bps(double gbps);
double ledger_gbps(int64_t bps);

// ---- changes: between begin and end, which are one transaction, synchronous

// 'write' false: only to look at one state.
int ledger_begin(struct state *, bool write, struct status *status);
// Commits when 'rc' is 0, takes everything back otherwise. Returns 'rc' or the commit's error.
int ledger_end(struct state *, int rc, struct status *status);

// +1 at each change. It is read before anything else, as nothing changes it between begin and end.
int ledger_version(struct state *, int64_t *ret, struct status *status);

// What was asked and answered under this request id; the caller frees both. Kept for LEDGER_ANSWERS_SECONDS, and as
// long as the service has not ended so long ago. Returns 1, 0, or a negative errno.
#define LEDGER_ANSWERS_SECONDS INT64_C(2592000) // 30 days
int ledger_find_admission(struct state *, const char *request_id, struct bytes *ret_content,
                          struct bytes *ret_reply, struct status *status);
int ledger_keep_admission(struct state *, const char *request_id, const char *service_id, int64_t now_ns,
                          const struct bytes *content, const struct bytes *reply, struct status *status);

// A request that may be admitted, with its times settled.
struct ledger_entry {
	const struct reserve_request *request;
	int64_t now_ns, start_ns, end_ns; // or LEDGER_OPEN
	const struct bytes *evidence;     // an admission_evidence
};

struct ledger_admitted {
	char service_id[LIMIT_ID_SIZE + 1];
	int64_t version, ledger_version;
};

// Makes the service, or changes the one that the request names. Returns 0, -ENOENT, -EBUSY when that one has
// ended, or another negative errno.
int ledger_admit(struct state *, const struct ledger_entry *, struct ledger_admitted *ret,
                 struct status *status);

// Ends the service now. Returns 1, 0 when it had ended already, -ENOENT, -EAGAIN when 'version' (0: any) is
// not its version, or another negative errno.
int ledger_release(struct state *, const char *service_id, int64_t version, int64_t now_ns,
                   struct status *status);

// ---- holds

// A service's hold of one link and direction over [from, to).
struct hold {
	int64_t service; // its number
	int64_t bps, from_ns, to_ns;
	enum traffic_modes traffic;
	int64_t meter; // for ledger_meter(); 0: none
};

struct hold_query {
	const char *link_id;
	enum directions direction;
	int64_t from_ns, to_ns;      // holds that overlap [from, to)
	int64_t known_ns;            // as was known at this moment
	const char *without_service; // or NULL
};

// The caller frees '*ret'.
int ledger_holds(struct state *, const struct hold_query *, struct hold **ret, size_t *ret_n,
                 struct status *status);

// Was anything ever held on this link and direction? Returns 1, 0, or a negative errno.
int ledger_was_held(struct state *, const char *link_id, enum directions, struct status *status);

// What measures a service; its texts are of 'memory'.
int ledger_meter(struct state *, int64_t meter, struct document *memory, struct meter *ret,
                 struct status *status);

// ---- for replies: lists whose memory is 'memory'

// Holds that overlap [from, to) of a topology's links 'first' to 'first + limit - 1', as was known at
// 'known_ns'.
struct reservations_query {
	const char *topology_id;
	int64_t first, limit, from_ns, to_ns, known_ns;
};
int ledger_reservations(struct state *, const struct reservations_query *, struct document *memory,
                        struct reservation **ret, size_t *ret_n, struct status *status);

// Fills 'ret' but for its ledger version.
int ledger_services(struct state *, const struct services_query *, int64_t now_ns, struct document *memory,
                    struct service_list *ret, struct status *status);
// Returns 0 or -ENOENT.
int ledger_service(struct state *, const char *service_id, bool evidence, int64_t now_ns,
                   struct document *memory, struct service_view *ret, struct status *status);

// The service that a request made or changed, as long as the answer to it is kept. Returns 1, 0 when there is none, or
// a negative errno.
int ledger_service_of(struct state *, const char *request_id, struct document *memory, const char **ret,
                      struct status *status);

// Decisions about a service after version 'after', oldest first, at most 'limit' and not more than a frame holds.
// '*ret_next' is 'after' for the next page; 0: there is none. They are kept until LEDGER_ANSWERS_SECONDS after the
// service ended.
struct decisions_query {
	const char *service_id, *request_id; // request_id: only the one that it asked for; NULL: all
	int64_t after, limit;
};
int ledger_decisions(struct state *, const struct decisions_query *, struct document *memory,
                     struct service_decision **ret, size_t *ret_n, int64_t *ret_next, struct status *status);

// Services that came to their end and were not given out here before; 'ret' as in ledger_services().
int ledger_take_expired(struct state *, int64_t now_ns, struct document *memory, struct service_list *ret,
                        struct status *status);

// ---- checks

// Is the link one of the topology's? Returns 1, 0, or a negative errno.
int ledger_is_member(struct state *, const char *topology_id, const char *link_id, struct status *status);

// Return -EBUSY when services hold capacity, now or later, of a link of the topology; of a link or direction
// that is not there.
int ledger_check_topology(struct state *, const char *topology_id, int64_t now_ns, struct status *status);
int ledger_check_links(struct state *, int64_t now_ns, struct status *status);
