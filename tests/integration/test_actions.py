"""What is done about alerts: programs and webhooks, over a real daemon; and the alerts file.

SPDX-License-Identifier: MIT
"""

import hashlib
import hmac
import http.server
import json
import os
import signal
import stat
import threading

import pytest

from alerting import Port, actions_of, alerts_file
from daemon import Analyticsd
from testpmd import wait_until


def script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def test_a_program_gets_the_event_and_its_arguments(sockets):
    program = script(sockets, "act", f'cat > "{sockets}/got.$2"; echo "saw $1"; exit 0\n')
    config = alerts_file(sockets, f"""
[action note]
program = {program}
argument = a b; $(reboot)
argument = one
rules = link_down
on = raised cleared
[rule link_down]
clear_after = 1s
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
    ("[action a]\nsecret_file = /does/not/exist\n", "line 2: [action a] secret_file = /does/not/exist: No such file"),
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
