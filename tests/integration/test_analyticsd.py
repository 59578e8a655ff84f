"""analyticsd as its clients see it: requests, samples, history, forecasts, and bad input of every kind.

SPDX-License-Identifier: MIT
"""

import math
import os
import signal
import sqlite3
import subprocess
import threading
import time

import msgpack
import pytest
import zmq

from daemon import Analyticsd, BINARY, Publisher, Refused
from testpmd import wait_until
from wire import BASIC

SECOND = 10 ** 9
DAY = 86400
NODES = [{"id": "A", "x": 1.5, "y": 2}, {"id": "B"}, {"id": "C"}]
LINKS = [{"id": "AB", "a": "A", "z": "B", "total_capacity_gbps": 10},
         {"id": "BC", "a": "B", "z": "C", "total_capacity_gbps": 10, "bidirectional": False, "srlg": ["duct 1"]}]


@pytest.fixture
def daemon(sockets):
    """A running analyticsd with a topology of two links."""
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", nodes=NODES, links=LINKS)
        yield running


def history(n, step=300, value=lambda i: 3.0, end_ns=None):
    """n samples, `step` seconds apart, the last one now."""
    end_ns = end_ns or time.time_ns()
    return [[end_ns - (n - 1 - i) * step * SECOND, value(i)] for i in range(n)]


def wave(i):
    """A day of 288 steps."""
    return 3 + 2 * math.sin(2 * math.pi * i / 288)


# ---- the service

def test_ping_and_unknown_operations(daemon):
    assert daemon.ask("Ping")["version"]
    with pytest.raises(Refused) as refused:
        daemon.ask("Teleport")
    assert refused.value.code == "UNIMPLEMENTED" and "Teleport" in refused.value.message


def test_an_id_comes_back_in_reply_and_error(daemon):
    assert daemon.ask("Ping", id="r1")["id"] == "r1"
    client = daemon.client()
    assert client.raw(msgpack.packb({"op": "Nope", "id": "r2"}))["id"] == "r2"
    client.close()


def test_a_reply_with_an_id_of_its_own_has_each_key_once(daemon):
    daemon.ask("SetTopology", topology_id="t", nodes=NODES, links=LINKS)
    with zmq.Context() as context, context.socket(zmq.REQ) as asking:
        asking.linger = 0
        asking.connect(daemon.api)
        asking.send(msgpack.packb({"op": "SetLink", "id": "r3", "link_id": "AB", "total_capacity_gbps": 4}))
        assert asking.poll(30000)
        pairs = msgpack.unpackb(asking.recv(), object_pairs_hook=lambda pairs: pairs)
    assert [value for key, value in pairs if key == "id"] == ["AB"] and dict(pairs)["total_capacity_gbps"] == 4


@pytest.mark.parametrize("frame", [
    b"", b"\xdd\xe2\x8b\xe2\x01", b"\xc1", b"\x93\x01\x02", msgpack.packb([1, 2]), msgpack.packb("Ping"),
    msgpack.packb({"op": 5}), msgpack.packb({}), msgpack.packb({"op": "Ping"})[:-2], msgpack.packb({"op": "Ping"}) + b"x",
    b"\x81\xa2op\xd9", b"\x91" * 40 + b"\x01", os.urandom(500),
])
def test_nonsense_gets_an_error_and_others_are_served(daemon, frame):
    client = daemon.client()
    reply = client.raw(frame)
    client.close()
    assert reply["ok"] is False and reply["error"]["code"] == "INVALID_ARGUMENT"
    assert daemon.ask("Ping")["ok"]


def test_frames_without_a_delimiter_get_an_error(daemon):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(daemon.api)
    for frames in ([msgpack.packb({"op": "Ping"})], [b"", b"", b"x", b"y"], [b"a"] * 20):
        socket.send_multipart(frames)
        assert socket.poll(10000), frames
        reply = msgpack.unpackb(socket.recv_multipart()[-1])
        assert reply["error"]["code"] == "INVALID_ARGUMENT"
    socket.send_multipart([b"", msgpack.packb({"op": "Ping"})])  # as REQ does
    assert msgpack.unpackb(socket.recv_multipart()[-1])["ok"]
    socket.close()
    context.term()


def test_an_oversized_frame_ends_only_its_sender(daemon):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(daemon.api)
    socket.send_multipart([b"", b"x" * (17 << 20)])
    assert daemon.ask("Ping")["ok"]
    socket.close()
    context.term()


