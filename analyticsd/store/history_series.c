// What series there can be and are: names of counters, links.
// SPDX-License-Identifier: MIT
#include "history_private.h"

const char *const history_basic_counters[N_PORT_COUNTERS] = {
#define COUNTER(NAME, UNIT, HELP) #NAME,
#include "port_sample.def"
#undef COUNTER
};

int history_each_series(struct history *history,
                        int (*each)(void *context, const char *link_id, enum directions, int64_t kpi),
                        void *context, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "SELECT link_id, direction, kpi FROM kpi_series ORDER BY link_id, direction, kpi",
	             &statement, status)) < 0)
		return rc;
	while ((rc = db_next(statement, status)) > 0) {
		rc = each(context, (const char *)sqlite3_column_text(statement, 0),
		          (enum directions)sqlite3_column_int(statement, 1),
		          sqlite3_column_int64(statement, 2));
		if (rc < 0)
			break;
	}
	sqlite3_finalize(statement);
	return rc;
}
