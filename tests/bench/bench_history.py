#!/usr/bin/python3
"""History beside its peers in one run: SQLite as a heap and by key, and Prometheus and VictoriaMetrics where they are
installed, on the same counters (history_workload.c).

    bench_history.py [--build DIR] [--hours 4] [--rounds 3] [--batch 10] [--no-servers]

CPU time is that of processes, as the kernel counts it: of writers all, of servers what grew while they were fed.
Figures are medians with their spread, subjects in turns; only the ratios travel between machines.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

TICK = os.sysconf("SC_CLK_TCK")
COUNTERS = 16


def spread(values):
    """Median, least and most, as text."""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def cpu_of(pid, thread=None):
    """CPU seconds of a process, or of its threads of this name."""
    tasks = [f"/proc/{pid}"] if thread is None else [
        f"/proc/{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]
    total = 0
    for task in tasks:
        with open(task + "/stat", encoding="ascii") as file:
            name, fields = file.read().split("(", 1)[1].rsplit(")", 1)
        if thread is None or name.startswith(thread):
            total += sum(map(int, fields.split()[11:13]))
    return total / TICK


def size_of(folder):
    """Bytes of all files below."""
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)


class Bench:
    """The program and a folder for its files."""

    def __init__(self, build, folder):
        self.program = os.path.join(build, "tests", "bench", "bench_history")
        self.folder = folder

    def run(self, mode, *arguments):
        """One subject; what it printed."""
        return json.loads(subprocess.run([self.program, mode, *map(str, arguments)], check=True,
                                         stdout=subprocess.PIPE).stdout)

    @contextlib.contextmanager
    def file(self, name):
        """A path for one database, gone afterwards."""
        path = os.path.join(self.folder, name)
        try:
            yield path
        finally:
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path + suffix)

    def write(self, kind, hours):
        """Writes the workload with one of the embedded stores."""
        with self.file(f"{kind}.db") as path:
            return self.run(kind, path, hours)


# ---- servers

class Server:
    """A time-series database that takes Prometheus remote write."""

    def __init__(self, name, argv, port, folder):
        self.name, self.port, self.folder = name, port, folder
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, method, path, body=None, headers=None):
        """The body of a reply; an error is an error here."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        if reply.status >= 300:
            raise RuntimeError(f"{self.name}: {method} {path[:60]}: {reply.status} {text[:200]}")
        return text

    def wait(self):
        """Until it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.ask("GET", "/-/ready" if self.name == "Prometheus" else "/health")
            except (OSError, RuntimeError, http.client.HTTPException):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def feed(self, bench, hours, batch):
        """All of the workload; CPU seconds that it took."""
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                   "X-Prometheus-Remote-Write-Version": "0.1.0"}
        before = cpu_of(self.process.pid)
        with subprocess.Popen([bench.program, "remote-write", str(hours), str(batch)], stdout=subprocess.PIPE) as source:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while head := source.stdout.read(4):
                connection.request("POST", "/api/v1/write", source.stdout.read(struct.unpack("<I", head)[0]), headers)
                reply = connection.getresponse()
                text = reply.read()
                if reply.status >= 300:
                    raise RuntimeError(f"{self.name}: write: {reply.status} {text[:200]}")
            connection.close()
        return cpu_of(self.process.pid) - before

    def read_ms(self, hours):
        """Milliseconds to read one counter, over HTTP as its users do."""
        if self.name == "Prometheus":
            query = {"query": f'rx_bytes{{port="port17"}}[{int(hours * 3600) + 600}s]'}
            path = "/api/v1/query?" + urllib.parse.urlencode(query)
        else:
            path = "/api/v1/export?" + urllib.parse.urlencode({"match[]": 'rx_bytes{port="port17"}'})
        times = []
        for _ in range(11):
            start = time.monotonic()
            self.ask("GET", path)
            times.append(1000 * (time.monotonic() - start))
        return statistics.median(times)

    def bytes(self):
        """On disk, once all is in blocks. Ends it."""
        if self.name == "Prometheus":
            name = json.loads(self.ask("POST", "/api/v1/admin/tsdb/snapshot"))["data"]["name"]
            size = size_of(os.path.join(self.folder, "snapshots", name))
            self.stop()
            return size
        self.ask("GET", "/internal/force_flush")
        self.stop()
        return size_of(os.path.join(self.folder, "data")) + size_of(os.path.join(self.folder, "indexdb"))

    def stop(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def free_port():
    """A TCP port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(name, folder):
    """The server, or None when it isn't installed."""
    program = shutil.which({"Prometheus": "prometheus", "VictoriaMetrics": "victoria-metrics"}[name])
    if program is None:
        print(f"{name} is not installed: left out")
        return None
    port, data = free_port(), os.path.join(folder, name)
    os.makedirs(data)
    if name == "Prometheus":
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="ascii") as file:
            file.write("global: {}\n")
        argv = [program, f"--config.file={config}", f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--web.enable-admin-api"]
    else:
        argv = [program, f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=12"]
    server = Server(name, argv, port, data)
    server.wait()
    return server


def measure_server(bench, name, hours, batch):
    """CPU seconds a million values, bytes a value, milliseconds to read; or None."""
    server = start_server(name, bench.folder)
    if server is None:
        return None
    try:
        millions = hours * 3600 * 200 * COUNTERS / 1e6
        cpu = server.feed(bench, hours, batch) / millions
        read_ms = server.read_ms(hours)
        return {"cpu": cpu, "read_ms": read_ms, "bytes": server.bytes() / millions / 1e6}
    finally:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


# ---- the whole chain

def measure_chain(bench, seconds, batch):
    """A real daemon, fed as fast as it takes: CPU microseconds a value, by stage."""
    from daemon import Analyticsd  # only here: it needs pyzmq and msgpack
    with tempfile.TemporaryDirectory(prefix="lcb") as folder, Analyticsd(folder) as daemon:
        pid = daemon.process.pid
        before = {name: cpu_of(pid, thread) for name, thread in
                  (("all", None), ("io", "ZMQbg/IO"), ("ingest", "linkcast-ingest"))}
        rows = bench.run("publish", daemon.samples, seconds, batch)["rows"]
        deadline = time.monotonic() + 120
        while daemon.metrics()["rows_stored"] < rows:
            if time.monotonic() > deadline:
                raise RuntimeError("rows are missing")
            time.sleep(0.05)
        used = {name: cpu_of(pid, thread) - before[name] for name, thread in
                (("all", None), ("io", "ZMQbg/IO"), ("ingest", "linkcast-ingest"))}
    with bench.file("stages.db") as path:
        stages = bench.run("stages", path, seconds, batch)
    values = rows * COUNTERS
    scale = 1e6 / values
    return {"all": used["all"] * scale, "receive": used["io"] * scale,
            "decode": stages["decode_s"] * scale, "store": stages["store_s"] * scale,
            "rest": (used["ingest"] - stages["decode_s"] - stages["store_s"]) * scale,
            "others": (used["all"] - used["ingest"] - used["io"]) * scale}


# ---- what is printed

def say(text, target=""):
    """A line, with what was aimed at."""
    print(f"  {text}" + (f"   [target: {target}]" if target else ""))


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--hours", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=10, help="seconds in a remote write")
    parser.add_argument("--no-servers", action="store_true")
    arguments = parser.parse_args()
    hours = arguments.hours
    with tempfile.TemporaryDirectory(prefix="lch", dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        bench = Bench(arguments.build, folder)
        print(f"200 ports x {COUNTERS} counters x 1 Hz x {hours:g} h, a commit a second; CPU-us a value: median (spread)")
        results = {"ours": [], "heap": []}
        for _ in range(arguments.rounds):
            for kind, runs in results.items():
                runs.append(bench.write(kind, hours))
        keyed = bench.write("keyed", hours)
        cpu = {kind: [run["cpu_s"] / run["values"] * 1e6 for run in runs] for kind, runs in results.items()}
        ours, heap = results["ours"][0], results["heap"][0]
        own = statistics.median(cpu["ours"])
        say(f"ours                {spread(cpu['ours'])}")
        say(f"SQLite heap append  {spread(cpu['heap'])}: ours is "
            f"{spread([a / b for a, b in zip(cpu['ours'], cpu['heap'])])} of it", "0.6")
        say(f"SQLite by key       {keyed['cpu_s'] / keyed['values'] * 1e6:.4g}: ours is 1/"
            f"{keyed['cpu_s'] / keyed['values'] * 1e6 / own:.3g} of it", "1/15")

        print("bytes a value")
        entropy = bench.run("entropy", hours)["bytes_a_value"]
        own_bytes = ours["bytes"] / ours["values"]
        say(f"ours: {own_bytes:.3f} on disk; payload {ours['payload_a_value']:.3f} of raw chunks, "
            f"{ours['levels'] / ours['values']:.3f} of levels")
        say(f"order-0 entropy of the differences {entropy:.3f}: the payload is "
            f"{ours['payload_a_value'] / entropy:.3f} of it", "1.05")
        say(f"SQLite heap {heap['bytes'] / heap['values']:.3f}, by key {keyed['bytes'] / keyed['values']:.3f}")

        print(f"one counter's {int(hours * 3600)} points, warm, ms")
        own_read = statistics.median(run["read_ms"] for run in results["ours"])
        say(f"ours {own_read:.3g}", "0.5 of 14,400")
        say(f"SQLite by key {keyed['read_ms']:.3g}, heap {statistics.median(r['read_ms'] for r in results['heap']):.3g}")

        for name, limit in ([] if arguments.no_servers else [("Prometheus", "0.70"), ("VictoriaMetrics", "1.05")]):
            server = measure_server(bench, name, hours, arguments.batch)
            if server is not None:
                print(f"{name}, remote write of {arguments.batch} s")
                say(f"write {server['cpu']:.3f} CPU-us a value: {server['cpu'] / own:.3g} times ours")
                say(f"{server['bytes']:.3f} bytes a value: ours is {own_bytes / server['bytes']:.3f} of it", limit)
                say(f"read {server['read_ms']:.3g} ms over HTTP: {server['read_ms'] / own_read:.3g} times ours")

        print("ten weeks at 1 Hz of one port")
        with bench.file("long.db") as path:
            long = bench.run("long", path, 6048000)
        say(f"one counter's {long['points']} points in {long['read_ms']:.3g} ms, warm ({long['read_cpu_ms']:.3g} ms of CPU)", "100")

        print("recovery of an unsealed tail, CPU-us a row")
        times = []
        for _ in range(arguments.rounds):
            with bench.file("recover.db") as path:
                run = bench.run("recover", path, 300)
            times.append(run["cpu_s"] / run["rows"] * 1e6)
        say(spread(times), "0.5")

        print("whole chain, ZeroMQ frame to committed row, CPU-us a value in analyticsd")
        for batch in (1, 10):
            chain = measure_chain(bench, 1200, batch)
            say(f"{batch} rows a frame: {chain['all']:.3f} ({1 / chain['all']:.3g} million values a second and core): "
                f"receive {chain['receive']:.3f}, decode {chain['decode']:.3f}, store {chain['store']:.3f}, "
                f"gaps, rates, events {chain['rest']:.3f}, other threads {chain['others']:.3f}", "1 million")


if __name__ == "__main__":
    main()
