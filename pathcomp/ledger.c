// What the requests of a batch took. Requests of the same window are added up, so an arc has as many holds
// as there are different windows, not as there are requests.
// SPDX-License-Identifier: MIT
#include "graph.h"
#include "room.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MANY 16 // holds of an arc from which sorting them is worth it

struct hold {
	struct pathcomp_window window;
	int64_t bps;
};

struct holds {
	struct hold *list;
	size_t n, capacity;
};

struct pathcomp_ledger {
	size_t n_arcs;
	struct holds arcs[];
};

int pathcomp_ledger_new(const struct pathcomp_graph *graph, struct pathcomp_ledger **ret) {
	size_t n_arcs = 2 * (size_t)graph->n_links;
	struct pathcomp_ledger *ledger = calloc(1, sizeof(*ledger) + n_arcs * sizeof(ledger->arcs[0]));

	if (ledger == NULL)
		return -ENOMEM;
	ledger->n_arcs = n_arcs;
	*ret = ledger;
	return 0;
}

void pathcomp_ledger_free(struct pathcomp_ledger *ledger) {
	if (ledger == NULL)
		return;
	for (size_t arc = 0; arc < ledger->n_arcs; arc++)
		free(ledger->arcs[arc].list);
	free(ledger);
}

static int64_t add_bps(int64_t sum, int64_t bps) {
	return sum + bps > PATHCOMP_BPS_MAX ? PATHCOMP_BPS_MAX : sum + bps;
}

static int grow(struct holds *holds) {
	size_t capacity = holds->capacity > 0 ? 2 * holds->capacity : 4;
	struct hold *moved;

	if (holds->n < holds->capacity)
		return 0;
	moved = realloc(holds->list, capacity * sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	holds->list = moved;
	holds->capacity = capacity;
	return 0;
}

int pathcomp_ledger_add(struct pathcomp_ledger *ledger, uint32_t arc, struct pathcomp_window window,
                        double gbps) {
	struct holds *holds = &ledger->arcs[arc];

	for (size_t i = 0; i < holds->n; i++) {
		struct hold *hold = &holds->list[i];

		if (hold->window.from_ns == window.from_ns && hold->window.to_ns == window.to_ns) {
			hold->bps = add_bps(hold->bps, pathcomp_bps(gbps));
			return 0;
		}
	}
	if (grow(holds) < 0)
		return -ENOMEM;
	holds->list[holds->n++] = (struct hold){window, pathcomp_bps(gbps)};
	return 0;
}

static int64_t held_at(const struct holds *holds, int64_t ts_ns) {
	int64_t sum = 0;

	for (size_t i = 0; i < holds->n; i++) {
		if (holds->list[i].window.from_ns <= ts_ns && ts_ns < holds->list[i].window.to_ns)
			sum = add_bps(sum, holds->list[i].bps);
	}
	return sum;
}

// A moment at which what is held changes.
struct step {
	int64_t ts_ns, bps;
};

static int compare_steps(const void *left, const void *right) {
	const struct step *l = left, *r = right;

	if (l->ts_ns != r->ts_ns)
		return l->ts_ns < r->ts_ns ? -1 : 1;
	return (l->bps > r->bps) - (l->bps < r->bps); // what ends makes room for what begins
}

// The same by one walk over the sorted steps, for an arc of many holds. Returns -1 without memory.
static int64_t most_of_many(const struct holds *holds, int64_t from_ns, int64_t to_ns) {
	CLEANUP(freep) struct step *steps = malloc(2 * holds->n * sizeof(*steps));
	__int128 held = 0, most = 0;
	size_t n = 0;

	if (steps == NULL)
		return -1;
	for (size_t i = 0; i < holds->n; i++) {
		const struct hold *hold = &holds->list[i];

		if (hold->window.to_ns <= from_ns || hold->window.from_ns >= to_ns)
			continue;
		steps[n++] = (struct step){hold->window.from_ns > from_ns ? hold->window.from_ns : from_ns,
		                           hold->bps};
		steps[n++] = (struct step){hold->window.to_ns, -hold->bps};
	}
	qsort(steps, n, sizeof(*steps), compare_steps);
	for (size_t i = 0; i < n; i++) {
		held += steps[i].bps;
		most = held > most ? held : most;
	}
	return most > PATHCOMP_BPS_MAX ? PATHCOMP_BPS_MAX : (int64_t)most;
}

// The sum only rises where a hold begins.
int64_t ledger_most(const struct pathcomp_ledger *ledger, uint32_t arc, int64_t from_ns, int64_t to_ns) {
	const struct holds *holds = &ledger->arcs[arc];
	int64_t most;

	if (holds->n > MANY && (most = most_of_many(holds, from_ns, to_ns)) >= 0)
		return most;
	most = held_at(holds, from_ns);
	for (size_t i = 0; i < holds->n; i++) {
		int64_t start_ns = holds->list[i].window.from_ns, sum;

		if (start_ns <= from_ns || start_ns >= to_ns)
			continue;
		sum = held_at(holds, start_ns);
		if (sum > most)
			most = sum;
	}
	return most;
}

// Keeps the earliest ones, ascending, each once.
static size_t add_moment(int64_t ns, struct pathcomp_window window, int64_t *ret, size_t n, size_t most) {
	size_t low = 0, high = n;

	if (ns <= window.from_ns || ns >= window.to_ns)
		return n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ret[middle] < ns)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == most || (low < n && ret[low] == ns))
		return n;
	n += n < most;
	memmove(&ret[low + 1], &ret[low], (n - low - 1) * sizeof(*ret));
	ret[low] = ns;
	return n;
}

size_t pathcomp_ledger_moments(const struct pathcomp_ledger *ledger, struct pathcomp_window window, bool ends,
                               int64_t *ret, size_t most) {
	size_t n = 0;

	for (size_t arc = 0; arc < ledger->n_arcs; arc++) {
		for (size_t i = 0; i < ledger->arcs[arc].n; i++) {
			const struct pathcomp_window *hold = &ledger->arcs[arc].list[i].window;

			n = add_moment(ends ? hold->to_ns : hold->from_ns, window, ret, n, most);
		}
	}
	return n;
}

bool ledger_is_empty(const struct pathcomp_ledger *ledger, uint32_t arc) {
	return ledger == NULL || ledger->arcs[arc].n == 0;
}
