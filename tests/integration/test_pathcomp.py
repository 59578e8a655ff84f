# pathcomp as a user runs it: files good and bad, exit statuses, JSON, batches against NetworkX, and analyticsd
# that answers, refuses, is slow or isn't there.
# SPDX-License-Identifier: MIT
import itertools
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import networkx
import pytest

from daemon import Analyticsd
from pathcomp_api import FakeApi, Refusal, Silence, forecast_entry, link_view

PATHCOMP = pathlib.Path(os.environ["LINKCAST_BUILD"]) / "pathcomp/pathcomp"
DATA = pathlib.Path(__file__).parent.parent / "data/topologies"
RING = DATA / "ring.json"

DONE, ERROR, USAGE, BLOCKED = range(4)


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="lcpc"))
    yield path
    shutil.rmtree(path)


def pathcomp(*arguments, stdin="", env=None):
    environment = {k: v for k, v in os.environ.items() if k not in ("ENABLE_FORECASTER", "LINKCAST_API")}
    return subprocess.run(
        [PATHCOMP, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120,
        env=environment | (env or {}),
    )


def path_json(*arguments, status=DONE, **more):
    run = pathcomp("path", "--json", *arguments, **more)
    assert run.returncode == status, run.stderr
    return json.loads(run.stdout)


def ask(source, target, gbps, *more):
    return ["--from", source, "--to", target, "--gbps", gbps, *more]


def expect_error(run, *words, status=ERROR):
    assert run.returncode == status, (run.stdout, run.stderr)
    assert len(run.stderr.splitlines()) == 1 or status == USAGE
    for word in words:
        assert word in run.stderr


# ---- files

def test_a_path_that_fits_in_json():
    answer = path_json("--file", RING, *ask("Aalborg", "Cadiz", 4))
    assert answer == {
        "ok": True,
        "status": "path",
        "paths": [{
            "links": ["ab", "bc"], "nodes": ["Aalborg", "Bergen", "Cadiz"], "reversed": [False, False],
            "cost": 2.0, "latency_ms": 16.0, "hops": 2, "bottleneck_gbps": 4.0,
            "capacities": [
                {"link": "ab", "direction": "forward", "total_capacity_gbps": 10.0, "used_capacity_gbps": 6.0,
                 "held_gbps": 0.0, "available_gbps": 4.0, "source": "current", "state": "up"},
                {"link": "bc", "direction": "forward", "total_capacity_gbps": 10.0, "used_capacity_gbps": 1.0,
                 "held_gbps": 0.0, "available_gbps": 9.0, "source": "current", "state": "up"},
            ],
        }],
        "capacity_source": "current",
        "capacity_source_reason": "no duration given",
    }


def test_one_more_bit_goes_another_way_and_back_is_another_direction():
    answer = path_json("--file", RING, *ask("Aalborg", "Cadiz", 4.000000001))
    assert answer["paths"][0]["links"] == ["ad", "dc"]
    answer = path_json("--file", RING, *ask("Cadiz", "Aalborg", 8))
    assert (answer["paths"][0]["links"], answer["paths"][0]["reversed"]) == (["bc", "ab"], [True, True])


def test_metrics():
    assert path_json("--file", RING, *ask("Aalborg", "Cadiz", 1), "--metric", "latency")["paths"][0]["links"] == ["ad", "dc"]
    assert path_json("--file", RING, *ask("Dublin", "Bergen", 1), "--metric", "hops")["paths"][0]["links"] == ["bd"]


def test_blocked_tells_the_cut_and_the_shortfall():
    answer = path_json("--file", RING, *ask("Aalborg", "Cadiz", 12.5), status=BLOCKED)
    assert answer["ok"] is True and answer["status"] == "blocked" and answer["reason"] == "capacity"
    assert answer["paths"] == []
    cut = {link["link"]: link for link in answer["cut"]}
    assert set(cut) == {"ab", "ad", "spare"}
    assert cut["ad"] == {"link": "ad", "direction": "forward", "available_gbps": 10.0, "shortfall_gbps": 2.5, "reason": "capacity"}
    assert cut["spare"]["reason"] == "down"
    answer = path_json("--file", RING, *ask("Aalborg", "Elba", 1), status=BLOCKED)
    assert answer["reason"] == "no_route" and "cut" not in answer


def test_people_get_a_table():
    run = pathcomp("path", "--file", RING, *ask("Cadiz", "Aalborg", 8))
    assert run.returncode == DONE
    lines = [line.split() for line in run.stdout.splitlines()]
    assert lines[0][:4] == ["LINK", "DIRECTION", "FROM", "TO"]
    assert lines[1] == ["bc", "reverse", "Cadiz", "Bergen", "10", "1", "9"]
    assert lines[2] == ["ab", "reverse", "Bergen", "Aalborg", "10", "2", "8", "narrowest"]
    assert "2 hops, cost 2, latency 16 ms, 8 Gbps free" in run.stdout
    assert "no duration given" in run.stdout
    run = pathcomp("path", "--file", RING, *ask("Aalborg", "Cadiz", 50))
    assert run.returncode == BLOCKED
    assert run.stdout.startswith("blocked (capacity)") and "spare" in run.stdout and run.stderr == ""


@pytest.mark.parametrize("file", ["ring.links.csv", "ring.nodes.csv"])
def test_csv(file):
    run = pathcomp("path", "--json", "--file", DATA / file, "--capacity-unit", "Mbps", *ask("Aalborg", "Cadiz", 5))
    assert run.returncode == DONE
    path = json.loads(run.stdout)["paths"][0]
    assert [link["source"] for link in path.pop("capacities")] == ["none", "none"]
    assert path == {
        "links": ["ab", "bc"], "nodes": ["Aalborg", "Bergen", "Cadiz"], "reversed": [False, False], "cost": 2.0,
        "latency_ms": 16.0, "hops": 2, "bottleneck_gbps": 10.0,
    }
    assert "ring.nodes.csv:5: name 'Bergen' is there before: called 'Bergen#2'" in run.stderr


def test_unknown_capacity_needs_a_policy():
    arguments = ["--file", DATA / "ring.links.csv", "--capacity-unit", "Mbps", *ask("Aalborg", "Cadiz", 20)]
    answer = path_json(*arguments, status=BLOCKED)
    assert {"link": "dc", "direction": "forward", "reason": "unknown"} in answer["cut"]
    assert path_json(*arguments, "--unknown", "allow")["paths"][0]["links"] == ["ad", "dc"]
    answer = path_json("--file", DATA / "ring.links.csv", *ask("Aalborg", "Bergen", 1), "--unknown", "refuse", status=BLOCKED)
    assert all(link["reason"] == "unknown" for link in answer["cut"])


def test_topology_check_and_convert(folder):
    run = pathcomp("topology", "check", RING)
    assert run.returncode == DONE and "nodes: 5, links: 6, of unknown capacity: 0, components: 2" in run.stdout
    assert json.loads(pathcomp("topology", "check", RING, "--json").stdout) == {"nodes": 5, "links": 6}
    run = pathcomp("topology", "convert", DATA / "ring.nodes.csv", "--capacity-unit", "Mbps", "--topology", "csv")
    assert run.returncode == DONE and run.stderr.count("Bergen#2") == 1
    converted = folder / "ring.json"
    converted.write_text(run.stdout)
    assert json.loads(run.stdout)["topology_id"] == "csv"
    arguments = ask("Aalborg", "Cadiz", 5)
    assert path_json("--file", converted, "--topology", "csv", *arguments) == path_json(
        "--file", DATA / "ring.nodes.csv", "--capacity-unit", "Mbps", *arguments)
    again = pathcomp("topology", "convert", converted)
    assert again.stdout == run.stdout


NODES = '"nodes": [{"id": "a"}, {"id": "b"}]'
BAD_FILES = {
    "dangling": ("{%s, \"links\": [{\"id\": \"l\", \"a\": \"a\", \"z\": \"c\"}]}" % NODES, "links[0] 'l': no node 'c'"),
    "duplicate link": ("{%s, \"links\": [%s, %s]}" % (NODES, *['{"id": "l", "a": "a", "z": "b"}'] * 2), "id 'l' is there twice"),
    "duplicate node": ('{"nodes": [{"id": "a"}, {"id": "a"}], "links": []}', "id 'a' is there twice"),
    "no nodes": ('{"nodes": [], "links": []}', "nodes"),
    "NaN": ('{%s, "links": [{"id": "l", "a": "a", "z": "b", "total_capacity_gbps": NaN}]}' % NODES, "line 1"),
    "infinite": ('{%s, "links": [{"id": "l", "a": "a", "z": "b", "total_capacity_gbps": 1e999}]}' % NODES, "line 1"),
    "negative": ('{%s, "links": [{"id": "l", "a": "a", "z": "b", "total_capacity_gbps": -1}]}' % NODES, "links[0].total_capacity_gbps"),
    "truncated": ('{"nodes": [', "line 1"),
    "empty": ("", "line 1"),
    "not UTF-8": (b'{"nodes": [{"id": "\xff"}], "links": []}', "line 1"),
}


@pytest.mark.parametrize("what", BAD_FILES)
@pytest.mark.parametrize("form", ["path", "check"])
def test_bad_files_are_named(folder, what, form):
    content, says = BAD_FILES[what]
    file = folder / "bad.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    run = pathcomp("topology", "check", file) if form == "check" else pathcomp("path", "--file", file, *ask("a", "b", 1))
    expect_error(run, str(file), says)
    assert run.stdout == ""


def test_a_broken_csv_row_is_named_with_its_line(folder):
    shutil.copy(DATA / "ring.nodes.csv", folder / "nodes.csv")
    links = (DATA / "ring.links.csv").read_text().splitlines()
    links[3] = "ad,0,3,0,40000x,2,5000"
    (folder / "links.csv").write_text("\n".join(links))
    for file in (folder, folder / "links.csv", folder / "nodes.csv"):
        run = pathcomp("topology", "convert", file)
        assert run.returncode == ERROR and run.stdout == ""
        assert "links.csv:4: capacity: must be a number" in run.stderr.splitlines()[-1]


def test_files_that_cannot_be_read(folder):
    expect_error(pathcomp("path", "--file", folder / "none.json", *ask("a", "b", 1)), "none.json: No such file")
    expect_error(pathcomp("path", "--file", folder, *ask("a", "b", 1)), "nodes.csv: No such file")
    expect_error(pathcomp("batch", folder / "none", "--file", RING), "none: No such file")
    if os.geteuid() != 0:
        secret = folder / "secret.json"
        secret.touch(mode=0)
        expect_error(pathcomp("path", "--file", secret, *ask("a", "b", 1)), "Permission denied")


def test_errors_about_the_request():
    expect_error(pathcomp("path", "--file", RING, *ask("Aalborg", "Nowhere", 1)), "to: no node 'Nowhere' in topology 'ring'")
    expect_error(pathcomp("path", "--file", RING, *ask("Aalborg", "Aalborg", 1)), "same node")
    expect_error(pathcomp("path", "--file", RING, "--topology", "other", *ask("Aalborg", "Cadiz", 1)), "'other'")
    expect_error(pathcomp("path", "--file", RING, "--start", "2001-01-01T00:00:00Z", *ask("Aalborg", "Cadiz", 1)), "past")
    expect_error(pathcomp("path", "--file", RING, "--duration", "1h", "--forecaster", "on", *ask("Aalborg", "Cadiz", 1)), "forecaster")


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["path"], ["path", "--from", "a", "--to", "b"], ["path", *ask("a", "b", "nan")],
    ["path", *ask("a", "b", "-1")], ["path", *ask("a", "b", "1x")], ["path", *ask("a", "b", 1), "--duration", "soon"],
    ["path", *ask("a", "b", 1), "--metric", "beauty"], ["path", *ask("a", "b", 1), "--quantile", "1.5"],
    ["path", *ask("a", "b", 1), "--start", "yesterday"], ["path", *ask("a", "b", 1), "--as-of", "1x"],
    ["path", *ask("a", "b", 1), "--capacity-unit", "GB"], ["path", *ask("a", "b", 1), "--nonsense"],
    ["batch"], ["topology"], ["topology", "check"], ["topology", "eat", "x"], ["topology", "check", "x", "y"],
], ids=lambda arguments: " ".join(map(str, arguments)))
def test_wrong_usage(arguments):
    expect_error(pathcomp(*arguments), "pathcomp", status=USAGE)


