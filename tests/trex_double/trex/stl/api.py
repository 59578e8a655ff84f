"""A test double of TRex's STL API: the part that the profiles and trex_drive.py use. See README.md.

SPDX-License-Identifier: MIT
"""

import heapq
import importlib
import ipaddress
import json
import os
import sys
import traceback

from scapy.layers.l2 import Ether
from scapy.packet import Packet

PORT_SOURCE, PORT_DESTINATION = "02:00:00:00:00:01", "02:00:00:00:00:02"  # as a server's configuration has them


class TRexError(Exception):
    """What the API raises."""


def _check(name, value, *types):
    if isinstance(value, bool) and bool not in types or not isinstance(value, types):
        raise TRexError(f"argument '{name}' is a {type(value).__name__}")


# ---- modes

class STLTXMode:
    """A rate, in one unit."""

    kind = None

    def __init__(self, pps=None, bps_L1=None, bps_L2=None, percentage=None):
        given = {unit: value for unit, value in (("pps", pps), ("bps_L1", bps_L1), ("bps_L2", bps_L2),
                                                 ("percentage", percentage)) if value is not None}
        if len(given) > 1:
            raise TRexError(f"exactly one rate, not {sorted(given)}")
        (unit, value), = (given or {"pps": 1.0}).items()
        _check(unit, value, int, float)
        self.fields = {"type": self.kind, "rate": {"type": unit, "value": value}}


class STLTXCont(STLTXMode):
    """Without end."""

    kind = "continuous"


class STLTXSingleBurst(STLTXMode):
    """So many packets."""

    kind = "single_burst"

    def __init__(self, total_pkts=1, **rate):
        _check("total_pkts", total_pkts, int)
        super().__init__(**rate)
        self.fields["total_pkts"] = total_pkts


# ---- packets

class STLFlowLatencyStats:
    """Marks a stream that measures latency."""

    def __init__(self, pg_id):
        _check("pg_id", pg_id, int)
        self.fields = {"enabled": True, "rule_type": "latency", "stream_id": pg_id}


class CTRexVmInsFixHwCs:
    """Kinds of layer 4."""

    L4_TYPE_UDP, L4_TYPE_TCP, L4_TYPE_IP = 11, 13, 17


class STLVM:
    """A field engine's program."""

    def __init__(self):
        self.variables, self.writes, self.fixes = {}, [], []

    def var(self, name, min_value, max_value, size=4, op="inc", step=1):
        """A variable; addresses as text."""
        as_number = lambda value: int(ipaddress.IPv4Address(value)) if isinstance(value, str) else value  # noqa: E731
        low, high = as_number(min_value), as_number(max_value)
        if op not in ("inc", "dec", "random") or size not in (1, 2, 4, 8) or not 0 <= low <= high < 256 ** size:
            raise TRexError(f"variable '{name}': {op} {low} to {high} in {size} bytes")
        self.variables[name] = (low, high, step)

    def write(self, fv_name, pkt_offset):
        """Where it goes."""
        if fv_name not in self.variables:
            raise TRexError(f"no variable '{fv_name}'")
        self.writes.append((fv_name, *pkt_offset.split(".")))

    def fix_chksum_hw(self, l3_offset, l4_offset, l4_type):
        """Both checksums."""
        _check("l4_type", l4_type, int)
        self.fixes += [l3_offset, l4_offset]

    def apply(self, packet, number):
        """The packet as it leaves as the `number`th."""
        for name, layer, field in self.writes:
            low, high, step = self.variables[name]
            value = low + number * step % (high - low + 1)
            is_address = field in ("src", "dst")
            setattr(packet[layer], field, str(ipaddress.IPv4Address(value)) if is_address else value)
        for layer in self.fixes:
            del packet[layer].chksum
        return packet


class STLPktBuilder:
    """A packet and a program."""

    def __init__(self, pkt=None, vm=None):
        _check("pkt", pkt, Packet)
        if vm is not None:
            _check("vm", vm, STLVM)
        self._vm = vm
        self._binary = bytes(self._addressed(pkt.copy()))
        if len(self._binary) < 60:
            raise TRexError(f"a packet of {len(self._binary)} bytes")

    @staticmethod
    def _addressed(packet):
        """MAC addresses that a profile leaves open are the port's."""
        packet.src = packet.fields.get("src", PORT_SOURCE)
        packet.dst = packet.fields.get("dst", PORT_DESTINATION)
        return packet

    def frame(self, number):
        """The bytes of a packet, without the hardware's checksum."""
        return self._binary if self._vm is None else bytes(self._vm.apply(Ether(self._binary), number))


# ---- streams

class STLStream:
    """One stream."""

    def __init__(self, name=None, packet=None, mode=None, enabled=True, self_start=True, isg=0.0, flow_stats=None,
                 next=None, action_count=0):  # pylint: disable=redefined-builtin
        _check("packet", packet, STLPktBuilder)
        _check("mode", mode, STLTXMode)
        _check("self_start", self_start, bool)
        _check("isg", isg, int, float)
        if isinstance(mode, STLTXCont) and next is not None:
            raise TRexError("a continuous stream has no next one")
        if isg < 0 or mode.fields["rate"]["value"] <= 0 or mode.fields.get("total_pkts", 1) < 1:
            raise TRexError(f"stream '{name}': isg {isg}, mode {mode.fields}")
        self.name, self.next, self.packet = name, next, packet
        self.fields = {"enabled": enabled, "self_start": self_start, "isg": isg, "mode": mode.fields,
                       "action_count": action_count, "flow_stats": flow_stats.fields if flow_stats else {"enabled": False}}

    @property
    def is_fixed(self):
        """Does `-m` pass it by?"""
        return self.fields["flow_stats"].get("rule_type") == "latency"


