"""What a blocked request is offered is asked for again, and nothing better is found by trying everything: random small
networks with real services, through the real analyticsd and pathcomp serve.

SPDX-License-Identifier: MIT
"""

import datetime
import itertools
import json
import random
import time

import networkx
import pytest

from daemon import Analyticsd, Refused
from pathcomp_command import Serve, pathcomp

SECOND = 10 ** 9
WORLDS = 60
REQUESTS = 8
LEAST_BPS = 1e-9  # of a Gbps
OFFERS = ("max_gbps", "earliest_start", "max_duration_seconds", "upgrade")


class World:
    """A topology and services of which everything is known here, too."""

    def __init__(self, daemon, serve, number, chance):
        self.daemon, self.serve, self.name, self.chance = daemon, serve, f"world{number}", chance
        self.begin = time.time_ns() // SECOND * SECOND + 3600 * SECOND
        self.nodes = [f"n{i}" for i in range(chance.randint(4, 6))]
        self.links = {}
        ends = [(a, z) for a, z in itertools.combinations(self.nodes, 2) if chance.random() < 0.6]
        for i, (a, z) in enumerate(ends + chance.sample(ends, min(2, len(ends)))):
            self.links[f"w{number}l{i}"] = {
                "a": a, "z": z, "total_capacity_gbps": float(chance.randint(4, 12)), "cost": chance.randint(1, 4),
                "used_capacity_gbps": float(chance.randint(0, 2)), "latency_ms": chance.randint(1, 9),
                "bidirectional": chance.random() < 0.9, "srlg": [f"g{chance.randint(0, 3)}"] * (chance.random() < 0.5)}
        daemon.ask("SetTopology", topology_id=self.name, nodes=[{"id": node} for node in self.nodes],
                   links=[{"id": name, **link} for name, link in self.links.items()])
        self.holds = []
        for _ in range(chance.randint(0, 24)):
            self.admit()

    def admit(self):
        start = self.begin + self.chance.randint(0, 20) * 60 * SECOND
        end = start + self.chance.randint(1, 30) * 60 * SECOND
        name = self.chance.choice(list(self.links))
        direction = "reverse" if self.links[name]["bidirectional"] and self.chance.random() < 0.5 else "forward"
        gbps = float(self.chance.randint(2, 7))
        try:
            self.daemon.ask("Reserve", request_id=f"{self.name}-{len(self.holds)}", topology_id=self.name, gbps=gbps,
                            links=[{"link_id": name, "direction": direction}], start_ns=start, end_ns=end, forecaster="off")
        except Refused as refused:
            assert refused.code == "ABORTED", refused
            return
        self.holds.append((name, direction, gbps, start, end))

    def draw(self):
        start, duration = self.begin + self.chance.randint(0, 10) * 60 * SECOND, self.chance.randint(1, 40) * 60
        query = {"topology_id": self.name, "gbps": float(self.chance.randint(3, 11)), "start": str(start),
                 "duration_seconds": float(duration), "forecaster": "off"}
        query["from"], query["to"] = self.chance.sample(self.nodes, 2)
        kind = self.chance.choice(["plain", "plain", "link", "node", "srlg", "via", "latency", "utilization"])
        if kind in ("link", "node", "srlg"):
            query["disjoint"] = kind
        elif kind == "via":
            query["via"] = [self.chance.choice([n for n in self.nodes if n not in (query["from"], query["to"])])]
        elif kind == "latency":
            query["max_latency_ms"] = float(self.chance.randint(5, 25))
        elif kind == "utilization":
            query["max_utilization"] = 0.75
        return query

    def fits(self, query, **other):
        return self.serve.ask("ComputePath", **{**query, "offers": False, **other})["status"] == "path"

    def held(self, name, direction, start, end):
        """The most that is held at a moment of [start, end)."""
        mine = [hold for hold in self.holds if hold[:2] == (name, direction) and hold[3] < end and start < hold[4]]
        return max((sum(gbps for _, _, gbps, since, until in mine if since <= moment < until)
                    for moment in [start] + [hold[3] for hold in mine if hold[3] > start]), default=0)

    def arcs(self, query):
        """Every direction of a link, with what it lacks for the request."""
        start, share = int(query["start"]), query.get("max_utilization", 1)
        end = start + int(query["duration_seconds"] * SECOND)
        graph = networkx.MultiDiGraph()
        graph.add_nodes_from(self.nodes)
        for name, link in self.links.items():
            for direction, a, z in (("forward", link["a"], link["z"]), ("reverse", link["z"], link["a"])):
                if direction == "forward" or link["bidirectional"]:
                    free = link["total_capacity_gbps"] * share - link["used_capacity_gbps"] - self.held(name, direction, start, end)
                    graph.add_edge(a, z, key=(name, direction), lacks=max(0, query["gbps"] - free) / share)
        return graph

    def shared(self, path, kind):
        """What two paths may not have in common."""
        names = {name for _, _, (name, _) in path}
        if kind == "node":
            return names | {z for _, z, _ in path[:-1]}
        return names | ({group for name in names for group in self.links[name]["srlg"]} if kind == "srlg" else set())

    def least_upgrade(self, query):
        """The least that must be added for a path, or a pair, that keeps the conditions: by trying each."""
        graph = self.arcs(query)
        paths = [path for path in networkx.all_simple_edge_paths(graph, query["from"], query["to"])
                 if sum(self.links[name]["latency_ms"] for _, _, (name, _) in path) <= query.get("max_latency_ms", 1e9)
                 and all(node in [z for _, z, _ in path] for node in query.get("via", []))]
        lacks = [sum(graph.edges[edge]["lacks"] for edge in path) for path in paths]
        if "disjoint" not in query:
            return min(lacks, default=None)
        shared = [self.shared(path, query["disjoint"]) for path in paths]
        return min((lacks[i] + lacks[j] for i, j in itertools.combinations(range(len(paths)), 2) if not shared[i] & shared[j]),
                   default=None)

    def ends(self, query):
        return sorted({hold[4] for hold in self.holds if hold[4] > int(query["start"])})

    def starts(self, query):
        start, end = int(query["start"]), int(query["start"]) + int(query["duration_seconds"] * SECOND)
        return sorted({hold[3] for hold in self.holds if start < hold[3] < end})


