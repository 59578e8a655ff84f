// A model of failure prediction that was changed, under a checksum that fits: refused, or one whose probabilities are
// some and which is written as a file that gives the same file again. An input is how many bytes of a sound model are kept (4 bytes,
// little endian), then changes: where (4 bytes; those with the highest bit count from the end) and to what (1 byte).
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "foresight.h"
#include "fuzz.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define CHECKSUM_SIZE 8
#define CHANGE_SIZE   5
#define N_FACTORS     5
#define N_FAILURES    48
#define N_STEPS       60 // of a minute, from one failure to the next

static struct bytes sound; // without its checksum

// Failures that a feature tells of beforehand.
static void make_sound(void) {
	CLEANUP(trainer_freep) struct trainer *trainer = NULL;
	CLEANUP(foresight_freep) struct foresight *foresight = NULL;

	FUZZ_CHECK(trainer_new(600, &trainer) == 0);
	for (int step = 0; step < N_FAILURES * N_STEPS; step++) {
		bool near = step % N_STEPS >= N_STEPS - 10, failed = step % N_STEPS == N_STEPS - 1;
		float values[N_FEATURES];

		for (int f = 0; f < N_FEATURES; f++)
			values[f] = (float)(step % (3 + f)) + (f == 0 && near ? 100 : 0);
		FUZZ_CHECK(trainer_add(trainer, step * 60 * NS_PER_SECOND, values,
		                       failed ? TRUTH_FAILED : TRUTH_WELL) == 0);
	}
	FUZZ_CHECK(foresight_train(trainer, 1, NULL, &foresight) == 0);
	FUZZ_CHECK(foresight_save(foresight, &sound) == 0);
	sound.size -= CHECKSUM_SIZE;
}

static uint32_t number_at(const uint8_t *data) {
	return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

static void change(struct bytes *file, const uint8_t *data) {
	uint32_t where = number_at(data);
	size_t at = (where & INT32_MAX) % file->size;

	file->data[where > INT32_MAX ? file->size - 1 - at : at] = data[4];
}

// FNV-1a, 64 bits, as the loader has it.
static void close_file(struct bytes *file) {
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < file->size; i++)
		sum = (sum ^ file->data[i]) * 0x100000001b3;
	FUZZ_CHECK(bytes_append(file, &sum, sizeof(sum)) == 0);
}

static void use(const struct foresight *foresight, float value) {
	struct foresight_factor factors[N_FACTORS];
	float values[N_FEATURES];
	double probability;

	for (int f = 0; f < N_FEATURES; f++)
		values[f] = value;
	probability = foresight_ask(foresight, values, factors, N_FACTORS);
	FUZZ_CHECK(probability >= 0 && probability <= 1);
	for (int i = 0; i < N_FACTORS; i++)
		FUZZ_CHECK(factors[i].feature < N_FEATURES && fabs(factors[i].weight) <= 1);
}

static void check_report(const struct foresight_report *report) {
	FUZZ_CHECK(isfinite(report->horizon_seconds) && report->horizon_seconds > 0);
	FUZZ_CHECK(report->from_ns <= report->to_ns);
	FUZZ_CHECK(isnan(report->brier) || (report->brier >= 0 && report->brier <= 1));
}

// Not the bytes that were read: those between two fields may have been changed.
static void check_round_trip(const struct foresight *foresight) {
	CLEANUP(foresight_freep) struct foresight *again = NULL;
	CLEANUP(bytes_fini) struct bytes first = {0};
	CLEANUP(bytes_fini) struct bytes second = {0};

	FUZZ_CHECK(foresight_save(foresight, &first) == 0);
	FUZZ_CHECK(foresight_load(&first, &again) == 0);
	FUZZ_CHECK(foresight_save(again, &second) == 0);
	FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
}

static void try_file(const struct bytes *file) {
	CLEANUP(foresight_freep) struct foresight *foresight = NULL;
	int rc = foresight_load(file, &foresight);

	FUZZ_CHECK(rc == 0 || rc == -EBADMSG || rc == -ENOTSUP || rc == -ENOMEM);
	if (rc < 0)
		return;
	check_report(foresight_report(foresight));
	use(foresight, 0);
	use(foresight, 100);
	use(foresight, -1e30F);
	check_round_trip(foresight);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(bytes_fini) struct bytes file = {0};
	size_t kept;

	if (sound.data == NULL)
		make_sound();
	kept = size >= 4 && number_at(data) < sound.size ? number_at(data) : sound.size;
	FUZZ_CHECK(bytes_append(&file, sound.data, kept) == 0);
	for (size_t at = 4; file.size > 0 && at + CHANGE_SIZE <= size; at += CHANGE_SIZE)
		change(&file, data + at);
	close_file(&file);
	try_file(&file);
	return 0;
}
