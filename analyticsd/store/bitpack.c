// Bit-packing in blocks: choosing the width of a block, packing, and the way back from any bytes.
// SPDX-License-Identifier: MIT
#include "bitpack.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#define NUMBER_SIZE    10                  // of LEB128, at most
#define MANY           0x80                // in a block's width: exceptions follow
#define EXCEPTIONS_MAX (BITPACK_BLOCK / 4) // of a whole block; as large a part of a shorter one
#define FAR_BELOW_MAX  8
#define BPS_PER_GBPS   1e9
#define BPS_EXACT      9007199254740992.0 // 2^53: every whole number up to here is a double
#define LOAD_BITS      56                 // that one load of 8 bytes has from any bit on

// ---- numbers

static uint64_t zigzag(uint64_t number) {
	return number << 1 ^ -(number >> 63);
}

static uint64_t unzigzag(uint64_t number) {
	return number >> 1 ^ -(number & 1);
}

size_t bitpack_put_number(uint64_t number, uint8_t *out) {
	size_t n = 0;

	for (; number >= 0x80; number >>= 7)
		out[n++] = (uint8_t)(number | 0x80);
	out[n++] = (uint8_t)number;
	return n;
}

size_t bitpack_get_number(const uint8_t *in, size_t size, uint64_t *ret) {
	uint64_t number = 0;

	for (size_t n = 0; n < size && n < NUMBER_SIZE; n++) {
		if (n == NUMBER_SIZE - 1 && in[n] > 1)
			return 0;
		number |= (uint64_t)(in[n] & 0x7f) << (7 * n);
		if ((in[n] & 0x80) == 0) {
			*ret = number;
			return n + 1;
		}
	}
	return 0;
}

