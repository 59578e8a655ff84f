// Bytes.
// SPDX-License-Identifier: MIT
#include "octets.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REAL 1e100 // what is made of sensible values stays within, and sums of them are finite

void octets_put(struct octets_out *out, const void *data, size_t size) {
	if (out->failed)
		return;
	if (size > out->capacity - out->size) {
		size_t wanted = 2 * (out->capacity + size) + 256;
		uint8_t *moved = realloc(out->data, wanted);

		if (moved == NULL) {
			out->failed = true;
			return;
		}
		out->data = moved;
		out->capacity = wanted;
	}
	memcpy(out->data + out->size, data, size);
	out->size += size;
}

void octets_put_u8(struct octets_out *out, uint8_t value) {
	octets_put(out, &value, sizeof(value));
}

void octets_put_u16(struct octets_out *out, uint16_t value) {
	value = htole16(value);
	octets_put(out, &value, sizeof(value));
}

void octets_put_u32(struct octets_out *out, uint32_t value) {
	value = htole32(value);
	octets_put(out, &value, sizeof(value));
}

void octets_put_u64(struct octets_out *out, uint64_t value) {
	value = htole64(value);
	octets_put(out, &value, sizeof(value));
}

void octets_put_float(struct octets_out *out, float value) {
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	octets_put_u32(out, bits);
}

void octets_put_real(struct octets_out *out, double value) {
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	octets_put_u64(out, bits);
}

void octets_get(struct octets_in *in, void *ret, size_t size) {
	if (in->failed || size > (size_t)(in->end - in->at)) {
		in->failed = true;
		memset(ret, 0, size);
		return;
	}
	memcpy(ret, in->at, size);
	in->at += size;
}

uint8_t octets_get_u8(struct octets_in *in) {
	uint8_t value;

	octets_get(in, &value, sizeof(value));
	return value;
}

uint16_t octets_get_u16(struct octets_in *in) {
	uint16_t value;

	octets_get(in, &value, sizeof(value));
	return le16toh(value);
}

uint32_t octets_get_u32(struct octets_in *in) {
	uint32_t value;

	octets_get(in, &value, sizeof(value));
	return le32toh(value);
}

uint64_t octets_get_u64(struct octets_in *in) {
	uint64_t value;

	octets_get(in, &value, sizeof(value));
	return le64toh(value);
}

float octets_get_float(struct octets_in *in) {
	uint32_t bits = octets_get_u32(in);
	float value;

	memcpy(&value, &bits, sizeof(value));
	in->failed |= !isfinite(value);
	return isfinite(value) ? value : 0;
}

double octets_get_real(struct octets_in *in) {
	uint64_t bits = octets_get_u64(in);
	double value;

	memcpy(&value, &bits, sizeof(value));
	in->failed |= !(fabs(value) <= MOST_REAL);
	return fabs(value) <= MOST_REAL ? value : 0;
}

uint64_t octets_get_number(struct octets_in *in, uint64_t least, uint64_t most) {
	uint64_t value = octets_get_u64(in);

	in->failed |= value < least || value > most;
	return in->failed ? least : value;
}

size_t octets_get_count(struct octets_in *in, size_t size, uint64_t most) {
	uint64_t there = (uint64_t)(in->end - in->at) / size;

	return (size_t)octets_get_number(in, 0, most < there ? most : there);
}
