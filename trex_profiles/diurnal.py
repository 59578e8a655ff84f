"""Days and weeks of traffic, as fast as one likes: a sine a day from --trough at 2 h to --peak at 14 h, five days of it,
then two of --weekend times as much, and again.

    start -f diurnal.py -p 0 -d 300 -t --peak 20000 --trough 2000 --day-seconds 60

A day is a chain of --slots bursts. Scale it by --peak and --trough: `-m` would shorten the day as well.

SPDX-License-Identifier: MIT
"""

import math

from linkcast_stl import Profile, Slot, chain, count, rate, seconds, share, udp, whole_packets

WORKDAYS, DAYS = 5, 7
TROUGH_AT = 2 / 24  # of the day


def day(peak, trough, day_seconds, slots, scale):
    """The slots of one day; each has the mean of the sine over it."""
    middle, swing, made = (peak + trough) / 2, (peak - trough) / 2, []
    for i in range(slots):
        begin, end = (2 * math.pi * (at / slots - TROUGH_AT) for at in (i, i + 1))
        mean = middle - swing * (math.sin(end) - math.sin(begin)) / (end - begin)
        made.append(Slot(scale * mean, day_seconds / slots))
    return made


def week(values):
    """The slots of a week."""
    return [slot for number in range(DAYS)
            for slot in day(values.peak, values.trough, values.day_seconds, values.slots,
                            1.0 if number < WORKDAYS else values.weekend)]


class Diurnal(Profile):
    """See above."""

    TUNABLES = (
        ("--peak", rate, 20000.0, "packets/s at the height of a working day"),
        ("--trough", rate, 2000.0, "packets/s at its lowest"),
        ("--day-seconds", seconds, 86400.0, "how long a day takes"),
        ("--slots", count, 48, "steps of a day"),
        ("--weekend", share, 0.6, "what a weekend has of a working day"),
    )

    def streams(self, values):
        """The streams of one port."""
        if values.trough > values.peak:
            raise ValueError(f"--trough {values.trough:g} is above --peak {values.peak:g}")
        slots = week(values)
        if min(whole_packets(slots)) == 0:
            raise ValueError(f"a slot of {slots[0].seconds:g} s has not one packet at its rate: fewer --slots, a longer day, "
                         "or a higher --trough or --weekend")
        return chain("slot", udp(values.addresses, values.size), slots)


def register():
    """What TRex calls."""
    return Diurnal()