def test_help_and_version():
    assert pathcomp("--version").stdout.startswith("pathcomp ")
    overview = pathcomp("--help").stdout
    for form in ("path", "batch", "serve", "service", "topology"):
        assert f"pathcomp {form}" in overview
        run = pathcomp(form, "--help")
        assert run.returncode == DONE and f"pathcomp {form}" in run.stdout


# ---- batches

def batch(file, requests, *arguments, status=DONE):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in requests)
    run = pathcomp("batch", "-", "--file", file, *arguments, stdin=text + "\n")
    assert run.returncode == status, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def request(source, target, gbps, **more):
    return {"from": source, "to": target, "gbps": gbps} | more


def test_each_request_sees_what_the_earlier_ones_took():
    answers = batch(RING, [request("Aalborg", "Cadiz", 2, id=str(i)) for i in range(8)])
    assert [a["id"] for a in answers] == list("01234567")
    assert [a["paths"][0]["links"] if a["paths"] else a["reason"] for a in answers] == [
        ["ab", "bc"]] * 2 + [["ad", "dc"]] * 5 + ["capacity"]


def test_requests_that_do_not_meet_in_time_share_nothing():
    window = {"duration_seconds": 3600}
    answers = batch(RING, [
        request("Aalborg", "Bergen", 4, start="+1h", **window),
        request("Aalborg", "Bergen", 4, start="+2h", **window),
        request("Aalborg", "Bergen", 4, start="+90m", **window),
        request("Aalborg", "Bergen", 4),
    ])
    assert [a["paths"][0]["links"] for a in answers] == [["ab"], ["ab"], ["ad", "bd"], ["ad", "dc", "bc"]]


