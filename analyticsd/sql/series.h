// series.h: the rows of history that a query wants, one by one: of each series that fits, page by page.
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"

enum series_shape { SHAPE_PORT, SHAPE_COUNTER, SHAPE_LINK };

// NULL: any.
struct series_wanted {
	enum series_shape shape;
	const char *host, *name, *counter; // of ports
	const char *link_id, *direction;   // of links
	int64_t kpi;                       // 0: any
	int64_t from_ns, to_ns;            // [from, to)
	int64_t step_ns;
	enum history_level level;
	enum port_value port_value;
	enum kpi_value kpi_value;
};

// One series: a port, a counter of a port, or a link's.
struct series_item {
	char *host, *name, *counter;
	char *link_id;
	enum directions direction;
	int64_t kpi;
};

struct series_walk {
	struct history *history; // the caller's
	struct series_wanted wanted;
	struct series_item *items;
	size_t n_items, item;
	int64_t next_ns; // of the item's next page
	bool has_more;   // pages of the item
	uint64_t *rows;  // of the page: time and counters
	struct kpi_point *points;
	size_t n, at;
};

// 'walk' is zeroed, or was used before. Stands at the first row then. Returns 0 or a negative errno with 'status'.
int series_begin(struct series_walk *, struct history *, const struct series_wanted *, struct status *status);
int series_next(struct series_walk *, struct status *status);
void series_fini(struct series_walk *);

static inline bool series_at_end(const struct series_walk *walk) {
	return walk->item >= walk->n_items;
}

static inline const struct series_item *series_item(const struct series_walk *walk) {
	return &walk->items[walk->item];
}

// Of the row; counters of SHAPE_PORT are the basic eight, of SHAPE_COUNTER one.
int64_t series_time(const struct series_walk *);
uint64_t series_counter(const struct series_walk *, size_t i);
double series_gbps(const struct series_walk *);
