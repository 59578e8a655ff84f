// One table of links, what they add up to, and where the figures came from.
// SPDX-License-Identifier: MIT
#include "print.h"

#include "table.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define CELL_SIZE 40

enum { LINK, DIRECTION, FROM, TO, TOTAL, USED, FORECAST, HELD, FREE, NOTE, N_HOP_CELLS };
enum { REASON = NOTE, SHORT, WORST, N_CUT_CELLS };

#define LINK_COLUMNS                                                                                         \
	[LINK] = {"LINK", false}, [DIRECTION] = {"DIRECTION", false}, [FROM] = {"FROM", false},              \
	[TO] = {"TO", false}, [TOTAL] = {"CAPACITY", true}, [USED] = {"USED", true},                         \
	[FORECAST] = {"FORECAST", true}, [HELD] = {"HELD", true}, [FREE] = {"FREE", true}

static const struct table_column hop_columns[N_HOP_CELLS] = {LINK_COLUMNS, [NOTE] = {"NOTE", false}};
static const struct table_column cut_columns[N_CUT_CELLS] = {
        LINK_COLUMNS,
        [REASON] = {"REASON", false},
        [SHORT] = {"SHORT", true},
        [WORST] = {"WORST AT", false},
};

struct row {
	char texts[N_CUT_CELLS][CELL_SIZE];
	const char *cells[N_CUT_CELLS];
};

// NAN is what is not known.
static void put_gbps(struct row *row, size_t cell, double gbps) {
	if (isnan(gbps))
		snprintf(row->texts[cell], CELL_SIZE, "?");
	else
		snprintf(row->texts[cell], CELL_SIZE, "%.6g", gbps);
	row->cells[cell] = row->texts[cell];
}

static double gbps_of(int64_t bps) {
	return bps == PATHCOMP_UNLIMITED ? NAN : (double)bps / 1e9;
}

static void fill_row(const struct answer *answer, uint32_t arc, struct row *row) {
	const struct pathcomp_capacity *capacity = &answer->outlook->capacities[arc];
	const struct link *link = &answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)];
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);

	memset(row, 0, sizeof(*row));
	row->cells[LINK] = link->id;
	row->cells[DIRECTION] = choice_word(&directions_choices, (int)pathcomp_arc_direction(arc));
	row->cells[FROM] = answer_arc_from(answer, arc);
	row->cells[TO] = answer_arc_to(answer, arc);
	put_gbps(row, TOTAL, capacity->total_gbps);
	put_gbps(row, USED, capacity->current_gbps);
	if (!isnan(capacity->forecast_gbps))
		put_gbps(row, FORECAST, capacity->forecast_gbps);
	if (view.held_bps > 0 || capacity->reserved_gbps > 0)
		put_gbps(row, HELD, capacity->reserved_gbps + gbps_of(view.held_bps));
	put_gbps(row, FREE, view.refusal == PATHCOMP_UNKNOWN ? NAN : gbps_of(view.available_bps));
}

// What a reader would wonder about: the narrowest link, and one that went by something else than the rest.
static void fill_note(const struct answer *answer, const struct pathcomp_path *path,
                      const struct path_link *told, uint32_t arc, struct row *row) {
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);
	const char *note =
	        told->source == LINK_SOURCE_NONE ? "use not known"
	        : told->source == LINK_SOURCE_CURRENT && answer->outlook->source == CAPACITY_SOURCE_FORECAST
	                ? "by its current use"
	                : "";
	bool narrowest =
	        view.available_bps != PATHCOMP_UNLIMITED && view.available_bps == path->bottleneck_bps;

	snprintf(row->texts[NOTE], CELL_SIZE, "%s%s%s", narrowest ? "narrowest" : "",
	         narrowest && note[0] != '\0' ? ", " : "", note);
	row->cells[NOTE] = row->texts[NOTE];
}

static void fill_cut_row(const struct answer *answer, size_t i, struct row *row) {
	const struct cut_link *cut = &answer->message.cut[i];
	char time[TIME_TEXT_SIZE];

	fill_row(answer, answer->block.cut[i], row);
	row->cells[REASON] = choice_word(&link_refusals_choices, cut->reason);
	put_gbps(row, SHORT,
	         HAS(cut, cut_link, shortfall_gbps) && cut->shortfall_gbps > 0 ? cut->shortfall_gbps : NAN);
	if (HAS(cut, cut_link, worst_ns)) {
		snprintf(row->texts[WORST], CELL_SIZE, "%s", text_from_time_ns(cut->worst_ns, time));
		row->cells[WORST] = row->texts[WORST];
	}
}

