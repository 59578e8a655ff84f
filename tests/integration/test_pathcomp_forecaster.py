"""Paths while the real analyticsd is absent, switched off, stopped, slow, or knows only some of the links.

SPDX-License-Identifier: MIT
"""

import json
import os
import signal
import time

import pytest

from daemon import Analyticsd, Refused
from pathcomp_command import BLOCKED, DONE, ERROR, Serve, answer, links_of, pathcomp
from testpmd import wait_until

SECOND = 10 ** 9
NODES = [{"id": node} for node in "ABC"]
LINKS = [{"id": "ab", "a": "A", "z": "B"}, {"id": "bc", "a": "B", "z": "C"}, {"id": "ac", "a": "A", "z": "C", "cost": 5.0}]
ASK = {"from": "A", "to": "C", "gbps": 4.0, "duration_seconds": 3600.0}


def options(gbps=4, duration="1h"):
    return ["--from", "A", "--to", "C", "--gbps", gbps, "--duration", duration]


def fill(daemon, link, gbps, age_s=0, hours=6):
    """A point each minute, the last one that long ago."""
    now = time.time_ns() - age_s * SECOND
    daemon.ask("AppendKpi", link_id=link, kpi=302,
               samples=[[now - (hours * 60 - i) * 60 * SECOND, gbps + (i % 5) / 10] for i in range(hours * 60 + 1)])


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", nodes=NODES, links=[{**link, "total_capacity_gbps": 10.0} for link in LINKS])
        for link in ("ab", "bc", "ac"):
            fill(running, link, 1)
        yield running


def topology_file(sockets):
    path = os.path.join(sockets, "t.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"nodes": NODES, "links": [{**link, "total_capacity_gbps": 10.0, "used_capacity_gbps": 1.0} for link in LINKS]}, file)
    return path


def test_an_absent_forecaster_leaves_the_current_use_or_is_an_error(sockets):
    file, api = topology_file(sockets), f"ipc://{sockets}/api"
    reply = answer("path", "--file", file, "--api", api, *options())
    assert reply["capacity_source"] == "current" and api in reply["capacity_source_reason"]
    assert [link["source"] for link in reply["paths"][0]["capacities"]] == ["current", "current"]
    run = pathcomp("path", "--file", file, "--api", api, *options(), "--forecaster", "on")
    assert run.returncode == ERROR and "forecast" in run.stderr and api in run.stderr


def test_a_forecaster_is_switched_off_by_the_environment_and_on_by_option(daemon):
    def source(*more, **variables):
        run = pathcomp("path", "--api", daemon.api, *options(), "--json", *more, **variables)
        assert run.returncode == DONE, run.stderr
        reply = json.loads(run.stdout)
        return reply["capacity_source"], reply.get("capacity_source_reason")
    assert source() == ("forecast", None)
    assert source("--forecaster", "off") == ("current", "forecasting is off")
    for word in ("N", "off", "0", "", "nonsense"):
        assert source(ENABLE_FORECASTER=word)[0] == "current", word
        assert source("--forecaster", "auto", ENABLE_FORECASTER=word)[0] == "forecast", word
    for word in ("y", "Yes", "TRUE", "t", "E", "enable", "ENABLED", "on", "1"):
        assert source(ENABLE_FORECASTER=word)[0] == "forecast", word


def test_a_stopped_forecaster_is_not_waited_for(daemon, sockets):
    """As if it hung: the process is there, its sockets too, and nobody answers."""
    with Serve(sockets, "--api", daemon.api, "--max-age", "30s") as serve:
        assert serve.ask("ComputePath", **{**ASK, "duration_seconds": 60.0})["capacity_source"] == "forecast"
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            reply = serve.ask("ComputePath", **ASK)  # the topology is known, the forecast of this window is not
            assert reply["capacity_source"] == "current" and "no forecast" in reply["capacity_source_reason"]
            assert links_of(reply) == [["ab", "bc"]]
            with pytest.raises(Refused) as refused:
                serve.ask("ComputePath", **{**ASK, "duration_seconds": 1800.0}, forecaster="on")
            assert refused.value.code == "UNAVAILABLE"
            run = pathcomp("path", "--file", topology_file(sockets), "--api", daemon.api, *options(), "--json")
            assert run.returncode == DONE and json.loads(run.stdout)["capacity_source"] == "current"
        finally:
            daemon.process.send_signal(signal.SIGCONT)
    with Serve(sockets, "--api", daemon.api, "--max-age", "100ms") as serve:
        wait_until(lambda: serve.ask("ComputePath", **ASK)["capacity_source"] == "forecast", "forecasts to come again")


def test_a_forecaster_that_works_too_long_is_not_waited_for(daemon, sockets):
    """It is alive, and still learns the first of many links when the time is over."""
    nodes = [{"id": f"n{i}"} for i in range(400)]
    links = [{"id": f"l{i}", "a": f"n{i}", "z": f"n{i + 1}", "total_capacity_gbps": 10.0} for i in range(399)]
    daemon.ask("SetTopology", topology_id="long", nodes=nodes, links=links)
    for link in links:
        fill(daemon, link["id"], 1, hours=5)
    file = os.path.join(sockets, "long.json")
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"topology_id": "long", "nodes": nodes, "links": links}, out)
    asked = ["path", "--file", file, "--api", daemon.api, "--from", "n0", "--to", "n2", "--gbps", 1, "--duration", "1h"]
    reply = answer(*asked, "--timeout", "20ms")
    assert reply["capacity_source"] == "current" and "does not answer" in reply["capacity_source_reason"]
    assert pathcomp(*asked, "--timeout", "20ms", "--forecaster", "on").returncode == ERROR
    assert answer(*asked)["capacity_source"] == "forecast"


