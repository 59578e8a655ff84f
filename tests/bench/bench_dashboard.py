#!/usr/bin/python3
"""Event streams: 200 readers at 50 messages a second, from a publisher through analyticsd and the gateway to each reader.

usage: bench_dashboard.py [--build DIR] [--streams N] [--rate N] [--seconds N]

Says how many events arrived of those that were sent, how long they took (the publisher's clock to the reader's, one
machine), and what CPU time that cost. Exit status 1 when one was lost.

SPDX-License-Identifier: MIT
"""
import argparse
import os
import re
import selectors
import socket
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
sys.dont_write_bytecode = True
ROW = re.compile(rb'"rows":\[\["(\d+)","(\d+)"')
LAST_SECONDS = 30


class Reader:
    """One stream, read as it comes: seq and delay of each sample."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(b"GET /events?topic=sample/bench/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.rest = b""
        self.welcome = False
        self.last = 0
        self.delays = []
        self.out_of_order = 0

    def read(self):
        """Take what has arrived; False when the stream has ended."""
        data = self.socket.recv(1 << 18)
        now = time.time_ns()
        if not data:
            return False
        data = self.rest + data
        self.welcome = self.welcome or b"event: welcome" in data
        end = 0
        for match in ROW.finditer(data):
            seq = int(match.group(1))
            self.out_of_order += seq != self.last + 1
            self.last = seq
            self.delays.append((now - int(match.group(2))) / 1e6)
            end = match.end()
        self.rest = data[max(end, len(data) - 4096):]
        return True


def cpu_seconds(pid):
    """User and system time of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(publisher, rate, count):
    """A row each 1/rate seconds, stamped when it is sent."""
    begun = time.monotonic()
    for seq in range(1, count + 1):
        pause = begun + seq / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        publisher.send((seq, time.time_ns(), {"rx_packets": seq, "tx_bytes": seq * 1000}))


def follow(readers, count):
    """Read all streams until each has had `count` rows, or nothing comes any more."""
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    heard = time.monotonic()
    while any(reader.last < count for reader in readers) and time.monotonic() - heard < LAST_SECONDS and selector.get_map():
        for key, _ in selector.select(1):
            heard = time.monotonic()
            if not key.data.read():
                selector.unregister(key.fileobj)


def wait_for_welcome(readers):
    """Every stream is open, as the gateway sees it."""
    for reader in readers:
        while not reader.welcome:
            if not reader.read():
                raise SystemExit("bench_dashboard: a stream was refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"), help="meson's build folder")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    os.environ["LINKCAST_BUILD"] = os.path.abspath(options.build)
    from daemon import Analyticsd, Publisher
    from gateway import Gateway
    count = int(options.rate * options.seconds)
    with tempfile.TemporaryDirectory(prefix="lcb", dir="/tmp") as folder, Analyticsd(folder) as daemon, \
            Gateway(daemon, "--connections", str(2 * options.streams + 16)) as gateway, \
            Publisher(daemon, host="bench") as publisher:
        readers = [Reader(gateway.port) for _ in range(options.streams)]
        wait_for_welcome(readers)
        cpu = cpu_seconds(gateway.process.pid)
        begun = time.monotonic()
        sender = threading.Thread(target=publish, args=(publisher, options.rate, count))
        sender.start()
        follow(readers, count)
        sender.join()
        took = time.monotonic() - begun
        cpu = cpu_seconds(gateway.process.pid) - cpu
        for reader in readers:
            reader.socket.close()
    delays = sorted(delay for reader in readers for delay in reader.delays)
    wanted = count * options.streams
    disorder = sum(reader.out_of_order for reader in readers)
    at = lambda share: delays[min(len(delays) - 1, int(len(delays) * share))] if delays else float("nan")
    print(f"{options.streams} streams, {options.rate:g} messages a second, {took:.1f} s")
    print(f"delivered    {len(delays)} of {wanted}, {disorder} out of order")
    print(f"delay, ms    p50 {at(.5):.2f}  p90 {at(.9):.2f}  p99 {at(.99):.2f}  most {at(1):.2f}   (publisher to reader)")
    print(f"gateway CPU  {100 * cpu / took:.1f} % of a core, {1e6 * cpu / max(len(delays), 1):.1f} us a delivered event")
    return 0 if len(delays) == wanted and disorder == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
