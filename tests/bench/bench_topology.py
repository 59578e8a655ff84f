#!/usr/bin/python3
"""What a forecast of a whole topology costs the daemon: cold, again with nothing new, and after one more sample of each link.

    bench_topology.py --build build [--links 1000] [--window SECONDS] [CSV]

The links take turns with the series of the CSV (`timestamp_unix,value,link`), moved so that they end now. Wall time and the
daemon's CPU time, reading of the history and encoding of the reply included.

SPDX-License-Identifier: MIT
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECOND = 10**9


def read_series(path):
    """[[(time, value), ...], ...] in the order of the links."""
    series = {}
    with open(path, encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series.setdefault(row["link"], []).append((int(row["timestamp_unix"]), float(row["value"])))
    return [series[name] for name in sorted(series)]


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(daemon, series, n_links, end_ns):
    """The topology, and its history."""
    links = [{"id": f"l{i:05}", "a": "A", "z": "B", "bidirectional": False} for i in range(n_links)]
    daemon.ask("SetTopology", nodes=[{"id": "A"}, {"id": "B"}], links=links)
    for number, link in enumerate(links):
        points = series[number % len(series)]
        shift_ns = end_ns - points[-1][0] * SECOND
        daemon.ask("AppendKpi", link_id=link["id"], kpi=302, samples=[[t * SECOND + shift_ns, v] for t, v in points])
    return links


def ask(daemon, name, n_links, window):
    """One row of the table."""
    before, started = cpu_seconds(daemon.process.pid), time.monotonic()
    n, page = 0, 0
    while page is not None:
        reply = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=window, page=page)
        n += len(reply["link_capacities"])
        page = reply.get("next_page")
    wall, cpu = time.monotonic() - started, cpu_seconds(daemon.process.pid) - before
    assert n == n_links
    print(f"{name:28} {wall:8.2f} s wall {cpu:8.2f} s CPU {1000 * cpu / n:8.2f} ms CPU a link", flush=True)


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", default=os.path.join(HERE, "..", "..", "data", "abilene", "loads.csv"))
    parser.add_argument("--build", default="build")
    parser.add_argument("--links", type=int, default=1000)
    parser.add_argument("--window", type=float, default=3600)
    arguments = parser.parse_args()
    os.environ["LINKCAST_BUILD"] = os.path.abspath(arguments.build)
    sys.path.insert(0, os.path.join(HERE, "..", "integration"))
    from daemon import Analyticsd  # pylint: disable=import-outside-toplevel

    series = read_series(arguments.csv)
    folder = tempfile.mkdtemp(prefix="lcb", dir="/tmp")
    try:
        with Analyticsd(folder) as daemon:
            now_ns = time.time_ns()
            links = fill(daemon, series, arguments.links, now_ns - 300 * SECOND)
            print(f"{len(links)} links, {len(series[0])} samples each, window {arguments.window:g} s")
            ask(daemon, "cold", len(links), arguments.window)
            ask(daemon, "again, nothing new", len(links), arguments.window)
            for number, link in enumerate(links):
                value = series[number % len(series)][-1][1]
                daemon.ask("AppendKpi", link_id=link["id"], kpi=302, samples=[[now_ns, value]])
            ask(daemon, "one more sample of each", len(links), arguments.window)
            daemon.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
