// Any bytes as records of the journal: refused, or read within their bounds.
// SPDX-License-Identifier: MIT
#include "journal.h"

#include "fuzz.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct journal journal = {0};
	struct tail tail = {.id = INT64_MAX};
	int64_t read = 1, id = 0;

	journal_begin(&journal);
	while (size > 0 && (read = journal_read(&journal, &tail, data, size, &id)) > 0) {
		FUZZ_CHECK((size_t)read <= size && id >= 0);
		data += read;
		size -= (size_t)read;
	}
	FUZZ_CHECK(read > 0 || read == -EBADMSG || read == 0);
	tail_trim(&tail, INT64_MAX);
	FUZZ_CHECK(id == INT64_MAX || (tail.size == 0 && tail.n_waiting == 0));
	tail_fini(&tail);
	journal_fini(&journal);
	return 0;
}