def test_many_clients_at_once_each_get_their_own_answers(daemon):
    wrong = []

    def run(number):
        client = daemon.client()
        for i in range(50):
            name = f"{number}-{i}"
            if client.ask("Ping", id=name)["id"] != name:
                wrong.append(name)
        client.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_client_that_reads_no_replies_holds_up_nobody(daemon):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    for option, value in ((zmq.RCVHWM, 1), (zmq.RCVBUF, 4096), (zmq.LINGER, 0)):
        socket.setsockopt(option, value)
    socket.connect(daemon.api)
    sent = refused = 0
    while sent < 20000 and refused < 200:
        try:
            socket.send_multipart([b"", msgpack.packb({"op": "Metrics"})], zmq.DONTWAIT)
            sent += 1
        except zmq.Again:
            refused += 1
            assert daemon.ask("Ping")["ok"]
    assert daemon.ask("Ping")["ok"]
    socket.close()
    context.term()
    assert daemon.stop() == 0


def test_a_ping_is_answered_while_topologies_are_forecast(daemon):
    links = [{"id": f"l{i}", "a": "A", "z": "B"} for i in range(150)]
    daemon.ask("SetTopology", nodes=NODES, links=links)
    for link in links:
        daemon.ask("AppendKpi", link_id=link["id"], kpi=302, samples=history(1000, value=wave))
    context = zmq.Context()
    sockets = [context.socket(zmq.DEALER) for _ in range(6)]
    for number, socket in enumerate(sockets):
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(daemon.api)
        socket.send_multipart([b"", msgpack.packb({"op": "ForecastTopologyCapacity", "quantile": 0.9 + number / 1000,
                                                   "forecast_window_seconds": DAY})])
    wait_until(lambda: daemon.metrics()["forecasts_computed"] > 0, "the first of them")  # Metrics is answered, too
    done = sum(socket.poll(0) > 0 for socket in sockets)
    assert daemon.ask("Ping")["ok"] and done < len(sockets)
    for socket in sockets:
        assert socket.poll(60000), "and they are answered in the end"
        assert msgpack.unpackb(socket.recv_multipart()[-1])["ok"]
        socket.close()
    context.term()


def test_stopping_gives_up_the_forecast_of_a_topology(daemon):
    daemon.ask("SetTopology", nodes=NODES, links=[{"id": f"l{i}", "a": "A", "z": "B"} for i in range(150)])
    for i in range(150):
        daemon.ask("AppendKpi", link_id=f"l{i}", kpi=302, samples=history(1000, value=wave))
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(daemon.api)
    socket.send_multipart([b"", msgpack.packb({"op": "ForecastTopologyCapacity", "forecast_window_seconds": DAY})])
    wait_until(lambda: daemon.metrics()["forecasts_computed"] > 0, "the first link")
    assert daemon.stop() == 0
    assert socket.poll(10000), "an answer is given all the same"
    reply = msgpack.unpackb(socket.recv_multipart()[-1])
    assert reply["ok"] is False and reply["error"]["code"] == "UNAVAILABLE"
    socket.close()
    context.term()


# ---- topology

def test_a_topology_comes_back_as_it_was_set(daemon):
    reply = daemon.ask("GetTopology")
    assert reply["topology_id"] == "admin" and reply["version"] == 1
    assert reply["nodes"] == NODES
    first, second = reply["links"]
    assert first["id"] == "AB" and first["bidirectional"] is True and first["total_capacity_gbps"] == 10
    assert first["state"] == "unknown" and first["cost"] == 1
    assert second["bidirectional"] is False and second["srlg"] == ["duct 1"]


def test_pages_join_to_the_whole(daemon):
    nodes = [{"id": f"n{i}"} for i in range(7)]
    links = [{"id": f"l{i}", "a": f"n{i}", "z": f"n{i + 1}"} for i in range(6)]
    daemon.ask("SetTopology", topology_id="t", nodes=nodes, links=links)
    got, page = {"nodes": [], "links": []}, 0
    while page is not None:
        reply = daemon.ask("GetTopology", topology_id="t", limit=3, page=page)
        got["nodes"] += reply["nodes"]
        got["links"] += reply["links"]
        page = reply.get("next_page")
    assert [n["id"] for n in got["nodes"]] == [n["id"] for n in nodes]
    assert [n["id"] for n in got["links"]] == [n["id"] for n in links]


def test_a_topology_in_parts_appears_with_the_last_one(daemon):
    parts = [{"nodes": [{"id": "P"}, {"id": "Q"}], "links": []},
             {"nodes": [], "links": [{"id": "PQ", "a": "P", "z": "Q"}]}]
    common = {"topology_id": "t", "upload_id": "u1", "parts": 2}
    daemon.ask("SetTopology", part=1, **common, **parts[0])
    assert [t["topology_id"] for t in daemon.ask("ListTopologies")["topologies"]] == ["admin"]
    assert daemon.ask("SetTopology", part=2, **common, **parts[1])["links"] == 1
    assert [t["topology_id"] for t in daemon.ask("ListTopologies")["topologies"]] == ["admin", "t"]


