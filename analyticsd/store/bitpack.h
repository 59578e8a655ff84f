// bitpack.h: a column of uint64 as bits. Pure: no files, no memory of its own; any thread.
//
// A column is one byte of form and then
//   BITPACK_FLAT   the first value and the one difference between neighbours (a constant is 0)
//   BITPACK_DELTA  the first value, then the differences in blocks of 128
//   BITPACK_PLAIN  the values in blocks of 128
// A block is the least of its numbers (frame of reference) and, for each number, what it is above that in just as
// many bits as most of them need; the few that need more stand behind, with their place ("patched frame of
// reference": Zukowski, Heman, Nes, Boncz, "Super-Scalar RAM-CPU Cache Compression", ICDE 2006). Differences are
// taken modulo 2^64 and references are signed (zigzag), so a counter that falls or wraps, and times of any sign,
// come out as they went in. Numbers in front of blocks are LEB128; packed bits are little endian.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITPACK_BLOCK 128

enum bitpack_form { BITPACK_FLAT, BITPACK_DELTA, BITPACK_PLAIN };

// Bytes that 'n' values take at most, whatever they are.
size_t bitpack_bound(size_t n);

// Writes 'n' values (n > 0) to 'out', which has bitpack_bound(n) bytes. 'form' is the one to use where the values
// aren't flat. Returns the bytes that were written.
size_t bitpack_encode(const uint64_t *values, size_t n, enum bitpack_form form, uint8_t *out);

// Reads 'n' values from the first bytes of 'in'. Returns the bytes that were read, or 0 when these aren't 'n'
// values: any bytes are fine as input.
size_t bitpack_decode(const uint8_t *in, size_t size, size_t n, uint64_t *values);

// Bits of a double and back, in the same order as the numbers; not a number has none.
uint64_t bitpack_from_real(double real);
double bitpack_to_real(uint64_t bits);

// Gbit/s, by the bits of above, as whole bit/s where these give the same number again, and back.
bool bitpack_to_bps(uint64_t bits, uint64_t *ret);
uint64_t bitpack_from_bps(uint64_t bps);

// LEB128. put returns the bytes written (10 at most), get the bytes read or 0.
size_t bitpack_put_number(uint64_t number, uint8_t *out);
size_t bitpack_get_number(const uint8_t *in, size_t size, uint64_t *ret);