static int print_hops(const struct answer *answer, size_t at, FILE *file) {
	CLEANUP(table_freep) struct table *table = NULL;
	const struct pathcomp_path *path = &answer->paths.list[at];
	struct row row;
	int rc;

	if ((rc = table_new(hop_columns, N_HOP_CELLS, &table)) < 0)
		return rc;
	for (size_t i = 0; i < path->n_arcs; i++) {
		fill_row(answer, path->arcs[i], &row);
		fill_note(answer, path, &answer->message.paths[at].capacities[i], path->arcs[i], &row);
		if ((rc = table_add(table, row.cells)) < 0)
			return rc;
	}
	return table_print(table, file);
}

static int print_cut(const struct answer *answer, FILE *file) {
	CLEANUP(table_freep) struct table *table = NULL;
	struct row row;
	int rc;

	if (answer->block.n_cut == 0)
		return 0;
	if ((rc = table_new(cut_columns, N_CUT_CELLS, &table)) < 0)
		return rc;
	for (size_t i = 0; i < answer->block.n_cut; i++) {
		fill_cut_row(answer, i, &row);
		if ((rc = table_add(table, row.cells)) < 0)
			return rc;
	}
	return table_print(table, file);
}

// A link without a latency counts as none: to say 0 ms of such a path would mislead.
static bool is_timed(const struct answer *answer, const struct pathcomp_path *path) {
	for (size_t i = 0; i < path->n_arcs; i++) {
		const struct link *link =
		        &answer->snapshot->topology.topology.links[pathcomp_arc_link(path->arcs[i])];

		if (HAS(link, link, latency_ms))
			return true;
	}
	return false;
}

static void print_lengths(bool timed, int64_t hops, double cost, double latency_ms, FILE *file) {
	fprintf(file, "%" PRId64 " hop%s, cost %.12g, ", hops, hops == 1 ? "" : "s", cost);
	if (timed)
		fprintf(file, "latency %.6g ms", latency_ms);
	else
		fprintf(file, "latency not known");
}

static void print_sum(const struct answer *answer, size_t at, FILE *file) {
	const struct path *path = &answer->message.paths[at];

	print_lengths(is_timed(answer, &answer->paths.list[at]), path->hops, path->cost, path->latency_ms,
	              file);
	if (HAS(path, path, bottleneck_gbps))
		fprintf(file, ", %.6g Gbps free at the narrowest\n", path->bottleneck_gbps);
	else
		fprintf(file, ", free capacity not known\n");
}

static void print_sum_of_pair(const struct answer *answer, FILE *file) {
	const struct path *paths = answer->message.paths;

	fprintf(file, "\nboth: ");
	print_lengths(is_timed(answer, &answer->paths.list[0]) || is_timed(answer, &answer->paths.list[1]),
	              paths[0].hops + paths[1].hops, paths[0].cost + paths[1].cost,
	              paths[0].latency_ms + paths[1].latency_ms, file);
	fputc('\n', file);
}

static void print_source(const struct answer *answer, FILE *file) {
	char time[TIME_TEXT_SIZE], duration[DURATION_TEXT_SIZE];

	if (answer->message.capacity_source == CAPACITY_SOURCE_CURRENT) {
		fprintf(file, "rates in Gbps; free by the current use: %s\n", answer->outlook->reason);
		return;
	}
	fprintf(file, "rates in Gbps; free by the forecast at quantile %g for %s from %s\n",
	        answer->query->quantile, text_from_seconds(answer->query->duration_seconds, duration),
	        text_from_time_ns(answer->outlook->window.from_ns, time));
}

static bool is_all_unknown(const struct answer *answer) {
	for (size_t i = 0; i < answer->message.n_cut; i++) {
		if (answer->message.cut[i].reason != LINK_REFUSAL_UNKNOWN)
			return false;
	}
	return answer->message.n_cut > 0;
}

