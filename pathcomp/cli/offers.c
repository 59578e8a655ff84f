// Counter-offers. Each is found on what is known of the window, then tried by the search itself on a room of
// its own, read anew where it speaks of another time.
// SPDX-License-Identifier: MIT
#include "answer.h"

#include "clock.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BPS_PER_GBPS   1e9
#define SCOUT_SECONDS  (7 * 86400.0)
#define MOMENTS_MAX    1000    // starts or ends that are looked at
#define SCOUT_WORK     4000000 // arcs and points weighed to find one
#define TRIES_MAX      3
#define PAIR_LINKS_MAX 20000 // the highest rate of a pair takes dozens of searches

struct attempt {
	struct snapshots *snapshots;
	struct answer *answer;
	struct path_offers *offers;
};

static bool is_pair(const struct attempt *attempt) {
	return HAS(attempt->answer->query, path_query, disjoint);
}

// Does a room carry a demand, all else as asked?
static bool carries(const struct attempt *attempt, const struct pathcomp_room *room, double gbps) {
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	struct pathcomp_request request = attempt->answer->request;

	request.gbps = gbps;
	return answer_search(attempt->answer, room, &request, &paths, NULL) == 0;
}

// The same request at another time, forecast for that time. The answer's own rooms stay.
static bool carries_then(const struct attempt *attempt, int64_t start_ns, double duration_seconds) {
	struct path_query query = *attempt->answer->query;
	int mode = HAS(&query, path_query, forecaster) ? query.forecaster : -1;
	char start[TIME_TEXT_SIZE];
	struct outlook *outlook;
	struct pathcomp_room *room;

	if (start_ns != attempt->answer->outlook->window.from_ns)
		SET(&query, path_query, start, text_from_time_ns(start_ns, start));
	if (HAS(&query, path_query, duration_seconds))
		query.duration_seconds = duration_seconds;
	if (snapshot_outlook(attempt->snapshots, attempt->answer->snapshot, &query, mode, &outlook, NULL) <
	            0 ||
	    outlook->source != attempt->answer->outlook->source ||
	    outlook_room(outlook, attempt->answer->snapshot, (enum unknown_policies)query.unknown, &room) < 0)
		return false;
	return carries(attempt, room, query.gbps);
}

// ---- less

static double widest_pair(const struct attempt *attempt) {
	int64_t low = 0, high = pathcomp_bps(attempt->answer->query->gbps);

	if (attempt->answer->snapshot->topology.topology.n_links > PAIR_LINKS_MAX)
		return 0;
	while (high - low > 1) { // `low` is carried or 0, `high` isn't
		int64_t middle = low + (high - low) / 2;

		if (carries(attempt, attempt->answer->room, (double)middle / BPS_PER_GBPS))
			low = middle;
		else
			high = middle;
	}
	return (double)low / BPS_PER_GBPS;
}

static double widest_path(const struct attempt *attempt) {
	struct pathcomp_request request = attempt->answer->request;
	int64_t bps = 0;

	request.gbps = 0;
	if (pathcomp_search_width(attempt->answer->snapshot->search, attempt->answer->room, &request, &bps) !=
	    0)
		return 0;
	return (double)bps / BPS_PER_GBPS;
}

static void offer_rate(const struct attempt *attempt) {
	double gbps = is_pair(attempt) ? widest_pair(attempt) : widest_path(attempt);

	if (gbps > 0 && gbps < attempt->answer->query->gbps && carries(attempt, attempt->answer->room, gbps))
		SET(attempt->offers, path_offers, max_gbps, gbps);
}

// ---- at another time, or shorter

struct moments {
	int64_t list[MOMENTS_MAX];
	size_t n;
};

// Merges a moment into the list, which is ascending.
static void add_moment(struct moments *moments, int64_t ns) {
	size_t at = moments->n;

	while (at > 0 && moments->list[at - 1] > ns)
		at--;
	if (moments->n == MOMENTS_MAX || (at > 0 && moments->list[at - 1] == ns))
		return;
	memmove(&moments->list[at + 1], &moments->list[at], (moments->n - at) * sizeof(ns));
	moments->list[at] = ns;
	moments->n++;
}

