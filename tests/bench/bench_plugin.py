#!/usr/bin/python3
"""What the plugin costs and what it is good for, each beside DPDK's own telemetry socket (or beside no plugin) in the
same run, in interleaved pairs.

    bench_plugin.py [--build DIR] [--pairs 5] [--seconds 4]

CPU time is that of threads and processes, as the kernel counts it. Figures are medians, with their spread; only the
ratios travel between machines.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import multiprocessing
import os
import re
import socket
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

TWO_PORTS = ["net_null0", "net_null1"]
MANY_PORTS = [f"net_null{i}" for i in range(32)]


def cpu_of(testpmd, chosen):
    """CPU seconds of the chosen threads so far."""
    return 1e-9 * sum(thread["cpu_ns"] for thread in testpmd.threads() if chosen(thread["name"]))


def is_ours(name):
    """Threads that the plugin brings."""
    return name == "linkcast" or name.startswith("ZMQ")


def is_zeromq(name):
    """Those that send."""
    return name.startswith("ZMQ")


def is_telemetry(name):
    """DPDK starts one thread for the socket and, with 22.11, one for each client; both carry this name."""
    return name.startswith("telemetry") or name == "dpdk-telemet-v2"


def is_worker(name):
    """The forwarding thread."""
    return "worker" in name


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
        """The size of one port's basic counters, decoded."""
        self._socket.send(f"/ethdev/stats,{port}".encode())
        answer = self._socket.recv(16384)
        json.loads(answer)
        return len(answer)

    def read_paced(self, n_ports, rate_hz, seconds):
        """Reads all ports at a rate (0: as fast as it goes); returns reads, bytes, and CPU seconds of this process."""
        began, cpu, rounds, size = time.monotonic(), time.process_time(), 0, 0
        while (now := time.monotonic()) - began < seconds:
            size += sum(self.read(port) for port in range(n_ports))
            rounds += 1
            due = began + rounds / rate_hz if rate_hz else 0
            if due > now:
                time.sleep(due - now)
        return rounds * n_ports, size, time.process_time() - cpu


def ask_plugin(folder):
    """/linkcast/status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(os.path.join(folder, "dpdk_telemetry.v2"))
        client.recv(16384)
        client.send(b"/linkcast/status")
        return json.loads(client.recv(16384))["/linkcast/status"]


def subscribe(endpoint, orders, report):
    """A subscriber in a process of its own: decodes all and counts rows, bytes, CPU, and the age of rows."""
    import msgpack
    import zmq

    context = zmq.Context()
    sub = context.socket(zmq.SUB)
    sub.setsockopt(zmq.RCVHWM, 0)
    sub.setsockopt(zmq.SUBSCRIBE, b"sample/")
    sub.bind(endpoint)
    report.send("bound")
    rows, size, ages, last, lost, cpu = 0, 0, [], {}, 0, time.process_time()
    while not orders.poll():
        if not sub.poll(100):
            continue
        _, payload = sub.recv_multipart()
        now_ns = time.time_ns()
        sample = msgpack.unpackb(payload)
        size += len(payload)
        rows += len(sample["rows"])
        ages.append(now_ns - sample["rows"][0][1])
        lost += sample["rows"][0][0] - last.get(sample["name"], sample["rows"][0][0] - 1) - 1
        last[sample["name"]] = sample["rows"][-1][0]
    report.send({"rows": rows, "bytes": size, "ages": ages, "lost": lost, "cpu": time.process_time() - cpu})


class Watched:
    """The plugin publishing to such a subscriber, for a while; `result` has what both used."""

    def __init__(self, testpmd, folder, *settings):
        self._testpmd = testpmd
        self._settings = settings
        self._endpoint = tempfile.mktemp(prefix="s", dir=folder)
        self.result = {}

    def __enter__(self):
        self._orders, orders = multiprocessing.Pipe()
        report, self._report = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=subscribe, args=("ipc://" + self._endpoint, orders, report))
        self._process.start()
        self._report.recv()
        for setting in self._settings:
            self._testpmd.command(f"analytics set {setting}")
        self._testpmd.command(f"analytics start ipc://{self._endpoint}")
        self._before = cpu_of(self._testpmd, is_ours), cpu_of(self._testpmd, is_zeromq)
        self._began = time.monotonic()
        return self

    def __exit__(self, *_):
        used, sent = (cpu_of(self._testpmd, mine) - before for mine, before in zip((is_ours, is_zeromq), self._before))
        elapsed = time.monotonic() - self._began
        status = self._testpmd.command("analytics show status")
        work = ask_plugin(self._testpmd.runtime_folder)["work_ns"] * 1e-9
        self._testpmd.command("analytics stop")
        self._orders.send("stop")
        self.result.update(self._report.recv(), publisher=used, zeromq=sent, work=work, elapsed=elapsed, status=status)
        self._process.join()


def watch(testpmd, folder, seconds, *settings):
    """Publishes for a while and returns what it took."""
    with Watched(testpmd, folder, *settings) as watched:
        time.sleep(seconds)
    return watched.result


def ask(testpmd, n_ports, rate_hz, seconds):
    """Reads over the telemetry socket for a while: {"reads", "bytes", "server", "client", "elapsed"}."""
    client = Telemetry(testpmd.runtime_folder)
    before, began = cpu_of(testpmd, is_telemetry), time.monotonic()
    reads, size, cpu = client.read_paced(n_ports, rate_hz, seconds)
    result = {"reads": reads, "bytes": size, "client": cpu, "server": cpu_of(testpmd, is_telemetry) - before,
              "elapsed": time.monotonic() - began}
    client.close()
    return result


def show(label, values, unit, scale=1.0):
    """Median and spread; returns the median."""
    values = [scale * value for value in values]
    median = statistics.median(values)
    print(f"  {label:<46} {median:10.3f} {unit:<14} ({min(values):.3f} to {max(values):.3f})")
    return median


def show_ratio(label, ours, theirs, wanted):
    """Median of the pairs' ratios, beside what is wanted."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    median = statistics.median(ratios)
    print(f"  {label:<46} {median:10.4f} {'(at most %.4g)' % wanted:<14} ({min(ratios):.4f} to {max(ratios):.4f})"
          f"{'' if median <= wanted else '  NOT REACHED'}")


