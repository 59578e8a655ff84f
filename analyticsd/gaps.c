// Missing rows as an ascending list of ranges, apart from each other.
// SPDX-License-Identifier: MIT
#include "gaps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPARE 2 // places that one change may take before the list is bounded again

void gaps_fini(struct gaps *gaps) {
	free(gaps->list);
	*gaps = (struct gaps){0};
}

static int reserve(struct gaps *gaps) {
	size_t larger = gaps->capacity > 0 ? 2 * gaps->capacity : 8;
	void *moved;

	if (gaps->n + SPARE <= gaps->capacity)
		return 0;
	moved = reallocarray(gaps->list, larger, sizeof(*gaps->list));
	if (moved == NULL)
		return -ENOMEM;
	gaps->list = moved;
	gaps->capacity = larger;
	return 0;
}

// The first gap that ends at or behind 'seq'; n when there is none.
static size_t find(const struct gaps *gaps, uint64_t seq) {
	size_t low = 0, high = gaps->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gaps->list[middle].to_seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct gaps *gaps, size_t at, struct seq_gap gap) {
	assert(gaps->list != NULL); // reserved by the caller
	memmove(&gaps->list[at + 1], &gaps->list[at], (gaps->n - at) * sizeof(gap));
	gaps->list[at] = gap;
	gaps->n++;
	gaps->changed = true;
}

static void drop(struct gaps *gaps, size_t at) {
	gaps->n--;
	memmove(&gaps->list[at], &gaps->list[at + 1], (gaps->n - at) * sizeof(gaps->list[0]));
	gaps->changed = true;
}

static void bound(struct gaps *gaps) {
	while (gaps->n > MAX_GAPS) {
		gaps->list[1].from_seq = gaps->list[0].from_seq;
		gaps->list[1].gone &= gaps->list[0].gone;
		drop(gaps, 0);
	}
}

int gaps_add(struct gaps *gaps, const struct seq_gap *gap) {
	int rc;

	if ((rc = reserve(gaps)) < 0)
		return rc;
	insert(gaps, gaps->n, *gap);
	if (gap->to_seq > gaps->last_seq)
		gaps->last_seq = gap->to_seq;
	bound(gaps);
	return 0;
}

int gaps_extend(struct gaps *gaps, uint64_t seq) {
	struct seq_gap *newest = gaps->n > 0 ? &gaps->list[gaps->n - 1] : NULL;
	int rc;

	if (seq <= gaps->last_seq)
		return 0;
	if (newest == NULL || newest->to_seq != gaps->last_seq || newest->gone) {
		rc = gaps_add(gaps, &(struct seq_gap){gaps->last_seq + 1, seq, false});
		return rc < 0 ? rc : 1;
	}
	newest->to_seq = gaps->last_seq = seq;
	gaps->changed = true;
	return 1;
}

int gaps_fill(struct gaps *gaps, uint64_t seq) {
	struct seq_gap *gap;
	size_t at;
	int rc;

	if (seq > gaps->last_seq) {
		if (seq > gaps->last_seq + 1 && (rc = gaps_extend(gaps, seq - 1)) < 0)
			return rc;
		gaps->last_seq = seq; // no change of the list: history keeps the last row's number itself
		return 1;
	}
	at = find(gaps, seq);
	if (at == gaps->n || gaps->list[at].from_seq > seq)
		return 0;
	if ((rc = reserve(gaps)) < 0)
		return rc;
	gap = &gaps->list[at];
	gaps->changed = true;
	if (gap->from_seq == gap->to_seq) {
		drop(gaps, at);
	} else if (gap->from_seq == seq) {
		gap->from_seq++;
	} else if (gap->to_seq == seq) {
		gap->to_seq--;
	} else {
		insert(gaps, at, (struct seq_gap){gap->from_seq, seq - 1, gap->gone});
		gaps->list[at + 1].from_seq = seq + 1;
		bound(gaps);
	}
	return 1;
}

// Makes a gap begin at 'seq', when one contains it and what is before.
static void split(struct gaps *gaps, uint64_t seq) {
	size_t at = find(gaps, seq);

	if (at == gaps->n || gaps->list[at].from_seq >= seq || gaps->list[at].gone)
		return;
	insert(gaps, at, gaps->list[at]);
	gaps->list[at].to_seq = seq - 1;
	gaps->list[at + 1].from_seq = seq;
}

static void join_gone(struct gaps *gaps) {
	for (size_t i = 1; i < gaps->n;) {
		struct seq_gap *before = &gaps->list[i - 1], *gap = &gaps->list[i];

		if (before->gone && gap->gone && before->to_seq + 1 == gap->from_seq) {
			before->to_seq = gap->to_seq;
			drop(gaps, i);
		} else {
			i++;
		}
	}
}

int gaps_give_up(struct gaps *gaps, uint64_t from_seq, uint64_t to_seq, uint64_t *ret) {
	uint64_t n = 0;
	int rc;

	*ret = 0;
	if (from_seq > to_seq)
		return 0;
	if ((rc = reserve(gaps)) < 0)
		return rc;
	split(gaps, from_seq);
	if (to_seq < UINT64_MAX)
		split(gaps, to_seq + 1);
	for (size_t i = find(gaps, from_seq); i < gaps->n && gaps->list[i].to_seq <= to_seq; i++) {
		if (gaps->list[i].gone)
			continue;
		gaps->list[i].gone = gaps->changed = true;
		n += gaps->list[i].to_seq - gaps->list[i].from_seq + 1;
	}
	join_gone(gaps);
	bound(gaps);
	*ret = n;
	return 0;
}

const struct seq_gap *gaps_open(const struct gaps *gaps) {
	for (size_t i = 0; i < gaps->n; i++) {
		if (!gaps->list[i].gone)
			return &gaps->list[i];
	}
	return NULL;
}
