// Any bytes as a chunk: refused, or read within their bounds. Checksums stop almost all that is made up, so the input is
// also put under right ones.
// SPDX-License-Identifier: MIT
#define XXH_INLINE_ALL
#include "chunk.h"

#include "cleanup.h"
#include "fuzz.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

static void seal(uint8_t *bytes, size_t size, uint8_t *checksum) {
	memcpy(checksum, &(uint32_t){htole32((uint32_t)XXH3_64bits(bytes, size))}, 4);
}

// Makes the checksums of the head and of each column right, as far as sizes allow.
static void make_whole(uint8_t *bytes, size_t size) {
	struct chunk_head head;
	uint32_t head_size;
	size_t offset, column;

	if (size < 16)
		return;
	memcpy(&head_size, bytes + 3, 4);
	head_size = le32toh(head_size);
	if (head_size < 14 || head_size > size)
		return;
	if (bytes[0] == 2 && (bytes[2] & 2) != 0) { // one checksum of all
		XXH64_hash_t sum = XXH3_64bits(bytes, head_size - 4);

		sum = XXH3_64bits_withSeed(bytes + head_size, size - head_size, sum);
		memcpy(bytes + head_size - 4, &(uint32_t){htole32((uint32_t)sum)}, 4);
		return;
	}
	seal(bytes, head_size - 4, bytes + head_size - 4);
	if (chunk_read_head(bytes, size, &head) != 0)
		return;
	for (size_t k = 0; k < head.n_columns; k++) {
		chunk_column_place(&head, k, &offset, &column);
		if (column < 4 || column > size || offset > size - column)
			return;
		seal(bytes + offset + 4, column - 4, bytes + offset);
	}
}

static void try_chunk(const uint8_t *bytes, size_t size) {
	CLEANUP(rows_fini) struct rows rows = {0};
	struct chunk_head head;

	if (chunk_read_head(bytes, size, &head) != 0 || head.n_rows > 10000)
		return;
	rows.width = head.n_columns;
	if (chunk_read_rows(&head, bytes, size, &rows) == 0)
		FUZZ_CHECK(rows.n == head.n_rows);
	else
		FUZZ_CHECK(rows.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(freep) uint8_t *copy = malloc(size + 1);

	FUZZ_CHECK(copy != NULL);
	memcpy(copy, data, size);
	try_chunk(copy, size);
	make_whole(copy, size);
	try_chunk(copy, size);
	return 0;
}