def with_testpmd(vdevs, **options):
    """A testpmd with the plugin, its worker on lcore 1 and as many mbufs as its ports need."""
    from testpmd import Testpmd, plugin_path

    return Testpmd(vdevs, plugin=plugin_path(), **options)


def bench_work(folder, pairs, seconds):
    """CPU of a row against CPU of a read, of the server alone, at the same pace (as far as the server keeps up with 32
    ports). Work is what the plugin's thread does between its waking and its sleep (read, pack, send: it measures that
    itself) and all that ZeroMQ's threads do; the whole is also what the kernel does to put the thread to sleep and wake it,
    once a tick for all ports. What a further port costs is work that no waking has made slow."""
    print(f"a port-sample at 1 kHz, {pairs} pairs of {seconds} s")
    ticks, all_reads = {}, {}
    for ports in (TWO_PORTS, MANY_PORTS):
        work, whole, reads = [], [], []
        with with_testpmd(ports, app=["--total-num-mbufs=40000"], eal=["-m", "512"]) as testpmd:
            for _ in range(pairs):
                ours = watch(testpmd, folder, seconds, "interval 1ms", "batch 100ms")
                work.append((ours["work"] + ours["zeromq"]) / max(ours["rows"], 1))
                whole.append(ours["publisher"] / max(ours["rows"], 1))
                theirs = ask(testpmd, len(ports), 1000, seconds)
                reads.append(theirs["server"] / theirs["reads"])
            testpmd.quit()
        show(f"{len(ports)} ports: work", work, "us a row", 1e6)
        show(f"{len(ports)} ports: whole, with the waking", whole, "us a row", 1e6)
        show(f"{len(ports)} ports: telemetry's server", reads, "us a read", 1e6)
        show_ratio(f"{len(ports)} ports: work / read", work, reads, 1 / 20)
        show_ratio(f"{len(ports)} ports: whole / read", whole, reads, 1 / 20)
        ticks[len(ports)], all_reads[len(ports)] = [row * len(ports) for row in work], reads
    more = len(MANY_PORTS) - len(TWO_PORTS)
    further = [(many - two) / more for many, two in zip(ticks[len(MANY_PORTS)], ticks[len(TWO_PORTS)])]
    show("a further port", further, "us a row", 1e6)
    show_ratio("a further port / read", further, all_reads[len(MANY_PORTS)], 1 / 20)


def bench_rate(folder, pairs, seconds):
    """CPU and bytes of both sides at 1 kHz and 2 ports."""
    print(f"both sides at 1 kHz and 2 ports, batched, {pairs} pairs of {seconds} s")
    ours, theirs, row_size, read_size = [], [], [], []
    with with_testpmd(TWO_PORTS) as testpmd:
        testpmd.command("start")
        for _ in range(pairs):
            one = watch(testpmd, folder, seconds, "interval 1ms", "batch 100ms")
            ours.append((one["publisher"] + one["cpu"]) / one["rows"])
            row_size.append(one["bytes"] / one["rows"])
            two = ask(testpmd, 2, 1000, seconds)
            theirs.append((two["server"] + two["client"]) / two["reads"])
            read_size.append(two["bytes"] / two["reads"])
        testpmd.command("stop")
        testpmd.quit()
    show("plugin and subscriber", ours, "us a row", 1e6)
    show("telemetry's server and client", theirs, "us a read", 1e6)
    show_ratio("CPU: row / read", ours, theirs, 1 / 3)
    show("a row on the wire", row_size, "bytes")
    show("a read on the wire", read_size, "bytes")
    show_ratio("bytes: row / read", row_size, read_size, 1 / 5)


