// Links with two measured ends.
// SPDX-License-Identifier: MIT
#include "pairs.h"

#include "cusum.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define LEAST_RATE 10.0 // packets/s below which nothing is said
#define LEAST_PART 0.5  // of what was sent must arrive
#define N_SUMS     (2 * CUSUM_ALTERNATIVES)
#define TEXT_SIZE  160

struct end {
	double rx, tx, seconds; // of all its ports
	unsigned n, n_up;
};

struct pair {
	char id[LIMIT_ID_SIZE + 1];
	struct end ends[N_ends];
	struct rare_test lost, differs;
	char text[TEXT_SIZE];
	UT_hash_handle hh;
};

struct pairs {
	double false_alarms;
	struct pair *pairs;
};

int pairs_new(double false_alarms_per_week, struct pairs **ret) {
	struct pairs *pairs = calloc(1, sizeof(*pairs));

	if (pairs == NULL)
		return -ENOMEM;
	pairs->false_alarms = false_alarms_per_week;
	*ret = pairs;
	return 0;
}

void pairs_free(struct pairs *pairs) {
	struct pair *pair, *next;

	if (pairs == NULL)
		return;
	HASH_ITER (hh, pairs->pairs, pair, next) {
		HASH_DEL(pairs->pairs, pair);
		free(pair);
	}
	free(pairs);
}

int pairs_add(struct pairs *pairs, const char *link_id, enum ends which, const struct observation *o) {
	struct pair *pair;
	struct end *end;

	HASH_FIND_STR(pairs->pairs, link_id, pair);
	if (pair == NULL) {
		pair = calloc(1, sizeof(*pair));
		if (pair == NULL)
			return -ENOMEM;
		snprintf(pair->id, sizeof(pair->id), "%s", link_id);
		HASH_ADD_STR(pairs->pairs, id, pair);
	}
	end = &pair->ends[which];
	end->rx += o->counters[COUNTER_rx_packets];
	end->tx += o->counters[COUNTER_tx_packets];
	end->seconds += o->seconds;
	end->n++;
	end->n_up += o->up;
	return 0;
}

// Each port of a LAG brings seconds of its own, at both ends: rates are of the mean port.
static bool is_lost(struct pair *pair, enum ends from, enum ends to) {
	const struct end *sender = &pair->ends[from], *receiver = &pair->ends[to];
	double sent = sender->tx / sender->seconds, received = receiver->rx / receiver->seconds;

	if (sent < LEAST_RATE || received >= LEAST_PART * sent)
		return false;
	snprintf(pair->text, sizeof(pair->text), "end %s sends %.3g packets/s, end %s receives %.3g",
	         choice_word(&ends_choices, (int)from), sent, choice_word(&ends_choices, (int)to), received);
	return true;
}

static bool differs(struct pair *pair) {
	const struct end *a = &pair->ends[END_A], *z = &pair->ends[END_Z];

	if ((a->n_up == 0) == (z->n_up == 0))
		return false;
	snprintf(pair->text, sizeof(pair->text), "end %s is down, the other is up", a->n_up == 0 ? "a" : "z");
	return true;
}

void pairs_judge(struct pairs *pairs,
                 void (*each)(void *context, const char *link_id, double score, const char *text),
                 void *context) {
	struct pair *pair, *next;

	HASH_ITER (hh, pairs->pairs, pair, next) {
		double seconds = fmin(pair->ends[END_A].seconds, pair->ends[END_Z].seconds), threshold, score;
		bool lost;

		if (seconds < PAIRS_SECONDS)
			continue;
		threshold = cusum_threshold(pairs->false_alarms / N_SUMS, seconds);
		lost = is_lost(pair, END_A, END_Z);
		lost |= is_lost(pair, END_Z, END_A);
		score = rare_test_advance(&pair->lost, lost, seconds, threshold);
		score = fmax(score, rare_test_advance(&pair->differs, differs(pair), seconds, threshold));
		memset(pair->ends, 0, sizeof(pair->ends));
		each(context, pair->id, score, pair->text);
	}
}
