#!/usr/bin/python3
"""What the plugin costs: CPU of its threads at 1 Hz and 1 kHz with two ports, beside a paced read of the same counters
over DPDK's own telemetry socket at the same rate, interleaved in one run.

    bench_plugin.py [--build DIR] [--pairs 5] [--seconds 20]

Figures are per cent of one core; the ones of the telemetry socket are the server's thread, and the client process
that reads both ports each time. Only ratios travel between machines.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import os
import socket
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

PORTS = ["net_null0", "net_null1"]


def cpu_of(testpmd, chosen):
    """CPU seconds of the chosen threads so far."""
    return 1e-9 * sum(thread["cpu_ns"] for thread in testpmd.threads() if chosen(thread["name"]))


def is_ours(name):
    """Threads that the plugin brings."""
    return name == "linkcast" or name.startswith("ZMQ")


def is_telemetry(name):
    """DPDK starts one thread for the socket and, with 22.11, one for each client; both carry this name."""
    return name.startswith("telemetry") or name == "dpdk-telemet-v2"


class Telemetry:
    """A client of DPDK's telemetry socket (protocol v2)."""

    def __init__(self, folder):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(os.path.join(folder, "dpdk_telemetry.v2"))
        self._socket.recv(16384)

    def close(self):
        """End it."""
        self._socket.close()

    def read(self, port):
        """One port's basic counters."""
        self._socket.send(f"/ethdev/stats,{port}".encode())
        return json.loads(self._socket.recv(16384))

    def read_paced(self, rate_hz, seconds):
        """Reads both ports at a rate; returns reads, bytes, and CPU seconds of this process."""
        began, cpu, reads, size = time.monotonic(), time.process_time(), 0, 0
        while (now := time.monotonic()) - began < seconds:
            for port in range(len(PORTS)):
                size += len(json.dumps(self.read(port)))
                reads += 1
            due = began + (reads // len(PORTS)) / rate_hz
            if due > now:
                time.sleep(due - now)
        return reads, size, time.process_time() - cpu


def measure_plugin(testpmd, endpoint, rate_hz, seconds):
    """Share of a core that the plugin's threads take, and rows a second."""
    from wire import Subscriber

    testpmd.command(f"analytics set interval {1000 / rate_hz:g}")
    with Subscriber(endpoint) as subscriber:
        testpmd.command(f"analytics start {endpoint}")
        subscriber.until(lambda s: s.samples, "a sample")
        began, before = time.monotonic(), cpu_of(testpmd, is_ours)
        heard = len(subscriber.samples)
        try:
            subscriber.until(lambda _: False, "", seconds)
        except AssertionError:
            pass
        elapsed, used = time.monotonic() - began, cpu_of(testpmd, is_ours) - before
        rows = sum(len(sample["rows"]) for sample in subscriber.samples[heard:])
        testpmd.command("analytics stop")
    return used / elapsed, rows / elapsed


def measure_telemetry(testpmd, rate_hz, seconds):
    """Shares of a core that server thread and client take, and reads a second."""
    client = Telemetry(testpmd.runtime_folder)
    before = cpu_of(testpmd, is_telemetry)
    began = time.monotonic()
    reads, _, cpu = client.read_paced(rate_hz, seconds)
    elapsed = time.monotonic() - began
    served = cpu_of(testpmd, is_telemetry) - before
    client.close()
    return served / elapsed, cpu / elapsed, reads / elapsed


def show(label, values, unit="% of a core", scale=100):
    """Median and spread."""
    values = [scale * value for value in values]
    print(f"  {label:<34} {statistics.median(values):9.4f} {unit}  ({min(values):.4f} to {max(values):.4f})")


def bench(testpmd, folder, rate_hz, pairs, seconds):
    """Interleaved pairs at one rate."""
    plugin, rows, server, client, reads = [], [], [], [], []
    for pair in range(pairs):
        share, rate = measure_plugin(testpmd, f"ipc://{folder}/s{rate_hz}x{pair}", rate_hz, seconds)
        plugin.append(share)
        rows.append(rate)
        served, asked, rate = measure_telemetry(testpmd, rate_hz, seconds)
        server.append(served)
        client.append(asked)
        reads.append(rate)
    print(f"{rate_hz} Hz, {len(PORTS)} ports, {pairs} pairs of {seconds} s")
    show("plugin: sampler and ZeroMQ", plugin)
    show("telemetry socket: server", server)
    show("telemetry socket: Python client", client)
    show("plugin: rows", rows, "a second", 1)
    show("telemetry: reads", reads, "a second", 1)
    together = statistics.median(s + c for s, c in zip(server, client))
    if together > 0:
        print(f"  plugin / (server and client)       {statistics.median(plugin) / together:9.3f}")


def main():
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    os.environ["LINKCAST_BUILD"] = os.path.abspath(arguments.build)

    from testpmd import TESTPMD, Testpmd, plugin_path

    for needed in (TESTPMD, plugin_path()):
        if not os.path.exists(needed):
            print(f"skipped: {needed} is not there")
            return 0
    with tempfile.TemporaryDirectory(prefix="lcb") as folder, Testpmd(PORTS, plugin=plugin_path()) as testpmd:
        testpmd.command("start")
        for rate_hz in (1, 1000):
            bench(testpmd, folder, rate_hz, arguments.pairs, arguments.seconds)
        testpmd.command("stop")
        testpmd.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
