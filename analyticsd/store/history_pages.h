// history_pages.h: the tail in the file. Each row of the table `tail` is one page of the journal of commits (journal.h), as
// large as a page of the file, so that a commit writes what it adds and nothing else. Pages that no open row needs are
// written over.
//
//     checksum (4 bytes) of all that follows; bytes of records (2); version, does a part begin here (1 each)
//     number of the page; the first page that is needed; the first commit with open rows; where the next page will be
//     (8 each); the bytes of records
//
// Numbers are little endian. The page with the highest number says which pages are needed.
// SPDX-License-Identifier: MIT
#pragma once

#include "history_private.h"

#define PAGE_HEAD 40

struct found_page {
	uint64_t number;
	int64_t place;
};

struct found_pages {
	struct found_page *pages; // in the order of their numbers, once all are there
	size_t n, capacity;
	int64_t *damaged; // places
	size_t n_damaged;
	struct page_head newest;
	int64_t newest_place;
	int64_t n_places;
};

void found_pages_fini(struct found_pages *);

// All pages. Returns 0 or a negative errno.
int history_find_pages(struct history *, struct found_pages *, struct status *status);

// Returns 1 with the page's records in 'ret', which lives until the statement's next use; 0 when it is not there, or not
// yet; -ESTALE when a later one is.
int history_read_page(struct history *, int64_t place, uint64_t number, struct page_head *ret,
                      const uint8_t **ret_records, struct status *status);

// The order of numbers, for qsort().
int found_pages_compare(const void *a, const void *b);
int found_pages_add(struct found_pages *, int64_t place, uint64_t number);

// Writes the head, with its checksum, in front of the records of a page.
void page_head_write(const struct page_head *, uint8_t *page);

// Notes that a part begins at a page. Returns 0 or -ENOMEM.
int tail_file_add_part(struct tail_file *, int64_t first_id, uint64_t page);

// A writer's: where pages are, and how large one is.
int history_know_places(struct history *, const struct found_pages *, struct status *status);
