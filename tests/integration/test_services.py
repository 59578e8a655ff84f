"""Admission as clients see it: what is promised is there, for the whole service, whatever happens to analyticsd.

SPDX-License-Identifier: MIT
"""

import json
import os
import random
import sqlite3
import subprocess
import threading
import time

import msgpack
import pytest
import zmq

from daemon import Analyticsd, Refused
from testpmd import build_folder, wait_until

ANALYTICSCTL = os.path.join(build_folder(), "analyticsd", "ctl", "analyticsctl")
SECOND = 10 ** 9
HOUR = 3600 * SECOND
OPEN = 2 ** 63 - 1
NODES = [{"id": name} for name in "ABCD"]
LINKS = [{"id": "AB", "a": "A", "z": "B", "total_capacity_gbps": 10, "used_capacity_gbps": 2},
         {"id": "BC", "a": "B", "z": "C", "total_capacity_gbps": 10},
         {"id": "CD", "a": "C", "z": "D", "total_capacity_gbps": 10, "bidirectional": False},
         {"id": "AD", "a": "A", "z": "D"}]


@pytest.fixture
def daemon(sockets):
    """A running analyticsd with a topology of four links, the last of unknown capacity."""
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", nodes=NODES, links=LINKS)
        yield running


def route(*names):
    """Links by id; "~" before one takes it from z to a."""
    return [{"link_id": name.lstrip("~"), "direction": "reverse" if name[0] == "~" else "forward"} for name in names]


def reserve(daemon, request_id, gbps, *names, **fields):
    return daemon.ask("Reserve", request_id=request_id, gbps=gbps, links=route(*names), **fields)


def refusal(call, *arguments, **fields):
    """The code and message with which a call is refused."""
    with pytest.raises(Refused) as refused:
        call(*arguments, **fields)
    return refused.value.code, refused.value.message


def link(daemon, name):
    return next(view for view in daemon.ask("GetTopology")["links"] if view["id"] == name)


def services(daemon, **fields):
    return daemon.ask("ListServices", **fields)["services"]


def seconds_ahead(seconds):
    return time.time_ns() + int(seconds * SECOND)


class Events:
    """What analyticsd publishes under one topic, from when it knows of the subscription."""

    def __init__(self, daemon, topic):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._socket.connect(daemon.events)
        self._seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._context.term()

    def take(self):
        while self._socket.poll(0):
            topic, body = self._socket.recv_multipart()
            self._seen.append((topic.decode(), msgpack.unpackb(body)))
        return self._seen


# ---- yes and no

def test_what_is_admitted_is_held_and_what_is_released_is_free(daemon):
    answer = reserve(daemon, "r1", 3, "AB", "~BC", duration_seconds=3600)
    assert answer["version"] == 1 and answer["end_ns"] - answer["start_ns"] == HOUR
    seen = {(entry["link_id"], entry["direction"]): entry for entry in answer["links"]}
    assert seen["AB", "forward"]["available_gbps"] == 8 and seen["BC", "reverse"]["available_gbps"] == 10
    assert seen["AB", "forward"]["capacity_source"] == "forecast"

    view = link(daemon, "AB")
    assert (view["used_capacity_gbps"], view["reserved_gbps"], view["used_capacity_reverse_gbps"]) == (5, 3, 2)
    view = link(daemon, "BC")
    assert view["reserved_reverse_gbps"] == 3 and view["used_capacity_reverse_gbps"] == 3
    forecast = daemon.ask("ForecastLinkCapacity", link_id="AB", forecast_window_seconds=600)
    assert forecast["forecast_used_capacity_gbps"] == 2 and forecast["reserved_gbps"] == 3

    released = daemon.ask("Release", service_id=answer["service_id"])
    assert released["state"] == "released"
    assert daemon.ask("Release", service_id=answer["service_id"]) == released, "a second time changes nothing"
    view = link(daemon, "AB")
    assert (view["used_capacity_gbps"], view["reserved_gbps"]) == (2, 0)
    assert "used_capacity_reverse_gbps" not in link(daemon, "BC")


