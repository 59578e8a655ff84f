"""A port scan beside ordinary traffic: TCP SYN in the smallest frames, each to the next port of the next of --hosts hosts.

    start -f scan.py -p 0 -t --pps 5000 --scan-pps 1000 --hosts 16

SPDX-License-Identifier: MIT
"""

import ipaddress

from linkcast_stl import LEAST_FRAME, Profile, count, rate, tcp_syn, udp

from trex.stl.api import CTRexVmInsFixHwCs, STLPktBuilder, STLStream, STLTXCont, STLVM


def sweep(first, hosts):
    """The field engine's program."""
    vm = STLVM()
    vm.var(name="host", min_value=str(first), max_value=str(first + hosts - 1), size=4, op="inc", step=1)
    vm.var(name="port", min_value=1, max_value=65535, size=2, op="inc", step=1)
    vm.write(fv_name="host", pkt_offset="IP.dst")
    vm.write(fv_name="port", pkt_offset="TCP.dport")
    vm.fix_chksum_hw(l3_offset="IP", l4_offset="TCP", l4_type=CTRexVmInsFixHwCs.L4_TYPE_TCP)
    return vm


class Scan(Profile):
    """See above."""

    TUNABLES = (
        ("--pps", rate, 5000.0, "packets/s of ordinary traffic"),
        ("--scan-pps", rate, 1000.0, "packets/s of the scan"),
        ("--hosts", count, 16, "hosts that are scanned, from --dst on"),
    )

    def streams(self, values):
        """The streams of one port."""
        first = ipaddress.IPv4Address(values.addresses[1])
        if int(first) + values.hosts > 2**32:
            raise ValueError(f"--hosts {values.hosts}: there are not so many behind {first}")
        syn = STLPktBuilder(pkt=tcp_syn(values.addresses, LEAST_FRAME), vm=sweep(first, values.hosts))
        return [STLStream(name="ordinary", packet=STLPktBuilder(pkt=udp(values.addresses, values.size)),
                          mode=STLTXCont(pps=values.pps)),
                STLStream(name="scan", packet=syn, mode=STLTXCont(pps=values.scan_pps))]


def register():
    """What TRex calls."""
    return Scan()
