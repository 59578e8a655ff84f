"""A mix of frame sizes as on the Internet (7 of 64, 4 of 570, 1 of 1518 bytes), at a steady rate.

    start -f base_imix.py -p 0 -m 1 -t --pps 10000 --latency

--latency adds a stream that measures latency, at 100 packets/s or --latency-pps: `-m` doesn't change it. The profile for
trex_drive.py.

SPDX-License-Identifier: MIT
"""

from linkcast_stl import Profile, rate, udp

from trex.stl.api import STLFlowLatencyStats, STLPktBuilder, STLStream, STLTXCont

MIX = ((64, 7), (570, 4), (1518, 1))  # bytes, parts


class BaseImix(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 10000.0, "packets/s of the mix"),
        ("--latency", bool, False, "measure latency too"),
        ("--latency-pps", rate, 100.0, "packets/s of the latency stream"),
    )

    def streams(self, values):
        """The streams of one port."""
        parts = sum(part for _, part in MIX)
        streams = [STLStream(name=f"{size} bytes", packet=STLPktBuilder(pkt=udp(values.addresses, size)),
                             mode=STLTXCont(pps=values.pps * part / parts), isg=0.1 * i)
                   for i, (size, part) in enumerate(MIX)]
        if values.latency:
            streams.append(STLStream(name="latency", packet=STLPktBuilder(pkt=udp(values.addresses, values.size)),
                                     mode=STLTXCont(pps=values.latency_pps),
                                     flow_stats=STLFlowLatencyStats(pg_id=7 + values.port)))
        return streams


def register():
    """What TRex calls."""
    return BaseImix()
