// noise.h: random numbers that are the same everywhere for the same seed. SplitMix64 (G. Steele, D. Lea,
// C. Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

struct noise {
	uint64_t state;
};

// Streams of one seed don't resemble each other.
void noise_init(struct noise *, uint64_t seed, uint64_t stream);

uint64_t noise_next(struct noise *);
double noise_uniform(struct noise *, double from, double to); // [from, to)
double noise_normal(struct noise *);                          // mean 0, deviation 1
double noise_exponential(struct noise *, double mean);
uint64_t noise_poisson(struct noise *, double mean);
