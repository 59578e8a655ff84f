"""What the profiles share: tunables, packets, and chains of bursts. TRex (v2.88 to v3.x) puts a profile's folder on the
path while it loads it.

A chain is a list of streams of which each starts the next one. TRex sends a stream's first packet `isg` microseconds
after the last one of the stream before, so a follower's `isg` is that stream's gap between packets: N packets at a
rate r take N/r, and a slot as long as it should be. `-m` scales rates and no gaps or counts, so it would shorten the
chain's time: scale a chain by its tunables.

SPDX-License-Identifier: MIT
"""

import argparse
import ipaddress
import sys

from trex.stl.api import STLPktBuilder, STLStream, STLTXCont, STLTXSingleBurst

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

FCS = 4  # added by hardware
LEAST_FRAME, LARGEST_FRAME = 64, 9238


class Tunables(argparse.ArgumentParser):
    """Tunables of a profile. A wrong one is an exception that says why: TRex takes argparse's own exit for --help."""

    def __init__(self, module, rows):
        super().__init__(prog=f"start -f {module.__name__}.py -t", description=module.__doc__.split("\n\n", 1)[0],
                         allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        for name, kind, default, text in rows:
            how = {"action": "store_true"} if kind is bool else {"type": kind, "default": default}
            # TRex's API writes them with underscores.
            self.add_argument(name, *{"--" + name[2:].replace("-", "_")} - {name}, help=text, **how)

    def error(self, message):
        raise ValueError(message)


class Profile:
    """A profile as TRex wants it: a module's register() returns one.

    TUNABLES   rows of (name, kind, default, text); kind bool is a flag
    streams()  the streams for their values, which also have `addresses` (source and destination) and `port`
    """

    TUNABLES = ()

    def streams(self, values):
        """The streams of one port."""
        raise NotImplementedError

    def get_streams(self, direction=0, tunables=(), port_id=0, **kwargs):
        """What TRex calls."""
        common = (("--size", frame_size, 512, "bytes of a frame, with its checksum"),
                  ("--src", address, "16.0.0.1", "IPv4 source of direction 0"),
                  ("--dst", address, "48.0.0.1", "IPv4 destination of direction 0"))
        parser = Tunables(sys.modules[type(self).__module__], self.TUNABLES + common)
        values = parser.parse_args([str(word) for word in tunables])
        values.addresses = (values.src, values.dst) if direction == 0 else (values.dst, values.src)
        values.port = port_id
        return self.streams(values)


# ---- kinds of values

def _number(text, kind, least, what):
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': expected {what}")
    return value


def rate(text):
    """Packets a second."""
    return _number(text, float, 1e-3, "a rate in packets/s above 0")


def seconds(text):
    """A time."""
    return _number(text, float, 1e-3, "seconds above 0")


def count(text):
    """How many."""
    return _number(text, int, 1, "a whole number, 1 or more")


def share(text):
    """A part of the whole."""
    value = _number(text, float, 0, "a number from 0 to 1")
    if value > 1:
        raise argparse.ArgumentTypeError(f"'{text}': expected a number from 0 to 1")
    return value


def factor(text):
    """How many times as much."""
    return _number(text, float, 1, "a number, 1 or more")


def address(text):
    """Of IPv4; never a name, which would be looked up."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': expected an IPv4 address") from None


def frame_size(text):
    """Of a frame with its checksum."""
    value = _number(text, int, LEAST_FRAME, f"{LEAST_FRAME} to {LARGEST_FRAME} bytes")
    if value > LARGEST_FRAME:
        raise argparse.ArgumentTypeError(f"'{text}': expected {LEAST_FRAME} to {LARGEST_FRAME} bytes")
    return value


# ---- packets

def fill(headers, size):
    """The headers and as many bytes as make a frame of `size` with its checksum."""
    return headers / (b"\x5a" * max(0, size - FCS - len(headers)))


def udp(addresses, size, **ip):
    """A UDP packet in a frame of `size`; MAC addresses are the port's own, as TRex is configured."""
    source, destination = addresses
    return fill(Ether() / IP(src=source, dst=destination, **ip) / UDP(sport=1025, dport=12), size)


def tcp_syn(addresses, size):
    """The first packet of a connection."""
    source, destination = addresses
    return fill(Ether() / IP(src=source, dst=destination) / TCP(sport=1025, dport=1, flags="S"), size)


# ---- chains

class Slot:
    """A time of a chain: `rate` packets/s (0: silence) for `seconds`."""

    def __init__(self, rate, seconds):
        self.rate, self.seconds = rate, seconds


def whole_packets(slots):
    """How many packets each slot has: what is cut off at one is sent at a later one, so the sum is right."""
    wanted, sent, counts = 0.0, 0, []
    for slot in slots:
        wanted += slot.rate * slot.seconds
        counts.append(max(0, int(wanted + 0.5) - sent))
        sent += counts[-1]
    return counts


def _stream(name, packet, mode, following=None, isg=0.0, first=False):
    return STLStream(name=name, packet=STLPktBuilder(pkt=packet), mode=mode, self_start=first, isg=1e6 * isg,
                     next=following)


def _bursts(slots):
    """[(slot, packets, silence before)], and the silence that is left."""
    bursts, gap = [], 0.0
    for slot, packets in zip(slots, whole_packets(slots)):
        if packets > 0:
            bursts.append((slot, packets, gap))
            gap = slot.seconds / packets  # from its last packet to the end of its slot
        else:
            gap += slot.seconds
    if not bursts:
        raise ValueError("not one packet in all this time: raise the rate")
    return bursts, gap


def chain(name, packet, slots, last_rate=None):
    """Streams that send the slots one after the other, again and again. With `last_rate` once only, and on at that rate.
    Silence is a gap before the next stream; so that there is none at the start, the first slot has a stream of its own
    for the times after."""
    bursts, gap = _bursts(slots)
    names = [f"{name} {i}" for i in range(len(bursts))]
    if last_rate is None and len(bursts) == 1:
        bursts, names = [bursts[0], (*bursts[0][:2], gap)], names + [f"{name} 1"]  # streams start others, not themselves
    after = f"{name} on" if last_rate is not None else f"{name} again"
    modes = [STLTXSingleBurst(pps=packets / slot.seconds, total_pkts=packets) for slot, packets, _ in bursts]
    streams = [_stream(names[i], packet, modes[i], following, silence, first=i == 0)
               for i, ((_, _, silence), following) in enumerate(zip(bursts, names[1:] + [after]))]
    if last_rate is not None:
        return streams + [_stream(after, packet, STLTXCont(pps=last_rate), isg=gap)]
    return streams + [_stream(after, packet, modes[0], names[1], gap + bursts[0][2])]
