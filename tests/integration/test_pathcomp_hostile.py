"""Requests and topologies that nobody means well: each is answered, quickly and with a reason, and changes nothing that it
should not.

SPDX-License-Identifier: MIT
"""

import itertools
import json
import time

import msgpack
import networkx
import pytest

from daemon import Analyticsd
from pathcomp_command import BLOCKED, DONE, ERROR, Serve, answer, links_of, pathcomp

SECOND = 10 ** 9
NAN, INFINITE = float("nan"), float("inf")
NODES = [{"id": node} for node in "ABC"]
LINKS = [{"id": "ab", "a": "A", "z": "B", "total_capacity_gbps": 10.0, "srlg": ["s"]},
         {"id": "bc", "a": "B", "z": "C", "total_capacity_gbps": 10.0},
         {"id": "ac", "a": "A", "z": "C", "total_capacity_gbps": 10.0, "cost": 5.0}]
ODD = [None, True, False, -1, 0, 1e308, -1e308, NAN, INFINITE, -INFINITE, 2 ** 63, 2 ** 64 - 1, -2 ** 63, 2 ** 53 + 1, 5e-324,
       "", "A", "x" * 300, "x" * 70000, "\x00", "nan", "1e999", b"\xff", [], {}, [1], [[]], ["A"], ["x"] * 1000,
       ["ab"] * 5000, {"a": 1}, [{}], [{"link_id": 7}], [{"link_id": "ab"}] * 2, [{"link_id": "none"}],
       [{"link_id": "ab", "direction": "up"}], {"link_id": "ab"}, {"host": "h", "name": "p"}, {"host": "h"},
       {"link_id": "ab", "host": "h", "name": "p"}]
PATH_FIELDS = ["id", "from", "to", "gbps", "topology_id", "duration_seconds", "start", "metric", "k", "disjoint", "max_latency_ms",
               "max_hops", "max_utilization", "exclude_links", "exclude_nodes", "exclude_srlgs", "via", "quantile", "forecaster",
               "unknown", "as_of", "widest", "offers"]
TERMS = ["request_id", "service_id", "dry_run", "traffic", "meter"]
RESERVE_FIELDS = ["request_id", "topology_id", "links", "gbps", "start_ns", "end_ns", "duration_seconds", "quantile", "version",
                  "evidence", "traffic", "meter", "service_id", "dry_run", "from", "to", "forecaster", "unknown",
                  "max_utilization"]
LIST_FIELDS = ["service_id", "topology_id", "link_id", "state", "evidence", "limit", "page", "request_id", "decisions"]
REASONS = {"INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", nodes=NODES, links=LINKS)
        yield running


def outcome(ask, operation, fields):
    """The reply to a frame that a well-meaning encoder would not make."""
    try:
        frame = msgpack.packb({"op": operation, **fields})
    except (OverflowError, ValueError):
        return None
    reply = ask(frame, seconds=30)
    assert reply["ok"] or (reply["error"]["code"] in REASONS and reply["error"]["message"]), (operation, fields, reply)
    return reply


def held(daemon):
    """What each link and direction has of reservations, in bit/s."""
    sums = {}
    for service in daemon.ask("ListServices", state="active")["services"]:
        for link in service["links"]:
            place = (link["link_id"], link["direction"])
            sums[place] = sums.get(place, 0) + round(service["gbps"] * 1e9)
    return sums


@pytest.mark.parametrize("operation, fields", [("ComputePath", PATH_FIELDS), ("RequestService", PATH_FIELDS + TERMS)])
def test_serve_answers_whatever_stands_in_a_field(daemon, sockets, operation, fields):
    with Serve(sockets, "--api", daemon.api) as serve:
        refused = 0
        for field, value in itertools.product(fields, ODD):
            reply = outcome(serve.client.raw, operation, {"from": "A", "to": "C", "gbps": 0.01, field: value})
            refused += reply is not None and not reply["ok"]
        assert refused > len(fields) * len(ODD) // 2
        assert all(bits <= 10 * 10 ** 9 for bits in held(daemon).values())
        assert operation == "RequestService" or not held(daemon)
        assert serve.ask("Ping")["version"] and serve.stop() == DONE


@pytest.mark.parametrize("operation, required, fields", [
    ("Reserve", {"links": [{"link_id": "ab"}], "gbps": 0.001}, RESERVE_FIELDS),
    ("Release", {"service_id": "svc-1"}, ["service_id", "version"]),
    ("ListServices", {}, LIST_FIELDS)])
