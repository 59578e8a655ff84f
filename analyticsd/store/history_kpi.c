// Points of links' series on their way in.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "bitpack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define KEY_SIZE (LIMIT_ID_SIZE + 40)

struct link_state {
	char key[KEY_SIZE]; // link, newline, direction, KPI
	struct open_series *open;
	UT_hash_handle hh;
};

void history_forget_links(struct history *history) {
	struct link_state *state, *next;

	HASH_ITER (hh, history->links, state, next) {
		HASH_DEL(history->links, state);
		free(state);
	}
}

int history_find_series(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                        int64_t *ret, struct status *status) {
	sqlite3_stmt **statement = &history->find_series;
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "SELECT series_id FROM kpi_series WHERE link_id = ? AND direction = ? AND kpi = ?",
	             statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tii", link_id, (int64_t)direction, kpi)) < 0 ||
	    (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 1;
}

static int make_series(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                       int64_t *ret, struct status *status) {
	int rc;

	if ((rc = history_find_series(history, link_id, direction, kpi, ret, status)) != 0)
		return rc < 0 ? rc : 0;
	if ((rc = db_prepare(history->db, "INSERT INTO kpi_series (link_id, direction, kpi) VALUES (?, ?, ?)",
	                     &history->make_series, status)) < 0 ||
	    (rc = db_bind(history->make_series, "tii", link_id, (int64_t)direction, kpi)) < 0 ||
	    (rc = db_run(history->make_series, status)) < 0)
		return rc;
	*ret = sqlite3_last_insert_rowid(history->db);
	return 0;
}

static int get_link(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                    struct open_series **ret, struct status *status) {
	char key[KEY_SIZE];
	int size = snprintf(key, sizeof(key), "%s\n%d %lld", link_id, (int)direction, (long long)kpi), rc;
	struct link_state *state;
	int64_t id;

	HASH_FIND(hh, history->links, key, (size_t)size, state);
	if (state == NULL) {
		if ((rc = make_series(history, link_id, direction, kpi, &id, status)) < 0)
			return rc;
		state = calloc(1, sizeof(*state));
		if (state == NULL)
			return -ENOMEM;
		memcpy(state->key, key, (size_t)size + 1);
		state->open = tail_get(&history->tail, series_number(SERIES_LINK, id));
		if (state->open == NULL) {
			free(state);
			return -ENOMEM;
		}
		HASH_ADD(hh, history->links, key, (size_t)size, state);
	}
	*ret = state->open;
	return 0;
}

// The point at this time. Returns 1, 0 when there is none, or a negative errno.
static int find_point(struct history *history, struct open_series *open, const uint64_t *point,
                      const uint64_t **ret, struct status *status) {
	int64_t ts_ns = (int64_t)point[POINT_TS];

	if (ts_ns <= open->newest_ns) {
		size_t i = open->in_order ? rows_find(&open->rows, ts_ns) : 0;

		for (; i < open->rows.n; i++) {
			*ret = rows_at(&open->rows, i);
			if (rows_ts(&open->rows, i) == ts_ns)
				return 1;
			if (open->in_order)
				break;
		}
	}
	return history_find_sealed(history, open, point, ret, status);
}

int history_add_kpi(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                    enum kpi_source source, const struct kpi_point *points, size_t n_points,
                    struct kpi_appended *ret, struct status *status) {
	struct kpi_appended unused = {0};
	struct open_series *open;
	int rc;

	if (ret == NULL)
		ret = &unused;
	if ((rc = get_link(history, link_id, direction, kpi, &open, status)) < 0)
		return rc;
	for (size_t i = 0; i < n_points; i++) {
		const uint64_t point[POINT_WIDTH] = {
		        [POINT_TS] = (uint64_t)points[i].ts_ns,
		        [POINT_VALUE] = bitpack_from_real(points[i].gbps),
		        [POINT_SOURCE] = source,
		};
		const uint64_t *there = NULL;

		if ((rc = find_point(history, open, point, &there, status)) < 0)
			return rc;
		if (rc > 0 && there[POINT_VALUE] == point[POINT_VALUE])
			ret->known++;
		else if (rc > 0)
			ret->conflicting++;
		else if ((rc = tail_add(&history->tail, open, POINT_WIDTH, point)) < 0)
			return rc;
		else
			ret->stored++;
	}
	return history_seal_excess(history, status);
}

struct span {
	int64_t from_ns, to_ns; // (from, to]
};

static bool is_measured(const void *context, const uint64_t *point) {
	const struct span *span = context;

	return (int64_t)point[POINT_TS] > span->from_ns && (int64_t)point[POINT_TS] <= span->to_ns &&
	       point[POINT_SOURCE] == KPI_MEASURED;
}

// A point that is only here need not be remembered as gone; what was committed is, since the series is sealed without it.
int history_drop_measured(struct history *history, const char *link_id, enum directions direction,
                          int64_t from_ns, int64_t to_ns, struct status *status) {
	const struct span span = {from_ns, to_ns};
	struct open_series *open;
	bool was_committed;
	int64_t id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, KPI_LINK_USED_CAPACITY, &id, status)) <=
	            0 ||
	    (rc = get_link(history, link_id, direction, KPI_LINK_USED_CAPACITY, &open, status)) < 0)
		return rc;
	was_committed = tail_remove(&history->tail, open,
	                            open->in_order ? rows_find(&open->rows, from_ns) : 0, is_measured, &span);
	if ((rc = history_cut_points(history, open, from_ns, to_ns, KPI_MEASURED, status)) < 0)
		return rc;
	return was_committed ? history_seal_series(history, open, status) : 0;
}