static void print_reason(const struct answer *answer, FILE *file) {
	static const char *const texts[N_block_reasons] = {
	        [BLOCK_REASON_NO_ROUTE] = "there is no route, whatever the capacity",
	        [BLOCK_REASON_DOWN] = "links that are down cut every route",
	        [BLOCK_REASON_CAPACITY] = "every route takes one of these links, none of which has room",
	        [BLOCK_REASON_EXCLUDED] = "what is excluded cuts every route",
	        [BLOCK_REASON_UTILIZATION] =
	                "every route takes one of these links, none of which may be so full",
	        [BLOCK_REASON_HOPS] = "what has room takes more hops",
	        [BLOCK_REASON_LATENCY] = "what has room takes longer",
	};
	bool by_search = answer->block.n_cut == 0 && answer->block.reason != BLOCK_REASON_NO_ROUTE &&
	                 answer->block.reason != BLOCK_REASON_HOPS &&
	                 answer->block.reason != BLOCK_REASON_LATENCY;

	fprintf(file, "blocked (%s): no %s from %s to %s for %.6g Gbps: %s\n",
	        choice_word(&block_reasons_choices, (int)answer->block.reason),
	        HAS(answer->query, path_query, disjoint) ? "pair of paths" : "path", answer->query->from,
	        answer->query->to, answer->query->gbps,
	        by_search                ? "without this condition there would be"
	        : is_all_unknown(answer) ? "what these links can carry is not known (see --unknown)"
	                                 : texts[answer->block.reason]);
}

static void print_upgrade(const struct path_offers *offers, FILE *file) {
	for (size_t i = 0; i < offers->n_upgrade; i++)
		fprintf(file, "%s%.6g Gbps more on %s %s", i == 0 ? "  with " : ", ",
		        offers->upgrade[i].add_gbps, offers->upgrade[i].link,
		        choice_word(&directions_choices, offers->upgrade[i].direction));
	if (offers->n_upgrade > 0)
		fputc('\n', file);
}

static void print_links(const char *lead, const char *const *links, size_t n, FILE *file) {
	for (size_t i = 0; i < n; i++)
		fprintf(file, "%s %s", i == 0 ? lead : ",", links[i]);
	if (n > 0)
		fprintf(file, "\n");
}

static void print_offers(const struct path_offers *offers, FILE *file) {
	char duration[DURATION_TEXT_SIZE];

	if (offers == NULL || (offers->has == 0 && offers->earliest_start == NULL && offers->n_upgrade == 0 &&
	                       offers->n_restore == 0 && offers->n_readmit == 0))
		return;
	fprintf(file, "what would fit:\n");
	if (HAS(offers, path_offers, max_gbps))
		fprintf(file, "  %.6g Gbps\n", offers->max_gbps);
	if (offers->earliest_start != NULL)
		fprintf(file, "  a start at %s\n", offers->earliest_start);
	if (HAS(offers, path_offers, max_duration_seconds))
		fprintf(file, "  a duration of %s\n",
		        text_from_seconds(offers->max_duration_seconds, duration));
	if (HAS(offers, path_offers, min_hops))
		fprintf(file, "  %lld hops\n", (long long)offers->min_hops);
	if (HAS(offers, path_offers, min_latency_ms))
		fprintf(file, "  %.6g ms\n", offers->min_latency_ms);
	print_links("  with links up again:", offers->restore, offers->n_restore, file);
	print_links("  with what is excluded:", offers->readmit, offers->n_readmit, file);
	print_upgrade(offers, file);
}

static int print_paths(const struct answer *answer, FILE *file) {
	bool pair = HAS(answer->query, path_query, disjoint);
	int rc;

	for (size_t i = 0; i < answer->paths.n; i++) {
		if (answer->paths.n > 1)
			fprintf(file, "%spath %zu of %zu%s\n", i > 0 ? "\n" : "", i + 1, answer->paths.n,
			        pair ? " (a pair)" : "");
		if ((rc = print_hops(answer, i, file)) < 0)
			return rc;
		print_sum(answer, i, file);
	}
	if (pair && answer->paths.n == 2)
		print_sum_of_pair(answer, file);
	if (answer->paths.bounded)
		fputs("the limit of work was hit: a better pair may exist\n", file);
	return 0;
}

int print_answer(const struct answer *answer, FILE *file) {
	int rc;

	if (answer->message.status == PATH_STATUS_BLOCKED) {
		print_reason(answer, file);
		rc = print_cut(answer, file);
		print_offers(answer->message.offers, file);
	} else {
		rc = print_paths(answer, file);
	}
	print_source(answer, file);
	return rc;
}

int print_json(const struct path_answer *answer, FILE *file) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if ((rc = reply_to_json(&path_answer_message, NULL, answer, true, &text)) < 0)
		return rc;
	return fprintf(file, "%s\n", text) < 0 ? -EIO : 0;
}
