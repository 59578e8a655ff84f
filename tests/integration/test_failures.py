"""Failures: labelled, learnt from, foretold; and what analyticsctl says of them and of alerts; over a real daemon.

SPDX-License-Identifier: MIT
"""

import json
import os
import subprocess

import pytest

from alerting import NS, Events, Port, active, alerts_file
from daemon import Analyticsd, Refused
from testpmd import build_folder, wait_until


def test_labels_are_kept_listed_and_checked(sockets):
    with Analyticsd(sockets) as daemon, Port(daemon) as port:
        port.run(30).seen()
        at = port.ts_ns
        label = daemon.ask("LabelEvent", host="h", name="p0", event="cable", from_ns=at - 10 * NS, to_ns=at - 5 * NS)
        assert daemon.ask("LabelEvent", host="h", name="p0", event="cable", from_ns=at - 10 * NS,
                          to_ns=at - 5 * NS)["label_id"] == label["label_id"]

        def refused(code, **fields):
            with pytest.raises(Refused) as error:
                daemon.ask("LabelEvent", **{"host": "h", "name": "p0", "event": "x", "from_ns": at - 4 * NS,
                                            "to_ns": at - 3 * NS, **fields})
            assert error.value.code == code, error.value

        refused("ALREADY_EXISTS", from_ns=at - 7 * NS)
        refused("INVALID_ARGUMENT", from_ns=at - 10**6 * NS, to_ns=at - (10**6 - 1) * NS)
        refused("INVALID_ARGUMENT", to_ns=at - 4 * NS)
        refused("INVALID_ARGUMENT", to_ns=at + 10**6 * NS)
        refused("INVALID_ARGUMENT", link_id="AB")
        refused("NOT_FOUND", name="p9")
        refused("INVALID_ARGUMENT", degraded_from_ns=at)
        labels = daemon.ask("ListLabels")["labels"]
        assert [entry["event"] for entry in labels] == ["cable"] and labels[0]["by"] == "local"
        daemon.ask("DropLabel", label_id=label["label_id"])
        assert daemon.ask("ListLabels")["labels"] == []
        with pytest.raises(Refused) as error:
            daemon.ask("DropLabel", label_id=label["label_id"])
        assert error.value.code == "NOT_FOUND"


# ---- failure prediction

def test_failures_of_the_past_teach_what_comes_before_the_next(sockets):
    """A history with failures is learnt at the start; the signs of the next one raise a prediction, with its reasons."""
    config = alerts_file(sockets, "retrain_every = 10s\nhorizon = 5m\n[rule failure_predicted]\nraise_after = 0\n")

    with Analyticsd(sockets) as daemon:
        with Port(daemon, seconds_ago=13 * 1800) as port:
            for _ in range(12):
                port.run(1200, batch=60)
                port.run(300, batch=60, rx_errors=20)  # the signs ...
                port.run(60, batch=60, rx_errors=900)  # ... and the failure
                port.stored()
        assert daemon.metrics()["failure_models"] == 0
        assert daemon.stop() == 0
    with Analyticsd(sockets, "--alerts", config) as daemon, Events(daemon) as events:
        wait_until(lambda: daemon.metrics()["failure_models"] >= 1, "the training", seconds=120)
        with Port(daemon, seconds_ago=1500, instance=8) as port:
            port.run(900).seen()
            assert active(daemon, rule="failure_predicted") == []
            port.run(280, rx_errors=20)
            alert = events.until("failure_predicted", "raised", seconds=60)["alert"]
        assert alert["probability"] >= 0.5 and alert["threshold"] == 0.5
        assert any(factor["feature"].startswith(("error_", "test_errors")) for factor in alert["factors"])
        assert daemon.stop() == 0
        daemon.start()  # the model is kept
        assert daemon.stop() == 0


# ---- analyticsctl

