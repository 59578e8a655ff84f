// ledger_private.h: what the files of the ledger share.
// SPDX-License-Identifier: MIT
#pragma once

#include "ledger.h"
#include "state_private.h"

// Bytes of evidence after which a reply goes on in the next page, well inside a frame.
#define LEDGER_EVIDENCE_SIZE ((size_t)LIMIT_FRAME_SIZE / 4)

// Room for one more element in an array that grows by doubling. Returns 0 or -ENOMEM.
int ledger_grow(void **array, size_t n, size_t *capacity, size_t size);

// A copy of 'n' elements that lives as long as the document. Returns 0 or -ENOMEM.
int ledger_keep_list(struct document *memory, const void *list, size_t n, size_t size, void **ret);

// The texts of 'n' columns from 'first' on. Returns 0 or -ENOMEM.
int ledger_keep_texts(struct document *memory, sqlite3_stmt *, int first, const char **const *rets, size_t n);

// A column's evidence. Returns 0 or a negative errno.
int ledger_read_evidence(sqlite3_stmt *, int column, struct document *memory, struct admission_evidence **ret,
                         struct status *status);