@pytest.mark.parametrize("policy", ["refuse", "current", "allow"])
def test_each_link_tells_what_it_went_by(sockets, policy):
    """known: a forecast; stale: its series ended hours ago; silent: no data; unsized: its capacity isn't known."""
    names = ("known", "stale", "silent", "unsized")
    with Analyticsd(sockets) as daemon:
        daemon.ask("SetTopology", nodes=[{"id": "A"}, {"id": "B"}], links=[
            {"id": name, "a": "A", "z": "B", **({} if name == "unsized" else {"total_capacity_gbps": 10.0})} for name in names])
        for name in ("known", "unsized"):
            fill(daemon, name, 2)
        fill(daemon, "stale", 3, age_s=7200)
        asked = ["path", "--api", daemon.api, "--from", "A", "--to", "B", "--unknown", policy, "--duration", "1h"]
        told = {}
        for name in names:
            others = [word for other in names if other != name for word in ("--exclude", f"link={other}")]
            run = pathcomp(*asked, "--gbps", 5, *others, "--json")
            reply = json.loads(run.stdout)
            assert reply["capacity_source"] == "forecast"
            told[name] = reply["paths"][0]["capacities"][0]["source"] if run.returncode == DONE else \
                next(link["reason"] for link in reply["cut"] if link["link"] == name)
        assert told == {
            "refuse": {"known": "forecast", "stale": "unknown", "silent": "unknown", "unsized": "unknown"},
            "current": {"known": "forecast", "stale": "current", "silent": "none", "unsized": "unknown"},
            "allow": {"known": "forecast", "stale": "forecast", "silent": "none", "unsized": "forecast"},
        }[policy]
        # one bad link leaves the others as they are
        reply = answer(*asked, "--gbps", 7, *["--exclude", "link=stale", "--exclude", "link=silent", "--exclude", "link=unsized"])
        assert reply["paths"][0]["links"] == ["known"] and reply["paths"][0]["capacities"][0]["source"] == "forecast"
        text = pathcomp(*asked, "--gbps", 5, "--exclude", "link=known", "--exclude", "link=silent", "--exclude", "link=unsized").stdout
        assert ("by its current use" in text) == (policy == "current")


def test_a_batch_asks_for_each_window_once(daemon):
    def answered():
        return next(metric["value"] for metric in daemon.ask("Metrics")["metrics"] if metric["name"] == "requests")
    requests = [dict(ASK, gbps=1.0 + i / 100, id=str(i)) for i in range(50)] + [dict(ASK, duration_seconds=60.0)]
    before = answered()
    run = pathcomp("batch", "-", "--api", daemon.api, stdin="\n".join(map(json.dumps, requests)))
    replies = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == DONE and [reply["capacity_source"] for reply in replies] == ["forecast"] * 51
    assert answered() - before < 25, "not a request for each of 51; the daemon's own outlook asks now and then, too"
    assert pathcomp("path", "--api", daemon.api, *options(gbps=50)).returncode == BLOCKED
