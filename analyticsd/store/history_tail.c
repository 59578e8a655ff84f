// The tail between file and memory. Each row of the table `tail` is one page of the journal of commits (journal.h), as
// large as a page of the file, so that a commit writes what it adds and nothing else. Pages that no open row needs are
// written over.
//
//     checksum (4 bytes) of all that follows; bytes of records (2); version, does a part begin here (1 each)
//     number of the page; the first page that is needed; the first commit with open rows; where the next page will be
//     (8 each); the bytes of records
//
// Numbers are little endian. The page with the highest number says which pages are needed.
// SPDX-License-Identifier: MIT
#define XXH_INLINE_ALL
#include "history_private.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PAGE_VERSION 1
#define PAGE_HEAD    40
#define ROW_HEAD     39 // of a row that fills a page of the file: what SQLite adds to it
#define PAGE_MOST    (32768 - ROW_HEAD)
#define TRIM_LATE    64 // commits that a reader keeps in memory after they left the file
#define SPARE_PAGES  64 // not needed ones that are kept
#define DROP_MOST    64 // of one step

static uint64_t load(const uint8_t *bytes) {
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return le64toh(number);
}

static void store(uint64_t number, uint8_t *bytes) {
	number = htole64(number);
	memcpy(bytes, &number, sizeof(number));
}

static uint32_t checksum(const uint8_t *page, size_t used) {
	return htole32((uint32_t)XXH3_64bits(page + 4, PAGE_HEAD - 4 + used));
}

static bool read_head(const uint8_t *page, size_t size, struct page_head *ret) {
	uint32_t sum;

	if (size < PAGE_HEAD || page[6] != PAGE_VERSION)
		return false;
	*ret = (struct page_head){
	        .used = page[4] | (size_t)page[5] << 8,
	        .begins = page[7] != 0,
	        .number = load(page + 8),
	        .first_page = load(page + 16),
	        .first_id = (int64_t)load(page + 24),
	        .next = (int64_t)load(page + 32),
	};
	if (ret->used > size - PAGE_HEAD)
		return false;
	sum = checksum(page, ret->used);
	return memcmp(page, &sum, sizeof(sum)) == 0 && ret->number > 0 && ret->first_page <= ret->number &&
	       ret->next > 0;
}

static void write_head(const struct page_head *head, uint8_t *page) {
	uint32_t sum;

	page[4] = (uint8_t)head->used;
	page[5] = (uint8_t)(head->used >> 8);
	page[6] = PAGE_VERSION;
	page[7] = head->begins;
	store(head->number, page + 8);
	store(head->first_page, page + 16);
	store((uint64_t)head->first_id, page + 24);
	store((uint64_t)head->next, page + 32);
	sum = checksum(page, head->used);
	memcpy(page, &sum, sizeof(sum));
}

void tail_file_fini(struct tail_file *file) {
	free(file->page);
	free(file->places);
	free(file->parts);
	bytes_fini(&file->pending);
	journal_fini(&file->journal);
	*file = (struct tail_file){0};
}

// ---- pages that are there

struct found_page {
	uint64_t number;
	int64_t place;
};

struct found {
	struct found_page *pages; // in the order of their numbers, once all are there
	size_t n, capacity;
	int64_t *damaged; // places
	size_t n_damaged;
	struct page_head newest;
	int64_t newest_place;
	int64_t n_places;
};

static void found_fini(struct found *found) {
	free(found->pages);
	free(found->damaged);
}

static int note_page(struct found *found, int64_t place, uint64_t number) {
	if (found->n == found->capacity) {
		size_t capacity = 2 * found->capacity + 256;
		void *moved = reallocarray(found->pages, capacity, sizeof(*found->pages));

		if (moved == NULL)
			return -ENOMEM;
		found->pages = moved;
		found->capacity = capacity;
	}
	found->pages[found->n++] = (struct found_page){number, place};
	return 0;
}

