// Orders are tried one after the other on the same snapshot; what a try took is given back.
// SPDX-License-Identifier: MIT
#include "order.h"

#include <errno.h>

struct place {
	double weight;
	size_t at;
};

enum order { AS_GIVEN, LEAST_DEMAND, LEAST_TAKEN, N_ORDERS };

static bool is_answerable(const struct batch_entry *entry) {
	return entry->document != NULL && entry->rc == 0;
}

static int give_back(struct batch_entry *entry) {
	struct answer *answer = &entry->answer;
	size_t n = HAS(&entry->query, path_query, disjoint) ? answer->paths.n : answer->paths.n > 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = snapshot_take(answer->snapshot, answer->outlook, &answer->paths.list[i],
		                   -entry->query.gbps);
		if (rc < 0)
			return rc;
	}
	answer_fini(answer);
	*answer = (struct answer){0};
	return 0;
}

// Answers in an order. Returns how many were admitted, or -ENOMEM.
static long run(struct snapshots *snapshots, struct batch_entry *entries, const struct place *places,
                size_t n_places, bool offers) {
	long n_admitted = 0;

	for (size_t i = 0; i < n_places; i++) {
		struct batch_entry *entry = &entries[places[i].at];
		bool wanted = entry->query.offers;

		entry->query.offers = offers && wanted;
		entry->rc = answer_compute(snapshots, &entry->query, true, &entry->answer, &entry->status);
		entry->query.offers = wanted;
		if (entry->rc == -ENOMEM)
			return -ENOMEM;
		n_admitted += entry->rc == 0 && entry->answer.message.status == PATH_STATUS_PATH;
	}
	return n_admitted;
}

static int undo(struct batch_entry *entries, const struct place *places, size_t n_places) {
	int rc;

	for (size_t i = 0; i < n_places; i++) {
		struct batch_entry *entry = &entries[places[i].at];

		if (entry->rc == 0 && (rc = give_back(entry)) < 0)
			return rc;
		entry->rc = 0;
	}
	return 0;
}

static int compare_places(const void *left, const void *right) {
	const struct place *l = left, *r = right;

	if (l->weight != r->weight)
		return l->weight < r->weight ? -1 : 1;
	return (l->at > r->at) - (l->at < r->at);
}

// What a request takes where nothing was taken before.
static double weigh(struct snapshots *snapshots, struct batch_entry *entry, enum order order) {
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query alone = entry->query;
	double hops = 1;

	if (order == AS_GIVEN)
		return 0;
	alone.offers = false;
	if (order == LEAST_TAKEN && answer_compute(snapshots, &alone, false, &answer, NULL) == 0) {
		for (size_t i = 0; i < answer.paths.n; i++)
			hops += (double)answer.paths.list[i].n_arcs;
	}
	return entry->query.gbps * hops;
}

static size_t put_in_order(struct snapshots *snapshots, struct batch_entry *entries, size_t n_entries,
                           enum order order, struct place *ret) {
	size_t n = 0;

	for (size_t i = 0; i < n_entries; i++) {
		if (is_answerable(&entries[i]))
			ret[n++] = (struct place){weigh(snapshots, &entries[i], order), i};
	}
	qsort(ret, n, sizeof(*ret), compare_places);
	return n;
}

int order_answer_best(struct snapshots *snapshots, struct batch_entry *entries, size_t n_entries) {
	CLEANUP(freep) struct place *places = malloc((n_entries + 1) * sizeof(*places));
	enum order best = AS_GIVEN;
	long most = -1;
	size_t n;
	int rc;

	if (places == NULL)
		return -ENOMEM;
	for (int order = 0; order < N_ORDERS; order++) {
		long admitted;

		n = put_in_order(snapshots, entries, n_entries, (enum order)order, places);
		if ((admitted = run(snapshots, entries, places, n, false)) < 0)
			return (int)admitted;
		if ((rc = undo(entries, places, n)) < 0)
			return rc;
		if (admitted > most) {
			most = admitted;
			best = (enum order)order;
		}
	}
	n = put_in_order(snapshots, entries, n_entries, best, places);
	return run(snapshots, entries, places, n, true) < 0 ? -ENOMEM : 0;
}
