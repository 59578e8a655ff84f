// Rows of series, in the order of their names and then of time.
// SPDX-License-Identifier: MIT
#include "series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 8192

// ---- which series

static bool fits(const char *wanted, const char *text) {
	return wanted == NULL || strcmp(wanted, text) == 0;
}

static int copy_text(char **ret, const char *text) {
	*ret = text != NULL ? strdup(text) : NULL;
	return text == NULL || *ret != NULL ? 0 : -ENOMEM;
}

static int add_item(struct series_walk *walk, const struct series_item *item) {
	struct series_item *moved = reallocarray(walk->items, walk->n_items + 1, sizeof(*moved));
	struct series_item *added;

	if (moved == NULL)
		return -ENOMEM;
	walk->items = moved;
	added = &moved[walk->n_items++];
	*added = (struct series_item){.direction = item->direction, .kpi = item->kpi};
	if (copy_text(&added->host, item->host) < 0 || copy_text(&added->name, item->name) < 0 ||
	    copy_text(&added->counter, item->counter) < 0 || copy_text(&added->link_id, item->link_id) < 0)
		return -ENOMEM;
	return 0;
}

static int add_port(void *context, const struct port_record *record) {
	struct series_walk *walk = context;
	const struct series_item item = {.host = (char *)record->host, .name = (char *)record->name};

	if (!fits(walk->wanted.host, record->host) || !fits(walk->wanted.name, record->name))
		return 0;
	return add_item(walk, &item);
}

static int add_link(void *context, const char *link_id, enum directions direction, int64_t kpi) {
	struct series_walk *walk = context;
	const struct series_wanted *wanted = &walk->wanted;
	const struct series_item item = {.link_id = (char *)link_id, .direction = direction, .kpi = kpi};

	if (!fits(wanted->link_id, link_id) || (wanted->kpi != 0 && wanted->kpi != kpi) ||
	    !fits(wanted->direction, choice_word(&directions_choices, (int)direction)))
		return 0;
	return add_item(walk, &item);
}

// Ports become their counters.
static int add_counters(struct series_walk *walk, const struct series_item *port, struct status *status) {
	CLEANUP(freep) char *names = NULL;
	char *rest;
	int rc = history_port_names(walk->history, port->host, port->name, &names, status);

	for (char *name = rc == 0 ? strtok_r(names, "\n", &rest) : NULL; rc == 0 && name != NULL;
	     name = strtok_r(NULL, "\n", &rest)) {
		const struct series_item item = {.host = port->host, .name = port->name, .counter = name};

		if (fits(walk->wanted.counter, name))
			rc = add_item(walk, &item);
	}
	return rc;
}

static void free_items(struct series_item *items, size_t n) {
	for (size_t i = 0; i < n; i++) {
		free(items[i].host);
		free(items[i].name);
		free(items[i].counter);
		free(items[i].link_id);
	}
	free(items);
}

static int find_ports(struct series_walk *walk, struct status *status) {
	const struct series_wanted *wanted = &walk->wanted;
	const struct series_item item = {.host = (char *)wanted->host, .name = (char *)wanted->name};
	int64_t from_ns, to_ns;
	int rc;

	if (wanted->host == NULL || wanted->name == NULL)
		return history_each_port(walk->history, add_port, walk, status);
	rc = history_port_span(walk->history, wanted->host, wanted->name, &from_ns, &to_ns, status);
	return rc == 0 || rc == -ENOENT ? 0 : rc < 0 ? rc : add_item(walk, &item);
}

static int find_items(struct series_walk *walk, struct status *status) {
	struct series_item *ports;
	size_t n;
	int rc;

	if (walk->wanted.shape == SHAPE_LINK)
		return history_each_series(walk->history, add_link, walk, status);
	if ((rc = find_ports(walk, status)) < 0 || walk->wanted.shape == SHAPE_PORT)
		return rc;
	ports = walk->items;
	n = walk->n_items;
	walk->items = NULL;
	walk->n_items = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_counters(walk, &ports[i], status);
	free_items(ports, n);
	return rc;
}

