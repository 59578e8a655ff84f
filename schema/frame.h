// frame.h: is this one MessagePack element and nothing behind it, whose counts all fit in the bytes that are there?
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>

// Allocates nothing. Returns 0 or -EINVAL with 'status'.
int frame_check(const uint8_t *data, size_t size, struct status *status);