def ctl(daemon, *arguments, status=0):
    run = subprocess.run([os.path.join(build_folder(), "analyticsd", "ctl", "analyticsctl"), *arguments, "--api", daemon.api],
                         capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == status, (run.stdout, run.stderr)
    return run.stdout if status == 0 else run.stderr


def test_analyticsctl_lists_acknowledges_silences_and_labels(sockets):
    with Analyticsd(sockets) as daemon, Port(daemon) as port:
        assert "no alerts" in ctl(daemon, "alerts")
        port.run(20).run(5, up=False).seen()
        wait_until(lambda: active(daemon), "an alert")
        listed = json.loads(ctl(daemon, "alerts", "--json"))["alerts"]
        number = str(listed[0]["alert_id"])
        table = ctl(daemon, "alerts", "--actions")
        assert "link_down" in table and "critical" in table and "no actions" in table
        ctl(daemon, "alerts", "ack", number, "--note", "on it")
        assert "acknowledged" in ctl(daemon, "alerts")
        ctl(daemon, "alerts", "ack", number, "--undo")
        assert "acknowledged" not in ctl(daemon, "alerts")
        assert "alert_id" in ctl(daemon, "alerts", "ack", "999", status=1)
        assert ctl(daemon, "alerts", "silence", "--object", "h/p0", "--for", "2h", "--reason", "cable") == "silence 1\n"
        assert "cable" in ctl(daemon, "alerts")
        ctl(daemon, "alerts", "unsilence", "1")
        assert "cable" not in ctl(daemon, "alerts")
        ctl(daemon, "alerts", "nonsense", status=2)
        at = port.ts_ns // NS
        assert ctl(daemon, "label", "--port", "h/p0", "--event", "optics", "--from", str(at - 9), "--to", str(at - 5)) == "label 1\n"
        again = ctl(daemon, "label", "--port", "h/p0", "--event", "x", "--from", str(at - 7), "--to", str(at), status=1)
        assert "same time" in again
        assert "optics" in ctl(daemon, "labels")
        ctl(daemon, "label", "--drop", "1")
        assert "no labels" in ctl(daemon, "labels")
        ctl(daemon, "label", "--event", "x", status=2)


def test_analyticsctl_evaluates_failures_on_files(sockets):
    def run(*arguments, status=0):
        done = subprocess.run([os.path.join(build_folder(), "analyticsd", "ctl", "analyticsctl"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr
    for seed in (1, 2):
        run("simulate", "--profile", "failure", "--weeks", 2, "--step", "10s", "--seed", seed, "-o", f"{sockets}/{seed}.csv")
    report = json.loads(run("evaluate", "--failures", "--train-csv", f"{sockets}/1.csv", "-i", f"{sockets}/2.csv",
                            "--leave-out", "overload", "--json"))
    scores = {score["method"]: score for score in report["scores"]}
    assert scores["together"]["recall"] >= 0.9 and scores["together"]["median_lead_share"] >= 0.5
    assert scores["together"]["false_alarms_per_day"] <= 1 / 7
    assert scores["together"]["recall"] > scores["naive: errors over a threshold"]["recall"]
    assert report["trained_failures"] > 8 and "overload" in {kind["kind"] for kind in report["kinds"]}
    assert "together" in run("evaluate", "--failures", "-i", f"{sockets}/2.csv")
    with open(f"{sockets}/values.csv", "w", encoding="utf-8") as file:
        file.write("timestamp_unix,value,anomaly_window\n")
        file.writelines(f"{300 * i},{100 + i * 7919 % 13 + (900 if 3000 < i < 3040 else 0)},{int(2990 < i < 3050)}\n"
                        for i in range(4000))
    values = json.loads(run("evaluate", "--failures", "-i", f"{sockets}/values.csv", "--json"))
    assert values["scores"][0]["found"] == 1 and values["trained_failures"] == 0
    for text, where in (("timestamp_unix,value\n1,2\n", "--label-col"), ("timestamp_unix,value,label\n1,2,0\n2,x,0\n", "bad.csv:3"),
                        ("timestamp_unix,other,label\n1,2,0\n", "value"), ("timestamp_unix,value,label\n2,1,0\n2,1,0\n", "bad.csv:3")):
        with open(f"{sockets}/bad.csv", "w", encoding="utf-8") as file:
            file.write(text)
        assert where in run("evaluate", "--failures", "-i", f"{sockets}/bad.csv", status=1)
    run("evaluate", "--failures", status=2)
