// state.h: what operators said, in state.db: topologies, links and what they are bound to. Apart from
// history.db, so that a decision never waits for ingest, and synchronous = FULL, so that a "yes" is never
// lost. One handle, one thread; several handles may be open. Only store/ knows that this is SQLite.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "codec.h"
#include "message.h"
#include "status.h"

#include <stdint.h>

struct state;

// Opens (and, to write, creates) the state at 'path'. Returns 0 or a negative errno with 'status'.
int state_open(const char *path, bool write, struct state **ret, struct status *status);
void state_close(struct state *);
DEFINE_CLEANUP(struct state *, state_close)

// Replaces a topology that passed topology_check(), all or nothing. Returns 0, -EEXIST when a link has other
// ends, or a port another link, in another topology, -EBUSY when services hold capacity of a link that would
// go, or another negative errno.
int state_set_topology(struct state *, const struct topology *, int64_t now_ns, struct status *status);

// A part of an upload; 'frame' is the request as it came.
struct upload_part {
	const char *upload_id;
	int64_t part, parts;
	const void *frame;
	size_t size;
};

// Keeps one part. Parts come in order. Returns 0 or a negative errno.
int state_keep_part(struct state *, const struct upload_part *, int64_t now_ns, struct status *status);

// Calls 'each' with the frames of an upload in order; a handle that only reads may do so.
int state_each_part(struct state *, const char *upload_id,
                    int (*each)(void *context, const void *frame, size_t size), void *context,
                    struct status *status);

int state_forget_upload(struct state *, const char *upload_id, struct status *status);

// Returns 0, -ENOENT, -EBUSY while services hold capacity of its links, or another negative errno.
int state_delete_topology(struct state *, const char *topology_id, int64_t now_ns, struct status *status);

// Changes what is given of a link. Returns 0, -ENOENT, or another negative errno.
int state_set_link(struct state *, const struct link_change *, int64_t now_ns, struct status *status);

// A link as it was set; numbers that were not are NAN.
struct link_record {
	const char *id, *a, *z; // live until the callback returns
	bool bidirectional, admin_up;
	double total_gbps, used_gbps[N_directions];
	int64_t total_set_ns; // when total_gbps was set
	double cost, latency_ms;
	const char *srlg; // one a line
	size_t n_ports;
	const struct port_binding *ports;
};

struct topology_page {
	int64_t version, n_nodes, n_links;
};

// Returns 0, or -ENOENT.
int state_topology(struct state *, const char *topology_id, struct topology_page *ret, struct status *status);

// Call 'each' for elements 'from' to 'from + limit - 1' in topology order. A negative return ends and is
// returned.
int state_each_node(struct state *, const char *topology_id, int64_t from, int64_t limit,
                    int (*each)(void *context, const struct node *), void *context, struct status *status);
int state_each_link(struct state *, const char *topology_id, int64_t from, int64_t limit,
                    int (*each)(void *context, const struct link_record *), void *context,
                    struct status *status);

// Calls 'each' for one link. Returns 0, -ENOENT, or what 'each' returned.
int state_link(struct state *, const char *link_id, int (*each)(void *context, const struct link_record *),
               void *context, struct status *status);

int state_each_topology(struct state *, int (*each)(void *context, const struct topology_summary *),
                        void *context, struct status *status);

// Calls 'each' for every binding of a port to a link's end.
int state_each_binding(struct state *,
                       int (*each)(void *context, const char *link_id, const struct port_binding *binding),
                       void *context, struct status *status);

// The link and end that a port is bound to. Returns 1, 0 when to none, or a negative errno.
int state_binding(struct state *, const char *host, const char *name,
                  char ret_link_id[static LIMIT_ID_SIZE + 1], enum ends *ret_end, struct status *status);

// Several reads that belong together see one state between begin and end.
int state_read_begin(struct state *, struct status *status);
void state_read_end(struct state *);
