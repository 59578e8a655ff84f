"""linkcast-top, as plain text and on a terminal of tmux, beside a real analyticsd.

SPDX-License-Identifier: MIT
"""
import os
import re
import shutil
import subprocess
import time

import pytest

from daemon import Analyticsd, Publisher
from testpmd import build_folder, wait_until

BINARY = os.path.join(build_folder(), "dashboard", "top", "linkcast-top")
NODES = [{"id": name} for name in ("a", "b", "c")]
LINKS = [{"id": "ab", "a": "a", "z": "b", "total_capacity_gbps": 10, "used_capacity_gbps": 1, "used_capacity_reverse_gbps": 0},
         {"id": "bc", "a": "b", "z": "c", "total_capacity_gbps": 10, "used_capacity_gbps": 9.5, "used_capacity_reverse_gbps": 0},
         {"id": "Zürich-東京", "a": "a", "z": "c", "bidirectional": False, "used_capacity_gbps": 0.25}]


@pytest.fixture
def daemon(sockets):
    """An analyticsd with a topology, some history and a port."""
    with Analyticsd(sockets) as running, Publisher(running) as publisher:
        running.ask("SetTopology", topology_id="t", nodes=NODES, links=LINKS)
        now = time.time_ns()
        running.ask("AppendKpi", link_id="ab", kpi=302,
                    samples=[[now - (300 - i) * 300 * 10 ** 9, 1.0 + i % 12 / 10] for i in range(300)])
        publisher.send((1, now, {"rx_bytes": 0}), (2, now + 10 ** 9, {"rx_bytes": 125_000_000, "rx_errors": 3}))
        wait_until(lambda: running.metrics()["rows_stored"] >= 2, "the rows")
        yield running


def top(daemon, *arguments):
    """Its exit status, output and errors."""
    done = subprocess.run([BINARY, "--api", daemon.api, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout, done.stderr


def test_once_prints_links_by_how_full_they_will_be_then_ports_and_alerts(daemon):
    code, output, _ = top(daemon, "--once")
    assert code == 0
    lines = output.splitlines()
    assert lines[0].startswith("1 of 1 sources live, 1 ports, 5 link directions")
    links = [line.split() for line in lines[3:8]]
    assert links[0][:2] == ["bc", "->"] and links[0][5] == "95%"
    assert links[1][:2] == ["ab", "->"]
    assert [words[7] for words in links if words[0].startswith("Z")] == ["-"], "no total, no share"
    port = next(line.split() for line in lines if line.startswith("h/p0"))
    assert port[2:6] == ["up", "1.000", "0.000", "3"]


def test_a_filter_leaves_what_matches(daemon):
    code, output, _ = top(daemon, "--once", "--filter", "BC")
    assert code == 0 and "bc" in output and "ab " not in output


def test_wrong_usage_no_terminal_and_nobody_there_are_told(daemon, sockets):
    assert top(daemon, "--window", "soon")[0] == 2
    assert top(daemon, "more")[0] == 2
    code, _, said = top(daemon)
    assert code == 1 and "no terminal" in said
    done = subprocess.run([BINARY, "--once", "--api", f"ipc://{sockets}/nobody"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nobody" in done.stderr


class Terminal:
    """A tmux server of the test's own with one window that runs a command."""

    def __init__(self, folder, command, width=100, height=24, environment=()):
        self._tmux = ["tmux", "-S", os.path.join(folder, "tmux"), "-f", "/dev/null"]
        # a shell tells how it ended: tmux may miss the end of a child of its own
        shell = ["sh", "-c", '"$@"; echo "ended with $?"; exec cat', "sh"]
        subprocess.run([*self._tmux, "-u", "new-session", "-d", "-x", str(width), "-y", str(height),
                        *shell, "env", "LC_ALL=C.UTF-8", *environment, *command], check=True)

    def keys(self, *keys):
        """Type."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def resize(self, width, height):
        """Another size of the window."""
        subprocess.run([*self._tmux, "resize-window", "-x", str(width), "-y", str(height)], check=True)

    def screen(self, *flags):
        """What stands there, as text."""
        return subprocess.run([*self._tmux, "capture-pane", "-p", *flags], check=True, capture_output=True, text=True).stdout

    def wait_for(self, *texts):
        """Until all of them stand there; returns the screen."""
        wait_until(lambda: all(text in self.screen() for text in texts), f"{texts} on the screen")
        return self.screen()

    def close(self):
        """End it."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


@pytest.fixture
def terminal(daemon, sockets):
    """linkcast-top on a terminal."""
    running = Terminal(sockets, [BINARY, "--api", daemon.api, "--interval", "0.2"])
    yield running
    running.close()


needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")


@needs_tmux
def test_the_screen_shows_lists_a_detail_and_a_filter(terminal):
    screen = terminal.wait_for("LINK", "bc", "Zürich-東京", "q quit")
    assert screen.index("bc") < screen.index("ab"), "the fullest first"
    assert re.search(r"\x1b\[[0-9;]*31m", terminal.screen("-e")), "the fullest is red"
    terminal.keys("2")
    terminal.wait_for("PORT", "h/p0", "1.000")
    terminal.keys("Tab")
    terminal.wait_for("SEVERITY")
    terminal.keys("1")
    terminal.wait_for("LINK")
    terminal.keys("/", "a", "b", "Enter")
    terminal.wait_for("filter: ab")
    wait_until(lambda: "bc" not in terminal.screen(), "bc to go")
    terminal.keys("Enter")
    screen = terminal.wait_for("ab, forward", "model", "of the band")
    assert any(block in screen for block in "▂▃▄▅▆▇█")
    terminal.keys("w")
    terminal.wait_for("next 1 d")
    terminal.keys("Escape")
    terminal.wait_for("LINK", "filter: ab")


@needs_tmux
def test_it_fits_itself_to_another_size_and_ends_by_q(terminal):
    terminal.wait_for("bc")
    terminal.resize(40, 8)
    wait_until(lambda: len(terminal.screen().splitlines()[0]) <= 40 and "bc" in terminal.screen(), "the small screen")
    terminal.resize(120, 30)
    terminal.wait_for("FULL IN", "bc")
    terminal.keys("q")
    terminal.wait_for("ended with 0")


@needs_tmux
def test_no_colour_and_ascii_are_kept_to(daemon, sockets):
    plain = Terminal(sockets, [BINARY, "--api", daemon.api, "--ascii"], environment=["NO_COLOR=1"])
    try:
        plain.wait_for("LINK", "bc")
        plain.keys("Enter")
        plain.wait_for("bc, forward", "of the band")
        assert not any(block in plain.screen() for block in "▁▂▃▄▅▆▇█")
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain.screen("-e"))
    finally:
        plain.close()


@needs_tmux
def test_the_daemon_may_go_and_come_back(terminal, daemon):
    terminal.wait_for("bc")
    assert daemon.stop() == 0
    wait_until(lambda: "bc" not in terminal.screen(), "the list to go")
    daemon.start()
    terminal.wait_for("bc", "q quit")