// ---- pages

static void drop_page(struct series_walk *walk) {
	free(walk->rows);
	free(walk->points);
	walk->rows = NULL;
	walk->points = NULL;
	walk->n = walk->at = 0;
}

static size_t n_counters(const struct series_walk *walk) {
	return walk->wanted.shape == SHAPE_PORT ? N_PORT_COUNTERS : 1;
}

static int read_port(struct series_walk *walk, struct status *status) {
	const struct series_wanted *wanted = &walk->wanted;
	const struct series_item *item = series_item(walk);
	const char *const counter[] = {item->counter};
	const struct port_range range = {.host = item->host,
	                                 .name = item->name,
	                                 .counters = wanted->shape == SHAPE_PORT ? history_basic_counters
	                                                                         : counter,
	                                 .n_counters = n_counters(walk),
	                                 .from_ns = walk->next_ns,
	                                 .to_ns = wanted->to_ns,
	                                 .step_ns = wanted->step_ns,
	                                 .limit = PAGE_ROWS,
	                                 .level = wanted->level,
	                                 .value = wanted->port_value};

	return history_port(walk->history, &range, &walk->rows, &walk->n, &walk->next_ns, status);
}

static int read_link(struct series_walk *walk, struct status *status) {
	const struct series_wanted *wanted = &walk->wanted;
	const struct series_item *item = series_item(walk);
	const struct kpi_range range = {.link_id = item->link_id,
	                                .direction = item->direction,
	                                .kpi = item->kpi,
	                                .from_ns = walk->next_ns,
	                                .to_ns = wanted->to_ns,
	                                .step_ns = wanted->step_ns,
	                                .limit = PAGE_ROWS,
	                                .level = wanted->level,
	                                .value = wanted->kpi_value};

	return history_kpi(walk->history, &range, &walk->points, &walk->n, &walk->next_ns, status);
}

// Goes on to the next page that has rows.
static int read_page(struct series_walk *walk, struct status *status) {
	while (!series_at_end(walk)) {
		int rc;

		drop_page(walk);
		if (!walk->has_more)
			walk->next_ns = walk->wanted.from_ns;
		rc = walk->wanted.shape == SHAPE_LINK ? read_link(walk, status) : read_port(walk, status);
		if (rc < 0)
			return rc;
		walk->has_more = walk->next_ns != 0;
		if (walk->n > 0)
			return 0;
		if (!walk->has_more)
			walk->item++;
	}
	return 0;
}

int series_begin(struct series_walk *walk, struct history *history, const struct series_wanted *wanted,
                 struct status *status) {
	int rc;

	series_fini(walk);
	*walk = (struct series_walk){.history = history, .wanted = *wanted};
	if (wanted->from_ns >= wanted->to_ns)
		return 0;
	rc = find_items(walk, status);
	// These live as long as the call that brought them; items have copies.
	walk->wanted.host = walk->wanted.name = walk->wanted.counter = NULL;
	walk->wanted.link_id = walk->wanted.direction = NULL;
	return rc < 0 ? rc : read_page(walk, status);
}

int series_next(struct series_walk *walk, struct status *status) {
	if (++walk->at < walk->n)
		return 0;
	if (!walk->has_more)
		walk->item++;
	return read_page(walk, status);
}

void series_fini(struct series_walk *walk) {
	drop_page(walk);
	free_items(walk->items, walk->n_items);
	walk->items = NULL;
	walk->n_items = walk->item = 0;
}

int64_t series_time(const struct series_walk *walk) {
	return walk->points != NULL ? walk->points[walk->at].ts_ns
	                            : (int64_t)walk->rows[walk->at * (1 + n_counters(walk))];
}

uint64_t series_counter(const struct series_walk *walk, size_t i) {
	return walk->rows[walk->at * (1 + n_counters(walk)) + 1 + i];
}

double series_gbps(const struct series_walk *walk) {
	return walk->points[walk->at].gbps;
}
