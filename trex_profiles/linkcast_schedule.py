"""Schedules (docs/schedule.md): what they say, checked as a whole before anything is played.

SPDX-License-Identifier: MIT
"""

import csv
import math
import re

_FAULT = re.compile(r"[a-z0-9_-]{1,64}")


class BadSchedule(Exception):
    """Names the file and the line."""


class Slot:
    """`mult` times the base rate from `begin` to `end` (seconds), with a fault ("": none)."""

    def __init__(self, begin, end, mult, fault):
        self.begin, self.end, self.mult, self.fault = begin, end, mult, fault


class Schedule:
    """`slots`, in order and without gaps, and `faults`: [(word, begin, end)]."""

    def __init__(self, slots):
        self.slots = slots
        self.end = slots[-1].end
        self.faults = []
        for slot in slots:
            if slot.fault and self.faults and self.faults[-1][0] == slot.fault and self.faults[-1][2] == slot.begin:
                self.faults[-1] = (slot.fault, self.faults[-1][1], slot.end)
            elif slot.fault:
                self.faults.append((slot.fault, slot.begin, slot.end))


def _number(row, column, least):
    text = row[column] or ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least:
        raise ValueError(f"{column} '{text}': expected a number, {least:g} or more")
    return value


def _read_line(row):
    if None in row or None in row.values():
        raise ValueError("other columns than the first line names")
    fault = (row.get("fault") or "").strip()
    if fault and not _FAULT.fullmatch(fault):
        raise ValueError(f"fault '{fault}': expected 1 to 64 of a-z 0-9 _ -")
    return _number(row, "seconds", 0), _number(row, "mult", 0), fault


def _check_step(begins):
    """The newest beginning follows the others evenly."""
    if begins[0] != 0:
        raise ValueError(f"seconds {begins[0]:g}: the first slot begins at 0")
    if len(begins) < 2:
        return
    step, newest = begins[1], begins[-1] - begins[-2]
    if newest <= 0:
        raise ValueError(f"seconds {begins[-1]:g}: not after {begins[-2]:g}")
    if not math.isclose(newest, step, rel_tol=1e-6):
        raise ValueError(f"seconds {begins[-1]:g}: a gap, or an uneven slot: {begins[-2] + step:g} was to follow")


def _read(path):
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        missing = {"seconds", "mult"} - set(reader.fieldnames or ())
        if missing:
            raise BadSchedule(f"{path}, line 1: no column '{min(missing)}'")
        lines, begins = [], []
        for row in reader:
            try:
                lines.append(_read_line(row))
                begins.append(lines[-1][0])
                _check_step(begins)
            except ValueError as error:
                raise BadSchedule(f"{path}, line {reader.line_num}: {error}") from None
    return lines


def read_schedule(path):
    """The schedule in a file, or BadSchedule."""
    try:
        lines = _read(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadSchedule(f"{path}: {error}") from None
    if len(lines) < 2:
        raise BadSchedule(f"{path}: a schedule has two slots or more")
    ends = [line[0] for line in lines[1:]]
    ends.append(2 * ends[-1] - (ends[-2] if len(ends) > 1 else 0))
    return Schedule([Slot(begin, end, mult, fault) for (begin, mult, fault), end in zip(lines, ends)])


def read_or_exit(parser, path):
    """For commands: the schedule, or an error line and exit status 1."""
    try:
        return read_schedule(path)
    except BadSchedule as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
