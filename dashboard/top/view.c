// Lists of links, ports and alerts: which columns there are, what stands in them, how they sort.
// SPDX-License-Identifier: MIT
#include "view.h"

#include "table.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))
#define WARN_SHARE        0.7
#define BAD_SHARE         0.9

// ---- links

static size_t count_links(const struct snapshot *snapshot) {
	return snapshot->n_links;
}

static const struct link_forecast *forecast_at(const struct snapshot *snapshot, size_t row) {
	return snapshot->links[row].forecast;
}

static double share_of(const struct link_forecast *forecast, double gbps) {
	if (!HAS(forecast, link_forecast, total_capacity_gbps) || forecast->total_capacity_gbps <= 0)
		return NAN;
	return gbps / forecast->total_capacity_gbps;
}

static double now_share(const struct snapshot *snapshot, size_t row) {
	const struct link_forecast *forecast = forecast_at(snapshot, row);

	return share_of(forecast, forecast->current_used_capacity_gbps);
}

static double peak_share(const struct snapshot *snapshot, size_t row) {
	const struct link_forecast *forecast = forecast_at(snapshot, row);

	return share_of(forecast, forecast->forecast_used_capacity_gbps + forecast->reserved_gbps);
}

static double sooner_full(const struct snapshot *snapshot, size_t row) {
	return -snapshot->links[row].full_seconds;
}

static double total_gbps(const struct snapshot *snapshot, size_t row) {
	const struct link_forecast *forecast = forecast_at(snapshot, row);

	return HAS(forecast, link_forecast, total_capacity_gbps) ? forecast->total_capacity_gbps : NAN;
}

static double used_gbps(const struct snapshot *snapshot, size_t row) {
	return forecast_at(snapshot, row)->current_used_capacity_gbps;
}

static double peak_gbps(const struct snapshot *snapshot, size_t row) {
	return forecast_at(snapshot, row)->forecast_used_capacity_gbps;
}

static void put_number(double number, const char *format, char text[static VIEW_CELL_SIZE]) {
	if (isnan(number))
		strcpy(text, "-");
	else
		snprintf(text, VIEW_CELL_SIZE, format, number);
}

static void cell_link(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s", forecast_at(snapshot, row)->link_id);
}

static void cell_direction(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	strcpy(text, forecast_at(snapshot, row)->direction == DIRECTION_FORWARD ? "->" : "<-");
}

static void cell_state(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s", choice_word(&states_choices, forecast_at(snapshot, row)->state));
}

static void cell_total(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(total_gbps(snapshot, row), "%.3g", text);
}

static void cell_used(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(used_gbps(snapshot, row), "%.3f", text);
}

static void cell_now(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(100 * now_share(snapshot, row), "%.0f%%", text);
}

static void cell_peak(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(peak_gbps(snapshot, row), "%.3f", text);
}

static void cell_peak_share(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(100 * peak_share(snapshot, row), "%.0f%%", text);
}

static void cell_full(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	double seconds = snapshot->links[row].full_seconds;

	if (isnan(seconds))
		strcpy(text, "-");
	else if (seconds == 0)
		strcpy(text, "now");
	else
		text_from_seconds(seconds < 60 ? ceil(seconds) : 60 * round(seconds / 60), text);
}

static enum view_mood mood_of_share(double share) {
	return share >= BAD_SHARE    ? MOOD_BAD
	       : share >= WARN_SHARE ? MOOD_WARN
	       : isnan(share)        ? MOOD_PLAIN
	                             : MOOD_GOOD;
}

static enum view_mood mood_of_link(const struct snapshot *snapshot, size_t row) {
	switch (forecast_at(snapshot, row)->state) {
	case STATE_DOWN:
		return MOOD_BAD;
	case STATE_ADMIN_DOWN:
	case STATE_STALE:
		return MOOD_FAINT;
	default:
		return mood_of_share(fmax(now_share(snapshot, row), peak_share(snapshot, row)));
	}
}

static const struct view_column link_columns[] = {
        {"LINK", false, 0, cell_link, NULL},          {"WAY", false, 3, cell_direction, NULL},
        {"STATE", false, 10, cell_state, NULL},       {"TOTAL", true, 8, cell_total, total_gbps},
        {"USED", true, 9, cell_used, used_gbps},      {"NOW", true, 6, cell_now, now_share},
        {"PEAK", true, 9, cell_peak, peak_gbps},      {"PEAK%", true, 6, cell_peak_share, peak_share},
        {"FULL IN", true, 9, cell_full, sooner_full},
};

// ---- ports

static size_t count_ports(const struct snapshot *snapshot) {
	return snapshot->n_ports;
}

static const struct source_port *port_at(const struct snapshot *snapshot, size_t row) {
	return snapshot->ports[row].port;
}

