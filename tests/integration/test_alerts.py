"""Alerts: raised, told, acknowledged, silenced, cleared, listed; over a real daemon.

SPDX-License-Identifier: MIT
"""

import time

import pytest

from alerting import NS, Events, Port, active, alerts_file
from daemon import Analyticsd, Refused
from testpmd import wait_until


SOON = "[rule link_down]\nclear_after = 1s\n"  # not after five


# ---- raising, clearing

def test_a_link_that_goes_down_alerts_once_and_clears(sockets):
    with Analyticsd(sockets) as daemon, Events(daemon) as events, Port(daemon) as port:
        port.run(20).seen()
        assert active(daemon) == []
        port.run(3, up=False)
        raised = events.until("link_down", "raised")
        assert events.topics[0] == "alert/critical/h/p0/"
        assert raised["alert"]["object"] == "h/p0" and raised["alert"]["host"] == "h"
        port.run(10, up=False).seen()
        assert [alert["rule"] for alert in active(daemon)] == ["link_down"]
        port.run(3)
        wait_until(lambda: port.run(1) and not active(daemon), "the alert to clear", pause=0.5)
        events.until("link_down", "cleared")
        changes = [e["change"] for e in events.read() if e["alert"]["rule"] == "link_down"]
        assert changes == ["raised", "cleared"]
        assert daemon.stop() == 0


def test_a_port_that_never_was_up_is_not_said_to_be_down(sockets):
    with Analyticsd(sockets) as daemon, Port(daemon) as port:
        port.run(20, up=False, rate=0).seen()
        assert active(daemon) == []


def test_errors_where_there_were_none_alert(sockets):
    with Analyticsd(sockets) as daemon, Events(daemon) as events, Port(daemon) as port:
        port.run(120).seen()
        assert active(daemon) == []
        port.run(20, rx_errors=5)
        raised = events.until("errors", "raised")
        assert raised["alert"]["severity"] == "major"
        assert "of packets with errors" in raised["alert"]["text"]
        assert 0 < raised["alert"]["value"] < 0.01


def test_a_restart_keeps_alerts_and_raises_none_twice(sockets):
    with Analyticsd(sockets, "--alerts", alerts_file(sockets, SOON)) as daemon:
        with Port(daemon) as port:
            port.run(20).run(5, up=False).seen()
            alert = wait_until(lambda: active(daemon), "an alert")[0]
        assert daemon.stop() == 0
        daemon.start()
        assert active(daemon) == [alert]
        with Events(daemon) as events, Port(daemon, seconds_ago=300, instance=8) as port:
            port.run(5, up=False).seen()
            assert [a["alert_id"] for a in active(daemon)] == [alert["alert_id"]]
            assert events.read() == []
            wait_until(lambda: port.run(1) and not active(daemon), "the alert to clear", pause=0.5)
            assert [e["change"] for e in [events.until("link_down", "cleared")]] == ["cleared"]
        kept = daemon.ask("ListAlerts")["alerts"]
        assert [a["alert_id"] for a in kept if a["rule"] == "link_down"] == [alert["alert_id"]]


def test_what_comes_back_soon_is_the_same_alert(sockets):
    with Analyticsd(sockets, "--alerts", alerts_file(sockets, SOON)) as daemon, Events(daemon) as events, Port(daemon) as port:
        port.run(20).run(2, up=False).seen()
        first = events.until("link_down", "raised")["alert"]["alert_id"]
        port.run(2).seen()
        wait_until(lambda: port.run(1) and not active(daemon, rule="link_down"), "it to clear", pause=0.5)
        port.run(2, up=False)
        again = events.until("link_down", "reopened")["alert"]
        assert (again["alert_id"], again["occurrences"]) == (first, 2)


def test_one_end_sends_and_the_other_receives_nothing(sockets):
    topology = {"topology_id": "t", "nodes": [{"id": "A"}, {"id": "B"}], "links": [
        {"id": "AB", "a": "A", "z": "B", "total_capacity_gbps": 10, "ports": [
            {"host": "h", "name": "p0", "end": "a"}, {"host": "g", "name": "p0", "end": "z"}]}]}
    # links are judged every ten seconds; with false alarms allowed two judgements are enough, not five
    config = alerts_file(sockets, "false_alarms_per_week = 1000\n")
    with Analyticsd(sockets, "--alerts", config) as daemon:
        daemon.ask("SetTopology", **topology)
        assert daemon.stop() == 0
        daemon.start()  # bindings are looked at then, and every ten seconds
        with Events(daemon) as events, Port(daemon) as a, Port(daemon, host="g") as z:
            def both(rate):
                a.run(15)
                z.run(15, rate=rate)
                return next((e for e in events.read() if e["alert"]["rule"] == "one_sided"), None)
            assert both(1000) is None
            event = wait_until(lambda: both(0), "an alert of the link", seconds=120, pause=5)
            assert event["alert"]["object"] == event["alert"]["link_id"] == "AB"
            assert "receives 0" in event["alert"]["text"]