class STLProfile:
    """Some streams."""

    def __init__(self, streams):
        _check("streams", streams, list)
        names = [stream.name for stream in streams if stream.name is not None]
        if len(set(names)) < len(names):
            raise TRexError("a name is there twice")
        missing = {stream.next for stream in streams if stream.next is not None} - set(names)
        if missing or not streams:
            raise TRexError(f"next stream {missing} is not there" if missing else "no streams")
        self._streams = streams

    def get_streams(self):
        """The streams."""
        return self._streams

    @staticmethod
    def _defaults(module):
        """Every argument of get_streams() but **kwargs must have one."""
        function = module.register().get_streams
        if len(function.__defaults__ or ()) != function.__code__.co_argcount - 1:
            raise TRexError("arguments of get_streams() without a default")

    @staticmethod
    def load_py(python_file, direction=0, port_id=0, **kwargs):
        """A profile from a file. None when argparse ended it."""
        if "tunables" not in kwargs:
            kwargs = {"tunables": [word for key, value in kwargs.items() for word in (f"--{key}", str(value))]}
        if not os.path.isfile(python_file):
            raise TRexError(f"File '{python_file}' does not exist")
        folder = os.path.dirname(python_file)
        sys.path.insert(0, folder)
        keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            module = importlib.reload(importlib.import_module(os.path.basename(python_file).split(".")[0]))
            STLProfile._defaults(module)
            try:
                return STLProfile(module.register().get_streams(direction=direction, port_id=port_id, **kwargs))
            except SystemExit:
                return None
        except Exception as error:
            raise TRexError("Python Traceback follows:\n\n" + traceback.format_exc()) from error
        finally:
            sys.dont_write_bytecode = keep
            sys.path.remove(folder)


# ---- what would leave

def emit(streams, seconds, mult=1.0):
    """(time in seconds, stream, frame) of each packet that leaves in that time. TRex scales rates, and neither gaps nor
    counts; a stream's first packet leaves `isg` after the last one of the stream before."""
    by_name = {stream.name: stream for stream in streams}
    events, numbers, order = [], {}, 0
    for stream in streams:
        if stream.fields["self_start"]:
            heapq.heappush(events, (stream.fields["isg"] * 1e-6, order, stream, 1))
            order += 1
    while events and events[0][0] < seconds:
        at, _, stream, sent = heapq.heappop(events)
        mode = stream.fields["mode"]
        numbers[stream] = numbers.get(stream, -1) + 1
        yield at, stream, stream.packet.frame(numbers[stream])
        order += 1
        if sent < mode.get("total_pkts", sent + 1):
            rate = mode["rate"]["value"] * (1.0 if stream.is_fixed else mult)
            heapq.heappush(events, (at + 1 / rate, order, stream, sent + 1))
        elif stream.next is not None:
            following = by_name[stream.next]
            heapq.heappush(events, (at + following.fields["isg"] * 1e-6, order, following, 1))


# ---- a client

class STLClient:
    """Notes what it is told, one JSON list a line, in the file $TREX_DOUBLE_LOG. TREX_DOUBLE_FAIL names a call that
    fails."""

    def __init__(self, server="127.0.0.1", **_):
        self._note("server", server=server)
        self._running = False

    @staticmethod
    def _note(call, **arguments):
        with open(os.environ["TREX_DOUBLE_LOG"], "a", encoding="utf-8") as file:
            file.write(json.dumps([call, arguments]) + "\n")
        if os.environ.get("TREX_DOUBLE_FAIL") == call:
            raise TRexError(f"*** [RPC] - {call} was refused")

    @staticmethod
    def _check_mult(mult):
        if not isinstance(mult, str) or float(mult) <= 0:
            raise TRexError(f"mult {mult!r}")

    def connect(self):
        """To the server."""
        self._note("connect")

    def disconnect(self):
        """From it."""
        self._note("disconnect")

    def reset(self, ports):
        """Takes the ports over."""
        self._note("reset", ports=ports)

    def add_streams(self, streams, ports):
        """Puts streams on ports."""
        self._note("add_streams", ports=ports, names=[stream.name for stream in streams])

    def start(self, ports, mult="1", force=False):
        """Begins to send."""
        self._check_mult(mult)
        if self._running:
            raise TRexError("ports are active")
        self._running = True
        self._note("start", ports=ports, mult=mult, force=force)

    def update(self, ports, mult="1", force=False):
        """Goes on at another rate."""
        self._check_mult(mult)
        if not self._running:
            raise TRexError("ports are not active")
        self._note("update", ports=ports, mult=mult, force=force)

    def stop(self, ports):
        """Ends sending."""
        self._running = False
        self._note("stop", ports=ports)

    def set_port_attr(self, ports, link_up=None):
        """The link of ports."""
        self._note("set_port_attr", ports=ports, link_up=link_up)
