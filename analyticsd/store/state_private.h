// state_private.h: the handle that state.c (tables, writing) and state_read.c share.
// SPDX-License-Identifier: MIT
#pragma once

#include "db.h"
#include "state.h"

struct state {
	sqlite3 *db;
	// statements, each prepared at its first use
	sqlite3_stmt *bump_topology, *insert_node, *find_link, *set_link, *insert_member, *unbind_ports,
	        *insert_port, *change_link;
	sqlite3_stmt *read_topology, *each_node, *each_link, *one_link, *each_port, *each_topology,
	        *each_binding, *one_binding;
	// ledger.c
	int64_t pruned_ns; // when answers were last forgotten
	sqlite3_stmt *read_version, *bump_version, *find_admission, *keep_admission, *prune_admissions,
	        *insert_service, *name_service, *change_service, *insert_hold, *close_holds, *release_service,
	        *each_hold, *each_reservation, *each_service, *each_hop, *insert_meter, *read_meter,
	        *note_expiry, *each_expired, *is_member, *was_held, *one_service, *any_expired,
	        *held_topology, *held_orphan, *insert_decision, *prune_decisions, *each_decision,
	        *last_decision, *decision_of;
};

// One change, all of it or nothing: state_end() commits when 'rc' is 0, takes everything back otherwise, and returns
// 'rc' or the commit's error.
int state_begin(struct state *, struct status *status);
int state_end(struct state *, int rc, struct status *status);

// The column's text in the memory of the document; NULL stays NULL. Returns 0 or -ENOMEM.
int state_keep_text(struct document *memory, sqlite3_stmt *, int column, const char **ret);