def test_parts_of_different_topologies_are_refused(daemon):
    fields = {"upload_id": "u", "parts": 2, "links": []}
    daemon.ask("SetTopology", topology_id="t", part=1, nodes=[{"id": "P"}], **fields)
    with pytest.raises(Refused) as refused:
        daemon.ask("SetTopology", topology_id="u", part=2, nodes=[], **fields)
    assert "topology_id" in refused.value.message


def test_parts_out_of_order_change_nothing(daemon):
    with pytest.raises(Refused) as refused:
        daemon.ask("SetTopology", topology_id="t", upload_id="u", part=2, parts=2, nodes=[], links=[])
    assert refused.value.code == "FAILED_PRECONDITION"
    with pytest.raises(Refused):
        daemon.ask("SetTopology", topology_id="t", part=1, nodes=[], links=[])


@pytest.mark.parametrize("change,named", [
    ({"nodes": []}, "nodes"),
    ({"nodes": [{"id": "A"}, {"id": "A"}]}, "'A'"),
    ({"links": [{"id": "X", "a": "A", "z": "nowhere"}]}, "nowhere"),
    ({"links": [LINKS[0], LINKS[0]]}, "'AB'"),
    ({"links": [{"id": "X", "a": "A", "z": "A"}]}, "'X'"),
    ({"links": [{"id": "X", "a": "A", "z": "B", "total_capacity_gbps": -1}]}, "links[0].total_capacity_gbps"),
    ({"links": [{"id": "X", "a": "A", "z": "B", "total_capacity_gbps": math.nan}]}, "total_capacity_gbps"),
    ({"links": [{"id": "X", "a": "A", "z": "B", "total_capacity_gbps": math.inf}]}, "total_capacity_gbps"),
    ({"links": [{"id": "X", "a": "A", "z": "B", "total_capacity_gbps": "10"}]}, "total_capacity_gbps"),
    ({"links": [{"id": "X", "a": "A"}]}, "links[0].z"),
    ({"links": "none"}, "links"),
    ({"links": [{"id": "", "a": "A", "z": "B"}]}, "links[0].id"),
    ({"links": [{"id": "x" * 256, "a": "A", "z": "B"}]}, "links[0].id"),
    ({"links": [{"id": "a\nb", "a": "A", "z": "B"}]}, "links[0].id"),
])
def test_bad_topologies_are_refused_whole(daemon, change, named):
    with pytest.raises(Refused) as refused:
        daemon.ask("SetTopology", **{"nodes": NODES, "links": LINKS, **change})
    assert refused.value.code == "INVALID_ARGUMENT" and named in refused.value.message
    assert daemon.ask("GetTopology")["version"] == 1


def test_deleting_a_topology_and_what_is_not_there(daemon):
    daemon.ask("DeleteTopology", topology_id="admin")
    for operation, fields in [("GetTopology", {}), ("DeleteTopology", {}), ("ForecastTopologyCapacity",
                                                                           {"forecast_window_seconds": 60}),
                              ("SetLink", {"link_id": "AB"}), ("QueryKpi", {"link_id": "AB", "from_ns": 0, "to_ns": 1}),
                              ("AppendKpi", {"link_id": "AB", "kpi": 302, "samples": []}),
                              ("ForecastLinkCapacity", {"link_id": "AB", "forecast_window_seconds": 60})]:
        with pytest.raises(Refused) as refused:
            daemon.ask(operation, **fields)
        assert refused.value.code == "NOT_FOUND", operation


def test_the_newest_word_on_a_total_counts(daemon):
    now = time.time_ns()
    daemon.ask("AppendKpi", link_id="AB", kpi=301, samples=[[now - DAY * SECOND, 40]])
    assert daemon.ask("GetTopology")["links"][0]["total_capacity_gbps"] == 10, "the topology was set after that"
    daemon.ask("AppendKpi", link_id="AB", kpi=301, samples=[[time.time_ns(), 40]])
    assert daemon.ask("GetTopology")["links"][0]["total_capacity_gbps"] == 40
    assert daemon.ask("SetLink", link_id="AB", total_capacity_gbps=25)["total_capacity_gbps"] == 25


# ---- KPI