def test_a_link_without_room_is_named_and_nothing_is_taken(daemon):
    code, message = refusal(reserve, daemon, "r1", 9, "BC", "AB")
    assert code == "ABORTED" and "'AB' forward" in message and "8 of 9 Gbps" in message
    assert services(daemon) == [] and "reserved_gbps" not in link(daemon, "BC")
    with pytest.raises(Refused) as refused:
        reserve(daemon, "r1", 9, "BC", "AB")
    assert (refused.value.error["link_id"], refused.value.error["direction"]) == ("AB", "forward")
    with pytest.raises(Refused) as refused:
        reserve(daemon, "r1", -1, "BC")
    assert "link_id" not in refused.value.error
    assert reserve(daemon, "r1", 9, "BC")["service_id"], "a request that was refused may come again"


def test_what_just_fits_fits_however_it_is_divided(daemon):
    for i in range(80):
        reserve(daemon, f"r{i}", 0.1, "AB")
    assert refusal(reserve, daemon, "more", 1e-9, "AB")[0] == "ABORTED"
    assert link(daemon, "AB")["reserved_gbps"] == 8


def test_capacity_is_a_matter_of_time(daemon):
    now = time.time_ns()
    reserve(daemon, "r1", 8, "AB", start_ns=now + HOUR, end_ns=now + 2 * HOUR)
    reserve(daemon, "r2", 8, "AB", start_ns=now + 2 * HOUR, end_ns=now + 3 * HOUR)
    reserve(daemon, "r3", 8, "AB", end_ns=now + HOUR)
    code, message = refusal(reserve, daemon, "r4", 1, "AB", start_ns=now + HOUR + HOUR // 2, duration_seconds=3600)
    assert code == "ABORTED" and "'AB'" in message
    assert refusal(reserve, daemon, "r5", 1, "AB")[0] == "ABORTED", "without an end it meets all of them"
    reserve(daemon, "r6", 8, "AB", start_ns=now + 3 * HOUR)
    assert [service["state"] for service in services(daemon)] == ["scheduled", "scheduled", "active", "scheduled"]
    forecast = daemon.ask("ForecastLinkCapacity", link_id="AB", forecast_window_seconds=1800, start_ns=now + HOUR)
    assert forecast["reserved_gbps"] == 8, "one at a time, not their sum"


def test_reservations_come_with_the_series_of_a_topology(daemon):
    now = time.time_ns()
    reserve(daemon, "r1", 3, "AB", "~BC", end_ns=now + HOUR)
    reserve(daemon, "r2", 1, "CD", start_ns=now + 2 * HOUR)
    reply = daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=1800, series=True)
    held = [(entry["service_id"], entry["link_id"], entry["direction"], entry["gbps"], entry["end_ns"])
            for entry in reply["reservations"]]
    assert held == [("svc-1", "AB", "forward", 3, now + HOUR), ("svc-1", "BC", "reverse", 3, now + HOUR)]
    assert reply["ledger_version"] == 2
    assert "reservations" not in daemon.ask("ForecastTopologyCapacity", forecast_window_seconds=1800)
    later = [entry for entry in daemon.ask("GetTopology")["reservations"] if entry["service_id"] == "svc-2"]
    assert later[0]["start_ns"] == now + 2 * HOUR and "end_ns" not in later[0]


def test_a_forecast_as_of_before_does_not_know_of_it(daemon):
    before = time.time_ns()
    reserve(daemon, "r1", 3, "AB")
    ask = {"link_id": "AB", "forecast_window_seconds": 600}
    assert daemon.ask("ForecastLinkCapacity", as_of_ns=before, **ask)["reserved_gbps"] == 0
    assert daemon.ask("ForecastLinkCapacity", **ask)["reserved_gbps"] == 3


# ---- the same request again

def test_the_same_request_gets_the_same_answer_also_after_a_kill(daemon):
    fields = {"duration_seconds": 60, "start_ns": time.time_ns(), "evidence": "because"}
    first = reserve(daemon, "r1", 3, "AB", **fields)
    assert reserve(daemon, "r1", 3, "AB", **fields) == first
    daemon.kill()
    daemon.start()
    assert reserve(daemon, "r1", 3, "AB", **fields) == first
    daemon.ask("Release", service_id=first["service_id"])
    assert reserve(daemon, "r1", 3, "AB", **fields) == first
    assert refusal(reserve, daemon, "r1", 4, "AB", **fields)[0] == "ALREADY_EXISTS"
    assert len(services(daemon)) == 1