def check_rate(world, query, offers):
    rate = offers.get("max_gbps")
    if rate is None:
        assert not world.fits(query, gbps=LEAST_BPS)
        return
    assert rate < query["gbps"] and world.fits(query, gbps=rate) and not world.fits(query, gbps=rate + LEAST_BPS)


def check_start(world, query, offers):
    earliest = offers.get("earliest_start")
    for moment in world.ends(query):
        if world.fits(query, start=str(moment)):
            assert earliest is not None and world.fits(query, start=earliest)
            told = datetime.datetime.fromisoformat(earliest.replace("Z", "+00:00"))
            assert int(told.timestamp()) * SECOND == moment, (earliest, moment)
            return
    assert earliest is None


def check_duration(world, query, offers):
    seconds = [(moment - int(query["start"])) / SECOND for moment in world.starts(query)]
    longest = max((duration for duration in seconds if world.fits(query, duration_seconds=duration)), default=None)
    assert offers.get("max_duration_seconds") == longest, (offers, longest)


def check_upgrade(world, query, offers):
    least, upgrade = world.least_upgrade(query), offers.get("upgrade")
    if upgrade is None:
        assert least is None, (query, least)
        return
    assert sum(entry["add_gbps"] for entry in upgrade) == pytest.approx(least, abs=1e-6), query
    for entry in upgrade:
        world.daemon.ask("SetLink", link_id=entry["link"],
                         total_capacity_gbps=world.links[entry["link"]]["total_capacity_gbps"] + entry["add_gbps"])
    try:
        again = pathcomp("batch", "-", "--api", world.daemon.api, stdin=json.dumps(query))
        assert json.loads(again.stdout)["status"] == "path", (query, upgrade)
    finally:
        for entry in upgrade:
            world.daemon.ask("SetLink", link_id=entry["link"],
                             total_capacity_gbps=world.links[entry["link"]]["total_capacity_gbps"])


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as running:
        yield running


def test_what_is_offered_holds_and_nothing_better_does(daemon, sockets):
    chance, offered, blocked = random.Random(6), dict.fromkeys(OFFERS, 0), 0
    with Serve(sockets, "--api", daemon.api, "--max-age", "1h") as serve:
        for number in range(WORLDS):
            world = World(daemon, serve, number, chance)
            for _ in range(REQUESTS):
                query = world.draw()
                reply = serve.ask("ComputePath", **query)
                if reply["status"] == "path" or reply["reason"] not in ("capacity", "utilization"):
                    continue
                blocked += 1
                check_rate(world, query, reply["offers"])
                check_start(world, query, reply["offers"])
                check_duration(world, query, reply["offers"])
                check_upgrade(world, query, reply["offers"])
                for name in offered:
                    offered[name] += name in reply["offers"]
    assert blocked > WORLDS and min(offered.values()) > 5, (blocked, offered)
