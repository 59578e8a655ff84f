// Reading the ledger: what is held of a link over a time, and the services, into the memory of a document.
// SPDX-License-Identifier: MIT
#include "ledger.h"

#include "ledger_private.h"

#include <errno.h>
#include <string.h>

int ledger_version(struct state *state, int64_t *ret, struct status *status) {
	sqlite3_stmt **statement = &state->read_version;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT version FROM ledger", statement, status)) < 0 ||
	    (rc = db_next(*statement, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_INTERNAL, "state.db: the ledger has no version");
	*ret = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 0;
}

int ledger_grow(void **array, size_t n, size_t *capacity, size_t size) {
	size_t larger = *capacity > 0 ? 2 * *capacity : 16;
	void *moved;

	if (n < *capacity)
		return 0;
	moved = realloc(*array, larger * size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}

int ledger_keep_list(struct document *memory, const void *list, size_t n, size_t size, void **ret) {
	void *copy = document_alloc(memory, n * size);

	if (copy == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, list, n * size);
	*ret = copy;
	return 0;
}

int ledger_keep_texts(struct document *memory, sqlite3_stmt *statement, int first, const char **const *rets,
                      size_t n) {
	int rc;

	for (size_t i = 0; i < n; i++) {
		if ((rc = state_keep_text(memory, statement, first + (int)i, rets[i])) < 0)
			return rc;
	}
	return 0;
}

static int64_t least(int64_t a, int64_t b) {
	return a < b ? a : b;
}

// ---- holds

// Its end as was known at a moment: one that was closed later still had the end that was asked for.
#define KNOWN_END(MOMENT) "CASE WHEN h.closed_ns <= " MOMENT " THEN h.end_ns ELSE h.until_ns END"

int ledger_holds(struct state *state, const struct hold_query *query, struct hold **ret, size_t *ret_n,
                 struct status *status) {
	static const char sql[] =
	        "SELECT number, bps, from_ns, known_end, traffic, meter_id FROM"
	        " (SELECT h.*, " KNOWN_END(
	                "?5") " AS known_end FROM hold h WHERE h.link_id = ?1"
	                      " AND h.direction = ?2 AND h.end_ns > ?6 AND h.from_ns < ?4 AND h.made_ns <= "
	                      "?5)"
	                      " WHERE known_end > ?3 AND known_end > from_ns"
	                      " AND number IS NOT (SELECT number FROM service WHERE service_id = ?7)";
	sqlite3_stmt **statement = &state->each_hold;
	CLEANUP(freep) struct hold *holds = NULL;
	size_t n = 0, capacity = 0;
	int rc;

	if ((rc = db_prepare(state->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tiiiiit", query->link_id, (int64_t)query->direction, query->from_ns,
	                  query->to_ns, query->known_ns, least(query->from_ns, query->known_ns),
	                  query->without_service)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		if ((rc = ledger_grow((void **)&holds, n, &capacity, sizeof(*holds))) < 0)
			break;
		holds[n++] = (struct hold){
		        .service = sqlite3_column_int64(*statement, 0),
		        .bps = sqlite3_column_int64(*statement, 1),
		        .from_ns = sqlite3_column_int64(*statement, 2),
		        .to_ns = sqlite3_column_int64(*statement, 3),
		        .traffic = (enum traffic_modes)sqlite3_column_int(*statement, 4),
		        .meter = sqlite3_column_int64(*statement, 5),
		};
	}
	sqlite3_reset(*statement);
	if (rc < 0)
		return rc;
	*ret = holds;
	*ret_n = n;
	holds = NULL;
	return 0;
}

// Steps once: 1 when there is a row, which nobody reads.
static int any_row(sqlite3_stmt *statement, struct status *status) {
	int rc = db_next(statement, status);

	if (rc > 0)
		sqlite3_reset(statement);
	return rc;
}

int ledger_was_held(struct state *state, const char *link_id, enum directions direction,
                    struct status *status) {
	sqlite3_stmt **statement = &state->was_held;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT 1 FROM hold WHERE link_id = ? AND direction = ? LIMIT 1",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ti", link_id, (int64_t)direction)) < 0)
		return rc;
	return any_row(*statement, status);
}

int ledger_is_member(struct state *state, const char *topology_id, const char *link_id,
                     struct status *status) {
	sqlite3_stmt **statement = &state->is_member;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT 1 FROM member WHERE link_id = ? AND topology_id = ? LIMIT 1",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tt", link_id, topology_id)) < 0)
		return rc;
	return any_row(*statement, status);
}

