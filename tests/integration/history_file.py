"""Rows of ports out of history.db, read by chunk.h's and bitpack.h's description alone: a second look at what is stored.

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
    version, kind, _ = data.take(3)
    assert version == 1
    head, = struct.unpack("<I", data.take(4))
    n_rows, _, n_columns = data.number(), data.number(), data.number()
    sizes = [data.number() for _ in range(n_columns)]
    data.take(4)
    assert data.at == head
    columns = []
    for size in sizes:
        one = Bytes(data.take(size))
        one.take(4)
        columns.append(column(one, n_rows) if kind & 1 == 0 else None)
        assert kind & 1 or one.at == size
    return kind & 1, kind >> 1, columns


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
        for tail_id, data in database.execute("SELECT tail_id, data FROM tail WHERE tail_id > 0"):
            blob = Bytes(data)
            while blob.at < len(data):
                kind, level, columns = chunk(blob.take(struct.unpack("<I", blob.take(4))[0]))
                for row in zip(*columns) if kind == 0 else ():
                    if tail_id > sealed.get(row[-1], 0):
                        rows.setdefault(row[-1], []).append(row[:-1])
    finally:
        database.close()
    return rows
