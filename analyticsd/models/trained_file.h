// trained_file.h: a trained model as bytes: "LCMODEL" and a version, what it is, and a CRC-32 at the end. Little
// endian. Whatever the bytes are, reading them ends in a model or in an error.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "status.h"
#include "trained.h"

#define TRAINED_FILE_MOST_BYTES ((size_t)1 << 30)

// Returns 0 or -ENOMEM.
int trained_to_bytes(const struct trained *, struct bytes *ret);

// Returns 0, a negative errno with 'status' (no model, a newer version, cut short, damaged, impossible), or
// -ENOMEM. End with trained_fini().
int trained_from_bytes(const void *data, size_t size, struct trained *ret, struct status *status);

// The same with files; messages begin with 'path'. A file is replaced as a whole or not at all.
int trained_save(const struct trained *, const char *path, struct status *status);
int trained_load(const char *path, struct trained *ret, struct status *status);
