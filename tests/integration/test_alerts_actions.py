"""From a real fault on a real port to what is done about it: the shipped actions, on a real testpmd and pathcomp.

SPDX-License-Identifier: MIT
"""

import os
import subprocess
import time

import pytest

import netns
from alerting import NS, Events, Port, active, actions_of, alerts_file
from daemon import Analyticsd
from replaying import ReplayingPublisher
from testpmd import TESTPMD, Testpmd, build_folder, plugin_path, wait_until

ACTIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "actions")
needs_testpmd = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


def action(folder, name, *arguments, rules, **settings):
    """The alerts file of one shipped action, whose commands are those that were built."""
    wrapper = os.path.join(folder, name)
    with open(wrapper, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nPATH={build_folder()}/pathcomp:$PATH exec {os.path.abspath(ACTIONS)}/{name} \"$@\"\n")
    os.chmod(wrapper, 0o755)
    lines = [f"[action {name.replace('-', '_')}]", f"program = {wrapper}", f"rules = {rules}", "timeout = 60s"]
    lines += [f"argument = {argument}" for argument in arguments]
    general = [f"{key} = {value}" for key, value in settings.items()]
    return alerts_file(folder, "\n".join(general + lines) + "\n[rule utilization]\nclear_after = 1s\n")


@needs_testpmd
@pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))
def test_a_pulled_wire_alerts_acts_and_clears(sockets):
    """Real testpmd, real interface: down, alert on the events socket, program run, up again, alert cleared."""
    program = os.path.join(sockets, "note")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\ncat >> "{sockets}/told"\n')
    os.chmod(program, 0o755)
    config = alerts_file(sockets, f"[action note]\nprogram = {program}\nrules = link_down\non = raised cleared\n")
    tap = "lcal0"
    env = {"LINKCAST_AUTOSTART": f"ipc://{sockets}/samples", "LINKCAST_INTERVAL_MS": "200", "LINKCAST_HOST": "real"}
    with Analyticsd(sockets, "--alerts", config) as daemon, Events(daemon) as events, netns.VethPair() as veth, \
            Testpmd([f"net_tap0,iface={tap}"], plugin=plugin_path(), namespace=veth.a, env=env) as testpmd:
        wait_until(lambda: daemon.metrics()["detect_rows"] > 5, "rows of the port")
        assert active(daemon, rule="link_down") == []
        veth.run("a", "ip", "link", "set", tap, "down")
        raised = events.until("link_down", "raised")
        assert raised["alert"]["object"] == "real/net_tap0"
        wait_until(lambda: [a for a in actions_of(daemon) if a["state"] == "done"], "the program to have run")
        veth.run("a", "ip", "link", "set", tap, "up")
        cleared = events.until("link_down", "cleared")
        assert cleared["alert"]["alert_id"] == raised["alert"]["alert_id"]
        wait_until(lambda: len([a for a in actions_of(daemon) if a["state"] == "done"]) == 2, "both programs")
        assert active(daemon, rule="link_down") == []
        assert testpmd.quit() == 0
    with open(f"{sockets}/told", encoding="utf-8") as file:
        text = file.read().replace(" ", "")
    assert text.index('"change":"raised"') < text.index('"change":"cleared"')


def ring(daemon):
    """A way from A to C over B, and a longer one over D."""
    def link(name, port=None):
        return {"id": name, "a": name[0].upper(), "z": name[1].upper(), "total_capacity_gbps": 10,
                "cost": 1 if name in ("ab", "bc") else 5, **({"ports": [port]} if port else {})}
    daemon.ask("SetTopology", topology_id="admin", nodes=[{"id": node} for node in "ABCD"],
               links=[link("ab"), link("bc", {"host": "h", "name": "p0", "end": "a"}), link("ad"), link("dc")])


