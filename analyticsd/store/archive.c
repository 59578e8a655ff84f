// Chunks in the table `chunk`. They are read by pieces, without a copy of the whole: a column is in a page or two.
// SPDX-License-Identifier: MIT
#include "archive.h"

#include <errno.h>
#include <stdlib.h>

// Raw chunks have ids from here on, those of levels are below: of these, small ones are soon joined, and leave pages
// that are empty as a whole.
#define RAW_IDS (INT64_C(1) << 40)

struct tables {
	struct archive archive;
	sqlite3 *db;
	sqlite3_blob *blob;
	sqlite3_stmt *put, *drop, *find, *before, *newest;
	int64_t next_id[2]; // of levels, of raw chunks; 0: not known yet
};

void chunk_list_fini(struct chunk_list *list) {
	free(list->refs);
}

static int next_id(struct tables *tables, bool is_raw, int64_t *ret, struct status *status) {
	int64_t least = is_raw ? RAW_IDS : 1;
	int rc;

	if (tables->next_id[is_raw] == 0) {
		if ((rc = db_prepare(tables->db, "SELECT max(chunk_id) + 1 FROM chunk WHERE chunk_id < ?",
		                     &tables->newest, status)) < 0 ||
		    (rc = db_bind(tables->newest, "i", is_raw ? INT64_MAX : RAW_IDS)) < 0 ||
		    (rc = db_next(tables->newest, status)) < 0)
			return rc;
		tables->next_id[is_raw] = sqlite3_column_int64(tables->newest, 0);
		sqlite3_reset(tables->newest);
		if (tables->next_id[is_raw] < least)
			tables->next_id[is_raw] = least;
	}
	*ret = tables->next_id[is_raw]++;
	return 0;
}

static int put(struct archive *archive, int64_t series, enum history_level level, struct chunk_ref *ref,
               const void *data, size_t size, struct status *status) {
	struct tables *tables = (struct tables *)archive;
	int64_t id;
	int rc;

	if ((rc = next_id(tables, level == LEVEL_RAW, &id, status)) < 0 ||
	    (rc = db_prepare(
	             tables->db,
	             "INSERT INTO chunk (chunk_id, series, level, from_ns, to_ns, n_rows, dense, data)"
	             " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	             &tables->put, status)) < 0 ||
	    (rc = db_bind(tables->put, "iiiiiii", id, series, (int64_t)level, ref->from_ns, ref->to_ns,
	                  (int64_t)ref->n_rows, (int64_t)ref->dense)) < 0)
		return rc;
	sqlite3_bind_blob(tables->put, 8, data, (int)size, SQLITE_STATIC);
	if ((rc = db_run(tables->put, status)) < 0)
		return rc;
	ref->chunk_id = id;
	return 0;
}

static int drop(struct archive *archive, int64_t chunk_id, struct status *status) {
	struct tables *tables = (struct tables *)archive;
	int rc;

	if ((rc = db_prepare(tables->db, "DELETE FROM chunk WHERE chunk_id = ?", &tables->drop, status)) <
	            0 ||
	    (rc = db_bind(tables->drop, "i", chunk_id)) < 0)
		return rc;
	return db_run(tables->drop, status);
}

static int add_ref(sqlite3_stmt *statement, struct chunk_list *list) {
	if (list->n == list->capacity) {
		size_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
		void *moved = reallocarray(list->refs, capacity, sizeof(*list->refs));

		if (moved == NULL)
			return -ENOMEM;
		list->refs = moved;
		list->capacity = capacity;
	}
	list->refs[list->n++] = (struct chunk_ref){
	        .chunk_id = sqlite3_column_int64(statement, 0),
	        .from_ns = sqlite3_column_int64(statement, 1),
	        .to_ns = sqlite3_column_int64(statement, 2),
	        .n_rows = (uint64_t)sqlite3_column_int64(statement, 3),
	        .dense = sqlite3_column_int(statement, 4) != 0,
	};
	return 0;
}

static int list_refs(sqlite3_stmt *statement, int64_t to_ns, size_t limit, struct chunk_list *list,
                     struct status *status) {
	int rc = 1;

	while (limit-- > 0 && (rc = db_next(statement, status)) > 0) {
		if (sqlite3_column_int64(statement, 1) >= to_ns)
			break;
		if ((rc = add_ref(statement, list)) < 0)
			break;
	}
	sqlite3_reset(statement);
	return rc < 0 ? rc : 0;
}

#define REF "SELECT chunk_id, from_ns, to_ns, n_rows, dense FROM chunk WHERE series = ? AND level = ?"

static int find(struct archive *archive, int64_t series, enum history_level level, int64_t from_ns,
                int64_t to_ns, size_t limit, struct chunk_list *ret, struct status *status) {
	struct tables *tables = (struct tables *)archive;
	int rc;

	if ((rc = db_prepare(tables->db, REF " AND to_ns >= ? ORDER BY to_ns, from_ns", &tables->find,
	                     status)) < 0 ||
	    (rc = db_bind(tables->find, "iii", series, (int64_t)level, from_ns)) < 0)
		return rc;
	return list_refs(tables->find, to_ns, limit, ret, status);
}

static int before(struct archive *archive, int64_t series, enum history_level level, int64_t ts_ns,
                  size_t limit, struct chunk_list *ret, struct status *status) {
	struct tables *tables = (struct tables *)archive;
	int rc;

	if ((rc = db_prepare(tables->db, REF " AND to_ns < ? ORDER BY to_ns DESC, from_ns DESC",
	                     &tables->before, status)) < 0 ||
	    (rc = db_bind(tables->before, "iii", series, (int64_t)level, ts_ns)) < 0)
		return rc;
	return list_refs(tables->before, INT64_MAX, limit, ret, status);
}

static void release(struct archive *archive) {
	struct tables *tables = (struct tables *)archive;

	sqlite3_blob_close(tables->blob);
	tables->blob = NULL;
}

static int open_blob(struct tables *tables, int64_t chunk_id) {
	if (tables->blob != NULL) {
		int result = sqlite3_blob_reopen(tables->blob, chunk_id);

		if (result == SQLITE_OK)
			return result;
		release(&tables->archive);
	}
	return sqlite3_blob_open(tables->db, "main", "chunk", "data", chunk_id, 0, &tables->blob);
}

static int read_bytes(struct archive *archive, int64_t chunk_id, size_t offset, void *bytes, size_t size,
                      struct status *status) {
	struct tables *tables = (struct tables *)archive;
	int result = open_blob(tables, chunk_id), all;

	if (result == SQLITE_OK) {
		all = sqlite3_blob_bytes(tables->blob);
		if (offset >= (size_t)all)
			return 0;
		if (size > (size_t)all - offset)
			size = (size_t)all - offset;
		result = sqlite3_blob_read(tables->blob, bytes, (int)size, (int)offset);
	}
	if (result == SQLITE_OK)
		return (int)size;
	result = db_error(tables->db, result, status);
	release(archive);
	return result;
}

static void close_tables(struct archive *archive) {
	release(archive);
	free(archive);
}

static const struct archive_ops ops = {
        .put = put,
        .drop = drop,
        .find = find,
        .before = before,
        .read = read_bytes,
        .release = release,
        .close = close_tables,
};

int archive_open(sqlite3 *db, struct archive **ret) {
	struct tables *tables = calloc(1, sizeof(*tables));

	if (tables == NULL)
		return -ENOMEM;
	tables->archive.ops = &ops;
	tables->db = db;
	*ret = &tables->archive;
	return 0;
}

void archive_close(struct archive *archive) {
	if (archive != NULL)
		archive->ops->close(archive);
}
