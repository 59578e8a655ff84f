// plot.h: predicted over actual with its band, drawn by gnuplot.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"
#include "trained.h"

struct plot {
	struct trained_point *points; // a ring of the last ones
	size_t n, next, capacity;
};

// Keeps the last 'capacity' points of one horizon. Returns 0 or -ENOMEM.
int plot_init(struct plot *, size_t capacity);
void plot_fini(struct plot *);
void plot_add(struct plot *, const struct trained_point *);

// Draws into 'path', whose end says how: .png or .svg. 'series' tells the times. Returns 0 or a negative errno
// with 'status' (an unknown ending, gnuplot is missing or failed).
int plot_check_path(const char *path, struct status *status);
int plot_draw(const struct plot *, const struct lagged_series *, const char *title, const char *path,
              struct status *status);
