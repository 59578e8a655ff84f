// plot.h: a series over time and what was foretold of it, with a band, drawn by gnuplot.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>

// A moment. NAN: not there.
struct plot_point {
	int64_t ts_ns;
	double actual, middle, lower, upper;
};

struct plot {
	struct plot_point *points; // a ring of the last ones
	size_t n, next, capacity;
};

// What stands beside the lines.
struct plot_words {
	const char *title, *y_axis, *actual, *middle, *band;
	const char *level_name; // of a line at 'level'; NULL: none
	double level;
};

// Keeps the last 'capacity' points. Times of actual, and of the others, ascend. Returns 0 or -ENOMEM.
int plot_init(struct plot *, size_t capacity);
void plot_fini(struct plot *); // zeroed memory is fine
void plot_add(struct plot *, const struct plot_point *);

// Draws into 'path', whose end says how: .png or .svg. Returns 0 or a negative errno with 'status' (an unknown
// ending, a path that can't be written, gnuplot is missing or failed).
int plot_check_path(const char *path, struct status *status);
int plot_draw(const struct plot *, const struct plot_words *, const char *path, struct status *status);