def test_a_request_that_is_sent_many_times_at_once_is_admitted_once(daemon):
    answers = []

    def ask():
        client = daemon.client()
        answers.append(client.ask("Reserve", request_id="r1", gbps=5, links=route("AB"), duration_seconds=60))
        client.close()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8 and all(answer == answers[0] for answer in answers)
    assert len(services(daemon)) == 1 and link(daemon, "AB")["reserved_gbps"] == 5
    assert refusal(reserve, daemon, "r2", 5, "AB")[0] == "ABORTED"
    metrics = daemon.metrics()
    assert (metrics["services_admitted"], metrics["services_refused"]) == (1, 1)


def test_a_dry_run_answers_and_changes_nothing(daemon):
    answer = reserve(daemon, "r1", 3, "AB", dry_run=True)
    assert answer["dry_run"] and answer["links"][0]["available_gbps"] == 8 and "service_id" not in answer
    assert services(daemon) == [] and daemon.ask("ListServices")["ledger_version"] == 0
    assert refusal(reserve, daemon, "r1", 9, "AB", dry_run=True)[0] == "ABORTED"
    assert not reserve(daemon, "r1", 3, "AB")["dry_run"]


# ---- changes in place

def test_a_change_counts_its_own_reservation_as_free(daemon):
    reserve(daemon, "r1", 6, "AB", duration_seconds=3600)
    reserve(daemon, "r2", 1, "AB")
    changed = reserve(daemon, "r3", 7, "AB", "CD", service_id="svc-1")
    assert changed["service_id"] == "svc-1" and changed["version"] == 2
    view = services(daemon, service_id="svc-1")[0]
    assert view["gbps"] == 7 and [entry["link_id"] for entry in view["links"]] == ["AB", "CD"]
    assert view["end_ns"] == changed["end_ns"], "what is not given stays"
    assert link(daemon, "AB")["reserved_gbps"] == 8 and link(daemon, "CD")["reserved_gbps"] == 7

    assert refusal(reserve, daemon, "r4", 7.5, "AB", service_id="svc-1")[0] == "ABORTED"
    assert services(daemon, service_id="svc-1")[0] == view, "refused: as it was"
    reserve(daemon, "r5", 1, "CD", service_id="svc-1")
    assert link(daemon, "AB")["reserved_gbps"] == 1 and link(daemon, "CD")["reserved_gbps"] == 1


def test_what_has_ended_or_never_was_cannot_be_changed(daemon):
    assert refusal(reserve, daemon, "r1", 1, "AB", service_id="svc-9")[0] == "NOT_FOUND"
    reserve(daemon, "r2", 1, "AB")
    assert refusal(daemon.ask, "Release", service_id="svc-1", version=2)[0] == "ABORTED"
    daemon.ask("Release", service_id="svc-1", version=1)
    assert refusal(reserve, daemon, "r3", 1, "AB", service_id="svc-1")[0] == "FAILED_PRECONDITION"
    assert refusal(daemon.ask, "Release", service_id="svc-9")[0] == "NOT_FOUND"


# ---- what must be as it was when the path was computed

def test_another_version_of_the_topology_is_searched_again(daemon):
    version = daemon.ask("GetTopology")["version"]
    reserve(daemon, "r1", 1, "AB", version=version)
    assert daemon.ask("GetTopology")["version"] == version, "admission changes no topology"
    daemon.ask("SetLink", link_id="AB", total_capacity_gbps=9)
    code, message = refusal(reserve, daemon, "r2", 1, "AB", version=version)
    assert code == "ABORTED" and f"version {version + 1}" in message
    assert reserve(daemon, "r2", 6, "AB", version=version + 1)["links"][0]["total_capacity_gbps"] == 9


