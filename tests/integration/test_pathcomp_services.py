# pathcomp's conditions and counter-offers as a user asks for them, pathcomp serve over its socket, and services
# that the real analyticsd admits.
# SPDX-License-Identifier: MIT
import datetime
import itertools
import json
import random
import time
import xml.etree.ElementTree

import msgpack
import networkx
import pytest
import zmq

from daemon import Analyticsd, Refused
from pathcomp_api import FakeApi, forecast_entry, link_view
from pathcomp_command import BLOCKED, DATA, DONE, ERROR, RING, USAGE, Serve, answer, links_of, pathcomp
from testpmd import wait_until

def ring(gbps, *more, status=DONE):
    return answer("path", "--file", RING, "--from", "Aalborg", "--to", "Cadiz", "--gbps", gbps, *more, status=status)


# ---- conditions

def test_several_paths_in_order():
    reply = ring(1, "-k", 5)
    assert links_of(reply)[:3] == [["ab", "bc"], ["ad", "dc"], ["ad", "bd", "bc"]]
    costs = [path["cost"] for path in reply["paths"]]
    assert costs == sorted(costs) and len(reply["paths"]) <= 5


@pytest.mark.parametrize("kind", ["link", "node", "srlg"])
def test_two_paths_apart(kind):
    assert links_of(ring(1, "--disjoint", kind)) == [["ab", "bc"], ["ad", "dc"]]


def test_hard_conditions():
    assert links_of(ring(1, "--exclude", "link=ab")) == [["ad", "dc"]]
    assert links_of(ring(1, "--exclude", "node=Bergen")) == [["ad", "dc"]]
    assert links_of(ring(1, "--via", "Dublin")) == [["ad", "dc"]]
    assert links_of(ring(1, "--max-latency-ms", 15)) == [["ad", "dc"]]
    assert links_of(ring(1, "--widest")) == [["ad", "dc"]]
    assert links_of(ring(2.5, "--max-utilization", .82)) == [["ad", "dc"]]
    reply = ring(1, "--max-hops", 1, status=BLOCKED)
    assert reply["reason"] == "hops" and "cut" not in reply
    assert ring(1, "--max-latency-ms", 1, status=BLOCKED)["reason"] == "latency"
    reply = ring(1, "--exclude", "node=Bergen", "--exclude", "node=Dublin", status=BLOCKED)
    assert reply["reason"] == "excluded" and {link["reason"] for link in reply["cut"]} == {"excluded", "down"}
    reply = ring(1, "--max-utilization", .1, status=BLOCKED)
    assert reply["reason"] == "utilization" and reply["cut"][0]["shortfall_gbps"] > 0


@pytest.mark.parametrize("arguments", [["--exclude", "ab"], ["--exclude", "city=ab"], ["--max-utilization", "1.1"], ["-k", "0"],
                                       ["-k", "1.5"], ["--max-hops", "-1"], ["--disjoint", "city"], ["--max-latency-ms", "x"]])
def test_wrong_conditions_are_wrong_usage(arguments):
    run = pathcomp("path", "--file", RING, "--from", "Aalborg", "--to", "Cadiz", "--gbps", 1, *arguments)
    assert run.returncode == USAGE and arguments[0] in run.stderr


@pytest.mark.parametrize("condition", ["link=none", "node=none", "srlg=none"])
def test_what_is_excluded_must_be_there(condition):
    run = pathcomp("path", "--file", RING, "--from", "Aalborg", "--to", "Cadiz", "--gbps", 1, "--exclude", condition)
    assert run.returncode == ERROR and "'none'" in run.stderr


# ---- instead

def test_offers_hold():
    reply = ring(12.5, status=BLOCKED)
    assert reply["offers"] == {"max_gbps": 10.0, "upgrade": [{"link": "ad", "direction": "forward", "add_gbps": 2.5}]}
    assert ring(reply["offers"]["max_gbps"])["status"] == "path"
    assert ring(reply["offers"]["max_gbps"] + 1e-9, status=BLOCKED)["status"] == "blocked"
    assert "offers" not in ring(12.5, "--no-offers", status=BLOCKED)
    pair = ring(8, "--disjoint", "link", status=BLOCKED)
    assert links_of(ring(pair["offers"]["max_gbps"], "--disjoint", "link")) == [["ab", "bc"], ["ad", "dc"]]