// When room may appear (or, with 'ends' false, go) in a window: where holds end (begin), and at points of the
// forecast, as many as there is work for.
static void find_moments(const struct attempt *attempt, const struct outlook *outlook,
                         struct pathcomp_window window, bool ends, struct moments *ret) {
	const struct snapshot *snapshot = attempt->answer->snapshot;
	size_t n_arcs = 2 * snapshot->topology.topology.n_links, most = MOMENTS_MAX / 2, stride;
	const struct pathcomp_capacity *longest = &outlook->capacities[0];

	for (size_t arc = 1; arc < n_arcs; arc++) {
		if (outlook->capacities[arc].n_series > longest->n_series)
			longest = &outlook->capacities[arc];
	}
	while (most > 1 && n_arcs * (longest->n_series + 1) * most > SCOUT_WORK)
		most /= 2;
	stride = longest->n_series / most + 1;
	ret->n = pathcomp_ledger_moments(snapshot->ledger, window, ends, ret->list, most);
	for (size_t i = 0; i < longest->n_series; i += stride) {
		if (longest->series[i].ts_ns > window.from_ns && longest->series[i].ts_ns < window.to_ns)
			add_moment(ret, longest->series[i].ts_ns);
	}
}

// Does what an outlook knows carry the demand during a part of it?
static bool scout(const struct attempt *attempt, const struct outlook *outlook, int64_t from_ns,
                  int64_t to_ns) {
	const struct answer *answer = attempt->answer;
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	const struct pathcomp_window window = {from_ns, to_ns};

	if (pathcomp_room_new(answer->snapshot->graph, outlook->capacities, window,
	                      (enum unknown_policies)answer->query->unknown, answer->snapshot->ledger,
	                      &room) < 0)
		return false;
	return carries(attempt, room, answer->query->gbps);
}

static int64_t later(int64_t ns, double seconds) {
	return seconds * NS_PER_SECOND < (double)(INT64_MAX - ns) ? ns + llround(seconds * NS_PER_SECOND)
	                                                          : INT64_MAX;
}

// An outlook over the week in which a later start is looked for.
static struct outlook *look_far(const struct attempt *attempt, double duration_seconds) {
	struct path_query query = *attempt->answer->query;
	int mode = HAS(&query, path_query, forecaster) ? query.forecaster : -1;
	struct outlook *outlook = attempt->answer->outlook;

	if (outlook->source == CAPACITY_SOURCE_CURRENT)
		return outlook;
	query.duration_seconds = SCOUT_SECONDS + duration_seconds;
	if (snapshot_outlook(attempt->snapshots, attempt->answer->snapshot, &query, mode, &outlook, NULL) <
	            0 ||
	    outlook->source != CAPACITY_SOURCE_FORECAST)
		return NULL;
	return outlook;
}

static void offer_start(const struct attempt *attempt) {
	const struct path_query *query = attempt->answer->query;
	const int64_t start_ns = attempt->answer->outlook->window.from_ns;
	bool ends = HAS(query, path_query, duration_seconds);
	double duration = ends ? query->duration_seconds : 0;
	struct outlook *outlook = look_far(attempt, duration);
	struct moments moments;
	int tries = 0;

	if (outlook == NULL)
		return;
	find_moments(attempt, outlook, (struct pathcomp_window){start_ns, later(start_ns, SCOUT_SECONDS)},
	             true, &moments);
	for (size_t i = 0; i < moments.n && tries < TRIES_MAX; i++) {
		char *text;

		if (!scout(attempt, outlook, moments.list[i],
		           ends ? later(moments.list[i], duration) : INT64_MAX))
			continue;
		tries++;
		if (!carries_then(attempt, moments.list[i], duration))
			continue;
		text = memory_take(&attempt->answer->memory, TIME_TEXT_SIZE, 1);
		if (text != NULL)
			SET(attempt->offers, path_offers, earliest_start,
			    text_from_time_ns(moments.list[i], text));
		return;
	}
}