def test_links_that_are_down_or_not_known_carry_nothing(daemon):
    daemon.ask("SetLink", link_id="AB", admin_up=False)
    assert "is down" in refusal(reserve, daemon, "r1", 1, "AB")[1]
    assert "not known" in refusal(reserve, daemon, "r2", 1, "AD")[1]
    assert "available_gbps" not in reserve(daemon, "r3", 1, "AD", unknown="allow")["links"][0]
    assert "not known" in refusal(reserve, daemon, "r4", 1, "BC", unknown="refuse")[1]
    assert refusal(reserve, daemon, "r5", 6, "BC", max_utilization=0.5)[0] == "ABORTED"


@pytest.mark.parametrize("fields", [
    {"links": []}, {"links": route("AB", "AB")}, {"links": route("~CD")}, {"gbps": 0}, {"gbps": -1},
    {"gbps": float("nan")}, {"gbps": float("inf")}, {"gbps": "3"}, {"links": [{"link_id": ""}]},
    {"end_ns": 1}, {"start_ns": 1}, {"start_ns": OPEN}, {"end_ns": OPEN - 1}, {"traffic": "metered"},
    {"meter": {"link_id": "BC"}}, {"traffic": "metered", "meter": {"host": "h"}},
    {"traffic": "metered", "meter": {"host": "h", "name": "p", "link_id": "BC"}}, {"traffic": "none"},
    {"end_ns": OPEN - 1, "duration_seconds": 1}, {"quantile": 1}, {"max_utilization": 2}, {"request_id": None},
])
def test_what_makes_no_sense_is_refused_and_changes_nothing(daemon, fields):
    request = {"request_id": "r1", "gbps": 1, "links": route("AB"), **fields}
    assert refusal(daemon.ask, "Reserve", **request)[0] == "INVALID_ARGUMENT"
    assert services(daemon) == []


def test_what_does_not_exist_is_not_found(daemon):
    assert refusal(reserve, daemon, "r1", 1, "XY")[0] == "NOT_FOUND"
    assert refusal(reserve, daemon, "r1", 1, "AB", topology_id="other")[0] == "NOT_FOUND"
    daemon.ask("SetTopology", topology_id="other", nodes=NODES, links=LINKS[:1])
    assert refusal(reserve, daemon, "r1", 1, "BC", topology_id="other")[0] == "NOT_FOUND"
    assert refusal(daemon.ask, "ListServices", service_id="svc-1")[0] == "NOT_FOUND"


def test_a_topology_whose_links_are_held_stays(daemon):
    reserve(daemon, "r1", 1, "AB")
    code, message = refusal(daemon.ask, "DeleteTopology")
    assert code == "FAILED_PRECONDITION" and "'AB'" in message
    code, message = refusal(daemon.ask, "SetTopology", nodes=NODES, links=LINKS[1:])
    assert code == "FAILED_PRECONDITION" and "'AB'" in message
    assert len(daemon.ask("GetTopology")["links"]) == 4
    daemon.ask("Release", service_id="svc-1")
    daemon.ask("DeleteTopology")


# ---- time, and telling others

def test_each_change_is_published_and_leaves_an_audit_line(daemon):
    with Events(daemon, "service/") as events:
        reserve(daemon, "early", 1, "BC")
        wait_until(lambda: events.take() or (reserve(daemon, f"e{time.time_ns()}", 0.001, "BC") and False),
                   "the subscription to be known")
        seen = len(events.take())
        first = reserve(daemon, "r1", 1, "AB", "~BC", end_ns=seconds_ahead(60))["service_id"]
        reserve(daemon, "r2", 2, "AB", service_id=first)
        daemon.ask("Release", service_id=first)
        wait_until(lambda: len(events.take()) >= seen + 3, "three events")
        mine = [body for topic, body in events.take() if topic == f"service/{first}/"]
    assert [body["change"] for body in mine] == ["admitted", "changed", "released"]
    assert [body["service"]["gbps"] for body in mine] == [1, 2, 2]
    audit = [line for line in daemon.log.splitlines() if f"audit: service {first} " in line]
    assert len(audit) == 3 and "admitted" in audit[0] and "request r1" in audit[0] and "AB,~BC" in audit[0]


