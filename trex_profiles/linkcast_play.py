"""Playing a schedule in real time: when a slot begins, and what was labelled. What a rate and a fault mean is left to the
player's `scene`, which has

    begin(slot)             a slot begins
    tick(slot, share)       between, with the share of it that has passed

SPDX-License-Identifier: MIT
"""

import time

TICK_SECONDS = 0.1


class Interrupted(Exception):
    """Somebody wants it to end."""


def last_line(error):
    """What an exception says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


class Clock:
    """The times of a schedule that is played `speed` times as fast."""

    def __init__(self, speed):
        self._speed = speed
        self._began, self._began_ns = time.monotonic(), time.time_ns()

    def now(self):
        """Seconds of the schedule so far."""
        return (time.monotonic() - self._began) * self._speed

    def at_ns(self, seconds):
        """The real time of a moment of the schedule."""
        return self._began_ns + int(seconds / self._speed * 1e9)

    def wait_until(self, seconds):
        """Until that moment, but for TICK_SECONDS at most."""
        left = (seconds - self.now()) / self._speed
        if left > 0:
            time.sleep(min(left, TICK_SECONDS))


class _Faults:
    """Labels faults as they end."""

    def __init__(self, schedule, clock, labels, say):
        self._waiting = list(schedule.faults) if labels else []
        self._clock, self._labels, self._say = clock, labels, say

    def _label(self, fault, begin, end):
        wrong = self._labels.tell(fault, self._clock.at_ns(begin), self._clock.at_ns(end))
        self._say(f"labelled {fault}" if wrong is None else f"not labelled: {fault}: {wrong}")

    def pass_to(self, played):
        """Those that were over by then."""
        while self._waiting and self._waiting[0][2] <= played:
            self._label(*self._waiting.pop(0))

    def end_at(self, played):
        """And the one that had begun."""
        self.pass_to(played)
        if self._waiting and self._waiting[0][1] < played:
            fault, begin, _ = self._waiting.pop(0)
            self._label(fault, begin, played)


def play(schedule, scene, speed, labels, say):
    """Plays it to the end. Faults are labelled as they end, also one that ends because the play is given up."""
    clock = Clock(speed)
    faults = _Faults(schedule, clock, labels, say)
    played = 0.0
    try:
        for slot in schedule.slots:
            say(f"{slot.begin:10.4g} s  x {slot.mult:<8.4g} {slot.fault}".rstrip())
            scene.begin(slot)
            while (played := clock.now()) < slot.end:
                faults.pass_to(played)
                scene.tick(slot, max(0.0, played - slot.begin) / (slot.end - slot.begin))
                clock.wait_until(slot.end)
    finally:
        faults.end_at(played)
