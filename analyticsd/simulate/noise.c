// Draws from usual distributions.
// SPDX-License-Identifier: MIT
#include "noise.h"

#include <math.h>

#define KNUTH_LIMIT 30.0 // above, the normal distribution is as good and takes no loop

uint64_t noise_next(struct noise *noise) {
	uint64_t z = noise->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void noise_init(struct noise *noise, uint64_t seed, uint64_t stream) {
	struct noise mixer = {seed};
	struct noise other = {stream ^ noise_next(&mixer)};

	noise->state = noise_next(&other);
}

double noise_uniform(struct noise *noise, double from, double to) {
	return from + (to - from) * ((double)(noise_next(noise) >> 11) * 0x1p-53);
}

// Box and Muller, one of the pair: what a draw gives depends on no draw before.
double noise_normal(struct noise *noise) {
	double u = 1 - noise_uniform(noise, 0, 1), v = noise_uniform(noise, 0, 1);

	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

double noise_exponential(struct noise *noise, double mean) {
	return -mean * log(1 - noise_uniform(noise, 0, 1));
}

uint64_t noise_poisson(struct noise *noise, double mean) {
	double limit = exp(-mean), product = 1;
	uint64_t n = 0;

	if (mean > KNUTH_LIMIT)
		return (uint64_t)fmax(mean + sqrt(mean) * noise_normal(noise) + 0.5, 0);
	while ((product *= noise_uniform(noise, 0, 1)) > limit)
		n++;
	return n;
}
