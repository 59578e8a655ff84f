"""What the plugin tells beside the basic counters: drivers' own statistics, librte_metrics, lcores, DPDK's telemetry.

SPDX-License-Identifier: MIT
"""

import json
import os
import re
import socket

import pytest

from testpmd import TESTPMD, Testpmd, build_folder, plugin_path, wait_until
from wire import BASIC, Subscriber

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


def ipc(folder, name):
    return f"ipc://{folder}/{name}"


def built(name):
    return os.path.join(build_folder(), "tests", "integration", name)


def with_plugin(vdevs=("net_null0", "net_null1"), **options):
    return Testpmd(list(vdevs), plugin=plugin_path(), **options)


def port_xstats(testpmd, port):
    """`show port xstats`, as a map."""
    text = testpmd.command(f"show port xstats {port}")
    return {name: int(value) for name, value in re.findall(r"^(\w+): (\d+)\s*$", text, re.M)}


def assert_whole(subscriber, name):
    """No row is missing, and no name is there twice."""
    rows = subscriber.rows(name)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    for sample in subscriber.samples:
        assert len(sample["names"]) == len(set(sample["names"]))
        assert sample["names"][:len(BASIC)] == BASIC


# ---- xstats

def test_xstats_equal_testpmds_own(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.samples, "a row")
        assert subscriber.samples[0]["names"] == BASIC
        testpmd.command("analytics set xstats on")
        testpmd.command("start")
        subscriber.until(lambda s: s.rows("net_null1")[-1].get("rx_q0_packets"), "counts of a queue")
        testpmd.command("stop")
        theirs = port_xstats(testpmd, 1)
        assert "rx_good_packets" in theirs and "rx_q0_packets" in theirs
        row = subscriber.until(lambda s: s.rows("net_null1")[-1]["rx_packets"] == theirs["rx_good_packets"]
                               and s.rows("net_null1")[-1], "the last counts")
        assert {name: row[name] for name in theirs} == theirs
        testpmd.command("analytics set xstats off")
        subscriber.until(lambda s: s.samples[-1]["names"] == BASIC, "rows without xstats")
        assert_whole(subscriber, "net_null0")
        assert_whole(subscriber, "net_null1")
        assert testpmd.quit() == 0


def test_names_follow_the_ports_configuration(sockets):
    env = {"LINKCAST_XSTATS": "on", "LINKCAST_INTERVAL_MS": "5"}
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin(env=env) as testpmd:
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        first = subscriber.until(lambda s: s.rows("net_null0"), "a row")[0]
        assert "rx_q0_packets" in first and "rx_q1_packets" not in first
        for queues in (2, 1, 2):
            testpmd.command("port stop all")
            testpmd.command(f"port config all rxq {queues}")
            testpmd.command(f"port config all txq {queues}")
            testpmd.command("port start all")
            subscriber.until(lambda s, n=queues: ("rx_q1_packets" in s.rows("net_null0")[-1]) == (n == 2),
                             f"rows of {queues} queues")
        assert_whole(subscriber, "net_null0")
        assert testpmd.quit() == 0


def test_a_driver_whose_statistics_come_and_go_is_survived(sockets):
    env = {"LINKCAST_XSTATS": "on"}
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(env=env, preload=[built("libflaky_xstats.so")]) as testpmd:
        testpmd.command("analytics set interval 1ms")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        widths = lambda s: {len(sample["names"]) for sample in s.samples}  # noqa: E731
        subscriber.until(lambda s: len(s.rows("net_null0")) > 1000 and len(widths(s)) > 1, "rows of several widths")
        assert_whole(subscriber, "net_null0")
        assert_whole(subscriber, "net_null1")
        assert testpmd.quit() == 0


def test_statistics_are_read_while_ports_start_and_go(sockets):
    env = {"LINKCAST_XSTATS": "on", "LINKCAST_AUTOSTART": ipc(sockets, "s"), "LINKCAST_INTERVAL_MS": "0.1"}
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin(env=env) as testpmd:
        for _ in range(15):
            testpmd.command("port attach net_null7")
            testpmd.command("port start 2")
            testpmd.command("port stop 2")
            testpmd.command("port close 2")
            testpmd.command("port stop 0")
            testpmd.command("port start 0")
        subscriber.until(lambda s: s.rows("net_null0"), "rows")
        assert testpmd.quit() == 0


def test_metrics_of_the_application_are_in_the_rows(sockets):
    env = {"LINKCAST_XSTATS": "on"}
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(["net_ring0"], env=env, app=["--latencystats=1", "--bitrate-stats=1",
                                                     "--forward-mode=io"]) as testpmd:
        testpmd.command("analytics set interval 50")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        names = subscriber.until(lambda s: s.samples, "a row")[0]["names"]
        for name in ("min_latency_ns", "avg_latency_ns", "max_latency_ns", "jitter_ns", "mean_bits_in"):
            assert name in names
        testpmd.command("start tx_first")
        subscriber.until(lambda s: s.rows("net_ring0")[-1]["max_latency_ns"] > 0
                         and s.rows("net_ring0")[-1]["avg_latency_ns"] > 0, "a latency")
        testpmd.command("stop")
        assert_whole(subscriber, "net_ring0")
        assert testpmd.quit() == 0


# ---- lcores

