// octets.h: little-endian values to and from bytes. A writer that ran out of memory, and a reader that came to
// the end or met what can't be, remember it: one check at the end is enough.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct octets_out {
	uint8_t *data;
	size_t size, capacity;
	bool failed;
};

void octets_put(struct octets_out *, const void *data, size_t size);
void octets_put_u8(struct octets_out *, uint8_t);
void octets_put_u16(struct octets_out *, uint16_t);
void octets_put_u32(struct octets_out *, uint32_t);
void octets_put_u64(struct octets_out *, uint64_t);
void octets_put_float(struct octets_out *, float);
void octets_put_real(struct octets_out *, double);

struct octets_in {
	const uint8_t *at, *end;
	bool failed;
};

// 0 (and zeros) once it has failed.
void octets_get(struct octets_in *, void *ret, size_t size);
uint8_t octets_get_u8(struct octets_in *);
uint16_t octets_get_u16(struct octets_in *);
uint32_t octets_get_u32(struct octets_in *);
uint64_t octets_get_u64(struct octets_in *);
float octets_get_float(struct octets_in *); // fails where it isn't finite
double octets_get_real(struct octets_in *); // the same, and beyond 1e100 on either side

// A number within [least, most], else it fails and is 'least'.
uint64_t octets_get_number(struct octets_in *, uint64_t least, uint64_t most);

// A count of things that take at least 'size' bytes each: never more than what is there can hold.
size_t octets_get_count(struct octets_in *, size_t size, uint64_t most);