static double rx_gbps(const struct snapshot *snapshot, size_t row) {
	const struct source_port *port = port_at(snapshot, row);

	return HAS(port, source_port, rx_gbps) ? port->rx_gbps : NAN;
}

static double tx_gbps(const struct snapshot *snapshot, size_t row) {
	const struct source_port *port = port_at(snapshot, row);

	return HAS(port, source_port, tx_gbps) ? port->tx_gbps : NAN;
}

static double port_errors(const struct snapshot *snapshot, size_t row) {
	return (double)port_at(snapshot, row)->errors;
}

static double port_lost(const struct snapshot *snapshot, size_t row) {
	return (double)port_at(snapshot, row)->lost;
}

static void cell_port(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s/%s", snapshot->ports[row].source->host,
	         port_at(snapshot, row)->name);
}

static void cell_port_link(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	const char *link = port_at(snapshot, row)->link;

	snprintf(text, VIEW_CELL_SIZE, "%s", link != NULL ? link : "-");
}

static void cell_port_state(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	const struct top_port *port = &snapshot->ports[row];

	strcpy(text, !port->source->live ? "silent" : port->port->up ? "up" : "down");
}

static void cell_rx(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(rx_gbps(snapshot, row), "%.3f", text);
}

static void cell_tx(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	put_number(tx_gbps(snapshot, row), "%.3f", text);
}

static void cell_errors(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%llu", (unsigned long long)port_at(snapshot, row)->errors);
}

static void cell_lost(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%llu", (unsigned long long)port_at(snapshot, row)->lost);
}

static enum view_mood mood_of_port(const struct snapshot *snapshot, size_t row) {
	const struct top_port *port = &snapshot->ports[row];

	if (!port->source->live)
		return MOOD_FAINT;
	return !port->port->up                                  ? MOOD_BAD
	       : port->port->errors > 0 || port->port->lost > 0 ? MOOD_WARN
	                                                        : MOOD_GOOD;
}

static const struct view_column port_columns[] = {
        {"PORT", false, 0, cell_port, NULL},        {"LINK", false, 14, cell_port_link, NULL},
        {"STATE", false, 7, cell_port_state, NULL}, {"RX", true, 9, cell_rx, rx_gbps},
        {"TX", true, 9, cell_tx, tx_gbps},          {"ERRORS", true, 9, cell_errors, port_errors},
        {"LOST", true, 9, cell_lost, port_lost},
};

// ---- alerts

static size_t count_alerts(const struct snapshot *snapshot) {
	return snapshot->n_alerts;
}

static double alert_time(const struct snapshot *snapshot, size_t row) {
	return (double)snapshot->alerts[row].changed_ns;
}

static double alert_severity(const struct snapshot *snapshot, size_t row) {
	return (double)snapshot->alerts[row].severity;
}

static void cell_severity(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s",
	         choice_word(&severities_choices, snapshot->alerts[row].severity));
}

static void cell_alert_state(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s", choice_word(&alert_states_choices, snapshot->alerts[row].state));
}

static void cell_age(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	double seconds = (double)(snapshot->at_ns - snapshot->alerts[row].changed_ns) / 1e9;

	text_from_seconds(fmax(0, floor(seconds)), text);
}

static void cell_object(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s", snapshot->alerts[row].object);
}

static void cell_text(const struct snapshot *snapshot, size_t row, char text[static VIEW_CELL_SIZE]) {
	snprintf(text, VIEW_CELL_SIZE, "%s", snapshot->alerts[row].text);
}

static enum view_mood mood_of_alert(const struct snapshot *snapshot, size_t row) {
	const struct alert *alert = &snapshot->alerts[row];

	if (alert->state != ALERT_STATE_ACTIVE)
		return MOOD_FAINT;
	return alert->severity == SEVERITY_CRITICAL ? MOOD_BAD : MOOD_WARN;
}

static const struct view_column alert_columns[] = {
        {"SEVERITY", false, 9, cell_severity, alert_severity},
        {"STATE", false, 8, cell_alert_state, NULL},
        {"SINCE", true, 9, cell_age, alert_time},
        {"OBJECT", false, 20, cell_object, NULL},
        {"WHAT", false, 0, cell_text, NULL},
};

const struct view views[N_VIEWS] = {
        [VIEW_LINKS] = {"links", link_columns, ARRAY_SIZE(link_columns), count_links, mood_of_link},
        [VIEW_PORTS] = {"ports", port_columns, ARRAY_SIZE(port_columns), count_ports, mood_of_port},
        [VIEW_ALERTS] = {"alerts", alert_columns, ARRAY_SIZE(alert_columns), count_alerts, mood_of_alert},
};

// ---- order

struct sorting {
	const struct view_column *column;
	const struct snapshot *snapshot;
	bool backwards;
};

