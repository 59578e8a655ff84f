# analyticsctl as a user runs it, against a real analyticsd.
# SPDX-License-Identifier: MIT
import contextlib
import csv
import io
import json
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

import msgpack
import pytest
import zmq

from daemon import Analyticsd, Publisher as SamplePublisher
from testpmd import build_folder, wait_until
from wire import BASIC

ANALYTICSCTL = pathlib.Path(build_folder()) / "analyticsd/ctl/analyticsctl"
ABILENE = pathlib.Path(__file__).parents[2] / "data/abilene"
START = 1_700_000_000  # of made-up histories, Unix seconds

DEADLINE = 60.0  # of one command

DONE, ERROR, USAGE = range(3)


class Tool:
    """analyticsctl with the endpoints of one daemon."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.folder = pathlib.Path(daemon.folder)
        self._endpoints = ["--api", daemon.api, "--events", daemon.events]

    def command(self, *arguments):
        return [ANALYTICSCTL, *self._endpoints, *map(str, arguments)]

    def __call__(self, *arguments, status=DONE):
        run = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=DEADLINE, check=False)
        assert run.returncode == status, (run.stdout[-2000:], run.stderr)
        return run.stdout

    def json(self, *arguments):
        return json.loads(self("--json", *arguments))

    def refused(self, *arguments):
        """Fails with status 1, says nothing on stdout and one line on stderr: that line."""
        run = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=DEADLINE, check=False)
        assert run.returncode == ERROR, (run.stdout, run.stderr)
        assert len(run.stderr.splitlines()) == 1, run.stderr
        return run.stderr

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text, encoding="utf-8")
        return path

    def load(self, links, topology_id="admin"):
        """A topology of nodes A to Z with these links: [(id, a, z), ...]."""
        nodes = sorted({end for link in links for end in link[1:3]})
        topology = {"topology_id": topology_id, "nodes": [{"id": node} for node in nodes],
                    "links": [{"id": link[0], "a": link[1], "z": link[2], "total_capacity_gbps": 10}
                              for link in links]}
        self("topology", "load", self.file("topology.json", json.dumps(topology)))

    def parts_of_uploads(self):
        """That wait for the last one."""
        with contextlib.closing(sqlite3.connect(f"file:{self.daemon.data}/state.db?mode=ro", uri=True)) as state:
            return state.execute("SELECT count(*) FROM upload").fetchone()[0]

    def history(self, link, *more):
        return list(csv.DictReader(io.StringIO(self("export", "--link", link, *more))))


@pytest.fixture
def tool(sockets):
    with Analyticsd(sockets) as daemon:
        yield Tool(daemon)


# ---- the service

def test_status_tells_version_sources_and_topologies(tool):
    assert "no sources" in tool("status")
    tool.load([("l", "A", "Z")])
    status = tool.json("status")
    assert status["version"] and status["sources"] == []
    assert status["topologies"] == [{"topology_id": "admin", "version": 1, "nodes": 2, "links": 1}]
    assert "admin" in tool("status")


def test_metrics_are_named_and_explained(tool):
    metrics = tool.json("metrics")["metrics"]
    assert metrics and all(metric["name"] and metric["help"] for metric in metrics)
    assert metrics[0]["name"] in tool("metrics")


@pytest.mark.parametrize("command", [["status"], ["topology", "show"], ["import", ABILENE / "loads.csv"],
                                     ["forecast", "link", "l", "--window", "1d"], ["watch"]])
def test_a_service_that_is_not_there_is_told(sockets, command):
    endpoint = f"ipc://{sockets}/nobody"
    run = subprocess.run([ANALYTICSCTL, "--api", endpoint, "--events", endpoint, *command], capture_output=True,
                         text=True, timeout=DEADLINE, check=False)
    assert run.returncode == ERROR
    assert f"{endpoint} does not answer" in run.stderr and len(run.stderr.splitlines()) == 1


def test_a_service_that_is_killed_under_a_command_is_told_at_once(tool):
    tool.load([("l", "A", "Z")])
    rows = "".join(f"{START + i},1\n" for i in range(1_500_000))
    command = tool.command("import", tool.file("h.csv", "timestamp_unix,value\n" + rows), "--link", "l")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: tool.parts_of_uploads() > 0, "the import to begin")
        tool.daemon.kill()
        line = process.communicate(timeout=DEADLINE)[1]  # its patience with a service that works is longer
    assert process.returncode == ERROR and tool.daemon.api in line
    assert "went away" in line or "does not answer" in line


@pytest.mark.parametrize("command", [
    [], ["frobnicate"], ["topology"], ["topology", "load"], ["topology", "frobnicate"], ["import"],
    ["status", "more"], ["export"], ["export", "--link", "l", "--port", "h/p"], ["export", "--port", "nohost"],
    ["export", "--link", "l", "--from", "yesterday"], ["export", "--link", ""], ["forecast"], ["forecast", "link", "l"],
    ["forecast", "node", "l", "--window", "1d"], ["forecast", "link", "l", "--window", "-1d"],
    ["forecast", "link", "l", "--window", "1d", "--quantile", "1"],
    ["forecast", "topology", "t", "--window", "1d", "--direction", "reverse"],
    ["import", "f.csv", "--link", "l", "--map", "m.csv"], ["import", "f.csv", "--kpi", "303"],
    ["watch", "--count", "0"], ["status", "--api", "nonsense"], ["--nonsense", "status"]])
def test_wrong_usage_is_status_2(command):
    run = subprocess.run([ANALYTICSCTL, *command], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert run.returncode == USAGE, run.stderr
    assert run.stdout == "" and run.stderr != ""


@pytest.mark.parametrize("command", [[], ["topology"], ["topology", "load"], ["import"], ["forecast"], ["watch"]])
def test_help_goes_to_stdout(command):
    run = subprocess.run([ANALYTICSCTL, *command, "--help"], capture_output=True, text=True, timeout=DEADLINE,
                         check=False)
    assert run.returncode == DONE and run.stdout.startswith("Usage: analyticsctl") and run.stderr == ""


# ---- topologies

def test_a_shown_topology_can_be_loaded_again(tool):
    tool("topology", "load", ABILENE / "topology.json")
    shown = tool.json("topology", "show", "abilene")
    assert len(shown["nodes"]) == 12 and len(shown["links"]) == 15
    first = next(link for link in shown["links"] if link["id"] == "ATLAng-IPLSng")
    assert first["total_capacity_gbps"] == 2.48 and first["cost"] == 587 and first["state"]

    tool("topology", "delete", "abilene")
    assert "abilene" in tool.refused("topology", "show", "abilene")
    assert tool.json("topology", "load", tool.file("again.json", json.dumps(shown))) == {"nodes": 12, "links": 15}
    again = tool.json("topology", "show", "abilene")
    assert again["nodes"] == shown["nodes"] and again["links"] == shown["links"]
    assert "ATLAng-IPLSng" in tool("topology", "show", "abilene")


def test_links_of_all_topologies_are_listed_once_and_by_direction(tool):
    tool.load([("l", "A", "Z"), ("m", "A", "B")], "one")
    tool.load([("l", "A", "Z")], "two")
    assert sorted(link["id"] for link in tool.json("links")["links"]) == ["l", "m"]
    table = tool("links")
    assert table.count("A→Z") == 1 and table.count("Z→A") == 1 and table.count("reverse") == 2


@pytest.mark.parametrize("text, reason", [
    ("", "topology.json: line 1"),
    ("{\"nodes\": [", "topology.json: line 1"),
    ("{\"nodes\": [{\"id\": \"A\"}]}", "links: missing"),
    ("{\"nodes\": [], \"links\": []}", "nodes: a topology needs at least one"),
    ("{\"nodes\": [{\"id\": \"A\"}, {\"id\": \"A\"}], \"links\": []}", "'A' is there twice"),
    ("{\"nodes\": [{\"id\": \"A\"}], \"links\": [{\"id\": \"l\", \"a\": \"A\", \"z\": \"B\"}]}", "no node 'B'"),
    ("{\"nodes\": [{\"id\": \"A\"}, {\"id\": \"B\"}], \"links\": [{\"id\": \"l\", \"a\": \"A\", \"z\": \"B\", "
     "\"total_capacity_gbps\": -1}]}", "links[0].total_capacity_gbps"),
    ("{\"nodes\": [{\"id\": \"A\", \"x\": NaN}], \"links\": []}", "topology.json: line 1"),
])
def test_a_bad_topology_file_is_refused_and_nothing_changes(tool, text, reason):
    tool.load([("l", "A", "Z")])
    line = tool.refused("topology", "load", tool.file("topology.json", text))
    assert "topology.json" in line and reason in line
    assert tool.json("topology", "show")["version"] == 1


def test_a_missing_topology_file_is_named(tool):
    assert "nowhere.json: No such file" in tool.refused("topology", "load", tool.folder / "nowhere.json")


def test_a_large_topology_goes_up_and_comes_down_whole(tool):
    n = 45_000
    tool.load([(f"l{i}", f"n{i}", f"n{i + 1}") for i in range(n)])
    shown = tool.json("topology", "show")
    assert [link["id"] for link in shown["links"]] == [f"l{i}" for i in range(n)]
    assert len({node["id"] for node in shown["nodes"]}) == n + 1


# ---- import and export

def test_abilene_imports_as_history_that_ends_now(tool):
    tool("topology", "load", ABILENE / "topology.json")
    before = time.time_ns()
    report = tool.json("import", ABILENE / "loads.csv", "--map", ABILENE / "map.csv", "--end", "now")
    assert (report["rows"], report["series"], report["stored"]) == (86400, 30, 86400)
    assert before <= int(report["to_ns"]) <= time.time_ns()

    with open(ABILENE / "loads.csv", encoding="ascii") as file:
        wanted = [float(row["value"]) for row in csv.DictReader(file) if row["link"] == "HSTNng-ATLAng"]
    history = tool.history("ATLAng-HSTNng", "--direction", "reverse")
    assert [float(row["value"]) for row in history] == wanted

    forecast = tool.json("forecast", "link", "ATLAng-HSTNng", "--window", "1h", "--direction", "reverse", "--series")
    assert forecast["direction"] == "reverse" and forecast["samples"] > 1000 and forecast["series"]
    table = tool("forecast", "link", "ATLAng-HSTNng", "--window", "1h", "--series")
    assert "ATLAng-HSTNng" in table and "history" in table and "calibration" in table and "UPPER" in table


def test_an_import_again_is_known_and_other_values_conflict(tool):
    tool.load([("l", "A", "Z")])
    rows = "".join(f"{START + 300 * i},{i}\n" for i in range(10))
    path = tool.file("h.csv", "timestamp_unix,value\n" + rows)
    assert tool.json("import", path, "--link", "l")["stored"] == 10
    again = tool.json("import", path, "--link", "l")
    assert (again["stored"], again["known"]) == (0, 10)
    other = tool.json("import", path, "--link", "l", "--scale", "2")
    assert (other["stored"], other["known"], other["conflicting"]) == (0, 1, 9)
    assert [float(row["value"]) for row in tool.history("l")] == list(range(10))


def test_an_export_imports_as_the_same(tool):
    tool.load([("l", "A", "Z"), ("odd, \"id\"", "A", "Z")])
    values = [0.1, 1 / 3, 5e-324, 123456789.123456789, 0.0, 2.0**53 + 2]
    times = [f"{START + i}.{fraction}" for i, fraction in enumerate(["000000001", "5", "25", "0", "999999999", "1"])]
    rows = "".join(f"{t},{v!r}\n" for t, v in zip(times, values))
    tool("import", tool.file("h.csv", "timestamp,value\n" + rows), "--link", "odd, \"id\"", "--direction", "reverse")
    exported = tool("export", "--link", "odd, \"id\"", "--direction", "reverse")
    assert [float(row["value"]) for row in csv.DictReader(io.StringIO(exported))] == values
    assert [row["timestamp_unix"] for row in csv.DictReader(io.StringIO(exported))] == [
        t.rstrip("0").rstrip(".") if "." in t else t for t in times]

    # the file says link and direction itself
    assert tool.json("import", tool.file("e.csv", exported))["known"] == len(values)
    assert tool.json("import", tool.file("e.csv", exported), "--link", "l")["stored"] == len(values)
    assert len(tool.history("l", "--direction", "reverse")) == len(values) and tool.history("l") == []


def test_times_are_read_in_each_form_and_other_columns_left_alone(tool):
    tool.load([("l", "A", "Z")])
    text = ("\ufeffnote,timestamp,load\r\n\"a, b\",2023-11-14T22:13:20Z,1\r\n,2023-11-14T23:14:20+01:00,2\r\n"
            "c,1700000120,3\r\nd,1700000180000000000,4\r\n")
    tool("import", tool.file("h.csv", text), "--link", "l", "--column", "load", "--scale", "0.5")
    history = tool.history("l")
    assert [row["timestamp_unix"] for row in history] == [str(START + 60 * i) for i in range(4)]
    assert [float(row["value"]) for row in history] == [0.5, 1, 1.5, 2]


def test_from_and_to_choose_rows_and_end_moves_them(tool):
    tool.load([("l", "A", "Z")])
    path = tool.file("h.csv", "timestamp_unix,value\n" + "".join(f"{START + i},{i}\n" for i in range(10)))
    report = tool.json("import", path, "--link", "l", "--from", START + 2, "--to", START + 5, "--end",
                       "2024-01-01T00:00:00Z", "--kpi", "301")
    assert report["rows"] == 3 and report["to_ns"] == "1704067200000000000"
    assert [row["value"] for row in tool.history("l", "--kpi", "301")] == ["2", "3", "4"]
    assert tool.history("l") == []
    assert [row["value"] for row in tool.history("l", "--kpi", "301", "--from", "1704067199", "--to", "1704067200")] == [
        "3"]


GOOD = f"timestamp_unix,value,link\n{START},1,l\n{START + 1},2,l\n"


@pytest.mark.parametrize("text, where, reason", [
    ("", "h.csv: ", "no rows"),
    ("timestamp_unix,value,link\n", "h.csv: ", "no rows"),
    ("time,value,link\n1,2,l\n", "h.csv:1: ", "timestamp"),
    ("timestamp_unix,load,link\n1,2,l\n", "h.csv:1: ", "'value'"),
    (GOOD + f"{START + 2},,l\n", "h.csv:4: ", "is no number"),
    (GOOD + f"{START + 2},nan,l\n", "h.csv:4: ", "'nan' is no number"),
    (GOOD + f"{START + 2},inf,l\n", "h.csv:4: ", "is no number"),
    (GOOD + f"{START + 2},1e999,l\n", "h.csv:4: ", "'1e999'"),
    (GOOD + f"{START + 2},-1,l\n", "h.csv:4: ", "not negative"),
    (GOOD + "noon,1,l\n", "h.csv:4: ", "'noon' is no time"),
    (GOOD + "now,1,l\n", "h.csv:4: ", "'now' is no time"),
    (GOOD + f"{START + 2},1\n", "h.csv:4: ", "fields"),
    (GOOD + f"{START + 2},1,l,9\n", "h.csv:4: ", "fields"),
    (GOOD + f"{START + 2},1,\"l\n", "h.csv:4: ", "quotes"),
    (GOOD.encode() + f"{START + 2},1,l\0\n".encode(), "h.csv:4: ", "NUL"),
    (GOOD + f"{START + 2},1,\n", "h.csv:4: ", "no link's id"),
    (GOOD + f"{START + 2},1,other\n", "h.csv: ", "'other' does not exist"),
    (GOOD + "9000000000,1,l\n", "h.csv: ", "in the future"),
    (GOOD.replace(",link", ",link,direction").replace(",l\n", ",l,forward\n") + f"{START + 2},1,l,up\n", "h.csv:4: ",
     "'up' is neither"),
])
def test_a_broken_row_is_named_and_none_of_the_file_stored(tool, text, where, reason):
    tool.load([("l", "A", "Z")])
    line = tool.refused("import", tool.file("h.csv", text))
    assert where in line and reason in line
    assert tool.history("l") == []


def test_one_link_takes_one_series_only(tool):
    tool.load([("l", "A", "Z")])
    line = tool.refused("import", tool.file("h.csv", GOOD + f"{START + 2},3,m\n"), "--link", "l")
    assert "h.csv:4: another series" in line and tool.history("l") == []


def test_no_link_column_and_no_link_is_told(tool):
    assert "--link" in tool.refused("import", tool.file("h.csv", f"timestamp_unix,value\n{START},1\n"))


@pytest.mark.parametrize("text, where, reason", [
    ("name,link\nl,l\n", "m.csv:1: ", "columns"),
    ("name,link,direction\nl,l,up\n", "m.csv:2: ", "direction"),
    ("name,link,direction\nl,l,forward\nl,l,reverse\n", "m.csv:3: ", "twice"),
    ("name,link,direction\nl,l,forward\nm,l,forward\n", "m.csv:3: ", "another name"),
    ("name,link,direction\nl,,forward\n", "m.csv:2: ", "link"),
    ("name,link,direction\nm,l,forward\n", "h.csv:2: ", "'l' is not in"),
])
def test_a_bad_map_is_told_and_nothing_stored(tool, text, where, reason):
    tool.load([("l", "A", "Z")])
    line = tool.refused("import", tool.file("h.csv", GOOD), "--map", tool.file("m.csv", text))
    assert where in line and reason in line
    assert tool.history("l") == []


def test_many_rows_go_in_batches_and_come_back_in_pages(tool):
    n = 230_000
    tool.load([("l", "A", "Z"), ("m", "A", "Z")])
    rows = "".join(f"{START + i},{i % 7},{'lm'[i % 2]}\n" for i in range(n))
    report = tool.json("import", tool.file("h.csv", "timestamp_unix,value,link\n" + rows))
    assert (report["stored"], report["series"]) == (n, 2)
    history = tool.history("m")
    assert [int(row["timestamp_unix"]) for row in history] == list(range(START + 1, START + n, 2))
    assert [int(row["value"]) for row in history] == [i % 7 for i in range(1, n, 2)]


def test_an_export_by_steps_is_the_mean_of_each(tool):
    tool.load([("l", "A", "Z")])
    path = tool.file("h.csv", "timestamp_unix,value\n" + "".join(f"{START + 10 * i},{i}\n" for i in range(12)))
    tool("import", path, "--link", "l")
    steps = tool.history("l", "--step", "60s", "--from", START - 3600, "--to", START + 3600)
    assert 2 <= len(steps) <= 4
    times = [int(row["timestamp_unix"]) for row in steps]
    assert all(later - earlier == 60 for earlier, later in zip(times, times[1:]))
    for row in steps:
        inside = [i for i in range(12) if 0 <= START + 10 * i - int(row["timestamp_unix"]) < 60]
        assert float(row["value"]) == pytest.approx(sum(inside) / len(inside))


# ---- ports

def test_ports_and_their_exact_counters(tool):
    counters = [2**64 - 1, 2**63, 2**53 + 1, 1, 0, 0, 0, 0]
    with SamplePublisher(tool.daemon, host="h1/a", instance=2**63 + 5, name="net_null0") as publisher:
        publisher.send((1, START * 10**9 + 1, dict(zip(BASIC, counters))))
        source, = wait_until(lambda: tool.json("ports")["sources"], "the sample to arrive")
    assert source["host"] == "h1/a" and source["instance"] == str(2**63 + 5)
    assert source["ports"][0]["name"] == "net_null0" and source["ports"][0]["rows"] == "1"
    assert "net_null0" in tool("ports") and "h1/a" in tool("sources")

    exported = tool("export", "--port", "h1/a/net_null0")
    assert exported.splitlines() == ["timestamp_unix," + ",".join(BASIC),
                                     f"{START}.000000001," + ",".join(map(str, counters))]
    some = tool("export", "--port", "h1/a/net_null0", "--counter", "tx_bytes", "--counter", "rx_packets")
    assert some.splitlines() == ["timestamp_unix,tx_bytes,rx_packets", f"{START}.000000001,1,{2**64 - 1}"]


PORT_FILE = "".join([
    "timestamp,rx_packets,tx_packets,packet_drops,latency,label\n",
    *(f"{START + i},{100 + i % 7},{90 + i % 5},{i % 2},{0.1 + i},normal\n" for i in range(60))])


def of_port(tool, port, *more):
    return list(csv.DictReader(io.StringIO(tool("export", "--port", port, *more))))


def test_a_file_of_counts_becomes_counters_of_a_port(tool):
    path = tool.file("demo.csv", PORT_FILE)
    assert "--values counts" in tool.refused("import", path, "--port", "lab/p0")
    assert "never heard" in tool.refused("export", "--port", "lab/p0")

    report = tool.json("import", path, "--port", "lab/p0", "--values", "counts")
    assert (report["rows"], report["stored"], report["known"]) == (60, 60, 0)
    assert report["left_out"] == ["latency", "label"]
    rows = of_port(tool, "lab/p0", "--counter", "rx_packets", "--counter", "rx_bytes", "--counter", "packet_drops")
    assert [int(row["timestamp_unix"]) for row in rows] == [START + i for i in range(60)]
    total = drops = 0
    for i, row in enumerate(rows):
        total, drops = total + 100 + i % 7, drops + i % 2
        assert (int(row["rx_packets"]), int(row["rx_bytes"]), int(row["packet_drops"])) == (total, 0, drops)
    assert "latency, label" in tool("import", path, "--port", "lab/p1", "--values", "counts")


def test_an_exported_port_imports_as_the_same_at_another_time(tool):
    n = 30_000
    names = [*BASIC, "rx_q0_packets"]
    rows = [[START + i, *((i * (k + 1) + 2**63) % 2**64 for k in range(len(names)))] for i in range(n)]
    text = "timestamp_unix," + ",".join(names) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    path = tool.file("port.csv", text)
    report = tool.json("import", path, "--port", "h/a/p0")
    assert report["stored"] == n and "left_out" not in report
    again = tool.json("import", path, "--port", "h/a/p0")
    assert (again["stored"], again["known"]) == (0, n)
    every = sum((["--counter", name] for name in names), [])
    exported = tool("export", "--port", "h/a/p0", *every)
    assert exported == text

    report = tool.json("import", tool.file("again.csv", exported), "--port", "h/p1", "--end", "2024-01-01T00:00:00Z",
                       "--from", START + 10)
    assert report["stored"] == n - 10 and report["to_ns"] == "1704067200000000000"
    moved = of_port(tool, "h/p1", *every)
    assert [[int(row[name]) for name in names] for row in moved] == [row[1:] for row in rows[10:]]
    assert int(moved[0]["timestamp_unix"]) == 1704067200 - (n - 11)


@pytest.mark.parametrize("text, where, reason", [
    ("timestamp,load\n1700000000,1\n", "p.csv:1: ", "no column of a counter"),
    ("timestamp,rx_packets,rx_packets\n1700000000,1,1\n", "p.csv:1: ", "two columns 'rx_packets'"),
    ("timestamp,rx_packets\n1700000000,1\n1700000001,-3\n", "p.csv:3: ", "'-3' is no counter"),
    ("timestamp,rx_packets\n1700000000,1\n1700000001,1.5\n", "p.csv:3: ", "'1.5' is no counter"),
    ("timestamp,rx_packets\n1700000000,1\n1700000001,18446744073709551616\n", "p.csv:3: ", "is no counter"),
    ("timestamp,rx_packets\n1700000001,1\n1700000000,2\n", "p.csv:3: ", "goes back"),
    ("timestamp,rx_packets\n9000000000,1\n", "p.csv: ", "in the future"),
])
def test_a_broken_file_of_a_port_is_refused_whole(tool, text, where, reason):
    line = tool.refused("import", tool.file("p.csv", text), "--port", "lab/p0")
    assert where in line and reason in line
    assert "never heard" in tool.refused("export", "--port", "lab/p0")


def test_an_imported_port_that_is_bound_to_a_link_gives_it_used_capacity(tool):
    topology = {"topology_id": "admin", "nodes": [{"id": "A"}, {"id": "Z"}],
                "links": [{"id": "l", "a": "A", "z": "Z", "total_capacity_gbps": 10,
                           "ports": [{"host": "lab", "name": "p0", "end": "a"}]}]}
    tool("topology", "load", tool.file("topology.json", json.dumps(topology)))
    rows = "".join(f"{START + i},{i * 125_000_000},{i * 250_000_000}\n" for i in range(3000))
    tool("import", tool.file("p.csv", "timestamp,rx_bytes,tx_bytes\n" + rows), "--port", "lab/p0")
    forward, reverse = tool.history("l"), tool.history("l", "--direction", "reverse")
    assert len(forward) == len(reverse) == 2999
    assert {float(row["value"]) for row in forward} == {2.0} and {float(row["value"]) for row in reverse} == {1.0}


def test_the_past_of_a_live_port_is_imported_beside_it(tool):
    def now_of(port):
        source, = tool.json("ports")["sources"]
        return next(entry for entry in source["ports"] if entry["name"] == port), source["instance"]

    path = tool.file("p.csv", "timestamp,rx_packets\n" + "".join(f"{START - 100 + i},{i}\n" for i in range(50)))
    with SamplePublisher(tool.daemon) as publisher:
        publisher.send((1, START * 10**9, {"rx_packets": 1000}))
        wait_until(lambda: tool.daemon.metrics()["rows_stored"] == 1, "a row")
        assert tool.json("import", path, "--port", "h/p0")["stored"] == 50
        port, instance = now_of("p0")
        assert (instance, port["last_ts_ns"], port["rows"]) == ("7", str(START * 10**9), "1")
        publisher.send((2, (START + 1) * 10**9, {"rx_packets": 1001}))
        wait_until(lambda: now_of("p0")[0]["rows"] == "2", "the next row to show")
    values = [int(row["rx_packets"]) for row in of_port(tool, "h/p0", "--counter", "rx_packets")]
    assert values == [*range(50), 1000, 1001]


def test_a_port_exports_at_each_level(tool):
    n = 3 * 3600
    start = START // 3600 * 3600
    text = "timestamp,rx_packets\n" + "".join(f"{start + i},{i * i}\n" for i in range(n))
    tool("import", tool.file("p.csv", text), "--port", "lab/p0")
    for level, step in (("1min", 60), ("1h", 3600)):
        last = of_port(tool, "lab/p0", "--counter", "rx_packets", "--level", level)
        assert [int(row["rx_packets"]) for row in last] == [(i + step - 1)**2 for i in range(0, n, step)]
        rates = of_port(tool, "lab/p0", "--counter", "rx_packets", "--level", level, "--port-value", "max_rate")
        assert [int(row["rx_packets"]) for row in rates] == [2 * (i + step - 1) - 1 for i in range(0, n, step)]
        rows = of_port(tool, "lab/p0", "--counter", "rx_packets", "--level", level, "--port-value", "rows")
        assert {int(row["rx_packets"]) for row in rows} == {step}
    assert len(of_port(tool, "lab/p0", "--level", "raw")) == n
    tool.load([("l", "A", "Z")])
    tool("import", tool.file("h.csv", "timestamp,value\n" + "".join(f"{start + i},{i % 7}\n" for i in range(n))),
         "--link", "l")
    for value, wanted in (("max", 6), ("count", 3600)):
        assert {float(row["value"]) for row in tool.history("l", "--level", "1h", "--kpi-value", value)} == {wanted}


def test_an_import_that_is_killed_leaves_nothing_behind(tool):
    tool.load([("l", "A", "Z")])
    n = 1_500_000
    rows = "".join(f"{START + i},{i}\n" for i in range(n))
    path = tool.file("p.csv", "timestamp,rx_packets\n" + rows)
    with subprocess.Popen(tool.command("import", path, "--port", "lab/p0"), stderr=subprocess.PIPE) as process:
        wait_until(lambda: tool.parts_of_uploads() > 2, "parts to arrive")
        process.kill()
    assert "never heard" in tool.refused("export", "--port", "lab/p0")


# ---- forecasts

def test_a_topology_forecast_has_each_direction_of_each_link(tool):
    tool.load([("l", "A", "Z"), ("m", "A", "Z")])
    forecast = tool.json("forecast", "topology", "admin", "--window", "1d", "--statistic", "mean", "--quantile", "0.9")
    assert [(entry["link_id"], entry["direction"]) for entry in forecast["link_capacities"]] == [
        ("l", "forward"), ("l", "reverse"), ("m", "forward"), ("m", "reverse")]
    assert all(entry["fallback_reason"] for entry in forecast["link_capacities"])
    assert "reverse" in tool("forecast", "topology", "admin", "--window", "1d")


def test_a_forecast_of_nothing_known_is_refused(tool):
    assert "'nope'" in tool.refused("forecast", "link", "nope", "--window", "1d")
    assert "'nope'" in tool.refused("forecast", "topology", "nope", "--window", "1d")


def curve_of(svg, title):
    """Points of a line in gnuplot's picture: [(x, y), ...]; y goes down."""
    group = svg.split(f"<title>{title}</title>", 1)[1].split("<title>", 1)[0]
    lines = [re.findall(r"([\d.]+),([\d.]+)", line) for line in re.findall(r"M([\d., L\s]+)", group)]
    return [tuple(map(float, point)) for point in max(lines, key=len)]  # the other is the mark in the legend