def test_kpi_is_stored_once_and_conflicts_are_counted(daemon):
    samples = history(10)
    reply = daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=samples)
    assert (reply["stored"], reply["known"], reply["conflicting"]) == (10, 0, 0)
    samples[3][1] = 9
    reply = daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=samples)
    assert (reply["stored"], reply["known"], reply["conflicting"]) == (0, 9, 1)
    assert daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=samples[-1][0] + 1)["samples"][3][1] == 3


def test_directions_are_apart(daemon):
    daemon.ask("AppendKpi", link_id="AB", direction="reverse", kpi=302, samples=[[1000, 5]])
    assert daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=10 ** 6)["samples"] == []
    assert daemon.ask("QueryKpi", link_id="AB", direction="reverse", from_ns=0, to_ns=10 ** 6)["samples"] == [[1000, 5]]


@pytest.mark.parametrize("samples,named", [
    ([[1, math.nan]], "samples[0][1]"), ([[1, 1], [2, -1]], "samples[1][1]"), ([[1, math.inf]], "samples[0][1]"),
    ([[1, "1"]], "samples[0][1]"), ([["1", 1]], "samples[0][0]"), ([[1]], "samples[0]"), ([1, 2], "samples[0]"),
    ([[1.5, 1]], "samples[0][0]"), ("none", "samples"), ([[2 ** 63, 1]], "samples[0][0]"), ([[-1, 1]], "samples[0][0]"),
])
def test_bad_kpi_samples_store_nothing(daemon, samples, named):
    with pytest.raises(Refused) as refused:
        daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=samples)
    assert refused.value.code == "INVALID_ARGUMENT" and named in refused.value.message
    assert daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=2 ** 62)["samples"] == []


def test_a_unidirectional_link_takes_no_reverse_samples(daemon):
    with pytest.raises(Refused) as refused:
        daemon.ask("AppendKpi", link_id="BC", direction="reverse", kpi=302, samples=[[1, 1]])
    assert "unidirectional" in refused.value.message


def test_the_future_is_refused(daemon):
    with pytest.raises(Refused) as refused:
        daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=[[1, 1], [time.time_ns() + 301 * SECOND, 1]])
    assert "future" in refused.value.message
    assert daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=2 ** 62)["samples"] == []


def test_over_the_limit_of_samples_is_refused(daemon):
    with pytest.raises(Refused) as refused:
        daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=[[i, 1] for i in range(100001)])
    assert refused.value.code == "INVALID_ARGUMENT"


def test_query_kpi_pages_and_steps(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=[[i * SECOND, i] for i in range(10)])
    first = daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=9 * SECOND, limit=4)
    second = daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=9 * SECOND, limit=10, page=first["next_page"])
    assert [v for _, v in first["samples"] + second["samples"]] == list(range(9)) and "next_page" not in second
    steps = daemon.ask("QueryKpi", link_id="AB", from_ns=0, to_ns=10 * SECOND, step_seconds=5)["samples"]
    assert steps == [[0, 2], [5 * SECOND, 7]]


# ---- forecasts: the rules that another implementation gets wrong

def forecast(daemon, window=DAY, **fields):
    return daemon.ask("ForecastLinkCapacity", link_id="AB", forecast_window_seconds=window, **fields)


def test_no_history_is_current_use_and_says_so(daemon):
    daemon.ask("SetLink", link_id="AB", used_capacity_gbps=4)
    reply = forecast(daemon)
    assert reply["forecast_used_capacity_gbps"] == reply["current_used_capacity_gbps"] == 4
    assert reply["fallback_reason"] == "no history" and reply["samples"] == 0


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("value", [0, 2.5])
def test_one_or_two_samples_give_a_number(daemon, n, value):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(n, value=lambda i: value))
    assert forecast(daemon)["forecast_used_capacity_gbps"] == pytest.approx(value)


def test_an_idle_link_is_empty(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(2000, value=lambda i: 0))
    reply = forecast(daemon)
    assert reply["forecast_used_capacity_gbps"] == 0 and reply["current_used_capacity_gbps"] == 0


def test_a_forecast_above_the_total_is_reported_as_it_is(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(2000, value=lambda i: 12))
    reply = forecast(daemon)
    assert reply["forecast_used_capacity_gbps"] == pytest.approx(12, rel=0.01)
    assert reply["total_capacity_gbps"] == 10


def test_a_total_that_is_not_known_is_absent(daemon):
    daemon.ask("SetTopology", nodes=NODES, links=[{"id": "NEW", "a": "A", "z": "B"}])
    reply = daemon.ask("ForecastLinkCapacity", link_id="NEW", forecast_window_seconds=60)
    assert "total_capacity_gbps" not in reply


