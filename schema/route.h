// route.h: the links of a service as people read them.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

// "ab, ~cb": ~ is a link taken from z to a. The caller frees it; NULL without memory.
char *route_text(const struct link_direction *links, size_t n);