def test_a_service_ends_by_itself_and_everybody_hears_of_it(daemon):
    with Events(daemon, "service/") as events:
        end = seconds_ahead(1.5)
        service = reserve(daemon, "r1", 8, "AB", end_ns=end)["service_id"]
        assert refusal(reserve, daemon, "r2", 8, "AB")[0] == "ABORTED"
        wait_until(lambda: services(daemon, service_id=service)[0]["state"] == "expired", "the service to end")
        assert time.time_ns() >= end
        assert link(daemon, "AB")["reserved_gbps"] == 0
        reserve(daemon, "r2", 8, "AB")
        wait_until(lambda: [body for _, body in events.take() if body["change"] == "expired"], "the event")
        body = [body for _, body in events.take() if body["change"] == "expired"][0]
        assert body["service_id"] == service and body["service"]["state"] == "expired"
    assert f"audit: service {service} expired" in daemon.log


def test_what_admission_took_is_a_series_of_its_own(daemon):
    now = time.time_ns()
    daemon.ask("AppendKpi", link_id="AB", kpi=302, samples=[[now - SECOND, 1.5]])
    start = reserve(daemon, "r1", 3, "AB", end_ns=now + HOUR)["start_ns"]
    every = {"link_id": "AB", "from_ns": 0, "to_ns": OPEN}
    assert daemon.ask("QueryKpi", **every)["samples"] == [[now - SECOND, 1.5]]
    assert daemon.ask("QueryKpi", origin="admission", **every)["samples"] == [[start, 0], [now + HOUR, 3]]
    page = daemon.ask("QueryKpi", origin="admission", limit=1, **every)
    assert page["samples"] == [[start, 0]] and page["next_page"] == now + HOUR
    assert daemon.ask("QueryKpi", origin="admission", **{**every, "direction": "reverse"})["samples"] == []