// What doesn't fit for a time doesn't for a longer one: by halves.
static void offer_duration(const struct attempt *attempt) {
	const struct outlook *outlook = attempt->answer->outlook;
	const int64_t start_ns = outlook->window.from_ns;
	struct moments moments;
	size_t low = 0, high;

	if (!HAS(attempt->answer->query, path_query, duration_seconds))
		return;
	find_moments(attempt, outlook, outlook->window, false, &moments);
	high = moments.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scout(attempt, outlook, start_ns, moments.list[middle]))
			low = middle + 1;
		else
			high = middle;
	}
	for (int tries = 0; tries < TRIES_MAX && low > 0; tries++, low /= 2) {
		double seconds = (double)(moments.list[low - 1] - start_ns) / NS_PER_SECOND;

		if (seconds < 1e-3 || !carries_then(attempt, start_ns, seconds))
			continue;
		SET(attempt->offers, path_offers, max_duration_seconds, seconds);
		return;
	}
}

// ---- with more capacity

static int tell_upgrade(const struct attempt *attempt, const struct pathcomp_upgrade *upgrade) {
	struct upgrade_link *list = memory_take(&attempt->answer->memory, upgrade->n, sizeof(*list));
	const struct link *links = attempt->answer->snapshot->topology.topology.links;

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < upgrade->n; i++)
		list[i] = (struct upgrade_link){
		        .link = links[pathcomp_arc_link(upgrade->list[i].arc)].id,
		        .direction = (int)pathcomp_arc_direction(upgrade->list[i].arc),
		        .add_gbps = (double)upgrade->list[i].bps / BPS_PER_GBPS,
		};
	attempt->offers->upgrade = list;
	attempt->offers->n_upgrade = upgrade->n;
	return 0;
}

// Tells the upgrade when the request is carried with it. Returns 0, 1 when it isn't, or -ENOMEM.
static int try_upgrade(const struct attempt *attempt, const struct pathcomp_upgrade *upgrade) {
	const struct answer *answer = attempt->answer;
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	int rc;

	if (upgrade->n == 0)
		return 1;
	if ((rc = pathcomp_room_upgraded(answer->room, upgrade, &room)) < 0)
		return rc;
	return carries(attempt, room, answer->query->gbps) ? tell_upgrade(attempt, upgrade) : 1;
}

// What lets a path through at all is the least; where that isn't enough for what else is asked, it is looked for under
// all conditions.
static int offer_upgrade(const struct attempt *attempt) {
	const struct answer *answer = attempt->answer;
	CLEANUP(pathcomp_upgrade_fini) struct pathcomp_upgrade upgrade = {0};
	CLEANUP(pathcomp_upgrade_fini) struct pathcomp_upgrade least = {0};
	int rc = pathcomp_search_upgrade(answer->snapshot->search, answer->room, &answer->request, &upgrade);

	if (rc == 0)
		rc = try_upgrade(attempt, &upgrade);
	if (rc == 1 && (rc = answer_least_upgrade(answer, &least)) == 0)
		rc = try_upgrade(attempt, &least);
	return rc < 0 ? rc : 0;
}

// ---- under other conditions

// The shortest path by a metric, all else as asked; the caller ends 'ret'. Returns 0 when there is one.
static int shortest_by(const struct attempt *attempt, enum path_metrics metric,
                       const struct pathcomp_conditions *conditions, struct pathcomp_path *ret) {
	struct pathcomp_request request = attempt->answer->request;

	request.metric = metric;
	request.conditions = conditions;
	return pathcomp_search_shortest(attempt->answer->snapshot->search, attempt->answer->room, &request,
	                                ret);
}

static void offer_hops(const struct attempt *attempt) {
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	struct pathcomp_conditions conditions = attempt->answer->conditions;

	conditions.max_hops = UINT32_MAX;
	if (!is_pair(attempt) && shortest_by(attempt, PATH_METRIC_HOPS, &conditions, &path) == 0)
		SET(attempt->offers, path_offers, min_hops, (int64_t)path.n_arcs);
}

static void offer_latency(const struct attempt *attempt) {
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	struct pathcomp_conditions conditions = attempt->answer->conditions;

	conditions.max_latency_ns = UINT64_MAX;
	if (!is_pair(attempt) && shortest_by(attempt, PATH_METRIC_LATENCY, &conditions, &path) == 0)
		SET(attempt->offers, path_offers, min_latency_ms, (double)path.latency_ns / 1e6);
}