def test_lcores_are_told_with_their_roles(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        two = subscriber.until(lambda s: len(s.lcores) >= 2 and s.lcores, "two messages")
        assert two[-1]["lcores"] == [{"lcore": 0, "role": "main"}, {"lcore": 1, "role": "worker"}]
        assert two[-1]["host"] == f"{os.uname().nodename}/{testpmd.prefix}"
        assert two[1]["ts_ns"] > two[0]["ts_ns"]


def test_a_host_that_tells_how_busy_it_is_is_heard(sockets):
    env = {"LINKCAST_AUTOSTART": ipc(sockets, "s")}
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(["net_null0"], executable=built("plain_host"), interactive=False, env=env,
                        preload=[built("liblcore_usage.so")]) as host:
        subscriber.until(lambda s: any("busy" in lcore for m in s.lcores for lcore in m["lcores"]), "busy shares")
        for lcore in subscriber.lcores[-1]["lcores"]:
            assert lcore["busy"] == pytest.approx(0.25)
        assert host.quit() == 0


# ---- DPDK's telemetry

def ask_telemetry(testpmd, *commands):
    """Answers of the application's telemetry socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(os.path.join(testpmd.runtime_folder, "dpdk_telemetry.v2"))
        client.recv(16384)
        answers = []
        for command in commands:
            client.send(command.encode())
            answers.append(json.loads(client.recv(65536))[command.split(",")[0]])
        return answers


def test_dpdks_telemetry_tells_state_and_ports(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        status, ports = ask_telemetry(testpmd, "/linkcast/status", "/linkcast/ports")
        assert status["publishing"] == 0 and ports in ({}, None)
        testpmd.command("analytics set interval 20")
        testpmd.command("analytics set link 1 core")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        testpmd.command("start")
        subscriber.until(lambda s: len(s.rows("net_null1")) > 5, "rows")
        testpmd.command("stop")
        theirs = testpmd.port_stats(1)

        def counted():
            return {key: one.get(key) for key in BASIC} == theirs \
                if (one := ask_telemetry(testpmd, "/linkcast/ports,1")[0]) else False
        wait_until(counted, "the counters of port 1")
        status, ports, one, none = ask_telemetry(testpmd, "/linkcast/status", "/linkcast/ports", "/linkcast/ports,1",
                                                 "/linkcast/ports,9")
        assert status["publishing"] == 1 and status["rows"] > 10 and status["dropped"] == 0
        assert status["host"] == f"{os.uname().nodename}/{testpmd.prefix}"
        assert set(ports) == {"net_null0", "net_null1"}
        assert ports["net_null1"]["link"] == "core" and ports["net_null1"]["up"] == 1
        assert one["name"] == "net_null1" and one["seq"] > 5
        assert none is None
        assert testpmd.quit() == 0


# ---- the prompt

def test_a_link_can_be_unset(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command("analytics set link 0 core")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0") and s.rows("net_null0")[-1]["link"] == "core", "the link")
        testpmd.command("analytics set link 0 -")
        subscriber.until(lambda s: s.rows("net_null0")[-1]["link"] is None, "no link")
        assert "net_null0 has no link" in testpmd.command("analytics set link 0 -")
        assert "core" not in testpmd.command("analytics show config")


def test_ports_are_shown_with_rates_errors_and_links(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 200")
        testpmd.command("analytics set link 1 core")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        testpmd.command("start")
        subscriber.until(lambda s: len(s.rows("net_null1")) > 4, "rows")
        line = wait_until(lambda: re.search(r"^ +1 net_null1 +core +up 10000M +\d+ +(\d+) +(\d+) +(\d+) .* 0 +0$",
                                            testpmd.command("analytics show ports"), re.M), "port 1")
        rows = {row["seq"]: row for row in subscriber.until(
            lambda s: len(s.rows("net_null1")) >= int(line[1]) and s.rows("net_null1"), "its row")}
        one, two = rows[int(line[1]) - 1], rows[int(line[1])]
        rate = (two["rx_packets"] - one["rx_packets"]) * 1e9 / (two["ts_ns"] - one["ts_ns"])
        assert int(line[2]) == pytest.approx(rate, abs=1)
        testpmd.command("stop")


@pytest.mark.parametrize("line, expected", [
    ("analytics set xstats", "analytics set xstats on"),
    ("analytics set xstats maybe", "analytics set xstats on"),
    ("analytics set replay much", "expected a size as 64MiB"),
    ("analytics set batch 2s", "expected 0 to 1s"),
    ("analytics set batch", "analytics set batch TIME"),
    ("analytics set replay", "analytics set replay SIZE"),
])
def test_wrong_arguments_say_what_was_expected(line, expected):
    with with_plugin() as testpmd:
        assert expected in testpmd.command(line)


@pytest.mark.parametrize("env, complaint", [
    ({"LINKCAST_REPLAY_MIB": "lots"}, "LINKCAST_REPLAY_MIB: replay 'lots'"),
    ({"LINKCAST_BATCH_MS": "-1"}, "LINKCAST_BATCH_MS: batch '-1'"),
    ({"LINKCAST_XSTATS": "1"}, "LINKCAST_XSTATS: xstats '1'"),
], ids=["replay", "batch", "xstats"])
def test_a_wrong_environment_is_told(env, complaint):
    with with_plugin(env=env) as testpmd:
        assert complaint in testpmd.output


def test_rows_go_one_by_one_when_none_may_wait(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 1ms")
        testpmd.command("analytics set batch 0")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: len(s.rows("net_null0")) > 200, "rows")
        assert {len(sample["rows"]) for sample in subscriber.samples} == {1}
        testpmd.command("analytics set batch 50ms")
        subscriber.until(lambda s: len(s.samples[-1]["rows"]) > 20, "a batch")
        assert_whole(subscriber, "net_null0")
        assert "50 ms" in testpmd.command("analytics show config")
