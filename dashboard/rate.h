// rate.h: how many requests an address may make: a token bucket each, in memory of fixed size.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RATE_BUCKETS 1024
#define RATE_BURST   4.0 // seconds' worth that may come at once

struct rate {
	double per_second; // 0: no limit
	struct {
		double tokens;
		int64_t at_ns; // when they were counted; 0: never
	} buckets[RATE_BUCKETS];
};

void rate_init(struct rate *, double per_second);

// One request of the address whose hash this is. Addresses that share a bucket share its limit. Returns false
// when it has had its share.
bool rate_take(struct rate *, uint64_t address_hash, int64_t now_ns);
