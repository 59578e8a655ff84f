// The tail on its way from the file into memory: all of it, or what is new; and what is damaged.
// SPDX-License-Identifier: MIT
#include "history_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRIM_LATE 64 // commits that a reader keeps in memory after they left the file

// What could not be read: commits behind 'after_id' and before 'until_id'.
struct loss {
	bool is_any;
	int64_t after_id, until_id;
};

static void lose(struct history *history, struct loss *loss) {
	struct tail_file *file = &history->tail_file;

	if (!loss->is_any)
		loss->after_id = history->read_id;
	loss->is_any = true;
	loss->until_id = INT64_MAX;
	file->broken = true;
	file->pending.size = 0;
}

// Reads the records of a page, but for 'from' bytes. Damaged ones end what can be read of a part.
static int feed(struct history *history, const struct page_head *head, const uint8_t *records, size_t from,
                struct loss *loss) {
	struct tail_file *file = &history->tail_file;
	bool begins = head->begins && from == 0;
	int64_t read = 0, id;
	size_t at = 0;

	if (begins) {
		if (file->pending.size > 0)
			lose(history, loss);
		file->broken = false;
		journal_begin(&file->journal);
	}
	if (file->broken)
		return 0;
	if (bytes_append(&file->pending, records + from, head->used - from) < 0)
		return -ENOMEM;
	while ((read = journal_read(&file->journal, &history->tail, file->pending.data + at,
	                            file->pending.size - at, &id)) > 0) {
		at += (size_t)read;
		if (begins && tail_file_add_part(file, id, head->number) < 0)
			return -ENOMEM;
		begins = false;
		if (loss->is_any && loss->until_id == INT64_MAX)
			loss->until_id = id;
		history->read_id = id;
	}
	if (read == -ENOMEM)
		return -ENOMEM;
	if (read < 0) {
		lose(history, loss);
		return 0;
	}
	file->pending.size -= at;
	memmove(file->pending.data, file->pending.data + at, file->pending.size);
	return 0;
}

static void tell(struct history *history, int64_t place, const struct loss *loss) {
	char what[64] = "the tail is damaged";

	if (place > 0)
		snprintf(what, sizeof(what), "page %" PRId64 " of the tail is damaged", place);
	if (!loss->is_any)
		history_report(history, -place, "%s: it was not needed", what);
	else if (loss->until_id == INT64_MAX)
		history_report(history, -place,
		               "%s: rows from commit %" PRId64 " on that were not sealed are missing", what,
		               loss->after_id + 1);
	else
		history_report(history, -place,
		               "%s: rows from commit %" PRId64 " to %" PRId64
		               " that were not sealed are missing",
		               what, loss->after_id + 1, loss->until_id - 1);
}

// A page that is damaged is kept at a negative place, where nothing is written over it.
static int set_aside(struct history *history, int64_t place, struct status *status) {
	int rc;

	if (!history->options.write)
		return 0;
	if ((rc = db_prepare(
	             history->db,
	             "UPDATE tail SET place = (SELECT min(min(place), 0) - 1 FROM tail) WHERE place = ?",
	             &history->set_aside, status)) < 0 ||
	    (rc = db_bind(history->set_aside, "i", place)) < 0)
		return rc;
	return db_run(history->set_aside, status);
}

static int note_damage(struct history *history, const struct found_pages *found, const struct loss *loss,
                       struct status *status) {
	int rc = 0;

	if (loss->is_any && found->n_damaged == 0)
		tell(history, 0, loss);
	for (size_t i = 0; i < found->n_damaged && rc == 0; i++) {
		tell(history, found->damaged[i], loss);
		rc = set_aside(history, found->damaged[i], status);
	}
	return rc;
}

// Was the page behind the newest one damaged?
static bool lacks_newest(const struct found_pages *found) {
	for (size_t i = 0; i < found->n_damaged; i++) {
		if (found->n == 0 || found->damaged[i] == found->newest.next)
			return true;
	}
	return false;
}

// The pages that are needed, in order.
static int read_needed(struct history *history, const struct found_pages *found, struct loss *loss,
                       struct status *status) {
	uint64_t number = found->newest.first_page;
	struct page_head head;
	const uint8_t *records;
	int rc = 0;

	for (size_t i = 0; i < found->n && rc >= 0; i++) {
		const struct found_page *page = &found->pages[i];

		if (page->number < number)
			continue;
		if (page->number > number)
			lose(history, loss);
		number = page->number + 1;
		rc = history_read_page(history, page->place, page->number, &head, &records, status);
		if (rc > 0)
			rc = feed(history, &head, records, 0, loss);
		else if (rc == 0 || rc == -ESTALE)
			lose(history, loss);
		rc = rc == -ESTALE ? 0 : rc;
		sqlite3_reset(history->read_page);
	}
	if (rc >= 0 && (history->tail_file.pending.size > 0 || lacks_newest(found)))
		lose(history, loss);
	return rc;
}

int history_load_tail(struct history *history, struct status *status) {
	CLEANUP(found_pages_fini) struct found_pages found = {0};
	struct tail_file *file = &history->tail_file;
	struct loss loss = {0};
	int rc;

	tail_fini(&history->tail);
	tail_file_fini(file);
	file->broken = true; // until a part begins
	history->read_id = 0;
	if ((rc = history_take_sealed(history, status)) < 0 ||
	    (rc = history_find_pages(history, &found, status)) < 0 ||
	    (rc = read_needed(history, &found, &loss, status)) < 0 ||
	    (rc = note_damage(history, &found, &loss, status)) < 0)
		return rc;
	file->head = found.newest;
	file->place = found.newest_place;
	history->trimmed_id = found.newest.first_id;
	return history->options.write ? history_know_places(history, &found, status) : 0;
}

// Reads on behind what is known. Returns 1 when a page that comes next is not there any more. Pages are written over in any
// order, but dropped in their own: where the next one was dropped, the one that was read last was, too.
static int read_on(struct history *history, struct loss *loss, struct status *status) {
	struct tail_file *file = &history->tail_file;
	uint64_t number = file->head.number;
	size_t from = file->head.used;
	int64_t place = file->place;
	const uint8_t *records;
	struct page_head head;
	int rc;

	while ((rc = history_read_page(history, place, number, &head, &records, status)) > 0) {
		if (head.used < from)
			break;
		rc = feed(history, &head, records, from, loss);
		sqlite3_reset(history->read_page);
		if (rc < 0)
			return rc;
		file->head = head;
		file->place = place;
		number = head.number + 1;
		place = head.next;
		from = 0;
	}
	sqlite3_reset(history->read_page);
	if (rc == -ESTALE)
		return 1;
	return rc < 0 ? rc : number == file->head.number;
}

int history_follow(struct history *history, struct status *status) {
	struct tail_file *file = &history->tail_file;
	struct loss loss = {0};
	int rc = 1;

	if (file->head.number > 0 && (rc = read_on(history, &loss, status)) < 0)
		return rc;
	if (rc > 0)
		return history_load_tail(history, status);
	if (loss.is_any)
		tell(history, 0, &loss);
	if (file->head.first_id > history->trimmed_id + TRIM_LATE) {
		tail_trim(&history->tail, file->head.first_id);
		history->trimmed_id = file->head.first_id;
	}
	return 0;
}