def test_a_bad_line_is_refused_alone():
    answers = batch(RING, [
        request("Aalborg", "Cadiz", 1), "{", {"from": "Aalborg", "id": "x"}, request("Aalborg", "Nowhere", 1, id="y"),
        request("Aalborg", "Cadiz", -1), request("Aalborg", "Cadiz", 1, metric="beauty"),
        request("Aalborg", "Cadiz", 1, k=2, disjoint="link"), request("Aalborg", "Cadiz", 1, topology_id="other"),
        "", request("Aalborg", "Elba", 1),
    ], status=ERROR)
    assert [a["ok"] for a in answers] == [True] + [False] * 7 + [True]
    assert [a["error"]["code"] for a in answers[1:8]] == [
        "INVALID_ARGUMENT", "INVALID_ARGUMENT", "NOT_FOUND", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "NOT_FOUND"]
    assert answers[2]["id"] == "x" and answers[3]["id"] == "y"
    assert "to: missing" in answers[2]["error"]["message"] and "disjoint" in answers[6]["error"]["message"]


def test_answers_come_one_by_one():
    """Who asks over a pipe may wait for an answer before asking on."""
    with subprocess.Popen([PATHCOMP, "batch", "-", "--file", RING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        for gbps in (1, 50):
            run.stdin.write(json.dumps(request("Aalborg", "Cadiz", gbps)) + "\n")
            run.stdin.flush()
            assert json.loads(run.stdout.readline())["ok"] is True
        run.stdin.close()
        assert run.wait(timeout=30) == DONE


def random_topology(rng, index):
    """A component of its own in one big topology, so that one run answers for thousands of graphs."""
    n = rng.randint(2, 30)
    nodes = [f"g{index}n{i}" for i in range(n)]
    links = []
    for i in range(rng.randint(1, 3 * n)):
        a, z = rng.sample(nodes, 2)
        links.append({
            "id": f"g{index}l{i}", "a": a, "z": z, "bidirectional": rng.random() < .7, "cost": rng.randint(0, 9) / 10,
            "latency_ms": rng.randint(0, 30) / 10, "total_capacity_gbps": rng.randint(1, 10),
            "used_capacity_gbps": rng.randint(0, 4), "used_capacity_reverse_gbps": rng.randint(0, 4),
            "admin_up": rng.random() < .95,
        })
    return nodes, links


def oracle_graph(nodes, links, gbps, weight):
    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for link in links:
        arcs = [(link["a"], link["z"], "used_capacity_gbps")]
        if link["bidirectional"]:
            arcs.append((link["z"], link["a"], "used_capacity_reverse_gbps"))
        for a, z, used in arcs:
            if not link["admin_up"] or link["total_capacity_gbps"] - link[used] < gbps:
                continue
            value = weight(link)
            if not graph.has_edge(a, z) or graph[a][z]["weight"] > value:
                graph.add_edge(a, z, weight=value)
    return graph


WEIGHTS = {
    "cost": lambda link: round(link["cost"] * 10), "latency": lambda link: round(link["latency_ms"] * 10), "hops": lambda link: 1,
}


def test_networkx_finds_no_shorter_path_in_thousands_of_graphs(folder):
    rng = random.Random(7)
    worlds = [random_topology(rng, i) for i in range(2000)]
    file = folder / "worlds.json"
    file.write_text(json.dumps({
        "nodes": [{"id": node} for nodes, _ in worlds for node in nodes], "links": [link for _, links in worlds for link in links],
    }))
    # one request a graph: nothing is taken from another
    requests = [
        request(*rng.sample(nodes, 2), rng.randint(0, 8), metric=metric)
        for (nodes, _), metric in zip(worlds, itertools.cycle(WEIGHTS))
    ]
    answers = batch(file, requests)
    assert len(answers) == len(requests)
    found = 0
    for (nodes, links), asked, answer in zip(worlds, requests, answers):
        weight = WEIGHTS[asked["metric"]]
        graph = oracle_graph(nodes, links, asked["gbps"], weight)
        try:
            best = networkx.dijkstra_path_length(graph, asked["from"], asked["to"])
        except networkx.NetworkXNoPath:
            assert answer["status"] == "blocked", asked
            check_cut(nodes, links, asked, answer)
            continue
        found += 1
        path = answer["paths"][0]
        by_id = {link["id"]: link for link in links}
        assert sum(weight(by_id[link]) for link in path["links"]) == best, asked
        check_walk(by_id, asked, path)
    assert 400 < found < 1800


def check_walk(by_id, asked, path):
    assert path["nodes"][0] == asked["from"] and path["nodes"][-1] == asked["to"] and path["hops"] == len(path["links"])
    assert len(set(path["nodes"])) == len(path["nodes"])
    for i, (link_id, is_reversed) in enumerate(zip(path["links"], path["reversed"])):
        link = by_id[link_id]
        ends = [link["a"], link["z"]]
        assert path["nodes"][i:i + 2] == (ends[::-1] if is_reversed else ends)
        assert link["bidirectional"] or not is_reversed
        used = link["used_capacity_reverse_gbps" if is_reversed else "used_capacity_gbps"]
        assert link["admin_up"] and link["total_capacity_gbps"] - used >= max(asked["gbps"], path["bottleneck_gbps"])


def check_cut(nodes, links, asked, answer):
    """Without the links of the cut there is no route, even if all others were empty and up."""
    cut = {(link["link"], link["direction"]) for link in answer.get("cut", [])}
    graph = networkx.DiGraph()
    graph.add_nodes_from(nodes)
    for link in links:
        if (link["id"], "forward") not in cut:
            graph.add_edge(link["a"], link["z"])
        if link["bidirectional"] and (link["id"], "reverse") not in cut:
            graph.add_edge(link["z"], link["a"])
    assert not networkx.has_path(graph, asked["from"], asked["to"]), asked
    assert bool(cut) == (answer["reason"] != "no_route")
    for link in answer.get("cut", []):
        assert link["shortfall_gbps"] > 0 or (link["reason"] == "down" and link["shortfall_gbps"] == 0)


# ---- with analyticsd's protocol

NOW_NS = int(time.time()) * 10**9
LINKS = [
    {"id": "ab", "a": "A", "z": "B", "total_capacity_gbps": 10.0, "used_capacity_gbps": 2.0},
    {"id": "bc", "a": "B", "z": "C", "total_capacity_gbps": 10.0, "used_capacity_gbps": 2.0},
    {"id": "ac", "a": "A", "z": "C", "total_capacity_gbps": 10.0, "used_capacity_gbps": 2.0, "cost": 5.0},
]
BUSY = {"ab": 9.0}  # by the forecast


def get_topology(request, version=3, links=LINKS, page_size=2):
    """Pages of two."""
    if request.get("topology_id", "admin") != "admin":
        raise Refusal("NOT_FOUND", f"topology '{request['topology_id']}' does not exist")
    page = request.get("page", 0)
    nodes = [{"id": node} for node in "ABC"]
    reply = {
        "topology_id": "admin", "version": version, "nodes": nodes[page:page + page_size],
        "links": [link_view(link) for link in links[page:page + page_size]],
    }
    return reply | ({"next_page": page + page_size} if page + page_size < len(links) else {})


def forecast_topology(request, version=3, busy=BUSY):
    """Pages of one link."""
    page = request.get("page", 0)
    link = LINKS[page]
    used = busy.get(link["id"], 2.0)
    series = [[NOW_NS + 10**9 * at, used / 2, used / 3, used if at == 600 else 1.0] for at in (300, 600, 900)]
    entries = [forecast_entry(link, direction, used, series=series) for direction in ("forward", "reverse")]
    return {"version": version, "link_capacities": entries} | ({"next_page": page + 1} if page + 1 < len(LINKS) else {})


ANSWERS = {"GetTopology": get_topology, "ForecastTopologyCapacity": forecast_topology}


@pytest.fixture
def api(folder):
    with FakeApi(f"ipc://{folder}/api", dict(ANSWERS)) as fake:
        yield fake


def test_without_a_duration_the_current_use_counts(api):
    answer = path_json("--api", api.endpoint, *ask("A", "C", 5))
    assert answer["paths"][0]["links"] == ["ab", "bc"]
    assert (answer["capacity_source"], answer["capacity_source_reason"]) == ("current", "no duration given")
    assert api.count("ForecastTopologyCapacity") == 0


def test_with_a_duration_the_forecast_counts(api):
    answer = path_json(*ask("A", "C", 5), "--duration", "7d", "--quantile", ".9", env={"LINKCAST_API": api.endpoint})
    assert answer["paths"][0]["links"] == ["ac"]
    assert answer["capacity_source"] == "forecast" and "capacity_source_reason" not in answer
    assert answer["paths"][0]["bottleneck_gbps"] == 8.0
    asked = [r for r in api.requests if r["op"] == "ForecastTopologyCapacity"][0]
    assert (asked["forecast_window_seconds"], asked["quantile"], asked["series"]) == (604800, .9, True)
    assert "start_ns" not in asked and asked["topology_id"] == "admin"


def test_a_start_in_the_future_is_passed_on(api):
    path_json("--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h", "--start", "2100-01-01T00:00:00Z")
    asked = [r for r in api.requests if r["op"] == "ForecastTopologyCapacity"][0]
    assert asked["start_ns"] == 4102444800 * 10**9


def test_blocked_in_the_window_tells_the_worst_moment(api):
    api.answers["ForecastTopologyCapacity"] = lambda r: forecast_topology(r, busy={"ab": 9.0, "ac": 9.5})
    answer = path_json("--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h", status=BLOCKED)
    assert answer["capacity_source"] == "forecast" and answer["reason"] == "capacity"
    assert answer["cut"] == [
        {"link": link, "direction": "forward", "available_gbps": available, "shortfall_gbps": 5 - available,
         "worst_ns": str(NOW_NS + 600 * 10**9), "reason": "capacity"}
        for link, available in (("ab", 1.0), ("ac", .5))
    ]


def test_a_batch_reads_each_topology_and_window_once(api):
    requests = [request("A", "C", 1, duration_seconds=3600)] * 5 + [request("A", "C", 1)] * 5
    run = pathcomp("batch", "-", "--api", api.endpoint, stdin="\n".join(map(json.dumps, requests)))
    assert run.returncode == DONE, run.stderr
    assert [json.loads(line)["capacity_source"] for line in run.stdout.splitlines()] == ["forecast"] * 5 + ["current"] * 5
    assert (api.count("GetTopology"), api.count("ForecastTopologyCapacity")) == (2, 3)


def test_services_hold_what_they_reserved(api):
    def reserved(request):
        reply = forecast_topology(request, busy={})
        for entry in reply["link_capacities"]:
            entry["reserved_gbps"] = 4.0 if entry["link_id"] == "ab" else 0.0
        return reply

    api.answers["ForecastTopologyCapacity"] = reserved
    assert path_json("--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h")["paths"][0]["links"] == ["ac"]
    assert path_json("--api", api.endpoint, *ask("A", "C", 4), "--duration", "1h")["paths"][0]["links"] == ["ab", "bc"]


@pytest.mark.parametrize("state", ["down", "admin_down"])
def test_links_that_are_down(api, state):
    api.answers["GetTopology"] = lambda r: get_topology(r) | {
        "links": [link | ({"state": state} if link["id"] == "ab" else {}) for link in get_topology(r)["links"]]}
    assert path_json("--api", api.endpoint, *ask("A", "C", 1))["paths"][0]["links"] == ["ac"]
    assert path_json("--api", api.endpoint, *ask("A", "C", 1), "--duration", "1h")["paths"][0]["links"] == ["ac"]


FORECASTER = [  # ENABLE_FORECASTER, --forecaster, source
    (None, None, "forecast"), ("on", None, "forecast"), ("Enabled", None, "forecast"), ("1", None, "forecast"),
    ("NO", None, "current"), ("0", None, "current"), ("off", None, "current"), ("NO", "on", "forecast"),
    ("NO", "auto", "forecast"), ("YES", "off", "current"), (None, "off", "current"),
]


@pytest.mark.parametrize("variable, option, source", FORECASTER)
def test_the_forecaster_is_switched(api, variable, option, source):
    answer = path_json(
        "--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h", *(["--forecaster", option] if option else []),
        env={"ENABLE_FORECASTER": variable} if variable else {})
    assert answer["capacity_source"] == source
    assert answer.get("capacity_source_reason") == (None if source == "forecast" else "forecasting is off")
    assert bool(api.count("ForecastTopologyCapacity")) == (source == "forecast")


def refuse(code):
    def answer(request):
        raise Refusal(code, "out of order")
    return answer


@pytest.mark.parametrize("code", ["INTERNAL", "UNIMPLEMENTED", "UNAVAILABLE", "FAILED_PRECONDITION"])
def test_a_forecaster_that_fails(api, code):
    api.answers["ForecastTopologyCapacity"] = refuse(code)
    arguments = ["--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h"]
    answer = path_json(*arguments)
    assert answer["capacity_source"] == "current" and "out of order" in answer["capacity_source_reason"]
    assert answer["paths"][0]["links"] == ["ab", "bc"]
    expect_error(pathcomp("path", *arguments, "--forecaster", "on"), "forecast: out of order")


def test_a_request_that_the_forecaster_refuses_is_no_failure_of_it(api):
    api.answers["ForecastTopologyCapacity"] = refuse("INVALID_ARGUMENT")
    expect_error(pathcomp("path", "--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h"), "out of order")


def test_a_topology_that_changes_meanwhile_is_read_again(api):
    versions = itertools.chain([3], itertools.repeat(4))
    api.answers["GetTopology"] = lambda r: get_topology(r, version=next(versions))  # changes between pages
    assert path_json("--api", api.endpoint, *ask("A", "C", 1))["status"] == "path"
    assert api.count("GetTopology") == 4
    api.answers["GetTopology"] = lambda r: get_topology(r, version=3 if api.count("ForecastTopologyCapacity") == 0 else 4)
    api.answers["ForecastTopologyCapacity"] = lambda r: forecast_topology(r, version=4)
    answer = path_json("--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h")
    assert answer["capacity_source"] == "forecast" and answer["paths"][0]["links"] == ["ac"]


def test_a_topology_that_never_rests_is_an_error(api):
    versions = itertools.count()
    api.answers["GetTopology"] = lambda r: get_topology(r, version=next(versions))
    expect_error(pathcomp("path", "--api", api.endpoint, *ask("A", "C", 1)), "changes while it is read")


def test_nonsense_from_the_peer_is_an_error(api):
    api.answers["GetTopology"] = lambda r: get_topology(r) | {"next_page": 0}
    expect_error(pathcomp("path", "--api", api.endpoint, *ask("A", "C", 1)), "without an end")
    api.answers["GetTopology"] = lambda r: get_topology(r, links=[LINKS[0] | {"z": "X"}])
    expect_error(pathcomp("path", "--api", api.endpoint, *ask("A", "C", 1)), "no node 'X'")
    api.answers["GetTopology"] = lambda r: {"topology_id": "admin"}
    expect_error(pathcomp("path", "--api", api.endpoint, *ask("A", "C", 1)), "version: missing")


def test_an_unknown_topology_is_named(api):
    expect_error(pathcomp("path", "--api", api.endpoint, "--topology", "x", *ask("A", "C", 1)), "topology 'x' does not exist")


def test_a_file_with_forecasts_of_its_links(api, folder):
    file = folder / "t.json"
    file.write_text(json.dumps({"nodes": [{"id": n} for n in "ABC"], "links": LINKS[::-1]}))
    arguments = ["--file", file, *ask("A", "C", 5), "--duration", "1h"]
    assert path_json(*arguments)["capacity_source"] == "current"
    assert path_json(*arguments, env={"LINKCAST_API": api.endpoint})["capacity_source"] == "current"
    answer = path_json(*arguments, "--api", api.endpoint)
    assert (answer["capacity_source"], answer["paths"][0]["links"]) == ("forecast", ["ac"])
    assert api.count("GetTopology") == 0


@pytest.mark.parametrize("who", ["nobody", "somebody silent"])
def test_an_analyticsd_that_does_not_answer_is_told_within_two_seconds(folder, who):
    endpoint = f"ipc://{folder}/api"

    def silence(request):
        raise Silence

    def run_it():
        began = time.monotonic()
        run = pathcomp("path", "--api", endpoint, *ask("A", "C", 1), "--duration", "7d")
        return run, time.monotonic() - began

    if who == "nobody":
        run, seconds = run_it()
    else:
        with FakeApi(endpoint, {"Ping": silence}):
            run, seconds = run_it()
    expect_error(run, endpoint, "does not answer")
    assert seconds < 2  # the promise itself, not a measure of speed: three quarters of it are the wait


def test_a_batch_waits_once_for_an_analyticsd_that_is_not_there(folder):
    began = time.monotonic()
    run = pathcomp("batch", "-", "--api", f"ipc://{folder}/api", stdin=(json.dumps(request("A", "C", 1)) + "\n") * 20)
    assert run.returncode == ERROR and time.monotonic() - began < 10
    assert [json.loads(line)["error"]["code"] for line in run.stdout.splitlines()] == ["UNAVAILABLE"] * 20


def test_a_wrong_endpoint_is_an_error():
    expect_error(pathcomp("path", "--api", "http://x", *ask("A", "C", 1)), "http://x")


def test_a_reply_that_is_too_large_is_asked_for_in_smaller_pages(api):
    def forecast(request, most):
        if request["limit"] > most or (most == 0 and request["series"]):
            raise Refusal("RESOURCE_EXHAUSTED", "the reply would be over a frame")
        return forecast_topology(request)

    arguments = ["--api", api.endpoint, *ask("A", "C", 5), "--duration", "1h"]
    api.answers["ForecastTopologyCapacity"] = lambda r: forecast(r, 2)
    assert path_json(*arguments)["capacity_source"] == "forecast"
    api.answers["ForecastTopologyCapacity"] = refuse("RESOURCE_EXHAUSTED")
    assert path_json(*arguments)["capacity_source"] == "current"
    last = api.requests[-1]
    assert last["limit"] == 1 and last["series"] is False


# ---- with the real analyticsd

def test_the_real_analyticsd_sends_a_week_another_way(sockets):
    """Free now, full each afternoon: the request that fits now is sent around for the window, or refused."""
    week = 7 * 24 * 12
    nodes = [{"id": node} for node in "ABC"]
    now_ns = time.time_ns()
    with Analyticsd(sockets) as daemon:
        daemon.ask("SetTopology", topology_id="net", nodes=nodes, links=[
            {"id": link["id"], "a": link["a"], "z": link["z"], "total_capacity_gbps": 10.0, "cost": link.get("cost", 1.0)}
            for link in LINKS])
        for link, direction, high in (("ab", "forward", 9.0), ("ab", "reverse", 1.0), ("bc", "forward", 1.0), ("ac", "forward", 4.0)):
            # the last hours are at the low part of the day
            samples = [[now_ns - 300 * 10**9 * (week - i), high if 100 <= (week - i) % 288 < 140 else 1.0] for i in range(week + 1)]
            daemon.ask("AppendKpi", link_id=link, direction=direction, kpi=302, samples=samples)
        arguments = ["--api", daemon.api, "--topology", "net"]
        now = path_json(*arguments, *ask("A", "C", 5))
        assert now["paths"][0]["links"] == ["ab", "bc"] and now["capacity_source"] == "current"
        later = path_json(*arguments, *ask("A", "C", 5), "--duration", "1d", "--forecaster", "on")
        assert later["paths"][0]["links"] == ["ac"] and later["capacity_source"] == "forecast"
        blocked = path_json(*arguments, *ask("A", "C", 8), "--duration", "1d", status=BLOCKED)
        cut = {link["link"]: link for link in blocked["cut"]}
        assert set(cut) == {"ab", "ac"}
        for link in cut.values():
            # analyticsd's day begins a moment after the test's `now`
            assert link["available_gbps"] < 8 and now_ns < int(link["worst_ns"]) <= now_ns + (86400 + 60) * 10**9
            assert abs(link["shortfall_gbps"] - (8 - link["available_gbps"])) < 1e-6
        daemon.ask("SetLink", link_id="ac", admin_up=False)
        blocked = path_json(*arguments, *ask("A", "C", 5), "--duration", "1d", status=BLOCKED)
        assert {link["link"]: link["reason"] for link in blocked["cut"]} == {"ab": "capacity", "ac": "down"}
        assert daemon.stop() == 0