# ---- acknowledging, maintenance

def test_acknowledging_is_kept_told_and_taken_back(sockets):
    with Analyticsd(sockets) as daemon, Events(daemon) as events, Port(daemon) as port:
        port.run(20).run(3, up=False)
        alert_id = events.until("link_down", "raised")["alert"]["alert_id"]
        told = daemon.ask("AckAlert", alert_id=alert_id, note="on it")
        assert told["acknowledged"] and told["acknowledged_by"] == "local" and told["note"] == "on it"
        assert events.until("link_down", "acknowledged")["alert"]["acknowledged"]
        assert daemon.stop() == 0
        daemon.start()
        assert active(daemon)[0]["acknowledged_by"] == "local"
        assert not daemon.ask("AckAlert", alert_id=alert_id, acknowledged=False)["acknowledged"]
        with pytest.raises(Refused) as error:
            daemon.ask("AckAlert", alert_id=10**6)
        assert error.value.code == "NOT_FOUND"


def test_maintenance_keeps_quiet_until_it_is_over(sockets):
    with Analyticsd(sockets) as daemon, Events(daemon) as events, Port(daemon) as port:
        silence = daemon.ask("SilenceAlerts", object="h/p0", until_ns=time.time_ns() + 3600 * NS, reason="cable")
        port.run(20).run(3, up=False).seen()
        alert = wait_until(lambda: active(daemon), "the alert to be stored")[0]
        assert alert["silenced"]
        assert [s["silence_id"] for s in daemon.ask("ListAlerts")["silences"]] == [silence["silence_id"]]
        assert events.read() == []
        daemon.ask("EndSilence", silence_id=silence["silence_id"])
        assert events.until("link_down", "raised")["alert"]["alert_id"] == alert["alert_id"]
        assert not active(daemon)[0]["silenced"]
        with pytest.raises(Refused) as error:
            daemon.ask("EndSilence", silence_id=silence["silence_id"])
        assert error.value.code == "NOT_FOUND"
        with pytest.raises(Refused) as error:
            daemon.ask("SilenceAlerts", until_ns=time.time_ns() - NS)
        assert error.value.code == "INVALID_ARGUMENT" and "until_ns" in error.value.message


def test_more_alerts_than_allowed_are_stored_and_told_later(sockets):
    config = alerts_file(sockets, "alerts_per_minute = 12\n")
    with Analyticsd(sockets, "--alerts", config) as daemon, Events(daemon) as events:
        ports = [Port(daemon, name=f"p{i}") for i in range(14)]
        for port in ports:
            port.run(5)
        for port in ports:
            port.run(2, up=False)
        wait_until(lambda: len(active(daemon)) == len(ports), "all alerts to be stored")
        assert daemon.metrics()["alerts_held"] > 0
        wait_until(lambda: len({e["alert"]["object"] for e in events.read()}) == len(ports), "the others to be told",
                   seconds=120)
        assert len([e for e in events.events if e["change"] == "raised"]) == len(ports)
        for port in ports:
            port.publisher.close()


def test_lists_are_filtered_and_paged(sockets):
    with Analyticsd(sockets) as daemon:
        ports = [Port(daemon, name=f"p{i}") for i in range(3)]
        for port in ports:
            port.run(5).run(2, up=False)
        wait_until(lambda: len(active(daemon)) == 3, "three alerts")
        assert len(active(daemon, object="h/p1")) == 1
        assert active(daemon, rule="errors") == [] and active(daemon, kind="link") == []
        assert len(active(daemon, severity="critical")) == 3
        page = daemon.ask("ListAlerts", limit=2)
        assert len(page["alerts"]) == 2 and page["next_page"] == 2
        rest = daemon.ask("ListAlerts", limit=2, page=2)
        assert len(rest["alerts"]) == 1 and "next_page" not in rest
        assert daemon.ask("ListAlerts", alert_id=page["alerts"][0]["alert_id"])["alerts"] == page["alerts"][:1]
        for port in ports:
            port.publisher.close()