int ledger_meter(struct state *state, int64_t meter, struct document *memory, struct meter *ret,
                 struct status *status) {
	sqlite3_stmt **statement = &state->read_meter;
	struct meter found;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT host, name, link_id, way, direction FROM meter WHERE meter_id = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "i", meter)) < 0 || (rc = db_next(*statement, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_INTERNAL, "state.db: meter %lld is missing",
		                  (long long)meter);
	meter_init(&found);
	found.way = sqlite3_column_int(*statement, 3);
	found.direction = sqlite3_column_int(*statement, 4);
	found.has = UINT64_C(1) << meter_has_way | UINT64_C(1) << meter_has_direction;
	rc = ledger_keep_texts(memory, *statement, 0,
	                       (const char **const[]){&found.host, &found.name, &found.link_id}, 3);
	sqlite3_reset(*statement);
	if (rc == 0)
		*ret = found;
	return rc;
}

int ledger_reservations(struct state *state, const struct reservations_query *query, struct document *memory,
                        struct reservation **ret, size_t *ret_n, struct status *status) {
	// From the holds to the topology: few services on a large map cost little.
	static const char sql[] =
	        "SELECT service_id, link_id, direction, bps, from_ns, known_end FROM"
	        " (SELECT s.service_id, h.link_id, h.direction, h.bps, h.from_ns, h.number, m.ordinal,"
	        " " KNOWN_END("?6") " AS known_end FROM hold h CROSS JOIN member m CROSS JOIN service s"
	                            " WHERE h.end_ns > ?7 AND h.from_ns < ?5 AND h.made_ns <= ?6 AND "
	                            "m.link_id = h.link_id"
	                            " AND m.topology_id = ?1 AND m.ordinal >= ?2 AND m.ordinal < ?3 AND "
	                            "s.number = h.number)"
	                            " WHERE known_end > ?4 AND known_end > from_ns ORDER BY ordinal, "
	                            "direction, from_ns, number";
	sqlite3_stmt **statement = &state->each_reservation;
	CLEANUP(freep) struct reservation *list = NULL;
	size_t n = 0, capacity = 0;
	int rc;

	if ((rc = db_prepare(state->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tiiiiii", query->topology_id, query->first,
	                  query->first > INT64_MAX - query->limit ? INT64_MAX : query->first + query->limit,
	                  query->from_ns, query->to_ns, query->known_ns,
	                  least(query->from_ns, query->known_ns))) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct reservation *at;

		if ((rc = ledger_grow((void **)&list, n, &capacity, sizeof(*list))) < 0)
			break;
		at = &list[n++];
		reservation_init(at);
		if ((rc = ledger_keep_texts(memory, *statement, 0,
		                            (const char **const[]){&at->service_id, &at->link_id}, 2)) < 0)
			break;
		at->direction = sqlite3_column_int(*statement, 2);
		at->gbps = ledger_gbps(sqlite3_column_int64(*statement, 3));
		at->start_ns = sqlite3_column_int64(*statement, 4);
		if (sqlite3_column_int64(*statement, 5) != LEDGER_OPEN)
			SET(at, reservation, end_ns, sqlite3_column_int64(*statement, 5));
	}
	sqlite3_reset(*statement);
	if (rc < 0)
		return rc;
	if ((rc = ledger_keep_list(memory, list, n, sizeof(*list), (void **)ret)) < 0)
		return rc;
	*ret_n = n;
	return 0;
}

// ---- services

#define SERVICE_COLUMNS                                                                                      \
	"SELECT s.number, s.version, s.bps, s.start_ns, s.end_ns, s.quantile, s.traffic, s.meter_id,"        \
	" s.admitted_ns, s.changed_ns, s.released_ns, s.ledger_version, s.service_id, s.request_id,"         \
	" s.topology_id, s.from_node, s.to_node FROM service s"
#define TEXT_COLUMN 12
// In the order of service_states; ?1 is now.
#define STATE_OF_ROW                                                                                         \
	"CASE WHEN s.released_ns IS NOT NULL THEN 3 WHEN s.end_ns <= ?1 THEN 2 WHEN s.start_ns > ?1 THEN 0 " \
	"ELSE 1 END"

struct listing {
	struct state *state;
	struct document *memory;
	struct status *status;
	int64_t now_ns;
	size_t *evidence_size; // read so far; NULL: it isn't asked for
};

