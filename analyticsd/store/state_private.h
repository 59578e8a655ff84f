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
};