static bool is_down(const struct answer *answer, uint32_t arc) {
	enum states state = answer->outlook->capacities[arc].state;

	return state == STATE_DOWN || state == STATE_ADMIN_DOWN;
}

// The ids of the links of all paths that something is true of, each once.
static int list_links(const struct attempt *attempt, const struct pathcomp_paths *paths,
                      bool (*is)(const struct answer *, uint32_t arc), const char ***ret, size_t *ret_n) {
	const struct link *links = attempt->answer->snapshot->topology.topology.links;
	size_t n = 0;

	*ret_n = 0;
	for (size_t i = 0; i < paths->n; i++)
		n += paths->list[i].n_arcs;
	*ret = memory_take(&attempt->answer->memory, n, sizeof(**ret));
	if (*ret == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < paths->n; i++) {
		for (size_t j = 0; j < paths->list[i].n_arcs; j++) {
			const char *id = links[pathcomp_arc_link(paths->list[i].arcs[j])].id;
			bool listed = false;

			for (size_t k = 0; k < *ret_n; k++)
				listed |= strcmp((*ret)[k], id) == 0;
			if (!listed && is(attempt->answer, paths->list[i].arcs[j]))
				(*ret)[(*ret_n)++] = id;
		}
	}
	return 0;
}

static int offer_restore(const struct attempt *attempt) {
	const struct answer *answer = attempt->answer;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	size_t n_arcs = 2 * answer->snapshot->topology.topology.n_links;
	CLEANUP(freep) struct pathcomp_capacity *capacities = malloc((n_arcs + 1) * sizeof(*capacities));
	int rc;

	if (capacities == NULL)
		return -ENOMEM;
	for (uint32_t arc = 0; arc < n_arcs; arc++) {
		capacities[arc] = answer->outlook->capacities[arc];
		if (is_down(answer, arc))
			capacities[arc].state = STATE_UP;
	}
	rc = pathcomp_room_new(answer->snapshot->graph, capacities, answer->outlook->window,
	                       (enum unknown_policies)answer->query->unknown, answer->snapshot->ledger,
	                       &room);
	if (rc < 0)
		return rc;
	if (answer_search(answer, room, &answer->request, &paths, NULL) != 0)
		return 0;
	paths.n = is_pair(attempt) ? paths.n : 1;
	return list_links(attempt, &paths, is_down, &attempt->offers->restore, &attempt->offers->n_restore);
}

static int offer_readmit(const struct attempt *attempt) {
	const struct answer *answer = attempt->answer;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	struct pathcomp_conditions conditions = answer->conditions;
	struct pathcomp_request request = answer->request;

	conditions.n_links = conditions.n_nodes = conditions.n_srlgs = 0;
	request.conditions = &conditions;
	if (answer_search(answer, answer->room, &request, &paths, NULL) != 0)
		return 0;
	return list_links(attempt, &paths, answer_excludes, &attempt->offers->readmit,
	                  &attempt->offers->n_readmit);
}

// What may help against the condition that leaves nothing.
static int offer_against(const struct attempt *attempt, enum block_reasons reason) {
	if (reason == BLOCK_REASON_DOWN)
		return offer_restore(attempt);
	if (reason == BLOCK_REASON_EXCLUDED)
		return offer_readmit(attempt);
	if (reason == BLOCK_REASON_HOPS)
		offer_hops(attempt);
	if (reason == BLOCK_REASON_LATENCY)
		offer_latency(attempt);
	offer_rate(attempt);
	offer_start(attempt);
	offer_duration(attempt);
	return reason == BLOCK_REASON_CAPACITY || reason == BLOCK_REASON_UTILIZATION ? offer_upgrade(attempt)
	                                                                             : 0;
}

int answer_offer(struct snapshots *snapshots, struct answer *answer) {
	struct attempt attempt = {snapshots, answer, NULL};

	if (answer->block.reason == BLOCK_REASON_NO_ROUTE)
		return 0;
	attempt.offers = memory_take(&answer->memory, 1, sizeof(*attempt.offers));
	if (attempt.offers == NULL)
		return -ENOMEM;
	path_offers_init(attempt.offers);
	answer->message.offers = attempt.offers;
	return offer_against(&attempt, answer->block.reason);
}