static enum service_states state_at(const struct service_view *view, int64_t now_ns) {
	if (HAS(view, service_view, released_ns))
		return SERVICE_RELEASED;
	if (HAS(view, service_view, end_ns) && view->end_ns <= now_ns)
		return SERVICE_EXPIRED;
	return view->start_ns > now_ns ? SERVICE_SCHEDULED : SERVICE_ACTIVE;
}

static int read_links(const struct listing *listing, int64_t number, struct service_view *view) {
	struct state *state = listing->state;
	sqlite3_stmt **statement = &state->each_hop;
	size_t n = 0;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT link_id, direction, count(*) OVER () FROM hold WHERE number = ? AND "
	                     "version = ? ORDER BY ordinal",
	                     statement, listing->status)) < 0 ||
	    (rc = db_bind(*statement, "ii", number, view->version)) < 0)
		return rc;
	while ((rc = db_next(*statement, listing->status)) > 0) {
		if (n == 0)
			view->links =
			        document_alloc(listing->memory, (size_t)sqlite3_column_int64(*statement, 2) *
			                                                sizeof(*view->links));
		if (view->links == NULL) {
			rc = -ENOMEM;
			break;
		}
		link_direction_init(&view->links[n]);
		SET(&view->links[n], link_direction, direction, sqlite3_column_int(*statement, 1));
		if ((rc = state_keep_text(listing->memory, *statement, 0, &view->links[n++].link_id)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	view->n_links = n;
	return rc;
}

static int read_meter(const struct listing *listing, int64_t meter, struct service_view *view) {
	if (meter == 0)
		return 0;
	view->meter = document_alloc(listing->memory, sizeof(*view->meter));
	if (view->meter == NULL)
		return -ENOMEM;
	return ledger_meter(listing->state, meter, listing->memory, view->meter, listing->status);
}

// Absent once it was forgotten.
static int read_evidence(const struct listing *listing, int64_t number, struct service_view *view) {
	sqlite3_stmt **statement = &listing->state->last_decision;
	int rc;

	if ((rc = db_prepare(listing->state->db,
	                     "SELECT evidence FROM decision WHERE number = ? AND version = ?", statement,
	                     listing->status)) < 0 ||
	    (rc = db_bind(*statement, "ii", number, view->version)) < 0 ||
	    (rc = db_next(*statement, listing->status)) <= 0)
		return rc;
	*listing->evidence_size += (size_t)sqlite3_column_bytes(*statement, 0);
	rc = ledger_read_evidence(*statement, 0, listing->memory, &view->evidence, listing->status);
	sqlite3_reset(*statement);
	return rc;
}

#define SET_TIME(VIEW, FIELD, STATEMENT, COLUMN)                                                             \
	do {                                                                                                 \
		if (sqlite3_column_type(STATEMENT, COLUMN) != SQLITE_NULL)                                   \
			SET(VIEW, service_view, FIELD, sqlite3_column_int64(STATEMENT, COLUMN));             \
	} while (0)

static int read_service(const struct listing *listing, sqlite3_stmt *statement, struct service_view *view) {
	int rc;

	service_view_init(view);
	view->version = sqlite3_column_int64(statement, 1);
	view->gbps = ledger_gbps(sqlite3_column_int64(statement, 2));
	view->start_ns = sqlite3_column_int64(statement, 3);
	if (sqlite3_column_int64(statement, 4) != LEDGER_OPEN)
		SET_TIME(view, end_ns, statement, 4);
	view->quantile = sqlite3_column_double(statement, 5);
	view->traffic = sqlite3_column_int(statement, 6);
	view->admitted_ns = sqlite3_column_int64(statement, 8);
	SET_TIME(view, changed_ns, statement, 9);
	SET_TIME(view, released_ns, statement, 10);
	view->ledger_version = sqlite3_column_int64(statement, 11);
	view->state = state_at(view, listing->now_ns);
	if ((rc = ledger_keep_texts(listing->memory, statement, TEXT_COLUMN,
	                            (const char **const[]){&view->service_id, &view->request_id,
	                                                   &view->topology_id, &view->from, &view->to},
	                            5)) < 0 ||
	    (rc = read_meter(listing, sqlite3_column_int64(statement, 7), view)) < 0 ||
	    (rc = read_links(listing, sqlite3_column_int64(statement, 0), view)) < 0)
		return rc;
	return listing->evidence_size == NULL
	               ? 0
	               : read_evidence(listing, sqlite3_column_int64(statement, 0), view);
}

// Reads at most 'limit' services, and not more evidence than a frame holds; one more row sets the next page.
static int collect(const struct listing *listing, sqlite3_stmt *statement, size_t limit,
                   struct service_list *ret) {
	CLEANUP(freep) struct service_view *views = NULL;
	size_t n = 0, capacity = 0;
	int64_t last = 0;
	int rc;

	while ((rc = db_next(statement, listing->status)) > 0) {
		if (n == limit || (listing->evidence_size != NULL && n > 0 &&
		                   *listing->evidence_size > LEDGER_EVIDENCE_SIZE)) {
			SET(ret, service_list, next_page, last);
			rc = 0;
			break;
		}
		if ((rc = ledger_grow((void **)&views, n, &capacity, sizeof(*views))) < 0 ||
		    (rc = read_service(listing, statement, &views[n++])) < 0)
			break;
		last = sqlite3_column_int64(statement, 0);
	}
	sqlite3_reset(statement);
	if (rc < 0)
		return rc;
	if ((rc = ledger_keep_list(listing->memory, views, n, sizeof(*views), (void **)&ret->services)) < 0)
		return rc;
	ret->n_services = n;
	return 0;
}

int ledger_services(struct state *state, const struct services_query *query, int64_t now_ns,
                    struct document *memory, struct service_list *ret, struct status *status) {
	static const char sql[] = SERVICE_COLUMNS
	        " WHERE s.number > ?2 AND (?3 IS NULL OR s.topology_id = ?3)"
	        " AND (?4 < 0 OR " STATE_OF_ROW " = ?4) AND (?5 IS NULL OR EXISTS (SELECT 1 FROM"
	        " hold h WHERE h.number = s.number AND h.version = s.version AND h.link_id = ?5))"
	        " ORDER BY s.number LIMIT ?6";
	size_t evidence_size = 0;
	struct listing listing = {state, memory, status, now_ns, query->evidence ? &evidence_size : NULL};
	int64_t wanted = HAS(query, services_query, state) ? query->state : -1;
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->each_service, status)) < 0 ||
	    (rc = db_bind(state->each_service, "iititi", now_ns, query->page, query->topology_id, wanted,
	                  query->link_id, query->limit + 1)) < 0)
		return rc;
	return collect(&listing, state->each_service, (size_t)query->limit, ret);
}

