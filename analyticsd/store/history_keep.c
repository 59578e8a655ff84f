// What need not be done with each commit, in short steps: sealing what waited too long, dropping what a level keeps no
// longer, giving pages back.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "clock.h"

#include <errno.h>

#define WAIT_NS      (900 * NS_PER_SECOND) // of rows, whatever their own times
#define SEALS_MOST   16                    // of one step
#define CHUNKS_MOST  64                    // that one step drops
#define SERIES_MOST  64                    // that one step looks at
#define PAGES_MOST   256                   // that one step gives back
#define PAGES_SPARED 1024                  // free ones that are kept for what comes

static int note_waiting(struct history *history, int64_t now_ns, struct status *status) {
	struct tail *tail = &history->tail;
	int n = 0, rc;

	for (size_t s = 0; s < tail->n_series; s++) {
		struct open_series *open = tail->series[s];

		if (open == NULL || open->rows.n == 0)
			continue;
		if (open->opened_ns == 0 || open->opened_ns > now_ns)
			open->opened_ns = now_ns;
		if (now_ns - open->opened_ns < WAIT_NS)
			continue;
		if (n++ == SEALS_MOST)
			return 1;
		if ((rc = history_seal_series(history, open, status)) < 0)
			return rc;
	}
	return 0;
}

// ---- retention

int history_expired(struct history *history, int64_t series, enum history_level level, int64_t *ret,
                    struct status *status) {
	int rc;

	*ret = INT64_MIN;
	if ((rc = db_prepare(history->db, "SELECT to_ns FROM expired WHERE series = ? AND level = ?",
	                     &history->read_expired, status)) < 0 ||
	    (rc = db_bind(history->read_expired, "ii", series, (int64_t)level)) < 0 ||
	    (rc = db_next(history->read_expired, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(history->read_expired, 0);
	sqlite3_reset(history->read_expired);
	return 0;
}

static int note_expired(struct history *history, int64_t series, enum history_level level, int64_t to_ns,
                        struct status *status) {
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "INSERT INTO expired (series, level, to_ns) VALUES (?, ?, ?) ON CONFLICT (series, level)"
	             " DO UPDATE SET to_ns = max(to_ns, excluded.to_ns)",
	             &history->note_expired, status)) < 0 ||
	    (rc = db_bind(history->note_expired, "iii", series, (int64_t)level, to_ns)) < 0)
		return rc;
	return db_run(history->note_expired, status);
}

// Counted back from the older of now and the newest row.
static int find_newest(struct history *history, int64_t series, int64_t now_ns, int64_t *ret,
                       struct status *status) {
	const struct open_series *open = tail_find(&history->tail, series);
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	int rc;

	*ret = INT64_MIN;
	if ((rc = history->archive->ops->before(history->archive, series, LEVEL_RAW, INT64_MAX, 1, &list,
	                                        status)) < 0)
		return rc;
	if (list.n == 0 && (rc = history->archive->ops->before(history->archive, series, LEVEL_HOUR,
	                                                       INT64_MAX, 1, &list, status)) < 0)
		return rc;
	if (list.n > 0)
		*ret = list.refs[0].to_ns;
	if (open != NULL && open->rows.n > 0 && open->newest_ns > *ret)
		*ret = open->newest_ns;
	if (now_ns < *ret)
		*ret = now_ns;
	return 0;
}

// Raw rows that are not dense are as good as seconds, and are kept like these.
static int64_t kept_of(const struct history *history, enum history_level level, bool dense) {
	int64_t keep_ns = history->options.keep_ns[level];

	if (level == LEVEL_RAW && !dense && history->options.keep_ns[LEVEL_SECOND] > keep_ns)
		return history->options.keep_ns[LEVEL_SECOND];
	return keep_ns;
}