def test_offers_against_other_conditions_hold():
    assert ring(1, "--max-hops", 1, status=BLOCKED)["offers"] == {"min_hops": 2}
    assert ring(1, "--max-hops", 2)["paths"][0]["hops"] == 2
    least = ring(1, "--max-latency-ms", 1, status=BLOCKED)["offers"]["min_latency_ms"]
    assert ring(1, "--max-latency-ms", least)["paths"][0]["latency_ms"] == least
    assert ring(1, "--max-latency-ms", least - .001, status=BLOCKED)["offers"] == {"min_latency_ms": least}
    excluded = ["--exclude", "node=Bergen", "--exclude", "node=Dublin"]
    assert ring(1, *excluded, status=BLOCKED)["offers"] == {"readmit": ["ab", "bc"]}
    # in words, too
    run = pathcomp("path", "--file", RING, "--from", "Aalborg", "--to", "Cadiz", "--gbps", 1, *excluded)
    assert run.returncode == BLOCKED and "with what is excluded: ab, bc" in run.stdout


def test_what_is_down_is_named_when_it_would_help(tmp_path):
    links = [{"id": "ab", "a": "a", "z": "b", "total_capacity_gbps": 10},
             {"id": "bc", "a": "b", "z": "c", "total_capacity_gbps": 10, "admin_up": False},
             {"id": "thin", "a": "b", "z": "c", "total_capacity_gbps": 1, "admin_up": False, "cost": 0.5}]
    file = tmp_path / "down.json"
    file.write_text(json.dumps({"nodes": [{"id": node} for node in "abc"], "links": links}))
    arguments = ["path", "--file", file, "--from", "a", "--to", "c", "--gbps"]
    run = pathcomp(*arguments, 5, "--json")
    reply = json.loads(run.stdout)
    assert run.returncode == BLOCKED and reply["reason"] == "down" and reply["offers"] == {"restore": ["bc"]}
    assert "with links up again: thin" in pathcomp(*arguments, 1).stdout
    assert json.loads(pathcomp(*arguments, 11, "--json").stdout)["offers"] == {}  # up again they would be too thin


def batch(*requests, status=DONE, arguments=()):
    run = pathcomp("batch", "-", "--file", RING, *arguments, stdin="\n".join(map(json.dumps, requests)))
    assert run.returncode == status, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_later_start_and_a_shorter_time_are_offered_where_they_fit():
    begin = int(time.time()) * 10**9 + 3600 * 10**9
    ask = {"from": "Aalborg", "to": "Cadiz", "gbps": 9, "exclude_links": ["ab"]}
    taken = ask | {"start": str(begin + 1800 * 10**9), "duration_seconds": 3600}
    wanted = ask | {"start": str(begin), "duration_seconds": 7200}
    first, blocked = batch(taken, wanted)
    assert first["status"] == "path" and blocked["status"] == "blocked"
    offers = blocked["offers"]
    assert offers["max_duration_seconds"] == 1800.0 and offers["max_gbps"] == 1.0
    _, later, shorter = batch(taken, wanted | {"start": offers["earliest_start"]},
                              wanted | {"duration_seconds": offers["max_duration_seconds"]})
    assert later["status"] == "path" and shorter["status"] == "path"


def test_the_best_order_admits_more():
    big = {"from": "Aalborg", "to": "Cadiz", "gbps": 10, "id": "big"}
    small = [{"from": "Aalborg", "to": "Dublin", "gbps": 2.5, "id": f"s{i}"} for i in range(4)]
    given = batch(big, *small)
    best = batch(big, *small, arguments=["--order", "best"])
    assert [reply["id"] for reply in best] == ["big", "s0", "s1", "s2", "s3"]
    assert sum(reply["status"] == "path" for reply in given) < sum(reply["status"] == "path" for reply in best) == 4


# ---- files and pictures

def test_a_map_of_the_topology_zoo():
    run = pathcomp("topology", "check", DATA / "AttMpls.graphml")
    assert run.returncode == DONE and "nodes: 25, links: 57" in run.stdout
    converted = json.loads(pathcomp("topology", "convert", DATA / "AttMpls.graphml").stdout)
    graph = networkx.MultiGraph(networkx.read_graphml(DATA / "AttMpls.graphml"))
    assert graph.number_of_edges() == len(converted["links"]) and graph.number_of_nodes() == len(converted["nodes"])
    source, target = converted["nodes"][0]["id"], converted["nodes"][24]["id"]
    reply = answer("path", "--file", DATA / "AttMpls.graphml", "--from", source, "--to", target, "--gbps", 1, "--unknown", "allow")
    assert reply["paths"][0]["hops"] == networkx.shortest_path_length(graph, "0", "24")


