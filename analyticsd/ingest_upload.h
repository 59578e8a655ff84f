// ingest_upload.h: rows and points that were recorded elsewhere, alone or as an upload in parts, into history. For the
// ingest thread, between history_begin() and history_commit(), so that an upload is stored whole or not at all.
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"
#include "rates.h"
#include "state.h"

struct upload_target {
	struct history *history;
	struct state *state; // where the parts wait
	const struct usage *usage;
	enum accounting accounting;
};

struct upload_result {
	struct kpi_appended points;
	struct sample_stored rows;
};

// Adds the rows of a sample that was checked, and derives the used capacity of the link that the port is bound to
// anew around them. 'ret' is added to. Returns 0 or a negative errno with 'status'.
int upload_add_rows(const struct upload_target *, const struct sample *, struct upload_result *ret,
                    struct status *status);
int upload_add_points(const struct upload_target *, const struct kpi_append *, struct upload_result *ret,
                      struct status *status);

// Adds all parts of an upload of AppendKpi or AppendPort, which were checked when they came.
int upload_add_parts(const struct upload_target *, enum op op, const char *upload_id,
                     struct upload_result *ret, struct status *status);