def test_analyticsd_answers_whatever_stands_in_a_field(daemon, operation, required, fields):
    client, refused = daemon.client(), 0
    for number, (field, value) in enumerate(itertools.product(fields, ODD)):
        own = {"request_id": f"r{number}"} if operation == "Reserve" else {}
        reply = outcome(client.raw, operation, {**own, **required, field: value})
        refused += reply is not None and not reply["ok"]
    client.close()
    assert refused > len(fields) * len(ODD) // 3
    assert all(bits <= 10 * 10 ** 9 for bits in held(daemon).values())


def test_times_that_make_no_sense_are_refused(daemon, sockets):
    now, links = time.time_ns(), [{"link_id": "ab"}]
    cases = [{"start_ns": now + SECOND, "end_ns": now}, {"start_ns": now + SECOND, "end_ns": now + SECOND},
             {"start_ns": now - 3600 * SECOND, "end_ns": now + SECOND}, {"end_ns": now - SECOND}, {"end_ns": -1},
             {"start_ns": 2 ** 63 - 1}, {"start_ns": now, "end_ns": 2 ** 63 - 1}, {"duration_seconds": 1e9, "start_ns": 2 ** 63 - 10},
             {"end_ns": now + SECOND, "duration_seconds": 1.0}]
    client = daemon.client()
    for number, case in enumerate(cases):
        reply = outcome(client.raw, "Reserve", {"request_id": f"r{number}", "links": links, "gbps": 1.0, **case})
        assert reply["error"]["code"] == "INVALID_ARGUMENT", case
    client.close()
    with Serve(sockets, "--api", daemon.api) as serve:
        for start in ("yesterday", "-1h", "2001-01-01T00:00:00Z", str(now - SECOND), "-5", "9" * 30, "1e30"):
            reply = outcome(serve.client.raw, "RequestService", {"from": "A", "to": "C", "gbps": 1.0, "start": start})
            assert reply["error"]["code"] == "INVALID_ARGUMENT" and "start" in reply["error"]["message"], start
    assert not held(daemon)


def test_lists_of_a_million_are_answered_or_refused(daemon, sockets):
    ask = {"from": "A", "to": "C", "gbps": 1.0}
    with Serve(sockets, "--api", daemon.api) as serve:
        for field, name in (("exclude_links", "bc"), ("exclude_nodes", "B"), ("exclude_srlgs", "s")):
            reply = outcome(serve.client.raw, "ComputePath", {**ask, field: [name] * 400000})
            assert links_of(reply) == [["ac"]], field
            assert outcome(serve.client.raw, "ComputePath", {**ask, "gbps": 11.0, field: [name] * 400000})["status"] == "blocked"
        for n in (65, 65535, 65536, 1000000):
            reply = outcome(serve.client.raw, "ComputePath", {**ask, "via": ["B"] * n})
            assert reply["error"]["code"] == "INVALID_ARGUMENT" and "via" in reply["error"]["message"]
        assert links_of(outcome(serve.client.raw, "ComputePath", {**ask, "via": ["B"] * 64})) == [["ab", "bc"]]
        assert outcome(serve.client.raw, "ComputePath", {**ask, "k": 10 ** 9})["error"]["code"] == "INVALID_ARGUMENT"
        assert len(outcome(serve.client.raw, "ComputePath", {**ask, "k": 1000})["paths"]) == 2
        assert links_of(outcome(serve.client.raw, "ComputePath", {**ask, "never_heard_of": [{"a": 1}] * 1000})) == [["ab", "bc"]]


def test_a_retry_with_other_content_is_refused_whatever_differs(daemon):
    first = {"request_id": "one", "links": [{"link_id": "ab"}], "gbps": 1.0, "end_ns": time.time_ns() + 3600 * SECOND}
    yes = daemon.ask("Reserve", **first)
    assert daemon.ask("Reserve", **first) == yes
    client = daemon.client()
    for other in ({"gbps": 1.0 + 1e-9}, {"links": [{"link_id": "ab", "direction": "reverse"}]}, {"quantile": 0.9},
                  {"end_ns": first["end_ns"] + 1}, {"evidence": "x"}, {"traffic": "conservative"}, {"service_id": yes["service_id"]}):
        reply = outcome(client.raw, "Reserve", {**first, **other})
        assert reply["error"]["code"] == "ALREADY_EXISTS", other
    client.close()
    assert held(daemon) == {("ab", "forward"): 10 ** 9}


# ---- topologies

