"""What an installed Linkcast is beside its programs: the service manager's protocol, settings, man pages, completion.

SPDX-License-Identifier: MIT
"""
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest

from alerting import Port, active, alerts_file
from daemon import BINARY, Analyticsd, Publisher
from gateway import Gateway
from pathcomp_command import Serve
from testpmd import build_folder, wait_until

PACKAGING = os.path.join(build_folder(), "packaging")
PAGES = {"analyticsd.8": "analyticsd/analyticsd", "analyticsctl.1": "analyticsd/ctl/analyticsctl", "pathcomp.1": "pathcomp/pathcomp",
         "linkcast-dashboard.8": "dashboard/linkcast-dashboard", "linkcast-top.1": "dashboard/top/linkcast-top"}


@pytest.fixture
def manager(sockets, monkeypatch):
    """The socket of a service manager, as systemd gives one to Type=notify."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = os.path.join(sockets, "notify")
    listener.bind(path)
    listener.settimeout(30)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    yield listener
    listener.close()


def test_the_manager_hears_ready_and_stopping_and_nothing_else_without_a_watchdog(sockets, manager):
    with Analyticsd(sockets) as daemon:
        assert manager.recv(4096) == b"READY=1"
        daemon.ask("Ping")
        assert daemon.stop() == 0
    assert manager.recv(4096) == b"STOPPING=1"


def test_the_watchdog_is_fed_while_the_api_answers(sockets, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    with Analyticsd(sockets) as daemon:
        assert manager.recv(4096) == b"READY=1"
        assert [manager.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert daemon.stop() == 0


def test_a_watchdog_of_another_process_is_left_alone(sockets, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with Analyticsd(sockets) as daemon:
        assert manager.recv(4096) == b"READY=1"
        for _ in range(20):
            daemon.ask("Ping")
        assert daemon.stop() == 0
    assert manager.recv(4096) == b"STOPPING=1"


def test_a_hangup_takes_the_new_log_level_and_refuses_a_broken_file(sockets):
    path = os.path.join(sockets, "analyticsd.conf")

    def write(text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    write("log = info\n")
    with Analyticsd(sockets, "--config", path) as daemon:
        write("log = warning\nworkers = many\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "settings stay as they are" in daemon.log, "the refusal")
        assert "analyticsd.conf, line 2" in daemon.log
        write("log = info\nworkers = 7\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "others change at the next start" in daemon.log, "the second reading")
        write("log = error\n")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.stop() == 0  # of two signals that wait, the hangup is taken first
        assert "stopping" not in daemon.log


def test_a_hangup_takes_another_alerts_file_and_keeps_the_last_good_one(sockets):
    path, config = os.path.join(sockets, "alerts.conf"), os.path.join(sockets, "analyticsd.conf")

    def reload(text, said):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        before = daemon.log.count(said)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.count(said) > before, said)

    def down():
        return {alert["object"]: alert["severity"] for alert in active(daemon, rule="link_down")}

    def goes_down(port):
        name = f"h/{port.publisher.fields['name']}"
        port.run(3).run(2, up=False)
        return wait_until(lambda: down().get(name), "its alert")

    with open(config, "w", encoding="utf-8") as file:
        file.write(f"alerts = {path}\n")
    alerts_file(sockets, "[rule link_down]\noff = yes\n")
    read = "settings read again"
    with Analyticsd(sockets, "--config", config) as daemon, Port(daemon, name="p0") as first, \
            Port(daemon, name="p1") as second, Port(daemon, name="p2") as third, Port(daemon, name="p3") as fourth:
        first.run(3).run(2, up=False).seen()
        assert down() == {}
        reload("[rule link_down]\nseverity = minor\n", read)
        assert goes_down(second) == "minor"
        reload("[rule link_down]\nseverity = loud\n", "settings stay as they are")
        assert "alerts.conf, line 2" in daemon.log
        assert goes_down(third) == "minor"
        reload("off = yes\n", read)
        seen = daemon.metrics()["detect_rows"]
        fourth.run(20)
        wait_until(lambda: daemon.metrics()["rows_stored"] == 3 * 5 + 20, "all rows to be stored")
        assert daemon.metrics()["detect_rows"] == seen
        reload("[rule link_down]\nseverity = major\n", read)
        assert goes_down(fourth) == "major"
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.log.count(read) == 4, "the last reading")
        assert daemon.log.count("the alerts file was read again") == 3, "not where it is the same"
        assert daemon.stop() == 0


def test_the_services_that_read_nothing_again_go_on_after_a_hangup(sockets):
    with Analyticsd(sockets) as daemon, Serve(sockets, "--api", daemon.api) as serve, Gateway(daemon, path=serve) as gateway:
        for process in (serve.process, gateway.process):
            process.send_signal(signal.SIGHUP)
        assert serve.ask("Ping")["version"]
        assert gateway.get("/healthz")
        assert serve.stop() == 0 and gateway.stop() == 0


def test_the_shipped_config_file_has_each_setting_as_a_comment_and_means_the_defaults(sockets):
    path = os.path.join(PACKAGING, "analyticsd.conf")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert text == subprocess.run([BINARY, "--print-config"], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^#([a-z_]+) =$", text, re.MULTILINE)
    assert {"data", "samples", "api", "events", "log", "workers", "curve_key", "alerts"} <= set(names)
    with Analyticsd(sockets, "--config", path) as daemon:
        assert daemon.stop() == 0
    # each name is one that the daemon knows: a value that can't be one is refused for the value, not for the name
    for name in names:
        wrong = os.path.join(sockets, "wrong.conf")
        with open(wrong, "w", encoding="utf-8") as file:
            file.write(f"{name} =\n")
        said = subprocess.run([BINARY, "--config", wrong, "--workers", "0"], capture_output=True, text=True, check=False)
        assert said.returncode == 2 and "no setting" not in said.stderr, said.stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_man_page_has_every_option_of_its_program(page):
    said = subprocess.run([os.path.join(build_folder(), PAGES[page]), "--help"], check=True, capture_output=True, text=True)
    with open(os.path.join(PACKAGING, page), encoding="utf-8") as file:
        roff = file.read().replace("\\-", "-").replace("\\", "")
    assert roff.startswith(".\\\"") or ".TH" in roff
    options = re.findall(r"^ .*?(--[a-z-]+)", said.stdout, re.MULTILINE)
    assert options and all(option in roff for option in options), page
    assert "@OPTIONS@" not in roff and "@COMMANDS@" not in roff


@pytest.mark.parametrize("program", PAGES.values())
def test_a_program_tells_its_version(program):
    said = subprocess.run([os.path.join(build_folder(), program), "--version"], check=True, capture_output=True, text=True)
    assert re.fullmatch(os.path.basename(program) + r" \d+\.\d+\.\d+\n", said.stdout)


def complete(*words):
    """What bash offers after these words."""
    program = os.path.basename(words[0])
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_%s"; printf "%%s\\n" "${COMPREPLY[@]}"'
              % program.replace("-", "_"))
    said = subprocess.run(["bash", "-c", script, "bash", os.path.join(PACKAGING, "linkcast.bash"), *words],
                          check=True, capture_output=True, text=True)
    return said.stdout.split()


def test_bash_completes_commands_options_and_files(tmp_path):
    assert complete("analyticsctl", "fore") == ["forecast"]
    assert "--quantile" in complete("analyticsctl", "forecast", "--")
    assert complete("analyticsctl", "topology", "lo") == ["load"]
    assert "--max-hops" in complete("pathcomp", "path", "--max")
    assert complete("analyticsd", "--samp") == ["--samples"]
    (tmp_path / "net.json").write_text("{}")
    assert complete("analyticsctl", "topology", str(tmp_path / "ne")) == [str(tmp_path / "net.json")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where everything was installed to."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", build_folder(), "--no-rebuild", "--quiet", "--destdir", str(root)], check=True)
    prefix = root / "usr" / "local"
    for path in root.rglob("*.pc"):
        path.write_text(path.read_text(encoding="utf-8").replace("prefix=/usr/local", f"prefix={prefix}"), encoding="utf-8")
    return prefix


def compile_example(installed, name, package, target):
    """Builds an example as its first lines say, against what was installed."""
    folder = next(installed.rglob("linkcast-schema.pc")).parent
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], check=True, capture_output=True, text=True,
                           env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).stdout.split()
    source = next(installed.rglob(name + ".c"))
    subprocess.run(["cc", "-std=gnu2x", "-Wall", "-Werror", str(source), *flags, "-o", str(target)], check=True)
    return str(target)


def test_a_program_of_ones_own_finds_paths_with_the_installed_library(installed, tmp_path):
    example = compile_example(installed, "path", "linkcast-pathcomp", tmp_path / "path")
    (tmp_path / "net.json").write_text(json.dumps({
        "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "links": [{"id": "ab", "a": "a", "z": "b", "total_capacity_gbps": 1},
                  {"id": "ac", "a": "a", "z": "c", "total_capacity_gbps": 9},
                  {"id": "cb", "a": "c", "z": "b", "total_capacity_gbps": 9}]}), encoding="utf-8")

    def ask(gbps):
        done = subprocess.run([example, str(tmp_path / "net.json"), "a", "b", gbps], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.split()
    assert ask("1") == (0, ["ab"])
    assert ask("2") == (0, ["ac", "cb"])
    assert ask("10") == (3, ["blocked"])


def test_programs_of_ones_own_ask_for_forecasts_and_listen(installed, sockets, tmp_path):
    example = compile_example(installed, "forecast", "linkcast-schema", tmp_path / "forecast")
    with Analyticsd(sockets) as daemon, Publisher(daemon) as publisher:
        daemon.ask("SetTopology", topology_id="t", nodes=[{"id": "a"}, {"id": "b"}],
                   links=[{"id": "ab", "a": "a", "z": "b", "total_capacity_gbps": 10, "used_capacity_gbps": 2}])
        said = subprocess.run([example, daemon.api, "ab"], capture_output=True, text=True, check=True).stdout
        assert re.fullmatch(r"[0-9.]+ Gbps by model \w+\n", said), said
        subscriber = subprocess.Popen([sys.executable, str(next(installed.rglob("subscribe.py"))), daemon.events],
                                      stdout=subprocess.PIPE, text=True)
        try:
            sent = itertools.count(1)
            lines = []
            reader = threading.Thread(target=lambda: lines.append(subscriber.stdout.readline()), daemon=True)
            reader.start()

            def heard():
                seq = next(sent)
                publisher.send((seq, 1_700_000_000_000_000_000 + seq * 1_000_000_000, {"rx_bytes": seq * 125_000_000}))
                return lines
            wait_until(heard, "a line of the subscriber")
            assert lines == ["h/p0 receives 1.000000 Gbps\n"]
        finally:
            subscriber.kill()
            subscriber.wait()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("unit", ["analyticsd", "pathcomp", "linkcast-dashboard"])
def test_systemd_takes_the_units(unit):
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", os.path.join(PACKAGING, unit + ".service")],
                          capture_output=True, text=True, check=False)
    assert not [line for line in said.stderr.splitlines() if unit in line and "is not executable" not in line], said.stderr