static int compare_keys(double a, double b) {
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b); // what is not known comes last
	return (a < b) - (a > b);
}

static int compare(const void *a, const void *b, void *context) {
	const struct sorting *sorting = context;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	char left_text[VIEW_CELL_SIZE], right_text[VIEW_CELL_SIZE];
	int order;

	if (sorting->column->key != NULL) {
		order = compare_keys(sorting->column->key(sorting->snapshot, left),
		                     sorting->column->key(sorting->snapshot, right));
	} else {
		sorting->column->cell(sorting->snapshot, left, left_text);
		sorting->column->cell(sorting->snapshot, right, right_text);
		order = strcmp(left_text, right_text);
	}
	if (order != 0)
		return sorting->backwards ? -order : order;
	return (left > right) - (left < right);
}

static bool passes(const struct view *view, const struct snapshot *snapshot, size_t row, const char *filter) {
	char text[VIEW_CELL_SIZE];

	for (size_t c = 0; c < view->n_columns; c++) {
		view->columns[c].cell(snapshot, row, text);
		if (strcasestr(text, filter) != NULL)
			return true;
	}
	return false;
}

int view_rows(const struct view *view, const struct snapshot *snapshot, const struct view_order *order,
              size_t **ret, size_t *ret_n) {
	struct sorting sorting = {&view->columns[order->column], snapshot, order->backwards};
	size_t n = view->count(snapshot), kept = 0;
	size_t *rows = calloc(n + 1, sizeof(*rows));

	if (rows == NULL)
		return -ENOMEM;
	for (size_t row = 0; row < n; row++) {
		if (order->filter[0] == '\0' || passes(view, snapshot, row, order->filter))
			rows[kept++] = row;
	}
	qsort_r(rows, kept, sizeof(*rows), compare, &sorting);
	*ret = rows;
	*ret_n = kept;
	return 0;
}

// ---- text

void view_summary(const struct snapshot *snapshot, char *text, size_t size) {
	char window[DURATION_TEXT_SIZE];
	size_t active = 0;

	for (size_t i = 0; i < snapshot->n_alerts; i++)
		active += snapshot->alerts[i].state == ALERT_STATE_ACTIVE;
	snprintf(text, size,
	         "%zu of %zu sources live, %zu ports, %zu link directions, %zu alerts; peak of the next %s",
	         snapshot->n_live, snapshot->n_sources, snapshot->n_ports, snapshot->n_links, active,
	         text_from_seconds(snapshot->wish.window_seconds, window));
}

static int print_view(const struct view *view, const struct snapshot *snapshot,
                      const struct view_order *order, FILE *file) {
	CLEANUP(table_freep) struct table *table = NULL;
	CLEANUP(freep) size_t *rows = NULL;
	struct table_column columns[16];
	size_t n;
	int rc;

	for (size_t c = 0; c < view->n_columns; c++)
		columns[c] = (struct table_column){view->columns[c].name, view->columns[c].right};
	if ((rc = table_new(columns, view->n_columns, &table)) < 0 ||
	    (rc = view_rows(view, snapshot, order, &rows, &n)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		char texts[16][VIEW_CELL_SIZE];
		const char *cells[16];

		for (size_t c = 0; c < view->n_columns; c++) {
			view->columns[c].cell(snapshot, rows[i], texts[c]);
			cells[c] = texts[c];
		}
		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	if (n == 0) {
		fprintf(file, "no %s\n", view->name);
		return 0;
	}
	return table_print(table, file);
}

int view_print(const struct snapshot *snapshot, const struct view_order *links, FILE *file) {
	char summary[256];
	int rc;

	view_summary(snapshot, summary, sizeof(summary));
	fprintf(file, "%s\n", summary);
	for (size_t v = 0; v < N_VIEWS; v++) {
		struct view_order order = {.filter = links->filter};

		fputc('\n', file);
		if ((rc = print_view(&views[v], snapshot, v == VIEW_LINKS ? links : &order, file)) < 0)
			return rc;
	}
	return 0;
}

void view_sparkline(const double *values, size_t n, double top, int width, bool ascii, FILE *file) {
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char letters[] = "_.:-=+*#";

	for (int x = 0; x < width; x++) {
		size_t from = n * (size_t)x / (size_t)width, to = n * ((size_t)x + 1) / (size_t)width;
		double most = NAN;
		int level;

		if (to == from && from < n)
			to = from + 1;
		for (size_t i = from; i < to; i++)
			most = fmax(most, values[i]); // of a number and NAN it is the number
		if (isnan(most)) {
			fputc(' ', file);
			continue;
		}
		level = top > 0 ? (int)(8 * most / top) : 0;
		level = level < 0 ? 0 : level > 7 ? 7 : level;
		if (ascii)
			fputc(letters[level], file);
		else
			fputs(blocks[level], file);
	}
}