// The sign's bit decides: negative numbers are turned around, so that more is more for all.
uint64_t bitpack_from_real(double real) {
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

double bitpack_to_real(uint64_t bits) {
	double real;

	bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
	memcpy(&real, &bits, sizeof(real));
	return real;
}

bool bitpack_to_bps(uint64_t bits, uint64_t *ret) {
	double bps = round(bitpack_to_real(bits) * BPS_PER_GBPS);

	if (!(fabs(bps) < BPS_EXACT))
		return false;
	if (bitpack_from_bps((uint64_t)(int64_t)bps) != bits)
		return false;
	*ret = (uint64_t)(int64_t)bps;
	return true;
}

uint64_t bitpack_from_bps(uint64_t bps) {
	return bitpack_from_real((double)(int64_t)bps / BPS_PER_GBPS);
}

static unsigned length_of(uint64_t number) {
	return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

static size_t number_size(unsigned length) {
	return length == 0 ? 1 : (length + 6) / 7;
}

static uint64_t load(const uint8_t *bytes) {
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

// ---- bits

static size_t packed_size(size_t n, unsigned width) {
	return (n * width + 7) / 8;
}

static uint64_t mask_of(unsigned width) {
	return width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
}

// The low 'width' bits of each number. 'out' has 8 bytes more than packed_size().
static void pack(const uint64_t *numbers, size_t n, unsigned width, uint8_t *out) {
	const uint64_t mask = mask_of(width);
	uint64_t word = 0, stored;
	unsigned filled = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t number = numbers[i] & mask;

		word |= number << filled;
		filled += width;
		if (filled >= 64) {
			stored = htole64(word);
			memcpy(out, &stored, sizeof(stored));
			out += sizeof(stored);
			filled -= 64;
			word = filled > 0 ? number >> (width - filled) : 0;
		}
	}
	stored = htole64(word);
	memcpy(out, &stored, sizeof(stored));
}

// 'in' has 8 bytes more than packed_size().
static void unpack(const uint8_t *in, size_t n, unsigned width, uint64_t *numbers) {
	const uint64_t mask = mask_of(width);
	size_t bit = 0;

	if (width <= LOAD_BITS) {
		for (size_t i = 0; i < n; i++, bit += width)
			numbers[i] = load(in + bit / 8) >> bit % 8 & mask;
		return;
	}
	for (size_t i = 0; i < n; i++, bit += width) {
		uint64_t low = load(in + bit / 8) >> bit % 8;
		uint64_t high = bit % 8 > 0 ? (uint64_t)in[bit / 8 + 8] << (64 - bit % 8) : 0;

		numbers[i] = (low | high) & mask;
	}
}

// ---- a block

struct lengths {
	uint8_t n[65]; // numbers of each length
	unsigned longest, most_common;
};

static void count_lengths(const uint64_t *numbers, size_t n, struct lengths *ret) {
	*ret = (struct lengths){0};
	for (size_t i = 0; i < n; i++)
		ret->n[length_of(numbers[i])]++;
	for (unsigned length = 0; length <= 64; length++) {
		if (ret->n[length] > 0)
			ret->longest = length;
		if (ret->n[length] > ret->n[ret->most_common])
			ret->most_common = length;
	}
}

static size_t exceptions_of(size_t n) {
	return EXCEPTIONS_MAX * n / BITPACK_BLOCK;
}

// The width that takes the fewest bits, and how many these are.
static unsigned choose_width(const struct lengths *lengths, size_t n, size_t *ret_bits) {
	size_t best_bits = n * lengths->longest, n_more = 0, most = exceptions_of(n);
	unsigned best = lengths->longest;

	for (unsigned width = lengths->longest; width-- > 0;) {
		size_t bits;

		n_more += lengths->n[width + 1];
		if (n_more > most)
			break;
		bits = n * width + 8;
		if (bits + n_more * 16 >= best_bits) // what exceptions take at least
			continue;
		for (unsigned length = width + 1; length <= lengths->longest; length++)
			bits += lengths->n[length] * (8 + 8 * number_size(length - width));
		if (bits < best_bits) {
			best_bits = bits;
			best = width;
		}
	}
	*ret_bits = best_bits;
	return best;
}

static size_t put_exceptions(const uint64_t *numbers, size_t n, unsigned width, uint8_t *out) {
	size_t size = 1;

	out[0] = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t more = numbers[i] >> width;

		if (more == 0)
			continue;
		out[0]++;
		out[size++] = (uint8_t)i;
		size += bitpack_put_number(more, out + size);
	}
	return size;
}

// Takes away the least of the numbers, as they are signed or not, and returns it.
static uint64_t take_reference(uint64_t *numbers, size_t n, uint64_t sign) {
	uint64_t least = numbers[0] ^ sign;

	for (size_t i = 1; i < n; i++)
		least = (numbers[i] ^ sign) < least ? numbers[i] ^ sign : least;
	least ^= sign;
	for (size_t i = 0; i < n; i++)
		numbers[i] -= least;
	return least;
}

// A few numbers far below the others make these long. Measured from the least of the others instead, they wrap
// around and become the exceptions. Returns what is to be taken away for that, or 0.
static uint64_t find_step_up(const uint64_t *numbers, size_t n, const struct lengths *lengths) {
	uint64_t least = UINT64_MAX;
	size_t n_below = 0;

	for (unsigned length = 0; length < lengths->most_common; length++)
		n_below += lengths->n[length];
	if (n_below == 0 || n_below > FAR_BELOW_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (length_of(numbers[i]) >= lengths->most_common && numbers[i] < least)
			least = numbers[i];
	}
	return least;
}

// Are there too many long numbers to be exceptions, and too many shorter ones to be far below the others?
static int are_even(const uint64_t *numbers, size_t n, unsigned *ret_longest) {
	uint64_t all = 0, half;
	size_t n_long = 0;

	for (size_t i = 0; i < n; i++)
		all |= numbers[i];
	*ret_longest = length_of(all);
	half = all == 0 ? 0 : UINT64_C(1) << (*ret_longest - 1);
	for (size_t i = 0; i < n; i++)
		n_long += numbers[i] >= half;
	return all == 0 || (n_long > exceptions_of(n) && n - n_long > FAR_BELOW_MAX);
}

static unsigned choose_reference(uint64_t *numbers, size_t n, uint64_t *reference, unsigned *ret_longest) {
	struct lengths lengths, other;
	size_t bits, other_bits;
	unsigned width, other_width;
	uint64_t step;

	if (are_even(numbers, n, ret_longest)) // as mostly
		return *ret_longest;
	count_lengths(numbers, n, &lengths);
	width = choose_width(&lengths, n, &bits);
	*ret_longest = lengths.longest;
	if ((step = find_step_up(numbers, n, &lengths)) == 0)
		return width;
	for (size_t i = 0; i < n; i++)
		numbers[i] -= step;
	count_lengths(numbers, n, &other);
	other_width = choose_width(&other, n, &other_bits);
	if (other_bits < bits) {
		*reference += step;
		*ret_longest = other.longest;
		return other_width;
	}
	for (size_t i = 0; i < n; i++)
		numbers[i] += step;
	return width;
}

static size_t put_block(uint64_t *numbers, size_t n, enum bitpack_form form, uint8_t *out) {
	uint64_t reference = take_reference(numbers, n, form == BITPACK_DELTA ? UINT64_C(1) << 63 : 0);
	unsigned longest, width = choose_reference(numbers, n, &reference, &longest);
	size_t size = 1;

	out[0] = (uint8_t)(width | (width < longest ? MANY : 0));
	size += bitpack_put_number(form == BITPACK_DELTA ? zigzag(reference) : reference, out + size);
	if (width > 0) {
		pack(numbers, n, width, out + size);
		size += packed_size(n, width);
	}
	if (width < longest)
		size += put_exceptions(numbers, n, width, out + size);
	return size;
}

static size_t get_exceptions(const uint8_t *in, size_t size, size_t n, unsigned width, uint64_t *numbers) {
	size_t at = 1;

	if (size == 0)
		return 0;
	for (unsigned i = 0; i < in[0]; i++) {
		uint64_t more;
		size_t read, place;

		if (at >= size)
			return 0;
		place = in[at++];
		read = bitpack_get_number(in + at, size - at, &more);
		if (read == 0 || place >= n)
			return 0;
		numbers[place] |= more << width;
		at += read;
	}
	return at;
}

// Numbers of a block, without its reference.
static size_t get_block(const uint8_t *in, size_t size, size_t n, enum bitpack_form form, uint64_t *numbers,
                        uint64_t *ret_reference) {
	uint8_t copy[BITPACK_BLOCK * 8 + 16];
	unsigned width, many;
	size_t at = 1, read, packed;

	if (size == 0)
		return 0;
	width = in[0] & ~MANY;
	many = in[0] & MANY;
	read = bitpack_get_number(in + at, size - at, ret_reference);
	packed = packed_size(n, width);
	if (width > 64 || (many && width == 64) || read == 0 || size - at - read < packed)
		return 0;
	at += read;
	if (form == BITPACK_DELTA)
		*ret_reference = unzigzag(*ret_reference);
	if (width == 0) {
		memset(numbers, 0, n * sizeof(*numbers));
	} else if (size - at >= packed + 9) {
		unpack(in + at, n, width, numbers);
	} else { // so near to the end that whole words can't be loaded
		memcpy(copy, in + at, packed);
		memset(copy + packed, 0, 16);
		unpack(copy, n, width, numbers);
	}
	at += packed;
	if (!many)
		return at;
	read = get_exceptions(in + at, size - at, n, width, numbers);
	return read == 0 ? 0 : at + read;
}

// ---- a column

size_t bitpack_bound(size_t n) {
	// each block may be packed in words, with an unused word behind them
	return 1 + 2 * NUMBER_SIZE + 8 * n + (n / BITPACK_BLOCK + 1) * (1 + NUMBER_SIZE) + 8;
}

static int is_flat(const uint64_t *values, size_t n) {
	for (size_t i = 2; i < n; i++) {
		if (values[i] - values[i - 1] != values[1] - values[0])
			return 0;
	}
	return 1;
}

size_t bitpack_encode(const uint64_t *values, size_t n, enum bitpack_form form, uint8_t *out) {
	uint64_t numbers[BITPACK_BLOCK];
	size_t size = 1, i = 0;

	if (is_flat(values, n))
		form = BITPACK_FLAT;
	out[0] = (uint8_t)form;
	if (form != BITPACK_PLAIN) {
		size += bitpack_put_number(values[0], out + size);
		i = 1;
	}
	if (form == BITPACK_FLAT)
		return size + bitpack_put_number(zigzag(n > 1 ? values[1] - values[0] : 0), out + size);
	while (i < n) {
		size_t some = n - i < BITPACK_BLOCK ? n - i : BITPACK_BLOCK;

		for (size_t k = 0; k < some; k++)
			numbers[k] = values[i + k] - (form == BITPACK_DELTA ? values[i + k - 1] : 0);
		size += put_block(numbers, some, form, out + size);
		i += some;
	}
	return size;
}

static size_t get_flat(const uint8_t *in, size_t size, size_t n, uint64_t *values) {
	uint64_t step;
	size_t read = bitpack_get_number(in, size, &step);

	step = unzigzag(step);
	for (size_t i = 1; read > 0 && i < n; i++)
		values[i] = values[i - 1] + step;
	return read;
}

size_t bitpack_decode(const uint8_t *in, size_t size, size_t n, uint64_t *values) {
	size_t at = 1, read, i = 0;
	enum bitpack_form form;
	uint64_t reference;

	if (size == 0 || n == 0 || in[0] > BITPACK_PLAIN)
		return 0;
	form = (enum bitpack_form)in[0];
	if (form != BITPACK_PLAIN) {
		read = bitpack_get_number(in + at, size - at, &values[0]);
		if (read == 0)
			return 0;
		at += read;
		i = 1;
	}
	if (form == BITPACK_FLAT) {
		read = get_flat(in + at, size - at, n, values);
		return read == 0 ? 0 : at + read;
	}
	while (i < n) {
		size_t some = n - i < BITPACK_BLOCK ? n - i : BITPACK_BLOCK;

		read = get_block(in + at, size - at, some, form, values + i, &reference);
		if (read == 0)
			return 0;
		at += read;
		if (form == BITPACK_PLAIN) {
			for (size_t k = 0; k < some; k++)
				values[i + k] += reference;
		} else {
			uint64_t value = values[i - 1];

			for (size_t k = 0; k < some; k++)
				values[i + k] = value += reference + values[i + k];
		}
		i += some;
	}
	return at;
}
