"""tools/traffic: a schedule with real packets, and faults that show on the real counters.

SPDX-License-Identifier: MIT
"""

import glob
import os
import signal
import subprocess

import pytest

import netns
from testpmd import TESTPMD, build_folder, plugin_path, wait_until
from wire import Server, Subscriber

TRAFFIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "traffic")
SECONDS = 1.5  # of a slot
PEAK_BPS = 8e6

needs_testpmd = pytest.mark.skipif(
    not os.path.exists(TESTPMD) or netns.why_not() is not None or not os.access("/dev/net/tun", os.W_OK),
    reason="it takes dpdk-testpmd, network namespaces and /dev/net/tun")


def start(folder, lines, *arguments):
    """tools/traffic with a schedule of these lines."""
    path = os.path.join(folder, "schedule.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("seconds,mult,fault\n" + "".join(f"{SECONDS * i},{line}\n" for i, line in enumerate(lines)))
    environment = {**os.environ, "LINKCAST_BUILD": build_folder(), "LINKCAST_PLUGIN": plugin_path()}
    return subprocess.Popen([TRAFFIC, "--schedule", path, "--peak", f"{PEAK_BPS:.0f}bit", *arguments], text=True,
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def between(rows, label):
    """The rows inside a labelled time."""
    return [row for row in rows if label["from_ns"] <= row["ts_ns"] < label["to_ns"]]


def growth(rows, name):
    """How much a counter grew over rows of one epoch."""
    return rows[-1][name] - rows[0][name]


@needs_testpmd
def test_every_fault_shows_on_the_counters_of_its_port(sockets):
    lines = ["1,", "1,rx_missed", "1,rx_missed", "1,", "1,link_down", "1,", "1,tx_errors", "1,tx_errors", "1,", "1,reset",
             "1,silent_drop", "1,flapping", "0.25,", "0.25,overload", "0,", "1,memory_leak"]
    with Subscriber(f"ipc://{sockets}/s") as subscriber, \
            Server(f"ipc://{sockets}/api", {"LabelEvent": lambda _: {"label_id": 1}, "Hello": lambda _: {}}) as api:
        traffic = start(sockets, lines, "--samples", f"ipc://{sockets}/s", "--api", api.endpoint, "--interval", "100",
                        "--host", "t", "--label")
        try:
            subscriber.until(lambda _: traffic.poll() is not None, "the end of the schedule", 180)
            said = traffic.communicate()[0]
        finally:
            traffic.kill()
            traffic.wait()
        assert traffic.returncode == 0, said
        subscriber.until(lambda s: len(s.hellos[-1]["ports"]) == 2 and all(
            port["last_seq"] == s.rows(port["name"])[-1]["seq"] for port in s.hellos[-1]["ports"]), "the last rows")
        assert "memory_leak: no event of these ports, only labelled" in said

        labels = {label["event"]: label for label in api.asked("LabelEvent")}
        assert [label["event"] for label in api.asked("LabelEvent")] == [
            "rx_missed", "link_down", "tx_errors", "reset", "silent_drop", "flapping", "overload", "memory_leak"]
        assert {label["host"] for label in labels.values()} == {"t"}
        assert labels["rx_missed"]["to_ns"] - labels["rx_missed"]["from_ns"] == pytest.approx(2 * SECONDS * 1e9, abs=2)
        rows = {name: subscriber.rows(name) for name in ("net_pcap0", "net_tap0")}

        def during(fault):
            assert labels[fault]["name"] in rows
            return between(rows[labels[fault]["name"]], labels[fault])
        begun = between(rows["net_pcap0"], {"from_ns": labels["rx_missed"]["from_ns"] - int(SECONDS * 1e9),
                                            "to_ns": labels["rx_missed"]["from_ns"]})
        assert growth(begun, "rx_packets") > 200, "packets, before the first fault"
        # The kernel's own buffer is counted as missed when the device takes packets in again, at the latest.
        after = [row for row in rows["net_pcap0"] if labels["rx_missed"]["to_ns"] <= row["ts_ns"] <
                 labels["link_down"]["from_ns"]]
        assert after[-1]["rx_missed"] - begun[-1]["rx_missed"] > 200
        assert any(not row["up"] for row in during("link_down")) and growth(during("link_down"), "tx_errors") > 200
        assert growth(during("tx_errors"), "tx_errors") > 10 and growth(during("tx_errors"), "tx_packets") > 200
        assert len({row["epoch"] for row in during("reset")}) == 2
        silent = [between(rows[name], labels["silent_drop"]) for name in ("net_pcap0", "net_tap0")]
        silent = [half[len(half) // 3:] for half in silent]  # what was under way at first
        assert growth(silent[0], "rx_packets") > 100 and growth(silent[1], "tx_packets") == 0
        assert growth(silent[1], "tx_errors") == 0
        assert {row["up"] for row in during("flapping")} == {True, False}
        quiet = between(rows["net_pcap0"], {"from_ns": labels["overload"]["from_ns"] - int(SECONDS * 1e9),
                                            "to_ns": labels["overload"]["from_ns"]})
        assert growth(during("overload"), "rx_packets") > 1.5 * growth(quiet[len(quiet) // 2:], "rx_packets")
    assert not glob.glob(f"/run/netns/lcn{traffic.pid}x*")


@needs_testpmd
def test_the_rate_follows_the_schedule(sockets):
    with Subscriber(f"ipc://{sockets}/s") as subscriber:
        traffic = start(sockets, ["1,"] * 4 + ["0.25,"] * 4, "--samples", f"ipc://{sockets}/s")
        try:
            subscriber.until(lambda _: traffic.poll() is not None, "the end of the schedule", 120)
            said = traffic.communicate()[0]
        finally:
            traffic.kill()
            traffic.wait()
        assert traffic.returncode == 0, said
        rows = subscriber.rows("net_pcap0")
        first = next(row for row in rows if row["rx_bytes"] > 0)

        def bps(begin, end):
            part = [row for row in rows if begin <= (row["ts_ns"] - first["ts_ns"]) / 1e9 < end]
            return growth(part, "rx_bytes") * 8e9 / growth(part, "ts_ns")
        assert bps(1, 5) == pytest.approx(PEAK_BPS, rel=.15)
        assert bps(8, 11.5) == pytest.approx(PEAK_BPS / 4, rel=.25)


@needs_testpmd
def test_interrupted_it_leaves_nothing_behind(sockets):
    with Subscriber(f"ipc://{sockets}/s") as subscriber:
        traffic = start(sockets, ["1,"] * 1000, "--samples", f"ipc://{sockets}/s")
        try:
            subscriber.until(lambda s: s.rows("net_pcap0") and s.rows("net_pcap0")[-1]["rx_packets"] > 0, "packets", 60)
            assert glob.glob(f"/run/netns/lcn{traffic.pid}x*")
            traffic.send_signal(signal.SIGTERM)
            said = traffic.communicate(timeout=60)[0]
            assert traffic.returncode == 1 and "ended by SIGTERM" in said and "Traceback" not in said
        finally:
            traffic.kill()
            traffic.wait()
    wait_until(lambda: not glob.glob(f"/run/netns/lcn{traffic.pid}x*"), "the namespaces to go")


@pytest.mark.parametrize("lines, arguments, status, words", [
    (["1,", "-1,"], [], 1, "line 3: mult '-1'"),
    (["1,", "1,Link Down"], [], 1, "line 3: fault"),
    (["1,", "1,"], ["--peak", "fast"], 2, "expected a rate as 40mbit"),
    (["1,", "1,"], ["--peak", "1kbit"], 2, "at least 8000bit"),
    (["1,", "1,"], ["--speed", "0"], 2, "--speed"),
    (["1,", "1,"], ["--frame", "9000"], 2, "--frame"),
])
def test_what_cannot_be_played_is_told(sockets, lines, arguments, status, words):
    traffic = start(sockets, lines, *arguments)
    said = traffic.communicate(timeout=60)[0]
    assert traffic.returncode == status and words in said and "Traceback" not in said
