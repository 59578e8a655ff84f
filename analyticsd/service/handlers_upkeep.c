// Backup, Check, GetUpkeep.
// SPDX-License-Identifier: MIT
#include "upkeeps.h"
#include "worker.h"

static int begin(struct call *call, enum upkeep_kinds kind, const char *folder, struct upkeep_state *state) {
	int64_t id;
	int rc = upkeeps_start(call->worker->upkeeps, kind, folder, &id, call->status);

	return rc < 0 ? rc : upkeeps_look(call->worker->upkeeps, id, call->document, state, call->status);
}

int handle_backup(struct call *call, const void *request, void *reply) {
	const struct backup_request *backup = request;

	return begin(call, UPKEEP_BACKUP, backup->folder, reply);
}

int handle_check(struct call *call, const void *request, void *reply) {
	(void)request;
	return begin(call, UPKEEP_CHECK, NULL, reply);
}

int handle_get_upkeep(struct call *call, const void *request, void *reply) {
	const struct upkeep_query *query = request;

	return upkeeps_look(call->worker->upkeeps, query->upkeep_id, call->document, reply, call->status);
}
