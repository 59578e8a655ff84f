// Token buckets: an address may use per_second requests, and what it saved up to RATE_BURST seconds.
// SPDX-License-Identifier: MIT
#include "rate.h"

#include "clock.h"

#include <math.h>
#include <string.h>

void rate_init(struct rate *rate, double per_second) {
	memset(rate, 0, sizeof(*rate));
	rate->per_second = per_second;
}

bool rate_take(struct rate *rate, uint64_t address_hash, int64_t now_ns) {
	size_t i = address_hash % RATE_BUCKETS;
	double most = rate->per_second * RATE_BURST, tokens = most;

	if (rate->per_second <= 0)
		return true;
	if (rate->buckets[i].at_ns != 0) {
		double seconds = (double)(now_ns - rate->buckets[i].at_ns) / (double)NS_PER_SECOND;

		tokens = fmin(most, rate->buckets[i].tokens + seconds * rate->per_second);
	}
	rate->buckets[i].at_ns = now_ns;
	rate->buckets[i].tokens = tokens >= 1 ? tokens - 1 : tokens;
	return tokens >= 1;
}
