"""A link that fails: traffic, some short outages, then a long one, and again.

    start -f link_failure.py -p 0 -t --pps 5000 --up 60 --flaps 3 --flap 1 --down 20

Nothing is sent in an outage. The link itself stays up: trex_drive.py takes it down, with the fault link_down.

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Profile, Slot, chain, rate, seconds, udp


def failure(values):
    """The slots of one failure."""
    flaps = [slot for _ in range(values.flaps) for slot in (Slot(0, values.flap), Slot(values.pps, values.between))]
    return [Slot(values.pps, values.up), *flaps, Slot(0, values.down)]


class LinkFailure(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 5000.0, "packets/s while it is up"),
        ("--up", seconds, 60.0, "until it fails"),
        ("--flaps", int, 3, "short outages before the long one"),
        ("--flap", seconds, 1.0, "of a short outage"),
        ("--between", seconds, 5.0, "after a short outage"),
        ("--down", seconds, 20.0, "of the long outage"),
    )

    def streams(self, values):
        """The streams of one port."""
        if values.flaps < 0:
            raise ValueError(f"--flaps {values.flaps}: expected 0 or more")
        return chain("part", udp(values.addresses, values.size), failure(values))


def register():
    """What TRex calls."""
    return LinkFailure()
