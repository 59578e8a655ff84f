// Any bytes as a model file, with the checksum that fits them: refused with a reason, or a model that predicts
// finite numbers and is written as the same bytes again.
// SPDX-License-Identifier: MIT
#include "fuzz.h"
#include "trained_file.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#define CHECKSUM_SIZE 4

static void use(const struct trained *trained) {
	struct trained_point points[LEARNER_HORIZONS];
	int rc = trained_predict(trained, &trained->tail, points);

	FUZZ_CHECK(rc == 0 || rc == -ENODATA || rc == -ENOMEM);
	for (size_t k = 0; rc == 0 && k < trained->n_horizons; k++)
		FUZZ_CHECK(!isnan(points[k].predicted));
}

static void check_round_trip(const struct trained *trained) {
	CLEANUP(trained_fini) struct trained again = {0};
	CLEANUP(bytes_fini) struct bytes first = {0};
	CLEANUP(bytes_fini) struct bytes second = {0};
	struct status status = {0};

	FUZZ_CHECK(trained_to_bytes(trained, &first) == 0);
	FUZZ_CHECK(trained_from_bytes(first.data, first.size, &again, &status) == 0);
	FUZZ_CHECK(trained_to_bytes(&again, &second) == 0);
	FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(trained_fini) struct trained trained = {0};
	CLEANUP(freep) uint8_t *bytes = malloc(size + CHECKSUM_SIZE);
	struct status status = {0};
	uint32_t checksum;
	int rc;

	FUZZ_CHECK(bytes != NULL);
	memcpy(bytes, data, size);
	checksum = (uint32_t)crc32_z(0, bytes, size);
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		bytes[size + (size_t)i] = (uint8_t)(checksum >> 8 * i);
	rc = trained_from_bytes(bytes, size + CHECKSUM_SIZE, &trained, &status);
	if (rc < 0) {
		FUZZ_CHECK(rc == -ENOMEM || status.message[0] != '\0');
		return 0;
	}
	check_round_trip(&trained);
	// What a fit of a classical model takes grows with its horizon, which is no defect.
	if (trained.horizons[trained.n_horizons - 1].steps < 4096)
		use(&trained);
	return 0;
}
