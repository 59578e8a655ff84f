// history.h: what was measured, in history.db: counters of ports, KPI series of links, the publishers they
// came from. One handle, one thread; any number of readers beside one writer. Only store/ knows that this is
// SQLite.
//
// Counters are uint64 from the frame to the file and back. A row is identified by (host, instance, port,
// seq) and stored once. A link's series are identified by (link, direction, KPI); a point ends the interval
// it speaks of.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

#define KPI_LINK_TOTAL_CAPACITY 301
#define KPI_LINK_USED_CAPACITY  302

struct history;

// Names of the counters that every port has, in their order.
extern const char *const history_basic_counters[N_PORT_COUNTERS];

// How finely the past is kept. A level above raw has one row for each of its steps and series: the last row of
// the step, the highest rate in it, and how many rows there were.
enum history_level { LEVEL_AUTO, LEVEL_RAW, LEVEL_SECOND, LEVEL_MINUTE, LEVEL_HOUR, N_LEVELS };

#define HISTORY_FOREVER INT64_MAX

struct history_level_kind {
	const char *name;        // "raw", "1s", "1min", "1h"
	int64_t step_ns;         // 0 of raw
	int64_t default_keep_ns; // or HISTORY_FOREVER
};
extern const struct history_level_kind history_levels[N_LEVELS]; // [LEVEL_AUTO] is "auto"

struct history_options {
	bool write;
	bool full_sync;            // synchronous = FULL: a commit survives power loss, not only a crash
	size_t memory;             // of rows that are not sealed yet, in bytes; 0: HISTORY_MEMORY
	int64_t keep_ns[N_LEVELS]; // 0: the level's default
	// Told of what is damaged (what and where), once each; NULL is fine. Called within the calls below.
	void (*report)(void *context, const char *text);
	void *report_context;
};

#define HISTORY_MEMORY (64 << 20)

// Opens the history at 'path'; a writer creates it and brings it to the newest version. Returns 0 or a
// negative errno with 'status' (-ENOTSUP: a newer release wrote it). A writer reads what is not sealed yet.
int history_open(const char *path, bool write, struct history **ret, struct status *status);
int history_open_with(const char *path, const struct history_options *, struct history **ret,
                      struct status *status);
void history_close(struct history *); // NULL is fine; what was not committed is gone

// From now on rows and steps are kept for so long: 'keep_ns' as in the options. The writer's.
void history_set_keep(struct history *, const int64_t keep_ns[N_LEVELS]);
DEFINE_CLEANUP(struct history *, history_close)

// ---- writing: between begin and commit

int history_begin(struct history *, struct status *status);
int history_commit(struct history *, struct status *status);
void history_rollback(struct history *);

struct sample_stored {
	uint64_t rows;       // new ones
	uint64_t duplicates; // that were there already
};

// Is this a sample that history can store (the basic counters come first)? Returns 0 or -EINVAL with 'status'.
int history_check_sample(const struct sample *, struct status *status);

// Adds the rows of a sample message that was checked; rows that are there already are left out. A transaction
// may have any number of rows, in any order of time: beyond the memory that was given they are sealed at once,
// so a whole file may be imported in one. Returns 0 or a negative errno.
int history_add_sample(struct history *, const struct sample *, struct sample_stored *ret,
                       struct status *status);

// The same for rows that were recorded elsewhere: what is known of the port as it is now stays.
int history_add_recorded(struct history *, const struct sample *, struct sample_stored *ret,
                         struct status *status);

// Notes that a publisher was heard at 'now_ns' and what it said of itself ('hello' NULL: only that it was
// heard).
int history_add_hello(struct history *, const char *host, uint64_t instance, int64_t now_ns,
                      const struct hello *hello, struct status *status);

// What need not be done with each commit: seals what waited too long, drops what a level keeps no longer, gives
// pages back to the file system. Each call is one short step in a transaction of its own; not between begin and
// commit. 'now_ns' is the real clock. Returns 1 when there is more to do at once, 0, or a negative errno.
int history_maintain(struct history *, int64_t now_ns, struct status *status);

