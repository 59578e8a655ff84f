# pathcomp against igraph on thousands of random graphs: shortest paths, several paths, pairs. Links without room are
# left out of igraph's graphs, not made infinitely long: 0.10.2 returns paths over infinite links (its issue 2222).
# SPDX-License-Identifier: MIT
import itertools
import json
import os
import pathlib
import random
import subprocess

import igraph
import pytest

PATHCOMP = pathlib.Path(os.environ["LINKCAST_BUILD"]) / "pathcomp/pathcomp"
N_FILES, GRAPHS_A_FILE = 20, 150
DONE, BLOCKED = 0, 3
WEIGHTS = {
    "cost": lambda link: round(link["cost"] * 10), "latency": lambda link: round(link["latency_ms"] * 10), "hops": lambda link: 1,
}


def random_graph(rng, index):
    """A component of its own in a larger topology, so that one run answers for many graphs."""
    nodes = [f"g{index}n{i}" for i in range(rng.randint(2, 24))]
    links = []
    for i in range(rng.randint(1, 3 * len(nodes))):
        a, z = rng.sample(nodes, 2)
        links.append({
            "id": f"g{index}l{i}", "a": a, "z": z, "bidirectional": rng.random() < .7, "cost": rng.randint(1, 9) / 10,
            "latency_ms": rng.randint(1, 30) / 10, "total_capacity_gbps": rng.randint(1, 10),
            "used_capacity_gbps": rng.randint(0, 4), "used_capacity_reverse_gbps": rng.randint(0, 4),
            "admin_up": rng.random() < .95,
        })
    return nodes, links


def arcs_of(link, gbps):
    """The directions of a link that fit."""
    if link["admin_up"] and link["total_capacity_gbps"] - link["used_capacity_gbps"] >= gbps:
        yield link["a"], link["z"]
    if link["admin_up"] and link["bidirectional"] and link["total_capacity_gbps"] - link["used_capacity_reverse_gbps"] >= gbps:
        yield link["z"], link["a"]


class Oracle:
    def __init__(self, nodes, links, asked):
        arcs = [(link, arc) for link in links for arc in arcs_of(link, asked["gbps"])]
        number = {node: i for i, node in enumerate(nodes)}
        self.graph = igraph.Graph(len(nodes), [(number[a], number[z]) for _, (a, z) in arcs], directed=True)
        self.weights = [WEIGHTS[asked["metric"]](link) for link, _ in arcs]
        self.source, self.target = number[asked["from"]], number[asked["to"]]

    def shortest(self):
        return self.graph.distances(self.source, self.target, self.weights)[0][0]

    def several(self, k):
        paths = self.graph.get_k_shortest_paths(self.source, self.target, k, weights=self.weights, output="epath")
        return [sum(self.weights[edge] for edge in path) for path in paths]

    def has_pair(self):
        return self.graph.maxflow_value(self.source, self.target, [1] * self.graph.ecount()) >= 2


def answers(file, requests):
    run = subprocess.run([PATHCOMP, "batch", "-", "--file", file], input="".join(json.dumps(r) + "\n" for r in requests),
                         capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode in (DONE, BLOCKED), run.stderr
    replies = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(replies) == len(requests)
    return replies


def check_path(links, asked, path):
    """A walk from source to target whose links fit. Returns its length."""
    at, length = asked["from"], 0
    for link, is_reversed in zip(path["links"], path["reversed"]):
        link = links[link]
        a, z = (link["z"], link["a"]) if is_reversed else (link["a"], link["z"])
        assert a == at and (a, z) in arcs_of(link, asked["gbps"]), asked
        at, length = z, length + WEIGHTS[asked["metric"]](link)
    assert at == asked["to"], asked
    return length


def check(oracle, links, asked, answer):
    lengths = [check_path(links, asked, path) for path in answer.get("paths", [])]
    if "disjoint" in asked:
        assert (answer["status"] == "path") == oracle.has_pair(), asked
        if lengths:
            assert not set(answer["paths"][0]["links"]) & set(answer["paths"][1]["links"]), asked
    elif "k" in asked:
        assert lengths == oracle.several(asked["k"]), asked
    elif lengths:
        assert lengths[0] == oracle.shortest(), asked
    else:
        assert oracle.shortest() == float("inf"), asked
    return bool(lengths)


@pytest.mark.parametrize("more", [{}, {"k": 4}, {"disjoint": "link"}], ids=["shortest", "several", "pair"])
def test_igraph_agrees_in_thousands_of_graphs(tmp_path, more):
    rng = random.Random(str(more))
    found = 0
    for number in range(N_FILES):
        worlds = [random_graph(rng, i) for i in range(GRAPHS_A_FILE)]
        file = tmp_path / f"worlds{number}.json"
        file.write_text(json.dumps({"nodes": [{"id": node} for nodes, _ in worlds for node in nodes],
                                    "links": [link for _, links in worlds for link in links]}))
        # one request a graph: nothing is taken from another
        requests = []
        for (nodes, _), metric in zip(worlds, itertools.cycle(WEIGHTS)):
            source, target = rng.sample(nodes, 2)
            requests.append({"from": source, "to": target, "gbps": rng.randint(0, 8), "metric": metric, "offers": False} | more)
        for (nodes, links), asked, answer in zip(worlds, requests, answers(file, requests)):
            found += check(Oracle(nodes, links, asked), {link["id"]: link for link in links}, asked, answer)
    assert N_FILES * GRAPHS_A_FILE / 20 < found < N_FILES * GRAPHS_A_FILE * 9 / 10
