// history_private.h: the handle that the files of history share, and what they offer each other.
//
//     history.c        opening, versions, transactions
//     history_ports.c  rows of ports, publishers (port_state.h)
//     history_names.c  names of counters
//     history_kpi.c    points of links
//     history_gaps.c   what is missing of a port
//     history_seal.c   from open rows to chunks and levels (history_chunk_put.h)
//     history_late.c   the same for rows that came late
//     history_load.c   chunks and newest rows
//     history_keep.c   what need not be done with each commit
//     history_scan.c   rows of a series from chunks and tail together (history_scan.h)
//     history_rates.c  the same as rates
//     history_read.c   what callers ask
//     history_list.c   what is known of ports and publishers
//     history_tail.c   the tail out of its pages (history_pages.h)
//     history_tail_write.c  and into them
//     history_chunks.c every chunk, for a check
//     history_upgrade.c  from versions 2 and 3
// SPDX-License-Identifier: MIT
#pragma once

#include "archive.h"
#include "chunk.h"
#include "db.h"
#include "bytes.h"
#include "history.h"
#include "journal.h"

// Names of counters beyond the basic ones, as they are kept in `name_set`.
struct name_set {
	int64_t names_id; // 0: none
	char *text;       // one a line
	size_t n;
	const char **names; // into a copy of the text
	char *copy;
};

// The chunk that was read last as a whole.
struct loaded_chunk {
	int64_t chunk_id; // 0: none
	int64_t names_id;
	struct rows rows;
};

// A page of the tail.
struct page_head {
	size_t used;                 // bytes of records
	bool begins;                 // a part of the journal
	uint64_t number, first_page; // counted from 1; the first that is needed
	int64_t first_id, next;      // the first commit with open rows; where the next page will be
};

struct tail_part {
	int64_t first_id;
	uint64_t page;
};

// What is known of the tail in the file: how far it was read, or written.
struct tail_file {
	struct journal journal;
	struct page_head head; // of the page that was read or written last
	int64_t place;
	struct bytes pending; // of a record whose end is in a page to come
	bool broken;          // what comes can't be read until a part begins
	// a writer's
	bool is_known, must_begin;
	uint8_t *page;
	size_t page_size;
	uint64_t *places; // the page at each, from place 1 on; 0: none
	size_t n_places, free_from;
	struct tail_part *parts; // from the first that is needed
	size_t n_parts;
};

struct port_state;
struct link_state;

struct history {
	sqlite3 *db;
	struct history_options options;
	struct archive *archive;
	struct tail tail;
	struct tail_file tail_file;
	struct chunk_writer writer;
	bool writing;                    // between begin and commit
	bool sealed;                     // the open transaction has sealed something
	bool forgotten;                  // the tail must be read again
	bool reading;                    // between read_begin and read_end
	int64_t version;                 // a reader's: of the file, when the tail was read
	int64_t read_id;                 // newest commit that was read from the tail
	int64_t trimmed_id;              // a reader's: rows of commits before have left
	int64_t swept_id;                // newest commit when the series that are sealed were looked at
	int64_t keep_series, keep_level; // where retention goes on
	struct loaded_chunk loaded;
	struct name_set **name_sets; // as they are needed
	size_t n_name_sets;
	int64_t *reported; // damaged chunks that were told of
	size_t n_reported;
	struct port_state *ports; // a writer's; by host and name
	struct link_state *links;
	// statements, each prepared at its first use
	sqlite3_stmt *find_port, *insert_port, *change_port, *read_port, *note_rows, *note_names,
	        *note_source, *note_hello_port, *read_instances;
	sqlite3_stmt *find_series, *make_series;
	sqlite3_stmt *put_page, *read_page, *each_page, *drop_page, *set_aside, *note_sealed, *read_sealed,
	        *each_sealed, *read_names, *data_version;
	sqlite3_stmt *note_expired, *read_expired, *next_series, *free_pages;
	sqlite3_stmt *each_port, *each_port_of, *each_source, *port_line, *interval, *each_chunk;
	sqlite3_stmt *read_instance, *read_gaps, *drop_gaps, *insert_gap, *each_last_row, *note_last_seq;
};

// ---- history.c

// A reader sees one state between these; within a transaction or a read of the caller they do nothing.
int history_enter(struct history *, struct status *status);
void history_leave(struct history *);

