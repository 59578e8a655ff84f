"""Forecasts of the running daemon: many links at once, what is kept of them, and what the next one learns from it.

SPDX-License-Identifier: MIT
"""

import math
import os
import random
import time

import pytest

from daemon import Analyticsd, BINARY

SECOND = 10 ** 9
DAY = 86400
NODES = [{"id": "A"}, {"id": "B"}]
N_LINKS = 40  # enough for more than one thread
LINKS = [{"id": f"l{i}", "a": "A", "z": "B", "bidirectional": False} for i in range(N_LINKS)]


def load(link, n, end_ns, step=1800):
    """A busy day with noise of its own."""
    noise = random.Random(link)
    times = [end_ns - (n - 1 - i) * step * SECOND for i in range(n)]
    return [[t, 3 - 2 * math.cos(2 * math.pi * (t / SECOND % DAY) / DAY) + noise.gauss(0, 0.3 + 0.02 * link) ** 2]
            for t in times]


def fill(daemon, end_ns, days=9):
    """The topology, with its history."""
    daemon.ask("SetTopology", nodes=NODES, links=LINKS)
    for number, link in enumerate(LINKS):
        daemon.ask("AppendKpi", link_id=link["id"], kpi=302, samples=load(number, days * 48, end_ns))


@pytest.fixture
def daemon(sockets):
    """A running analyticsd whose links have nine days of history."""
    with Analyticsd(sockets) as running:
        fill(running, time.time_ns())
        yield running


def on_one_core(folder):
    """A program that runs analyticsd with one core to its name."""
    path = os.path.join(folder, "one_core")
    with open(path, "w", encoding="utf-8") as file:
        core = min(os.sched_getaffinity(0))
        file.write(f'#!/bin/sh\nexec taskset -c {core} {BINARY} "$@"\n')
    os.chmod(path, 0o755)
    return path


def test_one_thread_and_many_give_the_same_answers(sockets):
    end_ns = time.time_ns() // SECOND * SECOND
    replies = []
    for name, binary in (("many", BINARY), ("one", on_one_core(sockets))):
        folder = os.path.join(sockets, name)
        os.mkdir(folder)
        with Analyticsd(folder, binary=binary) as running:
            fill(running, end_ns)
            replies.append(running.ask("ForecastTopologyCapacity", forecast_window_seconds=DAY, as_of_ns=end_ns,
                                       series=True))
            assert running.stop() == 0
    assert replies[0] == replies[1]
    assert [f["link_id"] for f in replies[0]["link_capacities"]] == [link["id"] for link in LINKS]


def test_every_answer_of_a_topology_tells_where_it_comes_from(daemon):
    reply = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=3600)
    assert len(reply["link_capacities"]) == N_LINKS
    for forecast in reply["link_capacities"]:
        assert forecast["samples"] == 9 * 48 and forecast["model"] and "fallback_reason" not in forecast
        assert forecast["backtest_mase"] < 1.2 and forecast["calibration_windows"] >= 19
        assert 0.8 < forecast["coverage"] <= 1 and forecast["staleness_seconds"] < 600


def test_answers_are_kept_until_there_is_something_new(daemon):
    first = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=DAY)
    computed = daemon.metrics()["forecasts_computed"]
    assert computed == N_LINKS
    second = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=DAY)
    assert daemon.metrics()["forecasts_computed"] == computed
    assert daemon.metrics()["forecasts_cached"] == N_LINKS
    values = [[f["forecast_used_capacity_gbps"] for f in reply["link_capacities"]] for reply in (first, second)]
    assert values[0] == values[1]
    higher = daemon.ask("ForecastLinkCapacity", link_id="l3", forecast_window_seconds=DAY, quantile=0.99)
    assert daemon.metrics()["forecasts_computed"] == computed, "another quantile of what is known"
    assert higher["forecast_used_capacity_gbps"] >= values[0][3]


def test_new_samples_are_learnt_from(daemon):
    link = {"link_id": "l0", "forecast_window_seconds": DAY, "statistic": "mean"}
    before = daemon.ask("ForecastLinkCapacity", **link)
    daemon.ask("AppendKpi", link_id="l0", kpi=302, samples=[[time.time_ns(), 9.0]])
    after = daemon.ask("ForecastLinkCapacity", **link)
    assert after["history_to_ns"] > before["history_to_ns"] and after["samples"] > before["samples"]
    assert daemon.metrics()["forecasts_computed"] == 2


def test_older_samples_that_come_late_are_not_passed_over(daemon):
    link = {"link_id": "l1", "forecast_window_seconds": 3600}
    before = daemon.ask("ForecastLinkCapacity", **link)
    first_ns = before["history_from_ns"]
    daemon.ask("AppendKpi", link_id="l1", kpi=302, samples=load(1, 480, first_ns - 1800 * SECOND))
    after = daemon.ask("ForecastLinkCapacity", **link)
    assert after["samples"] == before["samples"] + 480
    assert after["calibration_windows"] > before["calibration_windows"]


def test_bands_of_each_step_are_narrower_than_that_of_the_whole_path(daemon):
    question = {"link_id": "l2", "forecast_window_seconds": DAY, "series": True}
    whole = daemon.ask("ForecastLinkCapacity", **question)
    steps = daemon.ask("ForecastLinkCapacity", each_step=True, **question)
    assert whole["forecast_used_capacity_gbps"] == steps["forecast_used_capacity_gbps"]
    assert max(upper for _, _, _, upper in whole["series"]) == whole["forecast_used_capacity_gbps"]
    widths = [sum(upper - lower for _, _, lower, upper in reply["series"]) for reply in (steps, whole)]
    assert widths[0] < widths[1]
    assert all(lower <= median <= upper for _, median, lower, upper in steps["series"])