int ledger_service(struct state *state, const char *service_id, bool evidence, int64_t now_ns,
                   struct document *memory, struct service_view *ret, struct status *status) {
	size_t evidence_size = 0;
	struct listing listing = {state, memory, status, now_ns, evidence ? &evidence_size : NULL};
	sqlite3_stmt **statement = &state->one_service;
	int rc;

	if ((rc = db_prepare(state->db, SERVICE_COLUMNS " WHERE s.service_id = ?", statement, status)) < 0 ||
	    (rc = db_bind(*statement, "t", service_id)) < 0 || (rc = db_next(*statement, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "service '%s' does not exist", service_id);
	rc = read_service(&listing, *statement, ret);
	sqlite3_reset(*statement);
	return rc;
}

// ---- expiry

#define NOT_NOTED "released_ns IS NULL AND expiry_noted = 0 AND end_ns <= ?1"

static int note_expiry(struct state *state, int64_t now_ns, struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db, "UPDATE service SET expiry_noted = 1 WHERE " NOT_NOTED,
	                     &state->note_expiry, status)) < 0 ||
	    (rc = db_bind(state->note_expiry, "i", now_ns)) < 0)
		return rc;
	return db_run(state->note_expiry, status);
}

static int any_expired(struct state *state, int64_t now_ns, struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db, "SELECT 1 FROM service WHERE " NOT_NOTED " LIMIT 1",
	                     &state->any_expired, status)) < 0 ||
	    (rc = db_bind(state->any_expired, "i", now_ns)) < 0)
		return rc;
	return any_row(state->any_expired, status);
}

int ledger_take_expired(struct state *state, int64_t now_ns, struct document *memory,
                        struct service_list *ret, struct status *status) {
	struct listing listing = {state, memory, status, now_ns, NULL};
	int rc;

	if ((rc = any_expired(state, now_ns, status)) <= 0 || (rc = ledger_begin(state, true, status)) < 0)
		return rc;
	if ((rc = db_prepare(state->db, SERVICE_COLUMNS " WHERE " NOT_NOTED " ORDER BY s.number",
	                     &state->each_expired, status)) == 0 &&
	    (rc = db_bind(state->each_expired, "i", now_ns)) == 0 &&
	    (rc = collect(&listing, state->each_expired, SIZE_MAX, ret)) == 0)
		rc = note_expiry(state, now_ns, status);
	return ledger_end(state, rc, status);
}
