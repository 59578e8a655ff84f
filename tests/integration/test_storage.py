# Backup, check and the SQL view of what a real analyticsd stored, with the real commands.
# SPDX-License-Identifier: MIT
import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

import pytest

from daemon import Analyticsd, Publisher
from testpmd import build_folder, wait_until
from wire import BASIC

BUILD = pathlib.Path(build_folder())
ANALYTICSCTL = BUILD / "analyticsd/ctl/analyticsctl"
EXTENSION = BUILD / "analyticsd/sql/linkcast_history"
START = 1_700_000_000  # Unix seconds
DEADLINE = 60.0
DONE, ERROR = 0, 1


def run(*arguments):
    return subprocess.run(list(map(str, arguments)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE, check=False)


def ctl(*arguments, status=DONE):
    """analyticsctl; its standard output."""
    done = run(ANALYTICSCTL, *arguments)
    assert done.returncode == status, (done.stdout[-2000:], done.stderr)
    return done.stdout


def counters(i):
    return [i * (k + 1) for k in range(len(BASIC))]


def fill(daemon, n=9000):
    """n seconds of a port with one more counter, and of a link's used capacity."""
    folder = pathlib.Path(daemon.folder)
    port = folder / "port.csv"
    port.write_text("timestamp," + ",".join(BASIC) + ",big\n" +
                    "".join(f"{START + i}," + ",".join(map(str, counters(i))) + f",{2**63 + i}\n" for i in range(n)))
    ctl("--api", daemon.api, "import", port, "--port", "h/0/p0")
    ctl("--api", daemon.api, "import", port, "--port", "h/p1", "--to", START + 100)
    topology = folder / "topology.json"
    topology.write_text(json.dumps({"nodes": [{"id": "A"}, {"id": "Z"}], "links": [{"id": "A-Z", "a": "A", "z": "Z"}]}))
    ctl("--api", daemon.api, "topology", "load", topology)
    kpi = folder / "kpi.csv"
    kpi.write_text("timestamp,value\n" + "".join(f"{START + i},{i % 60}\n" for i in range(n)))
    ctl("--api", daemon.api, "import", kpi, "--link", "A-Z")


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as process:
        yield process


@pytest.fixture
def filled(daemon):
    """The data folder of a daemon that has stopped."""
    fill(daemon)
    assert daemon.stop() == 0
    return pathlib.Path(daemon.data)


# ---- backup

def test_a_backup_taken_while_rows_arrive_is_whole_and_starts_a_daemon(daemon, sockets):
    fill(daemon)
    copy = pathlib.Path(sockets) / "copy"
    with Publisher(daemon) as publisher:
        publisher.send(*((i, (START + i) * 10**9, {"rx_bytes": i}) for i in range(1, 101)))
        wait_until(lambda: daemon.metrics()["rows_stored"] == 9200, "rows to be stored")
        ctl("--api", daemon.api, "backup", copy)
        publisher.send(*((i, (START + i) * 10**9, {"rx_bytes": i}) for i in range(101, 201)))
    assert sorted(os.listdir(copy)) == ["history.db", "state.db"]
    assert "whole" in ctl("check", "--data", copy)
    assert sorted(os.listdir(copy)) == ["history.db", "state.db"], "a check leaves nothing behind"

    restored = Analyticsd(os.path.join(sockets, "r"))
    os.makedirs(restored.data)
    for name in ("history.db", "state.db"):
        shutil.copy(copy / name, restored.data)
    with restored:
        exported = ctl("--api", restored.api, "export", "--port", "h/p0")
        assert len(exported.splitlines()) == 101
        assert ctl("--api", restored.api, "export", "--port", "h/0/p0") == ctl("--api", daemon.api, "export", "--port",
                                                                               "h/0/p0")
        assert restored.ask("ListTopologies")["topologies"][0]["links"] == 1
        assert restored.stop() == 0


def test_a_backup_of_files_needs_no_daemon_and_replaces_nothing(filled, sockets):
    copy = pathlib.Path(sockets) / "copy"
    ctl("backup", "--data", filled, copy)
    before = (copy / "history.db").read_bytes()
    again = run(ANALYTICSCTL, "backup", "--data", filled, copy)
    assert again.returncode == ERROR and "exists" in again.stderr and len(again.stderr.splitlines()) == 1
    assert (copy / "history.db").read_bytes() == before and sorted(os.listdir(copy)) == ["history.db", "state.db"]


def test_a_backup_that_cannot_be_written_is_told_and_leaves_nothing(daemon, sockets):
    fill(daemon, 10)
    file = pathlib.Path(sockets) / "file"
    file.write_text("")
    told = run(ANALYTICSCTL, "--api", daemon.api, "backup", file / "copy")
    assert told.returncode == ERROR and "Not a directory" in told.stderr
    (pathlib.Path(sockets) / "half").mkdir()
    (pathlib.Path(sockets) / "half/history.db").write_text("mine")
    told = run(ANALYTICSCTL, "--api", daemon.api, "backup", pathlib.Path(sockets) / "half")
    assert told.returncode == ERROR and "history.db: File exists" in told.stderr
    assert os.listdir(pathlib.Path(sockets) / "half") == ["history.db"]


# ---- check

def test_what_is_whole_is_found_whole_by_the_daemon_too(daemon):
    fill(daemon)
    assert "whole" in ctl("--api", daemon.api, "check")
    state = json.loads(ctl("--api", daemon.api, "--json", "check"))
    assert state["kind"] == "check" and state["finished"] and state["findings"] == []


def change(folder, sql, *values):
    with contextlib.closing(sqlite3.connect(folder / "history.db")) as db:
        changed = db.execute(sql, values).rowcount
        db.commit()
    return changed


def checked(folder):
    """The findings of a check that must have some."""
    done = run(ANALYTICSCTL, "check", "--data", folder)
    assert done.returncode == ERROR, (done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1 and "damaged" in done.stderr
    return done.stdout.splitlines()


def newest_chunk(folder, level):
    with contextlib.closing(sqlite3.connect(folder / "history.db")) as db:
        return db.execute("SELECT chunk_id, length(data) FROM chunk WHERE level = ? AND series = (SELECT port_id * 2 FROM "
                          "port WHERE host = 'h/0') ORDER BY to_ns DESC LIMIT 1", (level,)).fetchone()


RAW, MINUTE = 1, 3


@pytest.mark.parametrize("where", [0, 0.1, 0.5, -1])
def test_a_changed_byte_in_a_chunk_is_found_and_what_is_whole_still_served(filled, where):
    chunk, size = newest_chunk(filled, RAW)
    at = size - 1 if where < 0 else int(where * size)
    with contextlib.closing(sqlite3.connect(filled / "history.db")) as db:
        data = bytearray(db.execute("SELECT data FROM chunk WHERE chunk_id = ?", (chunk,)).fetchone()[0])
    data[at] ^= 0x10
    assert change(filled, "UPDATE chunk SET data = ? WHERE chunk_id = ?", bytes(data), chunk) == 1
    finding, = checked(filled)
    assert f"chunk {chunk} of port h/0 p0, level raw" in finding


def test_a_level_that_lost_a_chunk_is_found(filled):
    chunk, _ = newest_chunk(filled, MINUTE)
    assert change(filled, "DELETE FROM chunk WHERE chunk_id = ?", chunk) == 1
    findings = checked(filled)
    assert findings and all("port h/0 p0, level 1min: the step at 20" in finding for finding in findings)


def test_a_damaged_tail_is_found(daemon):
    with Publisher(daemon) as publisher:
        publisher.send(*((i, (START + i) * 10**9, {"rx_bytes": i}) for i in range(1, 101)))
        wait_until(lambda: daemon.metrics()["rows_stored"] == 100, "rows to be stored")
    daemon.kill()
    folder = pathlib.Path(daemon.data)
    assert "whole" in ctl("check", "--data", folder)
    with contextlib.closing(sqlite3.connect(folder / "history.db")) as db:
        place, data = db.execute("SELECT place, data FROM tail ORDER BY place LIMIT 1").fetchone()
    data = data[:60] + bytes([data[60] ^ 0x10]) + data[61:]
    assert change(folder, "UPDATE tail SET data = ? WHERE place = ?", data, place) == 1
    finding, = checked(folder)
    assert f"page {place} of the tail is damaged: rows from commit 1 " in finding


def test_a_damaged_page_is_found(filled):
    with open(filled / "history.db", "r+b") as file:
        file.seek(0, os.SEEK_END)
        pages = file.tell() // 4096
        file.seek((pages // 2) * 4096)
        file.write(b"\xff" * 4096)
    assert checked(filled)


def test_files_that_are_not_there_are_told(sockets):
    told = run(ANALYTICSCTL, "check", "--data", sockets)
    assert told.returncode == ERROR and "state.db" in told.stderr


# ---- SQL

def sql(folder, text):
    """Rows that the sqlite3 command prints."""
    done = run("sqlite3", "-batch", "-json", "-readonly", folder / "history.db", "-cmd", f".load {EXTENSION}", text)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout) if done.stdout else []


def test_rows_of_a_port_read_as_a_table(filled):
    rows = sql(filled, f"SELECT * FROM linkcast_port WHERE host = 'h/0' AND name = 'p0' AND time >= {START + 8990}")
    assert [list(row.values())[4:12] for row in rows] == [counters(i) for i in range(8990, 9000)]
    assert rows[0]["time"] == START + 8990 and rows[0]["ts_ns"] == (START + 8990) * 10**9
    assert "level" not in rows[0]


def test_each_restriction_gives_what_a_filter_of_all_rows_would(filled):
    every = sql(filled, "SELECT host, name, time, ts_ns, rx_packets FROM linkcast_port")
    assert len(every) == 9100
    for where, keep in [
            (f"time > {START + 40} AND time < {START + 50}", lambda r: START + 40 < r["time"] < START + 50),
            (f"time <= {START + 3} AND host = 'h'", lambda r: r["time"] <= START + 3 and r["host"] == "h"),
            (f"time = {START + 7}", lambda r: r["time"] == START + 7),
            (f"time >= {START + 8998}.5", lambda r: r["time"] >= START + 8998.5),
            (f"time >= '{START + 8998}'", lambda r: r["time"] >= START + 8998),
            (f"ts_ns BETWEEN {START + 5}000000000 AND {START + 6}000000000",
             lambda r: START + 5 <= r["time"] <= START + 6),
            (f"name IN ('p1', 'none') AND rx_packets > 90", lambda r: r["name"] == "p1" and r["rx_packets"] > 90),
            ("host = 'nobody'", lambda r: False),
            (f"time > {START + 50} AND time < {START + 50}", lambda r: False)]:
        rows = sql(filled, f"SELECT host, name, time, ts_ns, rx_packets FROM linkcast_port WHERE {where}")
        assert rows == [row for row in every if keep(row)], where


def plan_of(folder, text):
    done = run("sqlite3", "-readonly", folder / "history.db", "-cmd", f".load {EXTENSION}", "EXPLAIN QUERY PLAN " + text)
    return done.stdout


def test_keys_and_times_are_pushed_down(filled):
    plan = plan_of(filled, "SELECT * FROM linkcast_port WHERE host = 'h' AND name = 'p1' AND ts_ns >= 5 AND level = '1min'"
                           " ORDER BY ts_ns")
    assert all(part in plan.split(":")[1] for part in ("a=", "b=", "dg", "m=")) and "SORT" not in plan.upper(), plan
    assert "ORDER BY" in plan_of(filled, "SELECT * FROM linkcast_port WHERE host = 'h' ORDER BY ts_ns")
    assert "ORDER BY" not in plan


def test_levels_steps_and_statistics(filled):
    hours = sql(filled, "SELECT time, rx_packets FROM linkcast_port WHERE name = 'p0' AND level = '1h'")
    last = {}
    for i in range(9000):
        last[(START + i) // 3600] = i
    assert [row["rx_packets"] for row in hours] == list(last.values())
    rows = sql(filled, "SELECT rx_packets FROM linkcast_port WHERE name = 'p0' AND level = '1h' AND statistic = 'rows'")
    assert sum(row["rx_packets"] for row in rows) == 9000
    rates = sql(filled, "SELECT tx_packets FROM linkcast_port WHERE name = 'p0' AND step = 60 AND statistic = 'max_rate'")
    assert {row["tx_packets"] for row in rates} == {2}
    for wrong in ("level = 'year'", "statistic = 'median'", "step = 0"):
        done = run("sqlite3", "-readonly", filled / "history.db", "-cmd", f".load {EXTENSION}",
                   f"SELECT * FROM linkcast_port WHERE {wrong}")
        assert done.returncode != 0 and "known" in done.stderr or "seconds" in done.stderr


def test_other_counters_and_links_read_as_tables(filled):
    big = sql(filled, "SELECT time, value FROM linkcast_counter WHERE counter = 'big' AND name = 'p1' ORDER BY time")
    assert [row["value"] for row in big] == [str(2**63 + i) for i in range(100)], "exact, as digits"
    names = sql(filled, "SELECT counter, count(*) AS n FROM linkcast_counter WHERE name = 'p1' GROUP BY counter")
    assert {row["counter"]: row["n"] for row in names} == {name: 100 for name in [*BASIC, "big"]}
    link = sql(filled, "SELECT * FROM linkcast_kpi WHERE link = 'A-Z' AND direction = 'forward' AND kpi = 302 "
                       f"AND time < {START + 5}")
    assert [row["gbps"] for row in link] == [0, 1, 2, 3, 4] and link[0]["kpi"] == 302
    top = sql(filled, "SELECT max(gbps) AS top, count(*) AS n FROM linkcast_kpi WHERE level = '1min' AND statistic = 'max'")
    assert top[0]["top"] == 59 and 150 <= top[0]["n"] <= 151


def test_a_join_reads_only_what_the_other_table_names(filled):
    rows = sql(filled, "SELECT p.host, count(*) AS n FROM port p JOIN linkcast_port s ON s.host = p.host AND s.name = p.name"
                       f" WHERE s.time < {START + 50} GROUP BY p.host ORDER BY p.host")
    assert rows == [{"host": "h", "n": 50}, {"host": "h/0", "n": 50}]


def test_a_history_is_read_while_the_daemon_writes_it_and_from_any_database(daemon):
    fill(daemon, 500)
    rows = sql(pathlib.Path(daemon.data), "SELECT count(*) AS n FROM linkcast_port")
    assert rows == [{"n": 600}]
    path = os.path.join(daemon.data, "history.db")
    done = run("sqlite3", ":memory:", "-cmd", f".load {EXTENSION}",
               f"SELECT count(*) FROM linkcast_port WHERE file = '{path}'")
    assert done.stdout == "600\n", done.stderr
    done = run("sqlite3", ":memory:", "-cmd", f".load {EXTENSION}", "SELECT count(*) FROM linkcast_port")
    assert done.returncode != 0 and "history.db" in done.stderr
