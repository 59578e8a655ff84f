// Pages of the tail: their heads, finding and reading them.
// SPDX-License-Identifier: MIT
#define XXH_INLINE_ALL
#include "history_pages.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define PAGE_VERSION 1

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

void page_head_write(const struct page_head *head, uint8_t *page) {
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

void found_pages_fini(struct found_pages *found) {
	free(found->pages);
	free(found->damaged);
}

int found_pages_add(struct found_pages *found, int64_t place, uint64_t number) {
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

static int note_damaged(struct found_pages *found, int64_t place) {
	int64_t *moved = reallocarray(found->damaged, found->n_damaged + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	found->damaged = moved;
	moved[found->n_damaged++] = place;
	return 0;
}

int found_pages_compare(const void *a, const void *b) {
	const struct found_page *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

int history_find_pages(struct history *history, struct found_pages *found, struct status *status) {
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
		} else if ((rc = found_pages_add(found, place, head.number)) == 0 &&
		           head.number > found->newest.number) {
			found->newest = head;
			found->newest_place = place;
		}
		if (rc < 0)
			break;
	}
	sqlite3_reset(*statement);
	if (rc == 0 && found->n > 0)
		qsort(found->pages, found->n, sizeof(*found->pages), found_pages_compare);
	return rc;
}

int history_read_page(struct history *history, int64_t place, uint64_t number, struct page_head *ret,
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

int tail_file_add_part(struct tail_file *file, int64_t first_id, uint64_t page) {
	struct tail_part *moved = reallocarray(file->parts, file->n_parts + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	file->parts = moved;
	moved[file->n_parts++] = (struct tail_part){first_id, page};
	return 0;
}