// Says that something is damaged, once for each 'id' (of a chunk, or minus the place of a tail's page).
void history_report(struct history *, int64_t id, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

// The rows of a series that are not sealed, or NULL. A reader's snapshot decides.
int history_open_rows(struct history *, int64_t series, struct open_series **ret, struct status *status);

// ---- history_tail.c and history_tail_write.c

// Reads the tail: all of it, or the commits that are new. Returns 0 or a negative errno.
int history_load_tail(struct history *, struct status *status);
int history_follow(struct history *, struct status *status);
void tail_file_fini(struct tail_file *);

// Within a transaction: writes its rows; drops pages that are not needed, and returns 1 when there may be more.
int history_write_tail(struct history *, struct status *status);
int history_shrink_tail(struct history *, struct status *status);
// After a rollback: what was written is not there.
void history_forget_tail(struct history *);

// Learns how far each series is sealed: rows up to there leave the tail in memory, and are not restored.
int history_take_sealed(struct history *, struct status *status);

// ---- history_upgrade.c

// Moves the rows of version 2, or the tail of version 3, into chunks.
int history_convert(sqlite3 *db, int version, struct status *status);

// ---- history_ports.c; port_state.c forgets

// Returns 1 with the id, 0 when there is none, or a negative errno.
int history_find_port(struct history *, const char *host, const char *name, int64_t *ret,
                      struct status *status);
void history_forget_ports(struct history *);

// ---- history_names.c

// The names of a set; lives until a rollback.
int history_names(struct history *, int64_t names_id, const struct name_set **ret, struct status *status);
// Those of a sample; a set that is new is stored.
int history_find_names(struct history *, const struct sample *, const struct name_set **ret,
                       struct status *status);
void history_forget_names(struct history *);

// The place of a counter among those of a row with these names, or -1.
int history_find_name(const struct name_set *, const char *name);

// The row before 'row', for a rate between the two, as if it had the same names: 'last' (one row, or none) itself, or a
// copy of it in 'renamed' where counters that it didn't have are as in 'row'. '*ret' is NULL when there is none.
int history_row_before(struct history *, int64_t series, const struct rows *last, int64_t last_names_id,
                       const uint64_t *row, int64_t names_id, size_t width, struct rows *renamed,
                       const uint64_t **ret, struct status *status);

// ---- history_kpi.c

int history_find_series(struct history *, const char *link_id, enum directions, int64_t kpi, int64_t *ret,
                        struct status *status);
void history_forget_links(struct history *);

// ---- history_seal.c

// All within a transaction.
int history_seal_series(struct history *, struct open_series *, struct status *status);
// Seals what is due after the open transaction's rows.
int history_seal_due(struct history *, struct status *status);
// Seals until open rows fit into the memory that they may have.
int history_seal_excess(struct history *, struct status *status);
// Takes the points of a link's series with 'source' in (from, to] out of chunks.
int history_cut_points(struct history *, struct open_series *, int64_t from_ns, int64_t to_ns,
                       uint64_t source, struct status *status);
// Is a row in the chunks: this time and, of ports, instance and seq? Returns 1 with a copy in 'ret' (NULL is fine), 0,
// or a negative errno.
int history_find_sealed(struct history *, struct open_series *, const uint64_t *row, const uint64_t **ret,
                        struct status *status);
// The time of the newest sealed row.
int history_know_sealed(struct history *, struct open_series *, struct status *status);

// ---- history_keep.c

// Rows up to '*ret' were dropped from a level; INT64_MIN: none.
int history_expired(struct history *, int64_t series, enum history_level, int64_t *ret,
                    struct status *status);

// ---- history_load.c

// Reads a chunk's head; 'bytes' keeps what was read of it. Returns 0, -EBADMSG when it is damaged (and was
// reported), or another negative errno.
struct chunk_bytes {
	uint8_t *data;
	size_t size, capacity;
};
void chunk_bytes_fini(struct chunk_bytes *);
int history_read_head(struct history *, int64_t series, const struct chunk_ref *, struct chunk_bytes *bytes,
                      struct chunk_head *ret, struct status *status);

// Reads 'size' bytes of a chunk at 'offset', or what there is. A file that can't be read there is damage, too.
int history_read_part(struct history *, int64_t series, const struct chunk_ref *, size_t offset, size_t size,
                      struct chunk_bytes *, struct status *status);
// Says that a chunk is damaged and returns -EBADMSG.
int history_chunk_damaged(struct history *, int64_t series, const struct chunk_ref *, const char *why);

// Adds all rows of a chunk to 'ret', whose width is set by the first chunk when it has no rows yet. Returns as above.
int history_read_chunk(struct history *, int64_t series, const struct chunk_ref *, struct rows *ret,
                       int64_t *ret_names_id, struct status *status);

// ---- history_scan.c

// Rows of a series in the order of time, some at once.
struct batch {
	size_t n;
	const uint64_t *ts;
	const uint64_t *rows;           // how many rows each stands for; NULL: one
	const uint64_t *const *columns; // what was asked for
	size_t n_after;                 // rows of the chunks behind it, in the range or not
};

// What is wanted of a counter or point. Of a raw row without a neighbour, and of a link's point, all are its value.
enum scan_value { SCAN_LAST, SCAN_HIGHEST, SCAN_SUM };

struct scan {
	int64_t series;
	enum history_level
	        level;          // its chunks (of seconds: and raw ones that were not rolled up), and the tail
	int64_t from_ns, to_ns; // [from, to)
	enum scan_value value;
	const size_t *places; // columns of raw rows by their place
	size_t n_places;
	const char *const
	        *counters; // then counters of a port by name; chunks without one of them are left out
	size_t n_counters;
	int (*each)(void *context, const struct batch *); // a positive return ends the scan
	void *context;
};
// Returns 0, 1 when 'each' ended it, or a negative errno.
int history_scan(struct history *, const struct scan *, struct status *status);

// The newest rows at or before 'ts_ns', newest first, 'n' (2 at most); of a port all of one instance and epoch, and with
// the row's columns. '*ret' has no rows when there are none.
int history_newest(struct history *, int64_t series, int64_t ts_ns, size_t n, struct rows *ret,
                   struct status *status);