// Seals all that waits, as a test or a backup may want it.
int history_seal(struct history *, struct status *status);

enum kpi_source { KPI_APPENDED, KPI_MEASURED };

// Adds points to a series: a time that is there already keeps its first value. 'ret' (NULL is fine) is added
// to.
int history_add_kpi(struct history *, const char *link_id, enum directions, int64_t kpi, enum kpi_source,
                    const struct kpi_point *points, size_t n_points, struct kpi_appended *ret,
                    struct status *status);

// Takes measured points of a series away, after 'from_ns' and up to 'to_ns', to derive them anew; points that were
// appended stay.
int history_drop_measured(struct history *, const char *link_id, enum directions, int64_t from_ns,
                          int64_t to_ns, struct status *status);

// ---- what is missing of a port and instance (history_gaps.c)

struct seq_gap {
	uint64_t from_seq, to_seq; // both included
	bool gone;                 // will never come
};

// Replaces what is noted as missing, in ascending order, up to 'last_seq', the newest row that is known of.
// Returns 1, 0 when no row of the port was ever stored (nothing is noted then), or a negative errno.
int history_set_gaps(struct history *, const char *host, const char *name, uint64_t instance,
                     uint64_t last_seq, const struct seq_gap *gaps, size_t n_gaps, struct status *status);

// Tells what is missing; 'each' may end the walk with a negative errno. Returns 1 with the newest row that is
// known of, 0 when the port or instance isn't known, or a negative errno.
int history_gaps(struct history *, const char *host, const char *name, uint64_t instance,
                 int (*each)(void *context, const struct seq_gap *), void *context, uint64_t *ret_last_seq,
                 struct status *status);

// A row as it was stored, for what is derived from rows.
struct stored_row {
	uint64_t instance, seq;
	int64_t epoch, ts_ns;
	bool up;
	uint64_t counters[N_PORT_COUNTERS];
};

// Rows of a port with from_ns <= ts_ns < to_ns in the order of time; the caller frees '*ret'. A port that was never
// heard has none.
int history_rows(struct history *, const char *host, const char *name, int64_t from_ns, int64_t to_ns,
                 struct stored_row **ret, size_t *ret_n, struct status *status);

// The newest row of each port.
int history_each_last_row(struct history *,
                          int (*each)(void *context, const char *host, const char *name,
                                      const struct stored_row *),
                          void *context, struct status *status);

// ---- reading; several reads that belong together go between begin and end, and then see one state

int history_read_begin(struct history *, struct status *status);
void history_read_end(struct history *);

struct kpi_range {
	const char *link_id;
	enum directions direction;
	int64_t kpi;
	int64_t from_ns, to_ns;   // [from, to)
	int64_t step_ns;          // 0: each point; else the mean over each step, at its start
	size_t limit;             // points
	enum history_level level; // LEVEL_AUTO (0): the coarsest that the step allows
	enum kpi_value { KPI_MEAN, KPI_LAST, KPI_MAX, KPI_COUNT } value;
};

// The level is chosen so that the answer is the same at each that still has the rows: the coarsest whose step
// divides 'step_ns'. Where a level keeps nothing any more, the next coarser one answers. With a 'level' and no
// step, its rows come one for each of its steps.

// Points in ascending time; the caller frees '*ret'. '*ret_next_ns' is the 'from_ns' to go on with, or 0 at
// the end.
int history_kpi(struct history *, const struct kpi_range *, struct kpi_point **ret, size_t *ret_n,
                int64_t *ret_next_ns, struct status *status);

// The series that there are, in the order of link, direction and KPI. A negative return of 'each' ends the walk.
int history_each_series(struct history *,
                        int (*each)(void *context, const char *link_id, enum directions, int64_t kpi),
                        void *context, struct status *status);

struct kpi_newest {
	struct kpi_point point;
	int64_t spacing_ns; // to the point before it; 0 when it is the only one
};