def write(tmp_path, nodes, links):
    file = tmp_path / "t.json"
    file.write_text(json.dumps({"nodes": [{"id": node} for node in nodes], "links": links}))
    return file


@pytest.mark.parametrize("text, says", [
    ('{"nodes": [], "links": []}', "nodes"),
    ('{"nodes": [{"id": "a"}], "links": [{"id": "l", "a": "a", "z": "a"}]}', "links[0] 'l': both ends"),
    ('{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "a": "a", "z": "b", "total_capacity_gbps": NaN}]}', "line 1"),
    ('{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "a": "a", "z": "b", "cost": -1}]}', "links[0].cost"),
    ('{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "a": "a", "z": "b", "cost": 1e10}]}', "links[0].cost"),
    ('{"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "a": "a", "z": "b", "latency_ms": -0.1}]}', "links[0].latency_ms"),
    ('[' * 100000, "line 1"), ('{"nodes":' + '[' * 100000, "line 1"), ('', "line 1"),
], ids=["no nodes", "loop", "NaN", "negative cost", "huge cost", "negative latency", "deep", "deep list", "empty"])
def test_topologies_that_are_none_are_refused(tmp_path, text, says):
    file = tmp_path / "t.json"
    file.write_text(text)
    for run in (pathcomp("topology", "check", file), pathcomp("path", "--file", file, "--from", "a", "--to", "b", "--gbps", 1)):
        assert run.returncode == ERROR and says in run.stderr and str(file) in run.stderr


def test_a_node_alone_and_parts_that_do_not_meet(tmp_path):
    alone = write(tmp_path, ["a"], [])
    assert pathcomp("topology", "check", alone).returncode == DONE
    apart = write(tmp_path, "abcd", [{"id": "ab", "a": "a", "z": "b", "total_capacity_gbps": 1},
                                     {"id": "cd", "a": "c", "z": "d", "total_capacity_gbps": 1}])
    for more in ([], ["-k", 5], ["--disjoint", "link"], ["--disjoint", "srlg"], ["--widest"], ["--max-hops", 0], ["--via", "b"]):
        reply = answer("path", "--file", apart, "--from", "a", "--to", "d", "--gbps", 0.5, *more, status=BLOCKED)
        assert reply["reason"] == "no_route" and reply["paths"] == [], more


def test_costs_of_nothing_and_of_very_much(tmp_path):
    """Zero costs everywhere leave the ties to latency, hops and ids; the largest that may be are added up exactly."""
    ring = [{"id": f"l{i}", "a": f"n{i}", "z": f"n{(i + 1) % 8}", "total_capacity_gbps": 1, "cost": 0} for i in range(8)]
    names = [f"n{i}" for i in range(8)]
    reply = answer("path", "--file", write(tmp_path, names, ring), "--from", "n0", "--to", "n3", "--gbps", 1, "-k", 3)
    assert links_of(reply) == [["l0", "l1", "l2"], ["l7", "l6", "l5", "l4", "l3"]]
    for link in ring:
        link["cost"] = 1e9
    reply = answer("path", "--file", write(tmp_path, names, ring), "--from", "n0", "--to", "n4", "--gbps", 1, "--disjoint", "node")
    assert sorted(links_of(reply)) == [["l0", "l1", "l2", "l3"], ["l7", "l6", "l5", "l4"]]
    assert [path["cost"] for path in reply["paths"]] == [4e9, 4e9]


def test_parallel_and_one_way_links_are_each_their_own(tmp_path):
    links = [{"id": f"p{i:02}", "a": "a", "z": "b", "total_capacity_gbps": i + 1, "cost": 1, "bidirectional": i % 2 == 0}
             for i in range(40)]
    file = write(tmp_path, "ab", links)
    for gbps in (0.5, 7.5, 39.5):
        there = answer("path", "--file", file, "--from", "a", "--to", "b", "--gbps", gbps, "-k", 100)
        assert links_of(there) == [[link["id"]] for link in links if link["total_capacity_gbps"] >= gbps]
    back = answer("path", "--file", file, "--from", "b", "--to", "a", "--gbps", 39, "-k", 5)
    assert links_of(back) == [["p38"]] and back["paths"][0]["reversed"] == [True]
    graph = networkx.MultiDiGraph()
    graph.add_edges_from(("a", "b") for _ in links)
    assert len(answer("path", "--file", file, "--from", "a", "--to", "b", "--gbps", 1, "-k", 100)["paths"]) == graph.number_of_edges()
