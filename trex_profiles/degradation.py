"""A path that decays: an ever larger share of the packets arrives broken (with a wrong IPv4 checksum, which a receiver
that looks counts as bad), up to --worst, then it is repaired; and again.

    start -f degradation.py -p 0 -t --pps 5000 --seconds 600 --worst 0.3

`testpmd> set fwd csum` counts them as Bad-ipcsum.

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Profile, Slot, chain, count, rate, seconds, share, udp

WRONG_CHECKSUM = 0xBAD


def decay(values):
    """The slots of good and of broken packets, which are sent beside each other."""
    length = values.seconds / values.steps
    shares = [values.worst * i / max(1, values.steps - 1) for i in range(values.steps)]
    return ([Slot(values.pps * (1 - part), length) for part in shares],
            [Slot(values.pps * part, length) for part in shares])


class Degradation(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 5000.0, "packets/s, good and broken"),
        ("--seconds", seconds, 600.0, "from the first sign to the repair"),
        ("--steps", count, 20, "how many"),
        ("--worst", share, 0.3, "share of broken packets at the end"),
    )

    def streams(self, values):
        """The streams of one port."""
        if values.steps < 3 or values.worst == 0:
            raise ValueError("it takes at least 3 --steps, and a --worst above 0")
        good, broken = decay(values)
        return chain("good", udp(values.addresses, values.size), good) \
            + chain("broken", udp(values.addresses, values.size, chksum=WRONG_CHECKSUM), broken)


def register():
    """What TRex calls."""
    return Degradation()
