// view.h: what is shown: lists as columns of cells, the same on the screen and as plain text; sorted and filtered.
// SPDX-License-Identifier: MIT
#pragma once

#include "snapshot.h"

#include <stdio.h>

#define VIEW_CELL_SIZE (2 * LIMIT_ID_SIZE + 16)

enum view_kind { VIEW_LINKS, VIEW_PORTS, VIEW_ALERTS, N_VIEWS };

enum view_mood { MOOD_PLAIN, MOOD_GOOD, MOOD_WARN, MOOD_BAD, MOOD_FAINT };

struct view_column {
	const char *name;
	bool right;
	int width; // on the screen; 0: what is left
	void (*cell)(const struct snapshot *, size_t row, char text[static VIEW_CELL_SIZE]);
	double (*key)(const struct snapshot *,
	              size_t row); // to sort by, largest first; NULL: by text, least first
};

struct view {
	const char *name;
	const struct view_column *columns;
	size_t n_columns;
	size_t (*count)(const struct snapshot *);
	enum view_mood (*mood)(const struct snapshot *, size_t row);
};
extern const struct view views[N_VIEWS];

struct view_order {
	size_t column;
	bool backwards;
	const char *filter; // rows that have it in a cell, in any case; "": all
};

// The rows to show, in order; the caller frees '*ret'. Rows that compare the same stay in the order of the answer.
// Returns 0 or -ENOMEM.
int view_rows(const struct view *, const struct snapshot *, const struct view_order *, size_t **ret,
              size_t *ret_n);

// One line about all: sources, links, alerts, window.
void view_summary(const struct snapshot *, char *text, size_t size);

// All lists as plain text. Returns 0 or -ENOMEM.
int view_print(const struct snapshot *, const struct view_order *links, FILE *);

// 'n' values as a line of 'width' characters from 0 to 'top', the highest of those that fall on one; blank where there
// is none (NAN). Blocks of Unicode, or ASCII.
void view_sparkline(const double *values, size_t n, double top, int width, bool ascii, FILE *);