def test_services_are_moved_off_a_link_that_failed(sockets):
    config = action(sockets, "reroute", "--api", f"ipc://{sockets}/api", "--forecaster", "off", rules="link_down")
    with Analyticsd(sockets, "--alerts", config) as daemon, Events(daemon) as events, Port(daemon) as port:
        ring(daemon)
        port.run(20).seen()
        run = subprocess.run([os.path.join(build_folder(), "pathcomp", "pathcomp"), "service", "request", "--api", daemon.api,
                              "--from", "A", "--to", "C", "--gbps", "4", "--forecaster", "off"], capture_output=True,
                             text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        before = daemon.ask("ListServices")["services"]
        assert [link["link_id"] for link in before[0]["links"]] == ["ab", "bc"]
        wait_until(lambda: any(p.get("link") == "bc" for s in daemon.ask("ListSources")["sources"] for p in s["ports"]),
                   "the port to be bound")
        time_limit = time.monotonic() + 60
        while not any(a.get("link_id") == "bc" for a in active(daemon, rule="link_down")):
            # bindings are looked at every ten seconds: the alert names the link once they were
            assert time.monotonic() < time_limit
            port.run(12, up=True).seen()
            port.run(2, up=False).seen()
            wait_until(lambda: active(daemon, rule="link_down"), "the alert")
            if not active(daemon, rule="link_down")[0].get("link_id"):
                wait_until(lambda: port.run(1) and not active(daemon, rule="link_down"), "it to clear", pause=0.5)
        events.until("link_down", "raised")
        done = wait_until(lambda: [a for a in actions_of(daemon) if a["state"] in ("done", "failed")
                                   and "moved" in a.get("result", "")], "the services to be moved")
        assert done[0]["state"] == "done", done
        after = daemon.ask("ListServices")["services"]
        assert [service["service_id"] for service in after] == [before[0]["service_id"]]
        assert [link["link_id"] for link in after[0]["links"]] == ["ad", "dc"]


@needs_testpmd
def test_a_testpmd_gets_another_core_when_its_forecast_asks_for_it(sockets):
    """A link's forecast reaches 90 %: the alert types at the prompt of a real testpmd."""
    fifo = f"{sockets}/commands"
    os.mkfifo(fifo)
    config = action(sockets, "scale-out", fifo, "2", rules="utilization", outlook_every="1s", utilization_window="10m")
    prefix = f"lcso{os.getpid()}"
    argv = ["stdbuf", "-oL", TESTPMD, "--no-huge", "--no-pci", "-m", "256", "--lcores", "0,1,(2)@(0)", "--file-prefix", prefix,
            "--vdev=net_ring0", "--vdev=net_ring1", "--", "-i", "--nb-cores=1", "--total-num-mbufs=8192"]
    prompt = os.open(fifo, os.O_RDWR)
    output = f"{sockets}/testpmd.log"
    with open(output, "w", encoding="utf-8") as log:
        testpmd = subprocess.Popen(argv, stdin=prompt, stdout=log, stderr=log, start_new_session=True)

    def said(text):
        assert testpmd.poll() is None, open(output, encoding="utf-8", errors="replace").read()[-2000:]
        with open(output, encoding="utf-8", errors="replace") as file:
            return text in file.read()
    try:
        wait_until(lambda: said("testpmd>"), "testpmd's prompt", seconds=90)
        os.write(prompt, b"start\n")
        wait_until(lambda: said("cores=1 - streams=2"), "one forwarding core")
        with Analyticsd(sockets, "--alerts", config) as daemon, Events(daemon) as events:
            ring(daemon)
            now = time.time_ns()
            daemon.ask("AppendKpi", link_id="ab", kpi=302,
                       samples=[[now - (60 - i) * 60 * NS, 9.5] for i in range(60)])
            raised = events.until("utilization", "raised", seconds=90)
            assert raised["alert"]["object"] == "ab" and "90 %" in raised["alert"]["text"]
            done = wait_until(lambda: [a for a in actions_of(daemon) if a["state"] in ("done", "failed")], "the action")
            assert done[0]["state"] == "done", done
            assert "2 forwarding cores" in done[0]["result"]
            wait_until(lambda: said("cores=2 - streams=2"), "the second core to forward")
            daemon.ask("SetLink", link_id="ab", total_capacity_gbps=100)
            events.until("utilization", "cleared", seconds=90)
    finally:
        os.write(prompt, b"stop\nquit\n")
        try:
            testpmd.wait(30)
        except subprocess.TimeoutExpired:
            testpmd.kill()
            testpmd.wait()
        os.close(prompt)
    assert testpmd.returncode == 0


def autostarted(sockets, host):
    """What a testpmd needs to publish as `host` from its start."""
    return {"plugin": plugin_path(), "env": {
        "LINKCAST_AUTOSTART": f"ipc://{sockets}/samples", "LINKCAST_API": f"ipc://{sockets}/api",
        "LINKCAST_INTERVAL_MS": "100", "LINKCAST_HOST": host}}


@needs_testpmd
def test_who_was_stopped_is_not_missed_and_who_was_killed_is(sockets):
    """`analytics stop` and `quit` say so in the last hello; a process that is killed says nothing."""
    with Analyticsd(sockets) as daemon, Events(daemon) as events, \
            Testpmd(["net_null0"], **autostarted(sockets, "stopped")) as stopped, \
            Testpmd(["net_null0"], **autostarted(sockets, "left")) as left, \
            Testpmd(["net_null0"], **autostarted(sockets, "killed")) as killed, \
            ReplayingPublisher(daemon, host="late") as late:
        def heard():
            return {source["host"]: source["instance"] for source in daemon.ask("ListSources")["sources"] if source["ports"]}

        late.publish(late.add(3))
        before = wait_until(lambda: len(heard()) == 4 and heard(), "rows of each")
        stopped.command("analytics stop")
        assert left.quit() == 0
        late.hello(stopped=True)
        late.publish(late.add(3))  # on their way over the other socket
        wait_until(lambda: [port["last_seq"] for source in daemon.ask("ListSources")["sources"]
                            for port in source["ports"] if source["host"] == "late"] == [6], "its last rows")
        killed.process.kill()
        killed.process.wait()
        assert events.until("no_samples", "raised", seconds=90)["alert"]["object"] == "killed/net_null0"
        # the others have been silent for longer
        assert [alert["object"] for alert in active(daemon, rule="no_samples")] == ["killed/net_null0"]
        stopped.command(f"analytics start ipc://{sockets}/samples")
        wait_until(lambda: heard()["stopped"] != before["stopped"], "the next instance")
        with Testpmd(["net_null0"], **autostarted(sockets, "killed")):
            assert events.until("no_samples", "cleared")["alert"]["object"] == "killed/net_null0"
        assert daemon.stop() == 0
