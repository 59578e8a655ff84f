// draw.h: an answer on the map.
// SPDX-License-Identifier: MIT
#pragma once

#include "answer.h"

#include <stdio.h>

// Return 0, -ENOMEM, or -EINVAL with 'status' when there is no map to draw on.
int draw_dot(const struct answer *, FILE *file);
int draw_svg(const struct answer *, FILE *file, struct status *);
