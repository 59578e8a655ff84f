// Any bytes as a column: refused, or read within their bounds; and any values come back as they went in.
// SPDX-License-Identifier: MIT
#include "bitpack.h"

#include "cleanup.h"
#include "fuzz.h"

#include <string.h>

#define N_MAX 1000

// The first two bytes say how many values are wanted of the rest.
static void try_decode(const uint8_t *data, size_t size) {
	size_t n = 1 + (data[0] | data[1] << 8) % N_MAX, read;
	CLEANUP(freep) uint64_t *values = malloc(n * sizeof(*values));
	CLEANUP(freep) uint8_t *copy = malloc(size - 2 + 1); // so that a sanitizer sees the end

	FUZZ_CHECK(values != NULL && copy != NULL);
	memcpy(copy, data + 2, size - 2);
	read = bitpack_decode(copy, size - 2, n, values);
	FUZZ_CHECK(read <= size - 2);
}

static void try_round_trip(const uint8_t *data, size_t size, enum bitpack_form form) {
	size_t n = size / sizeof(uint64_t) < N_MAX ? size / sizeof(uint64_t) : N_MAX, written;
	CLEANUP(freep) uint64_t *values = malloc(n * sizeof(*values) + 1);
	CLEANUP(freep) uint64_t *again = malloc(n * sizeof(*again) + 1);
	CLEANUP(freep) uint8_t *out = malloc(bitpack_bound(n));

	if (n == 0)
		return;
	FUZZ_CHECK(values != NULL && again != NULL && out != NULL);
	memcpy(values, data, n * sizeof(*values));
	written = bitpack_encode(values, n, form, out);
	FUZZ_CHECK(written <= bitpack_bound(n));
	FUZZ_CHECK(bitpack_decode(out, written, n, again) == written);
	FUZZ_CHECK(memcmp(values, again, n * sizeof(*values)) == 0);
	FUZZ_CHECK(bitpack_decode(out, written - 1, n, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2)
		return 0;
	try_decode(data, size);
	try_round_trip(data, size, BITPACK_DELTA);
	try_round_trip(data, size, BITPACK_PLAIN);
	return 0;
}
