// Chunks out of the archive, and the newest rows of a series.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void chunk_bytes_fini(struct chunk_bytes *bytes) {
	free(bytes->data);
}

// ---- chunks

int history_chunk_damaged(struct history *history, int64_t series, const struct chunk_ref *ref,
                          const char *why) {
	history_report(history, ref->chunk_id,
	               "chunk %" PRId64 " (%s %" PRId64 ", %" PRIu64 " rows from %" PRId64 " to %" PRId64
	               " ns) is damaged and left out: %s",
	               ref->chunk_id, series_kind(series) == SERIES_PORT ? "port_id" : "series_id",
	               series_id(series), ref->n_rows, ref->from_ns, ref->to_ns, why);
	return -EBADMSG;
}

int history_read_part(struct history *history, int64_t series, const struct chunk_ref *ref, size_t offset,
                      size_t size, struct chunk_bytes *bytes, struct status *status) {
	struct status own = {.message = ""};
	int rc;

	if (bytes->capacity < size) {
		uint8_t *moved = realloc(bytes->data, size);

		if (moved == NULL)
			return -ENOMEM;
		bytes->data = moved;
		bytes->capacity = size;
	}
	bytes->size = 0;
	rc = history->archive->ops->read(history->archive, ref->chunk_id, offset, bytes->data, size, &own);
	if (rc == -EBADMSG || rc == -EIO)
		return history_chunk_damaged(history, series, ref, own.message);
	if (rc < 0) {
		if (status != NULL)
			*status = own;
		return rc;
	}
	bytes->size = (size_t)rc;
	return 0;
}

int history_read_head(struct history *history, int64_t series, const struct chunk_ref *ref,
                      struct chunk_bytes *bytes, struct chunk_head *ret, struct status *status) {
	int rc;

	if ((rc = history_read_part(history, series, ref, 0, CHUNK_HEAD_GUESS, bytes, status)) < 0)
		return rc;
	rc = chunk_read_head(bytes->data, bytes->size, ret);
	if (rc > 0 && (size_t)rc > CHUNK_HEAD_GUESS) {
		size_t needed = (size_t)rc;

		if ((rc = history_read_part(history, series, ref, 0, needed, bytes, status)) < 0)
			return rc;
		rc = chunk_read_head(bytes->data, bytes->size, ret);
	}
	if (rc != 0 || ret->kind.series != series_kind(series) || ret->n_rows != ref->n_rows)
		return history_chunk_damaged(history, series, ref, "its head is not what was written");
	return 0;
}

int history_read_chunk(struct history *history, int64_t series, const struct chunk_ref *ref, struct rows *ret,
                       int64_t *ret_names_id, struct status *status) {
	CLEANUP(chunk_bytes_fini) struct chunk_bytes bytes = {0};
	struct chunk_head head;
	size_t before = ret->n, size;
	int rc;

	if ((rc = history_read_head(history, series, ref, &bytes, &head, status)) < 0)
		return rc;
	size = head.total_size;
	if ((rc = history_read_part(history, series, ref, 0, size, &bytes, status)) < 0)
		return rc;
	if (chunk_read_head(bytes.data, bytes.size, &head) != 0)
		return history_chunk_damaged(history, series, ref, "its head is not what was written");
	if (ret->n == 0) {
		rows_fini(ret);
		ret->width = head.n_columns;
	}
	if (ret->width != head.n_columns)
		return -EINVAL;
	rc = chunk_read_rows(&head, bytes.data, bytes.size, ret);
	if (rc == -EBADMSG) {
		ret->n = before;
		return history_chunk_damaged(history, series, ref, "a column is not what was written");
	}
	*ret_names_id = head.kind.names_id;
	return rc;
}

// ---- the newest

static bool belongs(const struct rows *found, const uint64_t *row, bool ports) {
	const uint64_t *newest = found->n > 0 ? found->values : NULL;

	return newest == NULL || !ports ||
	       (newest[ROW_INSTANCE] == row[ROW_INSTANCE] && newest[ROW_EPOCH] == row[ROW_EPOCH]);
}

// Keeps the newest 'n' of what was found, newest first.
static int offer(struct rows *found, const uint64_t *row, size_t width, size_t n, bool ports) {
	size_t at = 0;

	if (found->n == 0 && found->width != width) {
		rows_fini(found);
		found->width = width;
	}
	if (found->width != width) {
		if (rows_compare(row, found->values, ports) < 0)
			return 0;
		found->n = 0; // other names: the newest decides
		return offer(found, row, width, n, ports);
	}
	while (at < found->n && rows_compare(rows_at(found, at), row, ports) > 0)
		at++;
	if (at >= n)
		return 0;
	if (rows_reserve(found, 1) < 0)
		return -ENOMEM;
	memmove(rows_at(found, at + 1), rows_at(found, at), (found->n - at) * width * sizeof(*row));
	memcpy(rows_at(found, at), row, width * sizeof(*row));
	if (++found->n > n)
		found->n = n;
	return 0;
}

static int offer_chunk(struct history *history, int64_t series, const struct chunk_ref *ref, int64_t ts_ns,
                       size_t n, struct rows *found, struct status *status) {
	struct loaded_chunk *loaded = &history->loaded;
	bool ports = series_kind(series) == SERIES_PORT;
	int rc;

	if (loaded->chunk_id != ref->chunk_id) {
		loaded->chunk_id = 0;
		rows_fini(&loaded->rows);
		rc = history_read_chunk(history, series, ref, &loaded->rows, &loaded->names_id, status);
		if (rc < 0)
			return rc == -EBADMSG ? 0 : rc;
		loaded->chunk_id = ref->chunk_id;
	}
	for (size_t i = loaded->rows.n, some = 0; i-- > 0 && some < n;) {
		if (rows_ts(&loaded->rows, i) > ts_ns)
			continue;
		some++;
		if ((rc = offer(found, rows_at(&loaded->rows, i), loaded->rows.width, n, ports)) < 0)
			return rc;
	}
	return 0;
}

int history_newest(struct history *history, int64_t series, int64_t ts_ns, size_t n, struct rows *ret,
                   struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	bool ports = series_kind(series) == SERIES_PORT;
	struct archive *archive = history->archive;
	struct open_series *open;
	size_t n_in;
	int rc;

	if ((rc = history_open_rows(history, series, &open, status)) < 0)
		return rc;
	for (size_t i = open != NULL ? open->rows.n : 0; i-- > 0;) {
		const uint64_t *row = rows_at(&open->rows, i);

		if ((int64_t)row[ROW_TS] > ts_ns)
			continue;
		if ((rc = offer(ret, row, open_width(open), n, ports)) < 0)
			return rc;
		if (open->in_order && ret->n == n)
			break;
	}
	if (ts_ns < INT64_MAX &&
	    (rc = archive->ops->find(archive, series, LEVEL_RAW, ts_ns, ts_ns + 1, 1, &list, status)) < 0)
		return rc;
	n_in = list.n;
	if ((rc = archive->ops->before(archive, series, LEVEL_RAW, ts_ns, n, &list, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		const struct chunk_ref *ref = &list.refs[i];

		// enough that is newer than all of this chunk
		if (ret->n == n && rows_ts(ret, n - 1) > ref->to_ns && i >= n_in)
			break;
		if ((rc = offer_chunk(history, series, ref, ts_ns, n, ret, status)) < 0)
			return rc;
	}
	if (ret->n == 2 && !belongs(&(struct rows){ret->values, 1, 1, ret->width}, rows_at(ret, 1), ports))
		ret->n = 1;
	return 0;
}