def test_every_link_is_in_a_topology_reply_in_its_order(daemon):
    daemon.ask("AppendKpi", link_id="BC", kpi=302, samples=history(2000, value=wave))
    reply = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=DAY)
    assert [(c["link_id"], c["direction"]) for c in reply["link_capacities"]] == [
        ("AB", "forward"), ("AB", "reverse"), ("BC", "forward")]
    bad, _, good = reply["link_capacities"]
    assert bad["fallback_reason"] == "no history" and "fallback_reason" not in good
    assert good["forecast_used_capacity_gbps"] == pytest.approx(5, abs=0.5)


def test_states_are_told(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(100))
    assert forecast(daemon)["state"] == "up"
    daemon.ask("SetLink", link_id="AB", admin_up=False)
    assert forecast(daemon)["state"] == "admin_down"
    daemon.ask("AppendKpi", link_id="BC", kpi=302, samples=history(100, end_ns=time.time_ns() - DAY * SECOND))
    assert daemon.ask("ForecastLinkCapacity", link_id="BC", forecast_window_seconds=60)["state"] == "stale"


def test_history_that_ended_long_ago_is_used_and_its_age_told(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302,
               samples=history(2000, value=wave, end_ns=time.time_ns() - 30 * DAY * SECOND))
    reply = forecast(daemon)
    assert reply["staleness_seconds"] == pytest.approx(30 * DAY, abs=60)
    assert 4 < reply["forecast_used_capacity_gbps"] < 7


def test_as_of_uses_nothing_stamped_later(daemon):
    samples = history(4000, value=wave)
    split = samples[3000][0]
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=samples[:3001])
    before = forecast(daemon, as_of_ns=split)
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=[[ts, 1000] for ts, _ in samples[3001:]])
    after = forecast(daemon, as_of_ns=split)
    assert before == after
    assert before["history_to_ns"] <= split
    with pytest.raises(Refused):
        forecast(daemon, as_of_ns=time.time_ns() + 10 * SECOND)


def test_the_series_highest_point_is_the_answer_for_the_peak(daemon):
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(4000, value=wave))
    reply = forecast(daemon, series=True)
    now = time.time_ns()
    assert max(upper for _, _, _, upper in reply["series"]) == pytest.approx(reply["forecast_used_capacity_gbps"])
    assert all(lower <= median <= upper for _, median, lower, upper in reply["series"])
    assert now - 60 * SECOND < reply["series"][0][0] - reply["step_seconds"] * SECOND
    assert reply["series"][-1][0] == pytest.approx(now + DAY * SECOND, abs=60 * SECOND)


def test_new_history_is_seen_by_the_next_forecast(daemon):
    assert forecast(daemon)["samples"] == 0
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(500))
    assert forecast(daemon)["samples"] > 0
    computed = daemon.metrics()["forecasts_computed"]
    again = forecast(daemon)
    assert daemon.metrics()["forecasts_computed"] == computed and again["samples"] > 0, "the second one is kept"


@pytest.mark.parametrize("fields", [
    {"window": 0}, {"window": -5}, {"window": math.nan}, {"window": "7d"}, {"quantile": 1.5}, {"quantile": 0},
    {"statistic": "highest"}, {"model": "crystal ball"}, {"direction": "up"}, {"start_ns": 5}, {"series": 1},
    {"start_ns": 2 ** 63 - 1}, {"as_of_ns": -2 ** 63}, {"as_of_ns": 2 ** 63 - 1},
])
def test_bad_forecast_requests_are_refused(daemon, fields):
    with pytest.raises(Refused) as refused:
        forecast(daemon, **fields)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_a_unidirectional_link_has_no_reverse(daemon):
    with pytest.raises(Refused) as refused:
        daemon.ask("ForecastLinkCapacity", link_id="BC", direction="reverse", forecast_window_seconds=60)
    assert "unidirectional" in refused.value.message


# ---- samples

def bind(daemon, **extra):
    daemon.ask("SetTopology", nodes=NODES, links=[
        {"id": "AB", "a": "A", "z": "B", "ports": [{"host": "h", "name": "p0", "end": "a"}], **extra}])


def rows(daemon, **fields):
    reply = daemon.ask("QueryPort", **{"host": "h", "name": "p0", "from_ns": 0, "to_ns": 2 ** 62, **fields})
    return [dict(zip(["ts_ns"] + reply["names"], row)) for row in reply["rows"]]


def stored(daemon, n):
    """Wait until n rows can be read: they are committed."""
    def enough():
        try:
            return len(rows(daemon)) >= n
        except Refused:  # not heard yet
            return False
    wait_until(enough, f"{n} rows")


def used(daemon, **fields):
    return daemon.ask("QueryKpi", **{"link_id": "AB", "from_ns": 0, "to_ns": 2 ** 62, **fields})["samples"]


