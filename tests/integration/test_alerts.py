"""Alerts and actions: raised, told, acknowledged, silenced, acted upon, cleared; over a real daemon.

SPDX-License-Identifier: MIT
"""

import hashlib
import hmac
import http.server
import json
import os
import signal
import stat
import subprocess
import threading
import time

import msgpack
import pytest
import zmq

from daemon import Analyticsd, Publisher, Refused
from testpmd import build_folder, wait_until

NS = 10**9


class Events:
    """A SUB socket on the events endpoint that keeps the alert events."""

    def __init__(self, daemon, topic=b"alert/"):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._socket.connect(daemon.events)
        assert self._monitor.poll(20000), "no connection to the events"
        self.events, self.topics = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()

    def read(self):
        """Take what has come."""
        while self._socket.poll(0):
            topic, payload = self._socket.recv_multipart()
            self.topics.append(topic.decode())
            self.events.append(msgpack.unpackb(payload))
        return self.events

    def until(self, rule, change, seconds=40):
        """The first event of that rule and change."""
        def found():
            return next((e for e in self.read() if e["alert"]["rule"] == rule and e["change"] == change), None)
        return wait_until(found, f"{rule} {change}: {[(e['alert']['rule'], e['change']) for e in self.events]}",
                          seconds)


class Port:
    """A publisher whose rows come as fast as asked for: a second of its own time each."""

    def __init__(self, daemon, seconds_ago=600, **fields):
        self.publisher = Publisher(daemon, **fields)
        self.daemon = daemon
        self.seq = 0
        self.ts_ns = time.time_ns() - seconds_ago * NS
        self.counters = dict.fromkeys(
            ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors", "rx_nombuf"), 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.publisher.close()

    def run(self, seconds, up=True, rate=1000, batch=1, **bad):
        """So many seconds of traffic, with so much of what is bad in each; `batch` rows in a message."""
        rows = []
        for i in range(seconds):
            self.seq += 1
            self.ts_ns += NS
            # not the same each second, as no traffic is
            packets = (rate + (self.seq * 7919) % 97) if up and rate else 0
            for way in ("rx", "tx"):
                self.counters[way + "_packets"] += packets
                self.counters[way + "_bytes"] += 500 * packets
            for name, count in bad.items():
                self.counters[name] += count
            rows.append((self.seq, self.ts_ns, dict(self.counters)))
            if len(rows) == batch or i == seconds - 1:
                self.publisher.send(*rows, up=up)
                rows = []
        return self

    def stored(self):
        """Wait until all of it is in the history."""
        wait_until(lambda: self.daemon.metrics()["rows_stored"] >= self.seq, "all rows to be stored")
        return self

    def seen(self):
        """Wait until the detector has looked at all of it."""
        def is_seen():
            metrics = self.daemon.metrics()
            return min(metrics["detect_rows"], metrics["rows_stored"]) >= self.seq
        wait_until(is_seen, "the detector to have seen all rows")
        return self


def alerts_file(folder, text):
    path = os.path.join(folder, "alerts.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def active(daemon, **fields):
    return daemon.ask("ListAlerts", state="active", **fields)["alerts"]


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
    with Analyticsd(sockets) as daemon:
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
    with Analyticsd(sockets) as daemon, Events(daemon) as events, Port(daemon) as port:
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
    with Analyticsd(sockets) as daemon, Events(daemon) as events:
        daemon.ask("SetTopology", **topology)
        with Port(daemon) as a, Port(daemon, host="g") as z:
            def both(rate):
                a.run(15)
                z.run(15, rate=rate)
                return next((e for e in events.read() if e["alert"]["rule"] == "one_sided"), None)
            both(1000)
            both(1000)
            event = wait_until(lambda: both(0), "an alert of the link", seconds=120, pause=10)
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
        ports = [Port(daemon, name=f"p{i}") for i in range(18)]
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


# ---- actions

def script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def actions_of(daemon):
    return [action for alert in daemon.ask("ListAlerts")["alerts"] for action in alert.get("actions", [])]


def test_a_program_gets_the_event_and_its_arguments(sockets):
    program = script(sockets, "act", f'cat > "{sockets}/got.$2"; echo "saw $1"; exit 0\n')
    config = alerts_file(sockets, f"""
[action note]
program = {program}
argument = a b; $(reboot)
argument = one
rules = link_down
on = raised cleared
""")
    with Analyticsd(sockets, "--alerts", config) as daemon, Port(daemon) as port:
        port.run(20).run(2, up=False)
        wait_until(lambda: os.path.exists(f"{sockets}/got.one"), "the program to run")
        done = wait_until(lambda: [a for a in actions_of(daemon) if a["state"] == "done"], "it to end")[0]
        assert done["result"] == "exit status 0: saw a b; $(reboot)"
        with open(f"{sockets}/got.one", encoding="utf-8") as file:
            event = json.load(file)
        assert event["change"] == "raised" and event["alert"]["rule"] == "link_down"
        assert event["alert"]["object"] == "h/p0"
        port.run(3)
        wait_until(lambda: port.run(1) and [a for a in actions_of(daemon) if a["change"] == "cleared"
                                            and a["state"] == "done"], "the action on clearing", pause=0.5)
        assert daemon.metrics()["actions_done"] == 2


def test_a_hanging_program_is_killed_with_all_it_started_and_holds_up_nobody(sockets):
    program = script(sockets, "hang", f'sleep 1000 & echo $! > "{sockets}/child"; sleep 1000\n')
    config = alerts_file(sockets, f"parallel_actions = 1\n[action hang]\nprogram = {program}\ntimeout = 2s\nrules = link_down\n")
    with Analyticsd(sockets, "--alerts", config) as daemon, Port(daemon) as port:
        port.run(20).run(2, up=False).seen()
        wait_until(lambda: os.path.exists(f"{sockets}/child"), "the program to run")
        port.run(50).seen()  # rows are taken while it hangs
        failed = wait_until(lambda: [a for a in actions_of(daemon) if a["state"] == "failed"], "it to be killed")[0]
        assert "time was over" in failed["result"]
        with open(f"{sockets}/child", encoding="utf-8") as file:
            child = int(file.read())
        wait_until(lambda: not os.path.exists(f"/proc/{child}") or
                   open(f"/proc/{child}/stat", encoding="utf-8").read().split()[2] == "Z", "its child to be gone")
        assert daemon.metrics()["actions_failed"] == 1


class Receiver:
    """A web server that keeps what is posted and answers with the statuses that it was given, then 200."""

    def __init__(self, statuses=(), delay=0):
        receiver = self
        self.posts, self._statuses, self._release = [], list(statuses), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append((dict(self.headers), body))
                if delay:
                    receiver._release.wait(delay)
                self.send_response(receiver._statuses.pop(0) if receiver._statuses else 200)
                self.end_headers()
                try:
                    self.wfile.write(b"noted")
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def test_a_webhook_is_signed_and_tried_again(sockets):
    with open(f"{sockets}/secret", "w", encoding="utf-8") as file:
        file.write("correct horse\n")
    with Receiver([500, 503]) as receiver:
        config = alerts_file(sockets, f"[action hook]\nwebhook = {receiver.url}\nsecret_file = {sockets}/secret\n"
                                      "rules = link_down\ntimeout = 5s\n")
        with Analyticsd(sockets, "--alerts", config) as daemon, Port(daemon) as port:
            port.run(20).run(2, up=False)
            done = wait_until(lambda: [a for a in actions_of(daemon) if a["state"] == "done"], "the webhook")[0]
    assert done["attempts"] == 3 and done["result"] == "HTTP 200: noted"
    assert len(receiver.posts) == 3
    assert len({headers["X-Linkcast-Delivery"] for headers, _ in receiver.posts}) == 1
    for headers, body in receiver.posts:
        signed = headers["X-Linkcast-Timestamp"].encode() + b"." + body
        digest = hmac.new(b"correct horse", signed, hashlib.sha256).hexdigest()
        assert headers["X-Linkcast-Signature"] == "sha256=" + digest
        assert json.loads(body)["alert"]["rule"] == "link_down"


def test_a_webhook_that_hangs_or_refuses_is_given_up(sockets):
    with Receiver(delay=60) as receiver:
        config = alerts_file(sockets, f"[action hook]\nwebhook = {receiver.url}\nrules = link_down\ntimeout = 500ms\n"
                                      "retries = 1\n[action nobody]\nwebhook = http://127.0.0.1:1/\nretries = 0\n"
                                      "rules = link_down\n")
        with Analyticsd(sockets, "--alerts", config) as daemon, Port(daemon) as port:
            port.run(20).run(2, up=False)
            failed = wait_until(lambda: (lambda found: found if len(found) == 2 else None)(
                {a["action"]: a for a in actions_of(daemon) if a["state"] == "failed"}), "both to be given up")
            assert failed["hook"]["attempts"] == 2 and "imed out" in failed["hook"]["result"]
            assert failed["nobody"]["attempts"] == 1
            assert daemon.stop() == 0


def test_what_waited_is_done_after_a_restart_and_programs_are_not_run_twice(sockets):
    program = script(sockets, "slow", f'echo $$ >> "{sockets}/runs"; exec sleep 1000\n')
    with Receiver([500] * 3) as receiver:
        config = alerts_file(sockets, f"[action slow]\nprogram = {program}\nrules = link_down\ntimeout = 1000s\n"
                                      f"[action hook]\nwebhook = {receiver.url}\nrules = link_down\nretries = 100\n")
        with Analyticsd(sockets, "--alerts", config) as daemon:
            with Port(daemon) as port:
                port.run(20).run(2, up=False)
                wait_until(lambda: os.path.exists(f"{sockets}/runs") and receiver.posts, "both to begin")
            daemon.kill()
            daemon.start()
            ended = wait_until(lambda: (lambda found: found if set(found.values()) == {"done", "interrupted"} else None)(
                {a["action"]: a["state"] for a in actions_of(daemon)}), "both to end")
            assert ended == {"slow": "interrupted", "hook": "done"}
            with open(f"{sockets}/runs", encoding="utf-8") as file:
                pids = file.read().split()
            os.kill(int(pids[0]), signal.SIGKILL)  # analyticsd was killed and could not end it
            assert len(pids) == 1


@pytest.mark.parametrize("text, where", [
    ("nonsense = 1\n", "line 1"),
    ("[rule nothing]\noff = yes\n", "line 2"),
    ("[rule errors]\nseverity = loud\n", "line 2"),
    ("[action a]\nprogram = /does/not/exist\n", "/does/not/exist"),
    ("[action a]\nprogram = ls\n", "absolute"),
    ("[action a]\nrules = errors\n", "one of program and webhook"),
    ("[action a]\nwebhook = ftp://x/\n", "line 2"),
    ("utilization = nan\n", "line 1"),
    ("[action a]\nrules = errors, nothing\n", "line 2"),
])
def test_a_bad_alerts_file_is_refused_with_its_line(sockets, text, where):
    daemon = Analyticsd(sockets, "--alerts", alerts_file(sockets, text))
    with pytest.raises(AssertionError) as error:
        daemon.start()
    assert daemon.process.wait(10) == 2
    assert where in str(error.value)


# ---- labels

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
