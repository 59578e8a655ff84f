// services.h: paths that are reserved: the search here, the check and the ledger in analyticsd.
// SPDX-License-Identifier: MIT
#pragma once

#include "answer.h"

// What is asked for.
struct service_wish {
	const struct path_query *query;
	const struct service_terms *terms;
	bool keeps_end; // of a change: the service ends when it would have
};

// Computes a path and reserves it; when a link has no room any more by then, everything is read anew and
// another path is looked for, a few times. A request id that was admitted before gets the answer of then.
// Returns 0 (blocked is an answer, without a service), or a negative errno with 'status'. As
// answer_compute().
int services_request(struct snapshots *, const struct service_wish *, struct answer *ret,
                     struct status *status);

// Fills in what 'query' doesn't say of a service that is to be changed: the search is about the time that is left of
// it. 'documents' keeps what it points to. '*ret_keeps_end' tells whether its end is as it was.
int services_complete(struct snapshots *, const char *service_id, struct path_query *query,
                      struct documents *documents, bool *ret_keeps_end, struct status *status);

// All services that are asked for, page by page. 'documents' keeps what 'ret' points to.
int services_list(struct snapshots *, const struct services_query *, struct documents *documents,
                  struct service_list *ret, struct status *status);

// The service as it is, with each decision about it when they are asked for. 'documents' keeps what it points to.
int services_find(struct snapshots *, const char *service_id, bool decisions, struct documents *documents,
                  struct service_view *ret, struct status *status);