@pytest.mark.parametrize("traffic, background", [("assumed", 2), ("metered", 4), ("conservative", 5)])
def test_the_traffic_of_a_service_is_not_counted_twice(daemon, traffic, background):
    meter = {"meter": {"link_id": "CD"}} if traffic == "metered" else {}
    start = reserve(daemon, "r1", 3, "BC", traffic=traffic, **meter)["start_ns"]
    times = [start + (i + 1) * SECOND // 20 for i in range(20)]
    daemon.ask("AppendKpi", link_id="CD", kpi=302, samples=[[ts_ns, 1.0] for ts_ns in [start - SECOND, *times]])
    daemon.ask("AppendKpi", link_id="BC", kpi=302, samples=[[ts_ns, 5.0] for ts_ns in times])
    wait_until(lambda: time.time_ns() > times[-1], "the samples' time")
    view = link(daemon, "BC")
    assert view["reserved_gbps"] == 3 and view["used_capacity_gbps"] == pytest.approx(background + 3)
    forecast = daemon.ask("ForecastLinkCapacity", link_id="BC", forecast_window_seconds=60)
    assert forecast["current_used_capacity_gbps"] == pytest.approx(5)
    assert forecast["background_gbps"] == pytest.approx(background)
    assert forecast["forecast_used_capacity_gbps"] == pytest.approx(background)
    assert forecast["reserved_gbps"] == 3 and forecast["traffic"] == [traffic]
    available = reserve(daemon, "r2", 1, "BC", dry_run=True, duration_seconds=60)["links"][0]
    assert available["available_gbps"] == pytest.approx(10 - 3 - background)
    assert available["traffic"] == [traffic]


def test_evidence_is_enough_to_decide_again(daemon):
    now = time.time_ns()
    daemon.ask("AppendKpi", link_id="AB", kpi=302,
               samples=[[now - (300 - i) * 60 * SECOND, 2 + (i % 7) / 7] for i in range(300)])
    reserve(daemon, "r0", 1, "AB", start_ns=now + HOUR // 2, end_ns=now + HOUR)
    answer = reserve(daemon, "r1", 2, "AB", end_ns=now + HOUR, evidence="path 7")
    view = services(daemon, service_id=answer["service_id"], evidence=True)[0]
    evidence, seen = view["evidence"], view["evidence"]["links"][0]
    assert evidence["caller"] == "path 7" and evidence["ledger_version"] == 1 and evidence["topology_version"] == 1
    assert seen["capacity_source"] == "forecast" and seen["samples"] > 0 and seen["series"][-1][0] >= view["end_ns"]
    begin, used = view["start_ns"], []
    for ts_ns, gbps in seen["series"]:
        used.append(gbps + (1 if ts_ns > now + HOUR // 2 and begin < now + HOUR else 0))
        begin = ts_ns
    assert seen["available_gbps"] == pytest.approx(10 - max(used), abs=1e-6)
    assert "evidence" not in services(daemon)[0]


def test_the_evidence_of_each_decision_stays_with_the_service(daemon):
    now = time.time_ns()
    first = reserve(daemon, "r1", 2, "AB", end_ns=now + HOUR, evidence="path 1")
    service = first["service_id"]
    reserve(daemon, "r2", 4, "AB", "BC", service_id=service, evidence="path 2")
    refused = refusal(reserve, daemon, "r3", 40, "AB", service_id=service)
    assert refused[0] == "ABORTED"
    reserve(daemon, "r4", 4, "BC", service_id=service, end_ns=now + 2 * HOUR)  # for longer
    reserve(daemon, "other", 1, "AB")
    daemon.kill()
    daemon.start()
    view = services(daemon, service_id=service, decisions=True)[0]
    told = [(entry["version"], entry["verdict"], entry["request_id"], entry["gbps"]) for entry in view["decisions"]]
    assert told == [(1, "admitted", "r1", 2.0), (2, "changed", "r2", 4.0), (3, "changed", "r4", 4.0)]
    assert [entry["end_ns"] - now for entry in view["decisions"]] == [HOUR, HOUR, 2 * HOUR]
    evidences = [entry["evidence"] for entry in view["decisions"]]
    assert [[seen["link_id"] for seen in evidence["links"]] for evidence in evidences] == [["AB"], ["AB", "BC"], ["BC"]]
    assert [evidence.get("caller") for evidence in evidences] == ["path 1", "path 2", None]
    assert all(entry["decided_ns"] == entry["evidence"]["decided_ns"] for entry in view["decisions"])
    assert all(seen["series"] for evidence in evidences for seen in evidence["links"])
    assert "decisions" not in services(daemon, service_id=service)[0]

    page = daemon.ask("ListServices", service_id=service, decisions=True, limit=2)
    rest = daemon.ask("ListServices", service_id=service, decisions=True, limit=2, page=page["next_page"])
    assert [[entry["version"] for entry in reply["services"][0]["decisions"]] for reply in (page, rest)] == [[1, 2], [3]]
    assert "next_page" not in rest
    by_request = services(daemon, request_id="r2", decisions=True)[0]
    assert by_request["service_id"] == service and by_request["version"] == 3
    assert [entry["version"] for entry in by_request["decisions"]] == [2]
    assert services(daemon, request_id="r3") == [] and services(daemon, request_id="r1", service_id="svc-2") == []
    assert refusal(services, daemon, decisions=True)[0] == "INVALID_ARGUMENT"
    assert refusal(services, daemon, service_id="svc-9", decisions=True)[0] == "NOT_FOUND"


def test_evidence_that_is_too_much_for_a_frame_comes_in_pages(daemon):
    reason = "x" * 65000
    service = reserve(daemon, "r0", 1, "AB", evidence=reason)["service_id"]
    for i in range(1, 90):
        reserve(daemon, f"r{i}", 1, "AB", service_id=service, evidence=reason)
    versions, page = [], 0
    while page is not None:
        reply = daemon.ask("ListServices", service_id=service, decisions=True, page=page)
        versions.append([entry["version"] for entry in reply["services"][0]["decisions"]])
        page = reply.get("next_page")
    assert sum(versions, []) == list(range(1, 91)) and len(versions) > 1


def test_lists_are_filtered_and_paged(daemon):
    for i in range(5):
        reserve(daemon, f"r{i}", 1, "AB" if i % 2 else "BC")
    daemon.ask("Release", service_id="svc-1")
    assert [view["service_id"] for view in services(daemon, link_id="AB")] == ["svc-2", "svc-4"]
    assert [view["service_id"] for view in services(daemon, state="released")] == ["svc-1"]
    assert services(daemon, topology_id="other") == []
    first = daemon.ask("ListServices", limit=3)
    rest = daemon.ask("ListServices", limit=3, page=first["next_page"])
    assert len(first["services"]) == 3 and len(rest["services"]) == 2 and "next_page" not in rest


def test_analyticsctl_shows_services(daemon):
    reserve(daemon, "r1", 3, "AB", "~BC", end_ns=1_900_000_000 * SECOND, **{"from": "A", "to": "C"})
    reserve(daemon, "r2", 0.5, "CD", traffic="conservative")

    def run(*arguments, status=0):
        done = subprocess.run([ANALYTICSCTL, "--api", daemon.api, *arguments], capture_output=True, text=True,
                              check=False, stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr
    rows = [line.split() for line in run("services").splitlines()]
    assert rows[0][:4] == ["SERVICE", "STATE", "GBPS", "FROM"]
    assert rows[1][:5] == ["svc-1", "active", "3", "A", "C"] and rows[1][-2:] == ["AB,", "~BC"]
    assert "2030-03-17T17:46:40Z" in rows[1] and "conservative" in rows[2]
    listed = json.loads(run("--json", "services", "--link", "CD", "--evidence"))["services"]
    assert [view["service_id"] for view in listed] == ["svc-2"] and listed[0]["evidence"]["links"]
    assert "svc-1" in run("services", "svc-1")
    assert "svc-7" in run("services", "svc-7", status=1)
    assert "--state" in run("services", "--state", "odd", status=2)


# ---- the promise: at each commit, on each link and moment, forecast and reservations fit into the total

PLACES = ["AB", "BC", "CD", "~AB", "~BC"]


class Patient:
    """A client that asks again, with the same request id, until somebody answers."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._client = daemon.client()

    def close(self):
        self._client.close()

    def ask(self, operation, **fields):
        frame = msgpack.packb({"op": operation, **fields})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                reply = self._client.raw(frame, seconds=1)
            except AssertionError:  # it was killed with the request in its hands, or is slow
                self._client.close()
                self._client = self._daemon.client()
                continue
            if reply["ok"] or reply["error"]["code"] != "UNAVAILABLE":
                return reply
        raise AssertionError("analyticsd did not come back")


class Customer(threading.Thread):
    """Reserves, changes and releases at random; remembers every yes."""

    def __init__(self, daemon, name, seed, n):
        super().__init__(name=name)
        self._client, self._random, self._n = Patient(daemon), random.Random(seed), n
        self.answers, self.said_yes, self.released, self.problem = 0, {}, set(), None

    def _request(self, i):
        chance = self._random
        now = time.time_ns()
        request = {"request_id": f"{self.name}-{i}", "gbps": round(chance.uniform(0.1, 3), 3),
                   "links": route(*chance.sample(PLACES, chance.randint(1, 3)))}
        if chance.random() < 0.7:
            request["start_ns"] = now + chance.choice([0, 60, 600]) * SECOND
            request["end_ns"] = request["start_ns"] + chance.choice([1, 300, 900]) * SECOND
        mine = [answer["service_id"] for answer in self.said_yes.values()]
        if mine and chance.random() < 0.3:
            request["service_id"] = chance.choice(mine)
        return request

    def _step(self, i):
        mine = sorted({answer["service_id"] for answer in self.said_yes.values()} - self.released)
        if mine and self._random.random() < 0.25:
            service = self._random.choice(mine)
            assert self._client.ask("Release", service_id=service)["ok"]
            self.released.add(service)
            return
        request = self._request(i)
        reply = self._client.ask("Reserve", **request)
        if reply["ok"]:
            again = self._client.ask("Reserve", **request)
            assert again == reply, (again, reply)
            self.said_yes[request["request_id"]] = reply
        else:
            assert reply["error"]["code"] in ("ABORTED", "FAILED_PRECONDITION", "INVALID_ARGUMENT"), reply

    def run(self):
        try:
            for i in range(self._n):
                self._step(i)
                self.answers += 1
        except Exception as error:  # pylint: disable=broad-except
            self.problem = error
        finally:
            self._client.close()


def bits(gbps):
    return round(gbps * 1e9)


def held_at(holds, place, version, moment):
    """bit/s that the ledger, as of that version, holds on (link, direction) at a moment."""
    total = 0
    for hold in holds[place]:
        if hold["made_version"] > version:
            continue
        closed = hold["closed_version"] is not None and hold["closed_version"] <= version
        end = hold["end_ns"] if closed else hold["until_ns"]
        total += hold["bps"] if hold["from_ns"] <= moment < end else 0
    return total


def check_admission(holds, start, end, evidence):
    """Repeats a decision from its evidence: at no moment is more promised than there is."""
    version = evidence["ledger_version"] + 1
    for seen in evidence["links"]:
        place = (seen["link_id"], 0 if seen["direction"] == "forward" else 1)
        moments = {start} | {moment for hold in holds[place] for moment in (hold["from_ns"], hold["end_ns"])
                             if start <= moment < end}
        begins = start
        for ts_ns, gbps in seen["series"]:
            moments |= {begins} if start <= begins < end else set()
            for moment in (moment for moment in moments if begins <= moment < ts_ns):
                promised = bits(gbps) + held_at(holds, place, version, moment)
                assert promised <= bits(seen["total_capacity_gbps"]), (version, place, moment, promised)
            begins = max(begins, ts_ns)


def check_ledger(path):
    """Every decision there ever was, from the file as it is; returns how many were checked."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    holds, of_version = {}, {}
    for hold in database.execute("SELECT * FROM hold"):
        holds.setdefault((hold["link_id"], hold["direction"]), []).append(hold)
        of_version.setdefault((hold["number"], hold["version"]), []).append(hold)
    decided = {(row["number"], row["version"]): row for row in database.execute("SELECT * FROM decision")}
    assert decided.keys() == of_version.keys(), "what is held was decided, and what was decided is held"
    for key, row in decided.items():
        held, evidence = of_version[key], msgpack.unpackb(row["evidence"])
        assert evidence["ledger_version"] + 1 == held[0]["made_version"] and row["decided_ns"] == held[0]["made_ns"]
        assert len(evidence["links"]) == len(held) and row["verdict"] == (key[1] > 1)
        check_admission(holds, held[0]["from_ns"], held[0]["until_ns"], evidence)
    for row in database.execute("SELECT number, version FROM service"):
        assert [version for number, version in decided if number == row["number"]] == list(range(1, row["version"] + 1))
    versions = {hold["made_version"] for place in holds.values() for hold in place}
    assert not versions or max(versions) <= database.execute("SELECT version FROM ledger").fetchone()[0]
    assert database.execute("SELECT count(*) FROM admission").fetchone()[0] == len(versions), "one answer each"
    database.close()
    return len(decided)


def fill_history(daemon, chance):
    now = time.time_ns()
    for place in PLACES:
        daemon.ask("AppendKpi", link_id=place.lstrip("~"), direction="reverse" if place[0] == "~" else "forward",
                   kpi=302, samples=[[now - (60 - i) * 60 * SECOND, chance.uniform(0.5, 3)] for i in range(60)])


@pytest.mark.parametrize("seed", [1, 2])
def test_no_kill_and_no_crowd_breaks_a_promise(daemon, seed):
    chance = random.Random(seed)
    fill_history(daemon, chance)
    customers = [Customer(daemon, f"c{i}", seed * 100 + i, 40) for i in range(4)]
    for customer in customers:
        customer.start()
    for goal in sorted(chance.sample(range(5, 140), 4)):
        wait_until(lambda goal=goal: sum(customer.answers for customer in customers) >= goal or
                   not any(customer.is_alive() for customer in customers), f"{goal} answers")
        daemon.kill()
        check_ledger(os.path.join(daemon.data, "state.db"))
        daemon.start()
        if chance.random() < 0.5:
            daemon.ask("SetLink", link_id="AB", total_capacity_gbps=chance.uniform(6, 12))
    for customer in customers:
        customer.join(120)
        assert not customer.is_alive() and customer.problem is None, customer.problem

    daemon.kill()
    assert check_ledger(os.path.join(daemon.data, "state.db")) > 5
    daemon.start()
    listed = {view["service_id"]: view for view in services(daemon)}
    for customer in customers:
        assert all(listed[service]["state"] in ("released", "expired") for service in customer.released)
        for request_id, answer in customer.said_yes.items():
            assert listed[answer["service_id"]]["version"] >= answer["version"], f"{request_id}: a yes was lost"