// Returns 1 when there is more to drop.
static int drop_old(struct history *history, int64_t series, enum history_level level, int64_t newest_ns,
                    size_t *n_dropped, struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	int64_t keep_ns = kept_of(history, level, true);
	int rc;

	if (keep_ns == HISTORY_FOREVER || newest_ns < INT64_MIN + keep_ns)
		return 0;
	if ((rc = history->archive->ops->find(history->archive, series, level, INT64_MIN, newest_ns - keep_ns,
	                                      CHUNKS_MOST, &list, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		const struct chunk_ref *ref = &list.refs[i];

		keep_ns = kept_of(history, level, ref->dense);
		if (keep_ns == HISTORY_FOREVER || ref->to_ns >= newest_ns - keep_ns)
			continue;
		if (*n_dropped == CHUNKS_MOST)
			return 1;
		if ((rc = history->archive->ops->drop(history->archive, ref->chunk_id, status)) < 0 ||
		    (rc = note_expired(history, series, level, ref->to_ns, status)) < 0 ||
		    (level == LEVEL_RAW && !ref->dense &&
		     (rc = note_expired(history, series, LEVEL_SECOND, ref->to_ns, status)) < 0))
			return rc;
		if (history->loaded.chunk_id == ref->chunk_id)
			history->loaded.chunk_id = 0;
		history->sealed = true;
		++*n_dropped;
	}
	return 0;
}

// The next series that has chunks, in turns.
static int next_series(struct history *history, int64_t *series, struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db,
	                     "SELECT series FROM sealed WHERE series > ? ORDER BY series LIMIT 1",
	                     &history->next_series, status)) < 0 ||
	    (rc = db_bind(history->next_series, "i", *series)) < 0 ||
	    (rc = db_next(history->next_series, status)) <= 0)
		return rc;
	*series = sqlite3_column_int64(history->next_series, 0);
	sqlite3_reset(history->next_series);
	return 1;
}

static int drop_some(struct history *history, int64_t now_ns, struct status *status) {
	size_t n_dropped = 0;
	int rc = 1;

	for (int i = 0; i < SERIES_MOST; i++) {
		int64_t series = history->keep_series, newest_ns;

		if ((rc = next_series(history, &series, status)) < 0)
			return rc;
		if (rc == 0) { // all were looked at
			history->keep_series = -1;
			return 0;
		}
		if ((rc = find_newest(history, series, now_ns, &newest_ns, status)) < 0)
			return rc;
		for (enum history_level level = LEVEL_RAW; level < N_LEVELS && newest_ns > INT64_MIN;
		     level++) {
			if ((rc = drop_old(history, series, level, newest_ns, &n_dropped, status)) != 0)
				return rc;
		}
		history->keep_series = series;
	}
	return 1;
}

// ---- pages

// Returns 1 while there are more.
static int give_back(struct history *history, struct status *status) {
	int64_t n;
	int rc;

	if ((rc = db_prepare(history->db, "PRAGMA freelist_count", &history->free_pages, status)) < 0 ||
	    (rc = db_next(history->free_pages, status)) < 0)
		return rc;
	n = sqlite3_column_int64(history->free_pages, 0);
	sqlite3_reset(history->free_pages);
	if (n < PAGES_SPARED + PAGES_MOST)
		return 0;
	rc = db_execute(history->db, "PRAGMA incremental_vacuum(256)", status);
	return rc < 0 ? rc : 1;
}

// ---- steps

int history_maintain(struct history *history, int64_t now_ns, struct status *status) {
	int rc, more = 0;

	if ((rc = history_begin(history, status)) < 0)
		return rc;
	if ((rc = note_waiting(history, now_ns, status)) >= 0) {
		more = rc;
		rc = drop_some(history, now_ns, status);
		more |= rc > 0;
	}
	if (rc >= 0) {
		rc = history_shrink_tail(history, status);
		more |= rc > 0;
	}
	if (rc >= 0)
		rc = history_commit(history, status);
	if (rc < 0) {
		history_rollback(history);
		return rc;
	}
	if ((rc = give_back(history, status)) < 0)
		return rc;
	return more | rc;
}

int history_seal(struct history *history, struct status *status) {
	int rc;

	if ((rc = history_begin(history, status)) < 0)
		return rc;
	for (size_t s = 0; s < history->tail.n_series && rc == 0; s++) {
		struct open_series *open = history->tail.series[s];

		if (open != NULL && open->rows.n > 0)
			rc = history_seal_series(history, open, status);
	}
	if (rc == 0)
		rc = history_commit(history, status);
	if (rc < 0)
		history_rollback(history);
	return rc;
}
