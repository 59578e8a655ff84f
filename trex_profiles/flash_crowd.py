"""A flash crowd: a quiet time, then everybody comes, stays, and goes one by one; and again.

    start -f flash_crowd.py -p 0 -t --pps 2000 --crowd 10 --quiet 120 --rise 5 --stay 60 --decay 60

The rise is a straight line, the decay an exponential one to a twentieth of the crowd.

SPDX-License-Identifier: MIT
"""

import math

from linkcast_stl import Profile, Slot, chain, count, factor, rate, seconds, udp

LEFT = 0.05  # of the crowd, at the end of the decay


def crowd(values):
    """The slots of one crowd."""
    more, steps = values.pps * (values.crowd - 1), values.steps
    rise = [Slot(values.pps + more * (i + 0.5) / steps, values.rise / steps) for i in range(steps)]
    decay = [Slot(values.pps + more * math.exp(math.log(LEFT) * (i + 0.5) / steps), values.decay / steps)
             for i in range(steps)]
    return [Slot(values.pps, values.quiet), *rise, Slot(values.pps + more, values.stay), *decay]


class FlashCrowd(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 2000.0, "packets/s when it is quiet"),
        ("--crowd", factor, 10.0, "how many times as much at its height"),
        ("--quiet", seconds, 120.0, "before they come"),
        ("--rise", seconds, 5.0, "while they come"),
        ("--stay", seconds, 60.0, "while they are there"),
        ("--decay", seconds, 60.0, "while they go"),
        ("--steps", count, 10, "of rise and of decay"),
    )

    def streams(self, values):
        """The streams of one port."""
        return chain("crowd", udp(values.addresses, values.size), crowd(values))


def register():
    """What TRex calls."""
    return FlashCrowd()
