"""From one rate to another in even steps, and on at the last one: where does a device begin to lose packets?

    start -f ramp.py -p 0 -t --from-pps 1000 --to-pps 100000 --seconds 60 --steps 30

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Profile, Slot, chain, count, rate, seconds, udp


def ramp(values):
    """Its slots."""
    step = (values.to_pps - values.from_pps) / max(1, values.steps - 1)
    return [Slot(values.from_pps + i * step, values.seconds / values.steps) for i in range(values.steps)]


class Ramp(Profile):
    """See above."""

    TUNABLES = (
        ("--from-pps", rate, 1000.0, "packets/s of the first step"),
        ("--to-pps", rate, 100000.0, "packets/s of the last step, and after it"),
        ("--seconds", seconds, 60.0, "of all steps"),
        ("--steps", count, 30, "how many"),
    )

    def streams(self, values):
        """The streams of one port."""
        return chain("step", udp(values.addresses, values.size), ramp(values), last_rate=values.to_pps)


def register():
    """What TRex calls."""
    return Ramp()