def test_a_forecast_is_drawn_behind_its_history(tool):
    tool.load([("l", "A", "Z")])
    now = int(time.time()) // 300 * 300
    values = [3 if i // 6 % 2 else 1 for i in range(200)]
    rows = "".join(f"{now - 300 * (200 - i)},{value}\n" for i, value in enumerate(values))
    tool("import", tool.file("l.csv", "timestamp_unix,value\n" + rows), "--link", "l")
    picture = tool.folder / "fan.svg"
    forecast = tool.json("forecast", "link", "l", "--window", "2h", "--plot", picture)
    svg = picture.read_text(encoding="utf-8")
    assert "l forward, forecast of 2 h" in svg and "total 10 Gbps" in svg
    assert f"peak at 95 %: {forecast['forecast_used_capacity_gbps']:.4g} Gbps" in svg
    used, median = curve_of(svg, "used"), curve_of(svg, "median")
    assert len(median) >= len(forecast["series"]) == 24
    assert len({y for _, y in used}) == 2 and max(x for x, _ in used) <= min(x for x, _ in median) + 2

    past = tool.folder / "past.svg"
    tool("forecast", "link", "l", "--window", "2h", "--as-of", "-4h", "--plot", past)
    used, median = (curve_of(past.read_text(encoding="utf-8"), title) for title in ("used", "median"))
    assert max(x for x, _ in used) > (min(x for x, _ in median) + max(x for x, _ in median)) / 2, "what then happened"

    tool("forecast", "link", "l", "--window", "2h", "--plot", tool.folder / "fan.gif", status=USAGE)
    tool("forecast", "topology", "admin", "--window", "2h", "--plot", picture, status=USAGE)
    assert "fan.png" in tool.refused("forecast", "link", "l", "--window", "2h", "--plot", tool.folder / "none" / "fan.png")


# ---- watch

def test_watch_prints_what_is_published_and_ends_by_count(tool):
    tool.load([("l", "A", "Z")])
    with subprocess.Popen(tool.command("watch", "--count", "2", "forecast/l/"), stdout=subprocess.PIPE,
                          text=True) as watch:
        window = 3600.0

        def ended():
            nonlocal window
            window += 1  # a new question each time: an answer from the cache may not be published again
            tool("forecast", "link", "l", "--window", window)
            return watch.poll() is not None

        wait_until(ended, "two forecasts to be published")
        lines = [json.loads(line) for line in watch.stdout]
    assert watch.returncode == DONE
    assert [line["topic"] for line in lines] == ["forecast/l/"] * 2
    assert all(line["link_id"] == "l" and line["direction"] == "forward" for line in lines)


class Publisher:
    """An XPUB socket: it knows when somebody has subscribed."""

    def __init__(self, endpoint):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.bind(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.destroy(linger=0)

    def subscribed(self):
        assert self._socket.poll(DEADLINE * 1000), "nobody subscribed"
        return self._socket.recv()

    def send(self, *frames):
        self._socket.send_multipart(frames)


def usage(**more):
    return msgpack.packb({"link_id": "l", "direction": "reverse", "ts_ns": 2**62, "used_capacity_gbps": 1.5,
                          "state": "up"} | more)


def test_watch_survives_what_it_can_not_read_and_ends_on_sigint(sockets):
    endpoint = f"ipc://{sockets}/events"
    with Publisher(endpoint) as publisher, subprocess.Popen([ANALYTICSCTL, "--events", endpoint, "watch"],
                                                            stdout=subprocess.PIPE, text=True) as watch:
        assert publisher.subscribed() == b"\x01"
        publisher.send(b"link/l/", usage())
        publisher.send(b"link/l/", b"\xdd\xe2\x8b\xe2\x01")
        publisher.send(b"link/l/", usage(used_capacity_gbps=-1))
        publisher.send(b"later/\"x\"/", usage())
        publisher.send(b"link/l/")
        publisher.send(b"link/l/", usage(), b"extra")
        publisher.send(b"\xff\0\n/", usage())
        publisher.send(b"link/last/", usage(link_id="last"))
        lines = [json.loads(watch.stdout.readline()) for _ in range(8)]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(DEADLINE) == DONE
    assert lines[0] == {"topic": "link/l/", "link_id": "l", "direction": "reverse", "ts_ns": str(2**62),
                        "used_capacity_gbps": 1.5, "state": "up"}
    assert all("error" in line and "link_id" not in line for line in lines[1:7])
    assert "used_capacity_gbps" in lines[2]["error"]
    assert lines[3]["topic"] == "later/\"x\"/"
    assert lines[7]["link_id"] == "last" and "error" not in lines[7]
