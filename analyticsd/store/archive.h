// archive.h: where sealed chunks and the levels above raw are kept. All that history asks of it is here, so another
// backend (a cluster that speaks PostgreSQL's protocol, say) is one more file with one more struct archive_ops;
// archive.c keeps them in history.db, in the transactions of the tail.
//
// Chunks of a series and level do not overlap in time (but for damaged ones, which are left where they are). A
// backend that has transactions of its own must take a put again as the same: after a crash history seals again
// what was not noted as sealed.
// SPDX-License-Identifier: MIT
#pragma once

#include "db.h"
#include "history.h"

struct archive;

struct chunk_ref {
	int64_t chunk_id;
	int64_t from_ns, to_ns; // times of the first and the last row
	uint64_t n_rows;
	bool dense; // of raw rows: they are rolled up to seconds
};

struct chunk_list {
	struct chunk_ref *refs;
	size_t n, capacity;
};
void chunk_list_fini(struct chunk_list *);

struct archive_ops {
	// 'ref' gets the chunk's id.
	int (*put)(struct archive *, int64_t series, enum history_level, struct chunk_ref *ref,
	           const void *data, size_t size, struct status *);
	int (*drop)(struct archive *, int64_t chunk_id, struct status *);

	// Adds to 'ret' the chunks with rows that may be in [from, to), in the order of time, 'limit' at most.
	int (*find)(struct archive *, int64_t series, enum history_level, int64_t from_ns, int64_t to_ns,
	            size_t limit, struct chunk_list *ret, struct status *);

	// Adds to 'ret' the newest chunks that end before 'ts_ns', newest first, 'limit' at most.
	int (*before)(struct archive *, int64_t series, enum history_level, int64_t ts_ns, size_t limit,
	              struct chunk_list *ret, struct status *);

	// Reads 'size' bytes of a chunk at 'offset', or what there is. Returns how many, or a negative errno.
	int (*read)(struct archive *, int64_t chunk_id, size_t offset, void *bytes, size_t size,
	            struct status *);

	// Ends what reading holds open; before a transaction ends.
	void (*release)(struct archive *);
	void (*close)(struct archive *);
};

struct archive {
	const struct archive_ops *ops;
};

// Chunks in the tables of an open history.db, which stays the caller's.
int archive_open(sqlite3 *db, struct archive **ret);
void archive_close(struct archive *); // NULL is fine
