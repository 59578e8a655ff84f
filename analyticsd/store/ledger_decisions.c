// Reading what services were decided from.
// SPDX-License-Identifier: MIT
#include "ledger_private.h"

#include <errno.h>

int ledger_read_evidence(sqlite3_stmt *statement, int column, struct document *memory,
                         struct admission_evidence **ret, struct status *status) {
	struct document *document;
	int rc;

	if ((rc = document_from_msgpack(sqlite3_column_blob(statement, column),
	                                (size_t)sqlite3_column_bytes(statement, column), &document, status)) <
	            0 ||
	    (rc = document_adopt(memory, document)) < 0)
		return rc;
	*ret = document_alloc(memory, sizeof(**ret));
	if (*ret == NULL)
		return -ENOMEM;
	return document_read(document, &admission_evidence_message, *ret, status);
}

int ledger_service_of(struct state *state, const char *request_id, struct document *memory, const char **ret,
                      struct status *status) {
	static const char sql[] = "SELECT service_id FROM decision JOIN service USING (number)"
	                          " WHERE decision.request_id = ? LIMIT 1";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->decision_of, status)) < 0 ||
	    (rc = db_bind(state->decision_of, "t", request_id)) < 0 ||
	    (rc = db_next(state->decision_of, status)) <= 0)
		return rc;
	rc = state_keep_text(memory, state->decision_of, 0, ret);
	sqlite3_reset(state->decision_of);
	return rc < 0 ? rc : 1;
}

enum { VERSION, VERDICT, DECIDED_NS, BPS, FROM_NS, UNTIL_NS, REQUEST_ID, EVIDENCE };

static int read_decision(sqlite3_stmt *statement, struct document *memory, struct service_decision *ret,
                         struct status *status) {
	int rc;

	service_decision_init(ret);
	ret->version = sqlite3_column_int64(statement, VERSION);
	ret->verdict = sqlite3_column_int(statement, VERDICT);
	ret->decided_ns = sqlite3_column_int64(statement, DECIDED_NS);
	ret->gbps = ledger_gbps(sqlite3_column_int64(statement, BPS));
	ret->start_ns = sqlite3_column_int64(statement, FROM_NS);
	if (sqlite3_column_int64(statement, UNTIL_NS) != LEDGER_OPEN)
		SET(ret, service_decision, end_ns, sqlite3_column_int64(statement, UNTIL_NS));
	if ((rc = state_keep_text(memory, statement, REQUEST_ID, &ret->request_id)) < 0)
		return rc;
	return ledger_read_evidence(statement, EVIDENCE, memory, &ret->evidence, status);
}

int ledger_decisions(struct state *state, const struct decisions_query *query, struct document *memory,
                     struct service_decision **ret, size_t *ret_n, int64_t *ret_next, struct status *status) {
	static const char sql[] =
	        "SELECT d.version, d.verdict, d.decided_ns, h.bps, h.from_ns, h.until_ns, d.request_id, "
	        "d.evidence"
	        " FROM decision d JOIN hold h ON h.number = d.number AND h.version = d.version AND h.ordinal "
	        "= 0"
	        " WHERE d.number = (SELECT number FROM service WHERE service_id = ?1) AND d.version > ?2"
	        " AND (?3 IS NULL OR d.request_id = ?3) ORDER BY d.version LIMIT ?4";
	sqlite3_stmt **statement = &state->each_decision;
	CLEANUP(freep) struct service_decision *list = NULL;
	size_t n = 0, capacity = 0, size = 0;
	int64_t next = 0;
	int rc;

	if ((rc = db_prepare(state->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "titi", query->service_id, query->after, query->request_id,
	                  query->limit + 1)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		if (n > 0 && (n == (size_t)query->limit || size > LEDGER_EVIDENCE_SIZE)) {
			next = list[n - 1].version;
			rc = 0;
			break;
		}
		if ((rc = ledger_grow((void **)&list, n, &capacity, sizeof(*list))) < 0 ||
		    (rc = read_decision(*statement, memory, &list[n], status)) < 0)
			break;
		n++;
		size += (size_t)sqlite3_column_bytes(*statement, EVIDENCE);
	}
	sqlite3_reset(*statement);
	if (rc < 0)
		return rc;
	if ((rc = ledger_keep_list(memory, list, n, sizeof(*list), (void **)ret)) < 0)
		return rc;
	*ret_n = n;
	*ret_next = next;
	return 0;
}