def test_counters_are_exact_and_become_used_capacity(daemon):
    bind(daemon)
    start, big = time.time_ns() - 10 * SECOND, 2 ** 64 - 10 ** 10
    with Publisher(daemon) as publisher:
        publisher.send(*[(i + 1, start + i * SECOND, {"tx_bytes": big + i * 125000000, "rx_bytes": i}) for i in range(5)])
        stored(daemon, 5)
        assert [row["tx_bytes"] for row in rows(daemon)] == [big + i * 125000000 for i in range(5)]
        assert [value for _, value in used(daemon)] == pytest.approx([1] * 4)
        assert [value for _, value in used(daemon, direction="reverse")] == pytest.approx([8e-9] * 4)


def test_the_same_row_again_is_stored_once(daemon):
    with Publisher(daemon) as publisher:
        publisher.send((1, time.time_ns(), {}), (2, time.time_ns() + SECOND, {}))
        stored(daemon, 2)
        first = rows(daemon)
        publisher.send(*[(i + 1, row["ts_ns"], {}) for i, row in enumerate(first)])
        wait_until(lambda: daemon.metrics()["rows_duplicate"] == 2, "duplicates")
        assert rows(daemon) == first


def test_resets_gaps_and_down_time_never_show_as_rates(daemon):
    bind(daemon)
    start = time.time_ns() - 60 * SECOND
    rate = 125000000
    with Publisher(daemon) as publisher:
        at = lambda i: start + i * SECOND
        publisher.send(*[(i + 1, at(i), {"tx_bytes": 2 ** 40 + i * rate}) for i in range(5)])
        publisher.send(*[(i + 1, at(i), {"tx_bytes": (i - 5) * rate}) for i in range(5, 10)])  # fell: a reset
        publisher.send(*[(i + 1, at(i), {"tx_bytes": (i - 5) * rate}) for i in range(15, 20)])  # a gap of 5
        publisher.send(*[(i + 1, at(i), {"tx_bytes": 15 * rate}) for i in range(20, 23)], up=False)
        publisher.send(*[(i + 1, at(i), {"tx_bytes": (i - 8) * rate}) for i in range(23, 26)])
        publisher.send(*[(i + 1, at(i), {"tx_bytes": i * rate}) for i in range(26, 29)], epoch=1)
        stored(daemon, 24)
        metrics = daemon.metrics()
    assert [value for _, value in used(daemon)] == pytest.approx([1] * len(used(daemon))) and len(used(daemon)) == 16
    assert metrics["counter_resets"] == 2 and metrics["gaps"] == 1 and metrics["down_intervals"] == 4
    assert metrics["rows_missing"] == 5
    port = daemon.ask("ListSources")["sources"][0]["ports"][0]
    assert port["lost"] == 5 and port["rows"] == 24 and port["last_seq"] == 29


def test_a_port_that_is_down_takes_its_link_down(daemon):
    bind(daemon)
    with Publisher(daemon) as publisher:
        publisher.send((1, time.time_ns(), {}))
        stored(daemon, 1)
        assert daemon.ask("GetTopology")["links"][0]["state"] == "up"
        publisher.send((2, time.time_ns(), {}), up=False)
        stored(daemon, 2)
        assert daemon.ask("GetTopology")["links"][0]["state"] == "down"
        assert forecast(daemon, 60)["state"] == "down"


def test_set_link_at_the_port_binds_and_a_topology_wins(daemon):
    start = time.time_ns() - 20 * SECOND
    with Publisher(daemon, link="FREE") as publisher:
        publisher.send(*[(i + 1, start + i * SECOND, {"tx_bytes": i * 125000000}) for i in range(3)])
        stored(daemon, 3)
        assert len(used(daemon, link_id="FREE")) == 2
        assert daemon.ask("ForecastLinkCapacity", link_id="FREE", forecast_window_seconds=60)["total_capacity_gbps"] == 10
        port = daemon.ask("ListSources")["sources"][0]["ports"][0]
        assert (port["link"], port["end"]) == ("FREE", "a")
        bind(daemon)
        publisher.send(*[(i + 1, start + i * SECOND, {"tx_bytes": i * 125000000}) for i in range(3, 6)])
        stored(daemon, 6)
        assert len(used(daemon)) == 3 and len(used(daemon, link_id="FREE")) == 2
        assert daemon.ask("ListSources")["sources"][0]["ports"][0]["link"] == "AB"


