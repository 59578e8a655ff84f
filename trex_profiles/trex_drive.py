#!/usr/bin/python3
"""Drives a base profile on a TRex server through a schedule (docs/schedule.md).

    TREX_PATH=/opt/trex/automation/trex_control_plane/interactive trex_drive.py --schedule day.csv --server trex1 \\
        --port 0 --profile base_imix.py -t --pps 20000 --latency

The rate of all streams together is `mult` times the profile's. Streams that measure latency have a rate of their own,
which TRex does not scale: the others make up the rest, and never less than one packet a second of them. At 0 everything
stops. Faults are labelled in analyticsd; for link_down and flapping the port's link is also taken down.

Exit status: 0 played, 1 error, 2 wrong usage.
SPDX-License-Identifier: MIT
"""

import argparse
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
if os.environ.get("TREX_PATH"):
    sys.path.insert(0, os.environ["TREX_PATH"])

import linkcast_label  # noqa: E402
from linkcast_play import Interrupted, last_line, play  # noqa: E402
from linkcast_schedule import read_or_exit  # noqa: E402

LEAST_PPS = 1.0
LINK_FAULTS = ("link_down", "flapping")


class Wrong(Exception):
    """An error that is told in one line."""


# ---- rates

def pps_of(stream):
    """Packets a second of a stream, and whether TRex scales it; None where its rate has another unit."""
    rate = stream.fields["mode"]["rate"]
    fixed = stream.fields["flow_stats"].get("rule_type") == "latency"
    return (rate["value"] if rate["type"] == "pps" else None), fixed


class Rates:
    """What factor of the scaled streams makes all of them `mult` times as fast."""

    def __init__(self, streams):
        rates = [pps_of(stream) for stream in streams]
        known = all(value is not None for value, _ in rates)
        self.fixed = sum(value for value, fixed in rates if fixed) if known else 0.0
        self.scaled = sum(value for value, fixed in rates if not fixed) if known else None
        if self.scaled == 0:
            raise Wrong("every stream of the profile measures latency: none is left to drive")

    def factor(self, mult):
        """For client.update()."""
        if self.scaled is None:
            return mult
        wanted = mult * (self.fixed + self.scaled) - self.fixed
        return max(wanted, min(LEAST_PPS, self.scaled)) / self.scaled


# ---- TRex

class Scene:
    """The ports of a TRex server."""

    def __init__(self, client, ports, rates, say):
        self._client, self._ports, self._rates, self._say = client, ports, rates, say
        self._running, self._up, self._links_work = False, True, True

    def _set_up(self, up):
        if up == self._up or not self._links_work:
            return
        try:
            self._client.set_port_attr(ports=self._ports, link_up=up)
            self._up = up
        except Exception as error:  # pylint: disable=broad-except
            self._links_work = False
            self._say(f"the link stays up, this port can't: {last_line(error)}")

    def begin(self, slot):
        """The rate of the slot."""
        if slot.mult == 0:
            if self._running:
                self._client.stop(ports=self._ports)
            self._running = False
        elif self._running:
            self._client.update(ports=self._ports, mult=f"{self._rates.factor(slot.mult):.9g}", force=True)
        else:
            self._client.start(ports=self._ports, mult=f"{self._rates.factor(slot.mult):.9g}", force=True)
            self._running = True
        self.tick(slot, 0.0)

    def tick(self, slot, share):
        """The link of the slot."""
        self._set_up(slot.fault not in LINK_FAULTS or (slot.fault == "flapping" and share >= 0.5))

    def end(self):
        """As it was before."""
        self._set_up(True)
        if self._running:
            self._client.stop(ports=self._ports)


def load_streams(profile, tunables, port):
    """The profile's streams for a port, by TRex's own loader."""
    from trex.stl.api import STLProfile  # pylint: disable=import-outside-toplevel,import-error

    loaded = STLProfile.load_py(profile, direction=port % 2, port_id=port, tunables=tunables)
    if loaded is None:
        raise Wrong(f"{profile}: loaded as nothing: its tunables ask for help, or are wrong")
    return loaded.get_streams()


def drive(arguments, schedule, labels, say):
    """Connects, plays, and leaves the ports as they were."""
    from trex.stl.api import STLClient  # pylint: disable=import-outside-toplevel,import-error

    streams = {port: load_streams(arguments.profile, arguments.tunables, port) for port in arguments.port}
    client = STLClient(server=arguments.server)
    client.connect()
    try:
        client.reset(ports=arguments.port)
        for port in arguments.port:
            client.add_streams(streams[port], ports=[port])
        scene = Scene(client, arguments.port, Rates(streams[arguments.port[0]]), say)
        try:
            play(schedule, scene, arguments.speed, labels, say)
        finally:
            scene.end()
    finally:
        client.disconnect()


# ---- the command

def positive(text):
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': expected a number above 0")
    return value


def parse():
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--schedule", required=True, metavar="FILE.csv")
    parser.add_argument("--profile", default=os.path.join(HERE, "base_imix.py"), metavar="FILE.py",
                        help="default: base_imix.py")
    parser.add_argument("--server", default="127.0.0.1", help="of TRex (default: %(default)s)")
    parser.add_argument("--port", type=int, action="append", help="of TRex; may be given again (default: 0)")
    parser.add_argument("--speed", type=positive, default=1.0, help="how many times as fast (default: 1)")
    linkcast_label.add_arguments(parser)
    parser.add_argument("-t", "--tunables", nargs=argparse.REMAINDER, default=[], help="all that follows is the profile's")
    arguments = parser.parse_args()
    arguments.port = arguments.port or [0]
    return parser, arguments


def interrupted(number, _frame):
    """SIGINT and SIGTERM."""
    raise Interrupted(signal.Signals(number).name)


def main():
    """Run it."""
    parser, arguments = parse()
    schedule = read_or_exit(parser, arguments.schedule)
    labels = linkcast_label.from_arguments(parser, arguments, "trex_drive.py " + os.path.basename(arguments.schedule))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        drive(arguments, schedule, labels, lambda text: print(text, flush=True))
    except ImportError as error:
        parser.exit(1, f"{parser.prog}: {error}: TREX_PATH names the folder of TRex's Python library\n")
    except Interrupted as why:
        parser.exit(1, f"{parser.prog}: ended by {why}\n")
    except Exception as error:  # pylint: disable=broad-except
        parser.exit(1, f"{parser.prog}: {last_line(error)}\n")


if __name__ == "__main__":
    main()