static int note_damaged(struct found *found, int64_t place) {
	int64_t *moved = reallocarray(found->damaged, found->n_damaged + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	found->damaged = moved;
	moved[found->n_damaged++] = place;
	return 0;
}

static int compare_pages(const void *a, const void *b) {
	const struct found_page *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static int find_pages(struct history *history, struct found *found, struct status *status) {
	sqlite3_stmt **statement = &history->each_page;
	struct page_head head;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT place, data FROM tail WHERE place > 0 ORDER BY place",
	                     statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		int64_t place = sqlite3_column_int64(*statement, 0);
		const uint8_t *page = sqlite3_column_blob(*statement, 1);

		found->n_places = place;
		if (!read_head(page, (size_t)sqlite3_column_bytes(*statement, 1), &head)) {
			rc = note_damaged(found, place);
		} else if ((rc = note_page(found, place, head.number)) == 0 &&
		           head.number > found->newest.number) {
			found->newest = head;
			found->newest_place = place;
		}
		if (rc < 0)
			break;
	}
	sqlite3_reset(*statement);
	if (rc == 0 && found->n > 0)
		qsort(found->pages, found->n, sizeof(*found->pages), compare_pages);
	return rc;
}

// Returns 1 with the page's records in 'ret', which lives until the statement's next use; 0 when it is not there, or not
// yet; -ESTALE when a later one is.
static int read_page(struct history *history, int64_t place, uint64_t number, struct page_head *ret,
                     const uint8_t **ret_records, struct status *status) {
	const uint8_t *page;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT data FROM tail WHERE place = ?", &history->read_page,
	                     status)) < 0 ||
	    (rc = db_bind(history->read_page, "i", place)) < 0 ||
	    (rc = db_next(history->read_page, status)) <= 0)
		return rc;
	page = sqlite3_column_blob(history->read_page, 0);
	if (read_head(page, (size_t)sqlite3_column_bytes(history->read_page, 0), ret) &&
	    ret->number >= number) {
		*ret_records = page + PAGE_HEAD;
		if (ret->number == number)
			return 1;
		rc = -ESTALE;
	} else {
		rc = 0;
	}
	sqlite3_reset(history->read_page);
	return rc;
}

// ---- reading

// What could not be read: commits behind 'after_id' and before 'until_id'.
struct loss {
	bool is_any;
	int64_t after_id, until_id;
};

static int add_part(struct tail_file *file, int64_t first_id, uint64_t page) {
	struct tail_part *moved = reallocarray(file->parts, file->n_parts + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	file->parts = moved;
	moved[file->n_parts++] = (struct tail_part){first_id, page};
	return 0;
}

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
		if (begins && add_part(file, id, head->number) < 0)
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

static int note_damage(struct history *history, const struct found *found, const struct loss *loss,
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
static bool lacks_newest(const struct found *found) {
	for (size_t i = 0; i < found->n_damaged; i++) {
		if (found->n == 0 || found->damaged[i] == found->newest.next)
			return true;
	}
	return false;
}

// The pages that are needed, in order.
static int read_needed(struct history *history, const struct found *found, struct loss *loss,
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
		rc = read_page(history, page->place, page->number, &head, &records, status);
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

static int know_places(struct history *history, const struct found *found, struct status *status);

int history_load_tail(struct history *history, struct status *status) {
	CLEANUP(found_fini) struct found found = {0};
	struct tail_file *file = &history->tail_file;
	struct loss loss = {0};
	int rc;

	tail_fini(&history->tail);
	tail_file_fini(file);
	file->broken = true; // until a part begins
	history->read_id = 0;
	if ((rc = history_take_sealed(history, status)) < 0 ||
	    (rc = find_pages(history, &found, status)) < 0 ||
	    (rc = read_needed(history, &found, &loss, status)) < 0 ||
	    (rc = note_damage(history, &found, &loss, status)) < 0)
		return rc;
	file->head = found.newest;
	file->place = found.newest_place;
	history->trimmed_id = found.newest.first_id;
	return history->options.write ? know_places(history, &found, status) : 0;
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

	while ((rc = read_page(history, place, number, &head, &records, status)) > 0) {
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

// ---- writing

// Where pages are, and how large one is.
static int know_places(struct history *history, const struct found *found, struct status *status) {
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

	if (begins && (rc = add_part(file, history->tail.id, head->number + 1)) < 0)
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

	write_head(&file->head, file->page);
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
		CLEANUP(found_fini) struct found found = {0};

		if ((rc = find_pages(history, &found, status)) < 0 ||
		    (rc = know_places(history, &found, status)) < 0)
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
	CLEANUP(found_fini) struct found found = {0};
	size_t kept, n;
	int rc = 0;

	if (!file->is_known)
		return 0;
	drop_parts(history);
	for (size_t i = 0; i < file->n_places && rc == 0; i++) {
		if (file->places[i] > 0 && file->places[i] < file->head.first_page)
			rc = note_page(&found, (int64_t)i + 1, file->places[i]);
	}
	kept = SPARE_PAGES + (file->n_places - found.n) / 2;
	if (rc < 0 || found.pages == NULL || found.n <= kept)
		return rc;
	qsort(found.pages, found.n, sizeof(*found.pages), compare_pages);
	n = found.n - kept < DROP_MOST ? found.n - kept : DROP_MOST;
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t place = (size_t)found.pages[i].place;

		rc = drop_page(history, place, status);
		file->places[place - 1] = 0;
	}
	return rc < 0 ? rc : n == DROP_MOST;
}
