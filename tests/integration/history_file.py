"""Rows of ports out of history.db, read by the description alone in chunk.h, bitpack.h, journal.h and history_pages.h: a
second look at what is stored.

SPDX-License-Identifier: MIT
"""

import sqlite3
import struct

MASK = 2 ** 64 - 1
FLAT, DELTA, PLAIN = range(3)
RAW = 1
TS, SEQ, INSTANCE, EPOCH, UP, COUNTERS = range(6)
TX_BYTES = COUNTERS + 3


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.data)
        return self.data[self.at - n:self.at]

    def number(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return number


def unzigzag(number):
    return (number >> 1) ^ -(number & 1)


def block(data, n, form):
    width = data.take(1)[0]
    many, width = width & 0x80, width & 0x7f
    least = data.number()
    if form == DELTA:
        least = unzigzag(least)
    packed = int.from_bytes(data.take((n * width + 7) // 8), "little")
    numbers = [packed >> (i * width) & (1 << width) - 1 for i in range(n)]
    for _ in range(data.take(1)[0] if many else 0):
        place = data.take(1)[0]
        numbers[place] |= data.number() << width
    return [number + least & MASK for number in numbers]


def column(data, n):
    """The n values of a column."""
    form = data.take(1)[0]
    values = [] if form == PLAIN else [data.number()]
    if form == FLAT:
        step = unzigzag(data.number())
        return [values[0] + i * step & MASK for i in range(n)]
    while len(values) < n:
        for number in block(data, min(128, n - len(values)), form):
            values.append(number if form == PLAIN else values[-1] + number & MASK)
    return values


def chunk(data):
    """(series kind, level, columns) of a chunk; no column of reals is read."""
    data = Bytes(data)
    version, kind, flags = data.take(3)
    assert version == 2 if flags > 1 else version == 1
    head, = struct.unpack("<I", data.take(4))
    n_rows, _, n_columns = data.number(), data.number(), data.number()
    sizes = [data.number() for _ in range(n_columns)]
    references = [data.number() if flags & 4 else 0 for _ in range(n_columns)]
    data.take(4)
    assert data.at == head
    columns = []
    for size, reference in zip(sizes, references):
        one = Bytes(data.take(size))
        one.take(0 if flags & 2 else 4)
        columns.append(column(one, n_rows) if kind & 1 == 0 else None)
        if reference:
            columns[-1] = [own + other & MASK for own, other in zip(columns[-1], columns[reference - 1])]
        assert kind & 1 or one.at == size
    return kind & 1, kind >> 1, columns


class Bits:
    def __init__(self, data):
        self.number, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, n):
        self.left -= n
        assert self.left >= 0
        bits = self.number & (1 << n) - 1
        self.number >>= n
        return bits

    def numeral(self):
        if self.take(1) == 0:
            return 0
        length = self.take(6)
        return self.take(length) | 1 << length


class Column:
    """What a reader of the journal learns of a column."""
    def __init__(self, value):
        self.last, self.mean, self.off, self.width, self.calm, self.far = value, 0, 0, 0, 0, False

    def expected(self):
        return self.last + (signed(self.mean + 8) >> 4) & MASK

    def choose_width(self):
        self.width = min((self.off * 11 >> 8).bit_length(), 32)

    def take(self, bits):
        ones = 0
        while ones < 20 and bits.take(1):
            ones += 1
        if ones == 20:
            value = self.expected() + unzigzag(bits.numeral()) & MASK
            if self.far:
                self.mean = (value - self.last) * 16 & MASK
            self.off, self.calm, self.far = min(4 * self.off + 16, 1 << 44), 0, True
        else:
            number = ones << self.width | bits.take(self.width)
            value = self.expected() + unzigzag(number) & MASK
            self.mean = self.mean + (signed((value - self.last) * 16 - self.mean) >> 3) & MASK
            self.off += number - (self.off >> 4)
            self.calm, self.far = (0 if number else min(self.calm + 1, 8)), False
        self.last = value
        self.choose_width()
        return value


class JournalSeries:
    def __init__(self, width):
        self.width, self.rows, self.seen, self.columns = width, 0, 0, []

    def take_row(self, bits, before):
        row = []
        if self.seen >= 3:
            changed = bits.take(1)
            for column in self.columns:
                if not changed and column.calm == 8:
                    column.last = column.expected()
                    row.append(column.last)
                else:
                    row.append(column.take(bits))
            return row
        for k in range(self.width):
            number = bits.numeral()
            if self.seen == 0:
                value = before[k] + unzigzag(number) & MASK if k < 5 else number
                before[k:k + 1] = [value] if k < 5 else before[k:k + 1]
                self.columns.append(Column(value))
            else:
                column = self.columns[k]
                value = (column.last if self.seen == 1 else column.expected()) + unzigzag(number) & MASK
                if self.seen == 1:
                    column.mean = (value - column.last) * 16 & MASK
                else:
                    column.off = min(number * 16, 1 << 44)
                    column.choose_width()
                column.last = value
            row.append(value)
        self.seen += 1
        return row


def signed(number):
    number &= MASK
    return number - 2 ** 64 if number >> 63 else number


def journal(data):
    """(commit, series, row) of all records of a part."""
    data, series, follows, before = Bytes(data), {}, {}, ([0] * 5, [0] * 5)
    while data.at < len(data.data):
        record = Bytes(data.take(data.number()))
        commit, n, last = record.number(), record.number(), None
        bits = Bits(record.data[record.at:])
        for _ in range(n):
            if bits.take(1):
                number, n_rows = bits.numeral(), bits.numeral()
                if bits.take(1):
                    bits.numeral()
                    series[number] = JournalSeries(bits.numeral())
                    follows.pop(number, None)
                series[number].rows = n_rows
            else:
                number = follows[last]
            follows[last], last = number, number
            for _ in range(series[number].rows):
                yield commit, number, series[number].take_row(bits, before[number & 1])


def parts(database):
    """The bytes of each part of the journal that is needed."""
    pages = {}
    for data, in database.execute("SELECT data FROM tail WHERE place > 0"):
        used, version, begins, number, first = struct.unpack_from("<HBBQQ", data, 4)
        assert version == 1
        pages[number] = begins, first, data[40:40 + used]
    found = []
    for number in range(pages[max(pages)][1], max(pages) + 1) if pages else ():
        begins, _, records = pages[number]
        if begins:
            found.append(b"")
        found[-1] += records
    return found


def port_rows(path):
    """{series: [rows of columns]} of all ports, sealed or not."""
    rows = {}
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        database.execute("BEGIN")
        sealed = dict(database.execute("SELECT series, tail_id FROM sealed"))
        for series, data in database.execute("SELECT series, data FROM chunk WHERE level = 1 AND series % 2 = 0"):
            kind, level, columns = chunk(data)
            assert (kind, level) == (0, RAW)
            rows.setdefault(series, []).extend(zip(*columns))
        for part in parts(database):
            for commit, series, row in journal(part):
                if commit > sealed.get(series, 0) and series % 2 == 0:
                    rows.setdefault(series, []).append(tuple(row))
    finally:
        database.close()
    return rows
