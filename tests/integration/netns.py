"""Two network namespaces joined by veth pairs, for real traffic that leaves the machine alone.

    with VethPair(count=2) as veth:
        veth.a, veth.b                      # names of the namespaces
        veth.a_links[0], veth.b_links[0]    # two ends of one wire
        veth.set_rate("a", 0, "40mbit")     # shape what goes from a to b

SPDX-License-Identifier: MIT
"""

import itertools
import os
import shutil
import subprocess

_numbers = itertools.count()


def _ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def why_not():
    """None when namespaces can be made here, else the reason."""
    if shutil.which("ip") is None or shutil.which("tc") is None:
        return "iproute2 is not installed"
    name = f"lcn{os.getpid()}probe"
    made = _ip("netns", "add", name, check=False)
    if made.returncode != 0:
        return f"network namespaces are not permitted: {made.stderr.strip()}"
    linked = _ip("-n", name, "link", "add", "va", "type", "veth", "peer", "name", "vb", check=False)
    _ip("netns", "del", name, check=False)
    return None if linked.returncode == 0 else f"veth is not there: {linked.stderr.strip()}"


class VethPair:
    """Namespaces `a` and `b`, joined by `count` veth pairs that are up and carry no address."""

    def __init__(self, count=1):
        stem = f"lcn{os.getpid()}x{next(_numbers)}"
        self.a, self.b = stem + "a", stem + "b"
        self.a_links = [f"va{i}" for i in range(count)]
        self.b_links = [f"vb{i}" for i in range(count)]

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def _make(self):
        for name in (self.a, self.b):
            _ip("netns", "add", name)
            # No neighbour discovery: only the test's own packets are on the wire.
            _ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1", check=False)
        for end_a, end_b in zip(self.a_links, self.b_links):
            _ip("-n", self.a, "link", "add", end_a, "type", "veth", "peer", "name", end_b, "netns", self.b)
            _ip("-n", self.a, "link", "set", end_a, "up")
            _ip("-n", self.b, "link", "set", end_b, "up")

    def remove(self):
        """Remove both, with all that is in them. May be called twice."""
        for name in (self.a, self.b):
            _ip("netns", "del", name, check=False)

    def run(self, side, *arguments):
        """Run a program in namespace "a" or "b"; returns what it printed."""
        name = self.a if side == "a" else self.b
        return subprocess.run(["ip", "netns", "exec", name, *arguments], check=True, capture_output=True,
                              text=True).stdout

    def set_rate(self, side, index, rate):
        """Shape what a side sends, as tc writes rates ("40mbit"); what is too much waits."""
        link = (self.a_links if side == "a" else self.b_links)[index]
        self.run(side, "tc", "qdisc", "replace", "dev", link, "root", "tbf", "rate", rate, "burst", "64k",
                 "limit", "4m")

    def set_up(self, side, index, is_up):
        """Plug a wire in or out."""
        link = (self.a_links if side == "a" else self.b_links)[index]
        self.run(side, "ip", "link", "set", link, "up" if is_up else "down")