// The newest point at or before 'at_ns'. Returns 1, 0 when there is none, or a negative errno.
int history_kpi_newest(struct history *, const char *link_id, enum directions, int64_t kpi, int64_t at_ns,
                       struct kpi_newest *ret, struct status *status);

// Mean of the used capacity over (at - 60 s, at], or the newest value before. Returns 1, 0 without any, or
// -errno.
int history_kpi_current(struct history *, const char *link_id, enum directions, int64_t at_ns, double *ret,
                        struct status *status);

struct port_range {
	const char *host, *name;
	const char *const *counters; // wanted, in order
	size_t n_counters;
	int64_t from_ns, to_ns;   // [from, to)
	int64_t step_ns;          // 0: each row; else the last row of each step
	size_t limit;             // rows
	enum history_level level; // as in kpi_range
	// what of each counter: its last value, the highest rate between two rows that belong together (per second,
	// rounded down), or, whatever the counter, the number of rows
	enum port_value { PORT_LAST, PORT_MAX_RATE, PORT_ROWS } value;
};

// Rows of 1 + n_counters values, [ts_ns, value...], ascending; the caller frees '*ret'. Rows without one of
// the counters are left out. Returns 0, -ENOENT when the port was never heard, or another negative errno.
int history_port(struct history *, const struct port_range *, uint64_t **ret, size_t *ret_n,
                 int64_t *ret_next_ns, struct status *status);

// Names of all counters that rows of the port have had, the basic ones first, one a line; the caller frees
// '*ret'. Returns 0, -ENOENT, or another negative errno.
int history_port_names(struct history *, const char *host, const char *name, char **ret,
                       struct status *status);

// The time of the first and the last row of a port, at any level. Returns 1, 0 without any, or a negative errno.
int history_port_span(struct history *, const char *host, const char *name, int64_t *ret_from_ns,
                      int64_t *ret_to_ns, struct status *status);

struct port_newest {
	int64_t ts_ns;
	int64_t interval_ns; // that its publisher announced; 0 when not known
	bool up;
	int64_t speed_mbps; // newest known, whatever the time
};

// The newest row of a port at or before 'at_ns'. Returns 1, 0 when there is none, or a negative errno.
int history_port_newest(struct history *, const char *host, const char *name, int64_t at_ns,
                        struct port_newest *ret, struct status *status);

// ---- every chunk, for `analyticsctl check`

// Calls 'each' for every sealed chunk: whole (rc 0), or damaged (rc < 0, 'what' tells). A negative return ends it.
struct chunk_report {
	int64_t chunk_id, from_ns, to_ns;
	enum history_level level;
	uint64_t n_rows, size;
	const char *series; // "port HOST NAME" or "link ID DIRECTION KPI"
	int rc;
	const char *what;
};
int history_each_chunk(struct history *, int (*each)(void *context, const struct chunk_report *),
                       void *context, struct status *status);

// ---- what is known of ports and publishers

// A port as last heard; strings live until the callback returns.
struct port_record {
	const char *host, *name;
	const char *link; // `analytics set link`, or NULL
	uint64_t instance, last_seq, rows;
	uint64_t gone; // of the rows that are missing, those that will never come
	int64_t port, speed_mbps, last_ts_ns;
	bool up;
	uint64_t errors;
	double rx_gbps, tx_gbps; // over the last two rows; NAN when not known
};

struct source_record {
	const char *host;
	uint64_t instance, interval_ns, dropped;
	int64_t last_ns;
};

// Call 'each' for every port, or the newest instance of every publisher, in the order of host and name. A
// negative return of 'each' ends the walk and is returned.
int history_each_port(struct history *, int (*each)(void *context, const struct port_record *), void *context,
                      struct status *status);
// Only the ports that announced this link.
int history_each_port_of(struct history *, const char *link_id,
                         int (*each)(void *context, const char *host, const char *name), void *context,
                         struct status *status);
int history_each_source(struct history *, int (*each)(void *context, const struct source_record *),
                        void *context, struct status *status);
