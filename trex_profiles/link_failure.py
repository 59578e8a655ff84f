"""A link that fails: traffic, some short outages, then a long one, and again.

    start -f link_failure.py -p 0 -t --pps 5000 --up 60 --flaps 3 --flap 1 --down 20

Nothing is sent in an outage. The link itself stays up: trex_drive.py takes it down, with the fault link_down.

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Slot, Tunables, chain, rate, seconds, udp


def failure(values):
    """The slots of one failure."""
    flaps = [slot for _ in range(values.flaps) for slot in (Slot(0, values.flap), Slot(values.pps, values.between))]
    return [Slot(values.pps, values.up), *flaps, Slot(0, values.down)]


class Profile:
    """As TRex wants it."""

    def get_streams(self, direction=0, tunables=(), port_id=0, **kwargs):
        """The streams of one port."""
        parser = Tunables(__doc__)
        parser.add("--pps", rate, 5000.0, "packets/s while it is up")
        parser.add("--up", seconds, 60.0, "until it fails")
        parser.add("--flaps", int, 3, "short outages before the long one")
        parser.add("--flap", seconds, 1.0, "of a short outage")
        parser.add("--between", seconds, 5.0, "after a short outage")
        parser.add("--down", seconds, 20.0, "of the long outage")
        values = parser.read(tunables, direction)
        if values.flaps < 0:
            parser.error(f"--flaps {values.flaps}: expected 0 or more")
        return chain("part", udp(values.addresses, values.size), failure(values))


def register():
    """What TRex calls."""
    return Profile()
