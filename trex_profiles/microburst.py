"""Short bursts on a steady stream: the mean says that all is well, the queues say otherwise.

    start -f microburst.py -p 0 -t --pps 1000 --burst-pps 500000 --burst-packets 2000 --every 1

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Profile, Slot, chain, count, rate, seconds, udp

from trex.stl.api import STLPktBuilder, STLStream, STLTXCont


def bursts(values):
    """A burst, and silence until the next one."""
    length = values.burst_packets / values.burst_pps
    return [Slot(values.burst_pps, length), Slot(0, values.every - length)]


class Microburst(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 1000.0, "packets/s between the bursts, and beside them"),
        ("--burst-pps", rate, 500000.0, "packets/s in a burst"),
        ("--burst-packets", count, 2000, "packets of a burst"),
        ("--every", seconds, 1.0, "from burst to burst"),
    )

    def streams(self, values):
        """The streams of one port."""
        if values.burst_packets / values.burst_pps >= values.every:
            raise ValueError(f"a burst takes {values.burst_packets / values.burst_pps:g} s and comes every {values.every:g} s")
        packet = udp(values.addresses, values.size)
        return [STLStream(name="steady", packet=STLPktBuilder(pkt=packet), mode=STLTXCont(pps=values.pps))] \
            + chain("burst", packet, bursts(values))


def register():
    """What TRex calls."""
    return Microburst()
