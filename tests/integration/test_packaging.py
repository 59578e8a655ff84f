"""What an installed Linkcast is beside its programs: the service manager's protocol, settings, man pages, completion.

SPDX-License-Identifier: MIT
"""
import os
import re
import signal
import socket
import subprocess

import pytest

from daemon import BINARY, Analyticsd
from testpmd import build_folder, wait_until

PACKAGING = os.path.join(build_folder(), "packaging")
PAGES = {"analyticsd.8": "analyticsd/analyticsd", "analyticsctl.1": "analyticsd/ctl/analyticsctl", "pathcomp.1": "pathcomp/pathcomp",
         "linkcast-dashboard.8": "dashboard/linkcast-dashboard"}


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
        wait_until(lambda: "those other than 'log' change at the next start" in daemon.log, "the second reading")
        write("log = error\n")
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.stop() == 0  # of two signals that wait, the hangup is taken first
        assert "stopping" not in daemon.log


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
