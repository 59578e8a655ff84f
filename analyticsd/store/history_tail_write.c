// The tail on its way into the file, and where in it pages are.
// SPDX-License-Identifier: MIT
#include "history_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW_HEAD    39 // of a row that fills a page of the file: what SQLite adds to it
#define PAGE_MOST   (32768 - ROW_HEAD)
#define SPARE_PAGES 64 // not needed ones that are kept
#define DROP_MOST   64 // of one step

int history_know_places(struct history *history, const struct found_pages *found, struct status *status) {
	struct tail_file *file = &history->tail_file;
	size_t n = (size_t)(found->n_places > found->newest.next ? found->n_places : found->newest.next);
	sqlite3_stmt *statement = NULL;
	uint64_t *places;
	int rc;

	if ((rc = db_prepare(history->db, "PRAGMA page_size", &statement, status)) < 0)
		return rc;
	if ((rc = db_next(statement, status)) > 0)
		file->page_size = (size_t)sqlite3_column_int64(statement, 0) - ROW_HEAD;
	sqlite3_finalize(statement);
	if (rc < 0)
		return rc;
	if (file->page_size > PAGE_MOST)
		file->page_size = PAGE_MOST;
	free(file->page);
	file->page = calloc(1, file->page_size);
	places = reallocarray(file->places, n + 1, sizeof(*places));
	if (places != NULL)
		file->places = places;
	if (places == NULL || file->page == NULL)
		return -ENOMEM;
	memset(places, 0, (n + 1) * sizeof(*places));
	for (size_t i = 0; i < found->n; i++)
		places[found->pages[i].place - 1] = found->pages[i].number;
	if (found->newest.next > 0)
		places[found->newest.next - 1] = UINT64_MAX; // it is taken
	file->n_places = n;
	file->free_from = 0;
	file->head = found->newest;
	file->head.number += found->n_damaged; // none has the number of one that was lost
	while (file->n_parts > 0 && file->parts[file->n_parts - 1].page > file->head.number)
		file->n_parts--;
	file->must_begin = true;
	file->is_known = true;
	return 0;
}

// A place of a page that is not needed, or a new one.
static int take_place(struct tail_file *file, int64_t *ret) {
	size_t i = file->free_from;
	uint64_t *moved;

	while (i < file->n_places && file->places[i] >= file->head.first_page)
		i++;
	if (i == file->n_places) {
		moved = reallocarray(file->places, i + 1, sizeof(*moved));
		if (moved == NULL)
			return -ENOMEM;
		file->places = moved;
		file->n_places++;
	}
	file->places[i] = UINT64_MAX; // it is taken
	file->free_from = i + 1;
	*ret = (int64_t)i + 1;
	return 0;
}

// Parts without open rows are not needed.
static void drop_parts(struct history *history) {
	struct tail_file *file = &history->tail_file;
	int64_t first = tail_first(&history->tail);
	size_t n = 0;

	file->head.first_id = first < history->tail.id ? first : history->tail.id;
	while (n + 1 < file->n_parts && file->parts[n + 1].first_id <= file->head.first_id)
		n++;
	if (n > 0) {
		file->n_parts -= n;
		memmove(file->parts, file->parts + n, file->n_parts * sizeof(*file->parts));
		file->free_from = 0;
	}
	if (file->n_parts > 0)
		file->head.first_page = file->parts[0].page;
}

static int begin_page(struct history *history, bool begins) {
	struct tail_file *file = &history->tail_file;
	struct page_head *head = &file->head;
	int rc;

	if (begins && (rc = tail_file_add_part(file, history->tail.id, head->number + 1)) < 0)
		return rc;
	drop_parts(history);
	head->number++;
	head->begins = begins;
	head->used = 0;
	file->place = head->next;
	if (file->place == 0 && (rc = take_place(file, &file->place)) < 0)
		return rc;
	file->places[file->place - 1] = head->number;
	memset(file->page, 0, file->page_size);
	return take_place(file, &head->next);
}

static int put_page(struct history *history, struct status *status) {
	struct tail_file *file = &history->tail_file;
	int rc;

	page_head_write(&file->head, file->page);
	if ((rc = db_prepare(history->db,
	                     "INSERT INTO tail (place, data) VALUES (?, ?) ON CONFLICT (place)"
	                     " DO UPDATE SET data = excluded.data",
	                     &history->put_page, status)) < 0 ||
	    (rc = db_bind(history->put_page, "i", file->place)) < 0)
		return rc;
	sqlite3_bind_blob(history->put_page, 2, file->page, (int)file->page_size, SQLITE_STATIC);
	return db_run(history->put_page, status);
}

static int put_records(struct history *history, const uint8_t *records, size_t size, struct status *status) {
	struct tail_file *file = &history->tail_file;
	bool begins = file->must_begin;
	int rc = 0;

	for (size_t at = 0, some; at < size && rc == 0; at += some) {
		size_t room = file->page_size - PAGE_HEAD - file->head.used;

		if ((begins || room == 0) && (rc = begin_page(history, begins)) < 0)
			return rc;
		begins = false;
		room = file->page_size - PAGE_HEAD - file->head.used;
		some = size - at < room ? size - at : room;
		memcpy(file->page + PAGE_HEAD + file->head.used, records + at, some);
		file->head.used += some;
		rc = put_page(history, status);
	}
	file->must_begin = false;
	return rc;
}

int history_write_tail(struct history *history, struct status *status) {
	struct tail_file *file = &history->tail_file;
	const uint8_t *records;
	size_t size;
	int rc;

	if (!file->is_known) {
		CLEANUP(found_pages_fini) struct found_pages found = {0};

		if ((rc = history_find_pages(history, &found, status)) < 0 ||
		    (rc = history_know_places(history, &found, status)) < 0)
			return rc;
	}
	file->must_begin |= journal_is_long(&file->journal);
	if (file->must_begin)
		journal_begin(&file->journal);
	if ((rc = journal_write(&file->journal, &history->tail, &records, &size)) < 0 || size == 0)
		return rc;
	return put_records(history, records, size, status);
}

void history_forget_tail(struct history *history) {
	history->tail_file.is_known = false;
}

static int drop_page(struct history *history, size_t place, struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db, "DELETE FROM tail WHERE place = ?", &history->drop_page, status)) <
	            0 ||
	    (rc = db_bind(history->drop_page, "i", (int64_t)place)) < 0)
		return rc;
	return db_run(history->drop_page, status);
}

// The oldest pages go, if there are many that are not needed.
int history_shrink_tail(struct history *history, struct status *status) {
	struct tail_file *file = &history->tail_file;
	CLEANUP(found_pages_fini) struct found_pages found = {0};
	size_t kept, n;
	int rc = 0;

	if (!file->is_known)
		return 0;
	drop_parts(history);
	for (size_t i = 0; i < file->n_places && rc == 0; i++) {
		if (file->places[i] > 0 && file->places[i] < file->head.first_page)
			rc = found_pages_add(&found, (int64_t)i + 1, file->places[i]);
	}
	kept = SPARE_PAGES + (file->n_places - found.n) / 2;
	if (rc < 0 || found.pages == NULL || found.n <= kept)
		return rc;
	qsort(found.pages, found.n, sizeof(*found.pages), found_pages_compare);
	n = found.n - kept < DROP_MOST ? found.n - kept : DROP_MOST;
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t place = (size_t)found.pages[i].place;

		rc = drop_page(history, place, status);
		file->places[place - 1] = 0;
	}
	return rc < 0 ? rc : n == DROP_MOST;
}
