// import_port.h: a CSV file into the history of one port; `import --port`.
// SPDX-License-Identifier: MIT
#pragma once

#include "options.h"
#include "portfile.h"

struct import_port {
	const char *path;
	const struct port_name *port;
	struct portfile_options options;
	bool is_moved; // its newest row to 'end_ns'
	int64_t end_ns;
};

// Stores all rows or none and prints a report. Returns 0 or a negative errno with 'status'.
int import_port(struct ctl *, const struct import_port *, struct status *status);