def test_announcing_a_link_that_the_topology_binds_measures_nothing(daemon):
    bind(daemon)
    start = time.time_ns() - 20 * SECOND
    with Publisher(daemon) as bound, Publisher(daemon, name="p1", link="AB") as announcing:
        announcing.send(*[(i + 1, start + i * SECOND, {"tx_bytes": i * 10 ** 9}) for i in range(5)])
        wait_until(lambda: daemon.metrics()["rows_stored"] == 5, "the announcing port's rows")
        bound.send(*[(i + 1, start + i * SECOND, {"tx_bytes": i * 125000000}) for i in range(5)])
        stored(daemon, 5)
    assert [value for _, value in used(daemon)] == pytest.approx([1] * 4)


def test_a_clock_that_stepped_back_does_not_freeze_its_port(daemon):
    now = time.time_ns()
    with Publisher(daemon) as publisher:
        publisher.send((1, now + 200 * SECOND, {}))
        publisher.send((2, now, {}), up=False)
        stored(daemon, 2)
    port = daemon.ask("ListSources")["sources"][0]["ports"][0]
    assert port["up"] is False and port["last_ts_ns"] == now and port["last_seq"] == 2


@pytest.mark.parametrize("change", [
    {"rows": [[0, 5] + [0] * 8]}, {"rows": [[1, (2 ** 31) * SECOND] + [0] * 8]},
    {"rows": [[1, 5]]}, {"rows": [[1, 5, -1, 0, 0, 0, 0, 0, 0, 0]]}, {"names": ["a"] * 8}, {"names": BASIC[:7]},
    {"v": 2}, {"up": 1}, {"host": ""}, {"instance": -1}, {"rows": [[1, 2 ** 63] + [0] * 8]},
])
def test_bad_samples_are_counted_and_change_nothing(daemon, change):
    with Publisher(daemon) as publisher:
        publisher.frame("sample", {**publisher.fields, "rows": [[1, 5] + [0] * 8], **change})
        wait_until(lambda: daemon.metrics()["frames_refused"] == 1, "the refusal")
        publisher.send((1, 5, {}))
        stored(daemon, 1)


def test_nonsense_on_the_samples_socket_changes_nothing(daemon):
    with Publisher(daemon) as publisher:
        for frame in (b"", b"\xdd\xe2\x8b\xe2\x01", os.urandom(100), b"\x80"):
            publisher.frame("sample", frame)
        wait_until(lambda: daemon.metrics()["frames_refused"] == 4, "the refusals")
        assert daemon.metrics()["rows_stored"] == 0
    assert daemon.stop() == 0


def test_events_carry_samples_usage_and_forecasts(daemon):
    bind(daemon)
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(daemon.events)
    got = {}

    def listen():
        while socket.poll(10):
            topic, body = socket.recv_multipart()
            got.setdefault(topic, []).append(msgpack.unpackb(body))
        return {b"sample/h/p0/", b"link/AB/", b"forecast/AB/"} <= set(got)

    with Publisher(daemon) as publisher:
        state = {"i": 0}

        def more():
            state["i"] += 1
            publisher.send((state["i"], state["i"] * SECOND, {"tx_bytes": state["i"] * 125000000}))
            forecast(daemon, 60, quantile=0.5 + state["i"] / 10000)
            return listen()

        wait_until(more, "events")
    usage = next(m for m in got[b"link/AB/"] if m["direction"] == "forward")
    assert usage["used_capacity_gbps"] == pytest.approx(1)
    assert got[b"forecast/AB/"][0]["link_id"] == "AB"
    socket.close()
    context.term()


# ---- the process