def forwarded(testpmd):
    """Packets that port 0 received, and CPU seconds of the worker."""
    cpu = cpu_of(testpmd, is_worker)
    packets = testpmd.port_stats(0)["rx_packets"]
    return packets, (cpu + cpu_of(testpmd, is_worker)) / 2


def speed(testpmd, seconds):
    """Packets a CPU second of the worker."""
    packets, cpu = forwarded(testpmd)
    time.sleep(seconds)
    more, later = forwarded(testpmd)
    return (more - packets) / (later - cpu)


def bench_forwarding(folder, pairs, seconds):
    """Forwarding beside the plugin at 1 kHz, against the same without."""
    print(f"forwarding for a CPU second of the worker, {2 * pairs} pairs of {seconds} s")
    for vdevs in (TWO_PORTS, ["net_ring0", "net_ring1"]):
        without, beside = [], []
        with with_testpmd(vdevs) as testpmd:
            testpmd.command("start tx_first" if "ring" in vdevs[0] else "start")
            for pair in range(2 * pairs):
                for publishing in (pair % 2 == 0, pair % 2 == 1):  # so that a drift hits both alike
                    if publishing:
                        with Watched(testpmd, folder, "interval 1ms", "batch 100ms"):
                            beside.append(speed(testpmd, seconds))
                    else:
                        without.append(speed(testpmd, seconds))
            testpmd.command("stop")
            testpmd.quit()
        show(f"{vdevs[0][:-1]}: without", without, "Mpackets", 1e-6)
        show(f"{vdevs[0][:-1]}: beside the plugin", beside, "Mpackets", 1e-6)
        losses = [1 - a / b for a, b in zip(beside, without)]
        median = statistics.median(losses)
        print(f"  {vdevs[0][:-1] + ': loss':<46} {100 * median:10.2f} %  (at most 1)  "
              f"({100 * min(losses):.2f} to {100 * max(losses):.2f}; quartiles "
              f"{100 * statistics.quantiles(losses)[0]:.2f} and {100 * statistics.quantiles(losses)[2]:.2f})"
              f"{'' if median <= 0.01 else '  NOT REACHED'}")


def bench_age(folder, pairs, seconds):
    """From the reading of counters to a subscriber in Python."""
    print(f"age of a row at the subscriber, 1 kHz, 2 ports, each row on its own, {pairs} runs of {seconds} s")
    middle, late = [], []
    with with_testpmd(TWO_PORTS) as testpmd:
        for _ in range(pairs):
            ages = watch(testpmd, folder, seconds, "interval 1ms", "batch 0")["ages"]
            cuts = statistics.quantiles(ages, n=100)
            middle.append(cuts[49])
            late.append(cuts[98])
        testpmd.quit()
    show("median", middle, "ms", 1e-6)
    p99 = show("99 of 100", late, "ms (at most 0.5)", 1e-6)
    if p99 > 0.5:
        print("  NOT REACHED")


def bench_fast(folder, pairs, seconds):
    """10 kHz on two ports: is every tick used?"""
    print(f"10 kHz on 2 ports, batched, {pairs} runs of {seconds} s")
    used, lost, share = [], [], []
    with with_testpmd(TWO_PORTS) as testpmd:
        for _ in range(pairs):
            result = watch(testpmd, folder, seconds, "interval 100us", "batch 100ms")
            ticks, missed = map(int, re.search(r"ticks +(\d+), (\d+) missed", result["status"]).groups())
            used.append(ticks / (ticks + missed))
            lost.append(result["lost"])
            share.append(result["publisher"] / result["elapsed"])
        testpmd.quit()
    show("ticks that were used", used, "%", 100)
    show("rows that did not arrive", lost, "rows")
    show("plugin", share, "% of a core", 100)


BENCHES = {"work": bench_work, "rate": bench_rate, "forwarding": bench_forwarding, "age": bench_age,
           "fast": bench_fast}


def main():
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("benches", nargs="*", metavar="|".join(BENCHES), help="default: all")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    os.environ["LINKCAST_BUILD"] = os.path.abspath(arguments.build)

    from testpmd import TESTPMD, plugin_path

    for needed in (TESTPMD, plugin_path()):
        if not os.path.exists(needed):
            print(f"skipped: {needed} is not there")
            return 0
    multiprocessing.set_start_method("spawn")
    with tempfile.TemporaryDirectory(prefix="lcb") as folder:
        for name in arguments.benches or BENCHES:
            BENCHES[name](folder, arguments.pairs, arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