def test_check_lists_every_defect(tmp_path):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps({"nodes": [{"id": "a"}, {"id": "a"}, {"id": "b"}], "links": [
        {"id": "l", "a": "a", "z": "x"}, {"id": "l", "a": "a", "z": "b"}, {"id": "m", "a": "b", "z": "b"}]}))
    run = pathcomp("topology", "check", file)
    assert run.returncode == ERROR
    for defect in ("nodes[1]: id 'a'", "links[0] 'l': no node 'x'", "links[1]: id 'l'", "links[2] 'm': both ends"):
        assert defect in run.stderr
    (tmp_path / "nodes.csv").write_text("id,name,x,y\n0,A,1,2\n0,B,1,2\n1,C,east,2\n")
    (tmp_path / "links.csv").write_text("id,src,dst,capacity\nl,0,1,-1\nm,0,9,1\n")
    run = pathcomp("topology", "check", tmp_path)
    for defect in ("nodes.csv:3:", "nodes.csv:4: x:", "links.csv:2: capacity:", "links.csv:3: dst:"):
        assert defect in run.stderr


def test_pictures(tmp_path):
    arguments = ["path", "--file", DATA / "AttMpls.graphml", "--from", "?", "--to", "?", "--gbps", 1, "--unknown", "allow"]
    names = [node["id"] for node in json.loads(pathcomp("topology", "convert", DATA / "AttMpls.graphml").stdout)["nodes"]]
    arguments[4], arguments[6] = names[0], names[-1]
    dot = pathcomp(*arguments, "--dot").stdout
    assert dot.startswith('digraph "admin" {') and dot.count(" -> ") == 57 and dot.count("#1a6fc4") >= 1
    svg = xml.etree.ElementTree.fromstring(pathcomp(*arguments, "--svg").stdout)
    lines = svg.findall("{http://www.w3.org/2000/svg}line")
    hops = answer(*arguments)["paths"][0]["hops"]
    assert sum(line.get("stroke") == "#1a6fc4" for line in lines) == hops
    flat = tmp_path / "flat.json"
    flat.write_text(json.dumps({"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"id": "l", "a": "a", "z": "b", "total_capacity_gbps": 1}]}))
    run = pathcomp("path", "--file", flat, "--from", "a", "--to", "b", "--gbps", 1, "--svg")
    assert run.returncode == ERROR and "x and y" in run.stderr and run.stdout == ""


# ---- pathcomp serve

def test_serve_answers_from_a_file(sockets):
    with Serve(sockets, "--file", RING) as serve:
        assert serve.ask("Ping")["uptime_seconds"] >= 0
        for _ in range(30):
            reply = serve.ask("ComputePath", **{"from": "Aalborg", "to": "Cadiz", "gbps": 4, "id": "7"})
            assert reply["id"] == "7" and links_of(reply) == [["ab", "bc"]]
        assert serve.ask("ComputePath", **{"from": "Aalborg", "to": "Cadiz", "gbps": 12.5})["offers"]["max_gbps"] == 10.0
        for code, operation, fields in (
                ("NOT_FOUND", "ComputePath", {"from": "Nowhere", "to": "Cadiz", "gbps": 1}),
                ("INVALID_ARGUMENT", "ComputePath", {"to": "Cadiz", "gbps": 1}),
                ("FAILED_PRECONDITION", "RequestService", {"from": "Aalborg", "to": "Cadiz", "gbps": 1}),
                ("UNIMPLEMENTED", "Fly", {})):
            with pytest.raises(Refused) as refused:
                serve.ask(operation, **fields)
            assert refused.value.code == code
        for frame in (b"", b"\xdd\xe2\x8b\xe2\x01", b"x" * 1000, msgpack.packb([1])):
            assert serve.client.raw(frame)["ok"] is False
        assert serve.stop() == DONE


def test_serve_survives_frames_without_form_and_answers_a_dealer_in_order(sockets):
    with Serve(sockets, "--file", RING) as serve:
        context = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(serve.endpoint)
        dealer.send_multipart([b"no", b"form"])
        assert dealer.poll(30000) and msgpack.unpackb(dealer.recv_multipart()[-1])["ok"] is False
        dealer.send_multipart([b"x"] * 40)
        assert dealer.poll(30000) and msgpack.unpackb(dealer.recv_multipart()[-1])["ok"] is False
        for i in range(200):
            dealer.send_multipart([b"", msgpack.packb({"op": "ComputePath", "id": str(i), "from": "Aalborg", "to": "Cadiz", "gbps": 1})])
        for i in range(200):
            assert dealer.poll(30000)
            empty, frame = dealer.recv_multipart()
            assert empty == b"" and msgpack.unpackb(frame)["id"] == str(i)
        dealer.close()
        context.term()
        assert serve.stop() == DONE


def test_an_endpoint_is_not_stolen(sockets):
    with Serve(sockets, "--file", RING):
        run = pathcomp("serve", "--endpoint", f"ipc://{sockets}/path", "--file", RING)
        assert run.returncode == ERROR and "held by another process" in run.stderr


# ---- services

NODES = [{"id": node} for node in "ABC"]
LINKS = [
    {"id": "ab", "a": "A", "z": "B", "total_capacity_gbps": 10.0},
    {"id": "bc", "a": "B", "z": "C", "total_capacity_gbps": 10.0},
    {"id": "ac", "a": "A", "z": "C", "total_capacity_gbps": 10.0, "cost": 5.0},
]


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", nodes=NODES, links=LINKS)
        yield running


def service(daemon, *arguments, status=DONE):
    return answer("service", *arguments, "--api", daemon.api, status=status)


def request(daemon, gbps, *more, status=DONE):
    return service(daemon, "request", "--from", "A", "--to", "C", "--gbps", gbps, *more, status=status)


def test_what_was_admitted_is_held_until_it_is_released(daemon):
    first = request(daemon, 6, "--request-id", "one")
    assert links_of(first) == [["ab", "bc"]] and first["service_id"]
    second = request(daemon, 6, "--request-id", "two")
    assert links_of(second) == [["ac"]]
    blocked = request(daemon, 6, "--request-id", "three", status=BLOCKED)
    assert blocked["offers"]["max_gbps"] == 4.0 and "service_id" not in blocked
    path = answer("path", "--api", daemon.api, "--from", "A", "--to", "C", "--gbps", 4)
    assert path["paths"][0]["capacities"][0]["held_gbps"] == 6.0
    listed = service(daemon, "list")["services"]
    assert {entry["service_id"] for entry in listed} == {first["service_id"], second["service_id"]}
    assert service(daemon, "release", first["service_id"])["state"] == "released"
    assert links_of(request(daemon, 6, "--request-id", "four")) == [["ab", "bc"]]


def test_the_same_request_again_gets_the_same_answer(daemon):
    first = request(daemon, 6, "--request-id", "one")
    again = request(daemon, 6, "--request-id", "one")
    assert (again["service_id"], links_of(again)) == (first["service_id"], links_of(first))
    assert len(service(daemon, "list")["services"]) == 1
    run = pathcomp("service", "request", "--api", daemon.api, "--from", "A", "--to", "C", "--gbps", 2, "--request-id", "one")
    assert run.returncode == ERROR


def test_a_dry_run_changes_nothing(daemon):
    reply = request(daemon, 6, "--dry-run")
    assert reply["dry_run"] is True and links_of(reply) == [["ab", "bc"]]
    assert service(daemon, "list")["services"] == []


def test_a_change_counts_what_the_service_holds_as_free(daemon):
    first = request(daemon, 6, "--request-id", "one")
    changed = service(daemon, "change", first["service_id"], "--gbps", 9)
    assert changed["service_id"] == first["service_id"] and links_of(changed) == [["ab", "bc"]]
    listed = service(daemon, "list")["services"]
    assert [(entry["gbps"], entry["state"]) for entry in listed] == [(9.0, "active")]
    run = pathcomp("service", "change", "nobody", "--gbps", 9, "--api", daemon.api)
    assert run.returncode == ERROR and "nobody" in run.stderr


def test_a_change_keeps_the_times_that_it_does_not_give(daemon):
    # this evening ab is full: what is asked for tomorrow has room there, also when it is changed today
    request(daemon, 10, "--duration", "2h")
    first = request(daemon, 6, "--start", "+1d", "--duration", "3h")
    before = service(daemon, "show", first["service_id"])
    changed = service(daemon, "change", first["service_id"], "--gbps", 7)
    assert links_of(first) == links_of(changed) == [["ab", "bc"]]
    after = service(daemon, "show", first["service_id"])
    assert [after[name] for name in ("start_ns", "end_ns", "gbps")] == [before["start_ns"], before["end_ns"], 7]
    running = request(daemon, 1, "--duration", "3h", "--exclude", "link=ab")
    end_ns = service(daemon, "show", running["service_id"])["end_ns"]
    service(daemon, "change", running["service_id"], "--gbps", 2, "--exclude", "link=ab")
    assert service(daemon, "show", running["service_id"])["end_ns"] == end_ns


def test_a_request_is_known_again_after_its_service_was_changed_and_released(daemon):
    first = request(daemon, 2, "--request-id", "one", "--duration", "1h")
    service(daemon, "change", first["service_id"], "--gbps", 3, "--request-id", "two")
    again = request(daemon, 2, "--request-id", "one", "--duration", "1h")
    assert (again["service_id"], links_of(again)) == (first["service_id"], links_of(first))
    changed = service(daemon, "change", first["service_id"], "--gbps", 3, "--request-id", "two")
    assert changed["service_id"] == first["service_id"]
    service(daemon, "release", first["service_id"])
    again = request(daemon, 2, "--request-id", "one", "--duration", "1h")
    assert again["service_id"] == first["service_id"]
    for wrong in (["2", "--duration", "2h"], ["2"], ["3", "--duration", "1h"]):
        run = pathcomp("service", "request", "--api", daemon.api, "--from", "A", "--to", "C", "--gbps", wrong[0],
                       "--request-id", "one", *wrong[1:])
        assert run.returncode == ERROR and "'one'" in run.stderr, wrong
    assert len(service(daemon, "list")["services"]) == 1


def test_a_service_is_shown_with_what_each_decision_was_made_from(daemon):
    first = request(daemon, 2, "--request-id", "one", "--duration", "1h")
    service(daemon, "change", first["service_id"], "--gbps", 6, "--request-id", "two")
    shown = service(daemon, "show", first["service_id"])
    assert [(entry["version"], entry["request_id"]) for entry in shown["decisions"]] == [(1, "one"), (2, "two")]
    text = pathcomp("service", "show", first["service_id"], "--api", daemon.api).stdout
    assert f"service {first['service_id']}: active, 6 Gbps from A to C on ab, bc" in text
    rows = [line.split() for line in text.splitlines()]
    assert "version 1, admitted" in text and "by request two: 6 Gbps" in text
    assert [row[:4] for row in rows if row[:1] == ["ab"]] == [["ab", "forward", "unknown", "10"]] * 2
    run = pathcomp("service", "show", "nobody", "--api", daemon.api)
    assert run.returncode == ERROR and "nobody" in run.stderr


def test_lists_of_people_name_links_that_are_taken_backwards(daemon):
    assert pathcomp("service", "list", "--api", daemon.api).stdout == "no services\n"
    service(daemon, "request", "--from", "C", "--to", "A", "--gbps", 1)
    run = pathcomp("service", "list", "--api", daemon.api, "--link", "ab", "--state", "active")
    rows = [line.split() for line in run.stdout.splitlines()]
    assert rows[0][:4] == ["SERVICE", "STATE", "FROM", "TO"]
    assert rows[1][:5] == ["svc-1", "active", "C", "A", "1"] and rows[1][-2:] == ["~bc,", "~ab"]


@pytest.mark.parametrize("arguments", [
    [], ["eat"], ["release"], ["release", "a", "b"], ["show"], ["list", "a"], ["request", "--from", "A", "--to", "B"],
    ["change", "--gbps", "1"], ["release", "a", "--dry-run"], ["list", "--state", "odd"],
    ["request", "--from", "A", "--to", "B", "--gbps", "1", "--start", "soon"],
    ["request", "--from", "A", "--to", "B", "--gbps", "1", "--meter-port", "p"],
    ["request", "--from", "A", "--to", "B", "--gbps", "1", "-k", "2", "--disjoint", "link"],
], ids=" ".join)
def test_wrong_usage_of_service_changes_nothing(arguments):
    run = pathcomp("service", *arguments)
    assert run.returncode == USAGE and run.stdout == "" and "pathcomp service" in run.stderr


def test_each_action_helps():
    overview = pathcomp("service", "--help")
    assert overview.returncode == DONE
    for action in ("request", "change", "release", "list", "show"):
        assert f"pathcomp service {action}" in overview.stdout
        run = pathcomp("service", action, "--help")
        assert run.returncode == DONE and "Exit status:" in run.stdout and "--json" in run.stdout


def test_a_pair_is_held_as_one_service(daemon):
    reply = request(daemon, 6, "--disjoint", "link", "--request-id", "pair")
    assert links_of(reply) == [["ab", "bc"], ["ac"]]
    assert links_of(request(daemon, 6, "--disjoint", "link", "--request-id", "pair")) == links_of(reply)
    assert len(service(daemon, "list")["services"]) == 1
    request(daemon, 6, status=BLOCKED)


def test_a_change_over_serve_keeps_the_times_that_it_does_not_give(daemon, sockets):
    request(daemon, 10, "--duration", "2h")
    first = request(daemon, 6, "--start", "+1d", "--duration", "3h")
    before = service(daemon, "show", first["service_id"])
    with Serve(sockets, "--api", daemon.api) as serve:
        changed = serve.ask("RequestService", **{"from": "A", "to": "C"}, gbps=7, service_id=first["service_id"])
    assert links_of(changed) == [["ab", "bc"]]
    after = service(daemon, "show", first["service_id"])
    assert [after[name] for name in ("start_ns", "end_ns", "gbps")] == [before["start_ns"], before["end_ns"], 7]


def test_serve_admits_and_sees_what_others_admitted(daemon, sockets):
    with Serve(sockets, "--api", daemon.api, "--max-age", "200ms") as serve:
        fields = {"from": "A", "to": "C", "gbps": 6}
        first = serve.ask("RequestService", request_id="one", **fields)
        assert links_of(first) == [["ab", "bc"]]
        assert links_of(serve.ask("ComputePath", **fields)) == [["ac"]]  # at once
        service(daemon, "release", first["service_id"])
        wait_until(lambda: links_of(serve.ask("ComputePath", **fields)) == [["ab", "bc"]], "the released links to be seen")
        daemon.ask("SetLink", link_id="ab", admin_up=False)
        wait_until(lambda: links_of(serve.ask("ComputePath", **fields)) == [["ac"]], "the link to be seen down")
        assert serve.stop() == DONE


def test_serve_without_analyticsd_says_so_and_comes_back(sockets):
    with Serve(sockets, "--api", f"ipc://{sockets}/api", "--max-age", "100ms") as serve:
        fields = {"from": "A", "to": "C", "gbps": 1}
        with pytest.raises(Refused) as refused:
            serve.ask("ComputePath", **fields)
        assert refused.value.code == "UNAVAILABLE"
        with Analyticsd(sockets) as running:
            running.ask("SetTopology", nodes=NODES, links=LINKS)

            def answers():
                try:
                    return links_of(serve.ask("ComputePath", **fields)) == [["ab", "bc"]]
                except Refused:
                    return False
            wait_until(answers, "pathcomp serve to find analyticsd")
        assert serve.stop() == DONE


# ---- offers from forecasts

HOUR = 3600 * 10**9


def busy_api(folder, busy_from, busy_to):
    """An analyticsd with one link, 9 of 10 Gbps full in [busy_from, busy_to), by a point every ten minutes."""
    link = {"id": "ab", "a": "A", "z": "B", "total_capacity_gbps": 10.0, "used_capacity_gbps": 2.0}

    def used(ts_ns):  # ts_ns ends the interval
        return 9.0 if busy_from < ts_ns <= busy_to else 2.0

    def forecast(query):
        start = query.get("start_ns", time.time_ns())
        points = int(query["forecast_window_seconds"] / 600)
        series = [[start + i * HOUR // 6, used(start + i * HOUR // 6), 0.0, used(start + i * HOUR // 6)] for i in range(1, points + 1)]
        peak = max(point[3] for point in series)
        return {"version": 1, "link_capacities": [
            forecast_entry(link, direction, peak, series=series) for direction in ("forward", "reverse")]}

    topology = {"topology_id": "admin", "version": 1, "nodes": [{"id": "A"}, {"id": "B"}], "links": [link_view(link)]}
    return FakeApi(f"ipc://{folder}/fake", {"GetTopology": lambda query: topology, "ForecastTopologyCapacity": forecast})


def ask_busy(api, hours, *more, status):
    return answer("path", "--api", api.endpoint, "--from", "A", "--to", "B", "--gbps", 5, "--duration", f"{hours}h", *more, status=status)


def test_the_offered_start_is_after_the_busy_hours(sockets):
    now = time.time_ns()
    with busy_api(sockets, now - HOUR, now + 2 * HOUR) as api:
        offers = ask_busy(api, 1, status=BLOCKED)["offers"]
        assert offers["max_gbps"] == 1.0 and offers["upgrade"] == [{"link": "ab", "direction": "forward", "add_gbps": 4.0}]
        begin = datetime.datetime.fromisoformat(offers["earliest_start"][:19] + "+00:00").timestamp() * 1e9
        assert now + 1.8 * HOUR < begin < now + 4 * HOUR
        assert ask_busy(api, 1, "--start", offers["earliest_start"], status=DONE)["capacity_source"] == "forecast"


def test_the_offered_duration_ends_before_the_busy_hours(sockets):
    now = time.time_ns()
    with busy_api(sockets, now + 2 * HOUR, now + 20 * HOUR) as api:
        offers = ask_busy(api, 12, status=BLOCKED)["offers"]
        assert 1 * 3600 < offers["max_duration_seconds"] < 2 * 3600
        run = pathcomp("path", "--api", api.endpoint, "--from", "A", "--to", "B", "--gbps", 5, "--duration",
                       f"{offers['max_duration_seconds']:.3f}")
        assert run.returncode == DONE


# ---- against NetworkX

def random_links(rng, index):
    """Links of one direction, so that arcs and links are the same; costs that make no ties."""
    nodes = [f"g{index}n{i}" for i in range(rng.randint(4, 14))]
    return nodes, [{"id": f"g{index}l{i}", "a": a, "z": z, "bidirectional": False, "cost": rng.randint(1, 10**6) / 1000,
                    "total_capacity_gbps": rng.randint(1, 4)}
                   for i, (a, z) in enumerate(rng.sample(list(itertools.permutations(nodes, 2)), len(nodes) * 3))]


def test_networkx_finds_the_same_paths_and_pairs_in_hundreds_of_graphs(tmp_path):
    rng = random.Random(11)
    worlds = [random_links(rng, i) for i in range(300)]
    file = tmp_path / "worlds.json"
    file.write_text(json.dumps({"nodes": [{"id": node} for nodes, _ in worlds for node in nodes],
                                "links": [link for _, links in worlds for link in links]}))
    asked = []
    for index, (nodes, _) in enumerate(worlds):
        source, target = rng.sample(nodes, 2)
        asked.append({"from": source, "to": target, "gbps": 2, "offers": False} | ({"k": 6} if index % 2 else {"disjoint": "link"}))
    run = pathcomp("batch", "-", "--file", file, stdin="\n".join(map(json.dumps, asked)))
    assert run.returncode == DONE, run.stderr
    found = 0
    for (nodes, links), query, line in zip(worlds, asked, run.stdout.splitlines(), strict=True):
        reply = json.loads(line)
        graph = networkx.DiGraph()
        graph.add_nodes_from(nodes)
        for link in links:
            if link["total_capacity_gbps"] >= query["gbps"]:
                graph.add_edge(link["a"], link["z"], weight=round(link["cost"] * 1000), capacity=1)
        costs = [round(path["cost"] * 1000) for path in reply["paths"]]
        if "k" in query:
            best = []
            if networkx.has_path(graph, query["from"], query["to"]):
                best = itertools.islice(networkx.shortest_simple_paths(graph, query["from"], query["to"], "weight"), 6)
            assert costs == [networkx.path_weight(graph, path, "weight") for path in best], query
        else:
            graph.nodes[query["from"]]["demand"], graph.nodes[query["to"]]["demand"] = -2, 2
            try:
                best = networkx.min_cost_flow_cost(graph)
            except networkx.NetworkXUnfeasible:
                assert reply["status"] == "blocked", query
                continue
            assert sum(costs) == best and len(costs) == 2, query
        found += reply["status"] == "path"
    assert 150 < found < 300