def test_term_ends_it_cleanly_and_everything_is_there_again(sockets):
    with Analyticsd(sockets) as daemon:
        daemon.ask("SetTopology", nodes=NODES, links=LINKS)
        daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=history(100))
        with Publisher(daemon) as publisher:
            publisher.send(*[(i + 1, (i + 1) * SECOND, {"tx_bytes": i}) for i in range(50)])
            wait_until(lambda: daemon.metrics()["rows_stored"] == 50, "rows")
        assert daemon.stop() == 0
    for name in ("history.db", "state.db"):
        with sqlite3.connect(os.path.join(sockets, "data", name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Analyticsd(sockets) as daemon:
        assert len(rows(daemon)) == 50
        assert len(used(daemon)) == 100
        assert daemon.ask("GetTopology")["version"] == 1


def test_kill_loses_nothing_that_was_committed(sockets):
    for attempt in range(5):
        with Analyticsd(sockets) as daemon:
            daemon.ask("SetTopology", nodes=NODES, links=LINKS)
            samples = [[attempt * 1000 + i + 1, i] for i in range(500)]
            daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=samples)
            daemon.process.send_signal(signal.SIGKILL)
    with Analyticsd(sockets) as daemon:
        assert len(used(daemon)) == 2500


def run_second(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_a_second_one_on_the_same_data_or_endpoints_says_so_and_stops(daemon, tmp_path):
    def options(**changed):
        paths = {"data": str(tmp_path / "d"), "samples": f"ipc://{daemon.folder}/s2", "api": f"ipc://{daemon.folder}/a2",
                 "events": f"ipc://{daemon.folder}/e2", **changed}
        return [word for name, value in paths.items() for word in ("--" + name, value)]

    for changed in ({"data": daemon.data}, {"samples": daemon.samples}, {"api": daemon.api}, {"events": daemon.events}):
        second = run_second(*options(**changed))
        assert second.returncode == 1, changed
        assert len(second.stderr.splitlines()) == 1 and list(changed.values())[0] in second.stderr, second.stderr
    assert daemon.ask("Ping")["ok"], "the first one was not disturbed"


@pytest.mark.parametrize("arguments,status", [
    (["--nonsense"], 2), (["extra"], 2), (["--api", "nonsense"], 2), (["--workers", "0"], 2), (["--log", "loud"], 2),
    (["--config", "/nonexistent"], 2), (["--data", "/proc/nothing"], 1),
    (["--api", "tcp://0.0.0.0:0"], 1),
])
def test_wrong_usage_and_what_cannot_be(sockets, arguments, status):
    defaults = ["--data", f"{sockets}/d", "--samples", f"ipc://{sockets}/s", "--api", f"ipc://{sockets}/a", "--events",
                f"ipc://{sockets}/e"]
    result = run_second(*defaults, *arguments)
    assert result.returncode == status, result.stderr
    assert result.stderr


def test_the_config_file_names_its_bad_line(sockets):
    path = os.path.join(sockets, "conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# settings\nworkers = 2\nworkers = many\n")
    result = run_second("--config", path)
    assert result.returncode == 2 and "line 3" in result.stderr and "workers" in result.stderr


def test_option_beats_environment_beats_file(sockets):
    path = os.path.join(sockets, "conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"api = ipc://{sockets}/file\nevents = ipc://{sockets}/file-e\nsamples = ipc://{sockets}/file-s\n")
    environment = {**os.environ, "LINKCAST_API": f"ipc://{sockets}/environment",
                   "LINKCAST_SAMPLES": f"ipc://{sockets}/environment-s"}
    process = subprocess.Popen([BINARY, "--config", path, "--data", f"{sockets}/data", "--samples", f"ipc://{sockets}/option-s"],
                               env=environment, stderr=subprocess.PIPE, text=True)
    said = ""
    while "ready" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stderr.close()
    assert f"api at ipc://{sockets}/environment\n" in said
    assert f"events at ipc://{sockets}/file-e\n" in said
    assert f"samples at ipc://{sockets}/option-s\n" in said and "environment-s" not in said


def test_a_bad_variable_is_named(sockets):
    done = subprocess.run([BINARY, "--data", f"{sockets}/d"], capture_output=True, text=True, check=False, timeout=30,
                          env={**os.environ, "LINKCAST_API": "nonsense"})
    assert done.returncode == 2 and "LINKCAST_API" in done.stderr


@pytest.mark.parametrize("name", ["history.db", "state.db"])
def test_a_database_of_a_newer_release_is_refused(sockets, name):
    with Analyticsd(sockets) as daemon:
        assert daemon.stop() == 0
    with sqlite3.connect(os.path.join(sockets, "data", name)) as database:
        database.execute("PRAGMA user_version = 999")
    result = run_second("--data", f"{sockets}/data", "--samples", f"ipc://{sockets}/s", "--api", f"ipc://{sockets}/a",
                        "--events", f"ipc://{sockets}/e")
    assert result.returncode == 1 and "newer release" in result.stderr and name in result.stderr


def test_a_file_that_is_no_database_is_refused_and_left(sockets):
    os.mkdir(os.path.join(sockets, "data"))
    path = os.path.join(sockets, "data", "history.db")
    with open(path, "w", encoding="utf-8") as file:
        file.write("not a database\n" * 1000)
    result = run_second("--data", f"{sockets}/data", "--samples", f"ipc://{sockets}/s", "--api", f"ipc://{sockets}/a",
                        "--events", f"ipc://{sockets}/e")
    assert result.returncode == 1 and "history.db" in result.stderr
    with open(path, encoding="utf-8") as file:
        assert file.read() == "not a database\n" * 1000


def test_sockets_are_for_the_owner_and_the_group(daemon):
    for name in ("samples", "api", "events"):
        assert os.stat(os.path.join(daemon.folder, name)).st_mode & 0o777 == 0o660
