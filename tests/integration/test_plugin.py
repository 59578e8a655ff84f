"""The plugin in a stock dpdk-testpmd, seen from its prompt and from its sockets.

SPDX-License-Identifier: MIT
"""

import fcntl
import os
import re
import signal
import subprocess

import pytest
import zmq

import netns
from testpmd import TESTPMD, Testpmd, build_folder, plugin_path, wait_until
from wire import BASIC, Server, Subscriber

PLUGIN = plugin_path()
NULL_PORTS = ["net_null0", "net_null1"]

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


def ipc(folder, name):
    return f"ipc://{folder}/{name}"


def with_plugin(vdevs=NULL_PORTS, **options):
    return Testpmd(vdevs, plugin=PLUGIN, **options)


def assert_without_gaps(rows):
    """seq counts from 1, in order, and time goes on."""
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(a["ts_ns"] < b["ts_ns"] for a, b in zip(rows, rows[1:]))
    assert len({row["instance"] for row in rows}) == 1


def stop_publishing(testpmd, subscriber):
    """Stop, and wait for the last hello: from then on nothing more comes. Returns that hello."""
    heard = len(subscriber.hellos)
    assert "stopped" in testpmd.command("analytics stop")

    def final(_):
        for hello in subscriber.hellos[heard:]:
            if all(len(subscriber.rows(port["name"])) == port["last_seq"] for port in hello["ports"]):
                return hello
        return None
    return subscriber.until(final, "the last hello")


# ---- the prompt

def test_the_object_brings_no_dpdk_library_and_stays_loaded():
    text = subprocess.run(["readelf", "-d", PLUGIN], capture_output=True, text=True, check=True).stdout
    assert "librte" not in text
    assert "libgsl" not in text
    assert "NODELETE" in text


def test_every_symbol_of_dpdk_may_be_missing():
    """EAL ends a process whose plugin has a symbol that it can't resolve, unless the symbol is weak."""
    text = subprocess.run(["nm", "-D", "--undefined-only", PLUGIN], capture_output=True, text=True, check=True).stdout
    kinds = {name: kind for kind, name in (line.split()[-2:] for line in text.splitlines())}
    dpdk = {name: kind for name, kind in kinds.items() if name.startswith(("rte_", "cmdline_"))}
    assert {"rte_eth_stats_get", "rte_metrics_get_values", "cmdline_token_string_ops"} <= set(dpdk)
    assert set(dpdk.values()) <= {"w", "v"}


def test_help_status_and_config_before_anything_is_published():
    with with_plugin() as testpmd:
        text = testpmd.command("analytics help")
        for command in ("start ENDPOINT", "stop", "show status", "set interval TIME", "forecast PORT SECONDS"):
            assert f"analytics {command}" in text
        assert re.search(r"publishing +no", testpmd.command("analytics show status"))
        assert re.search(r"interval +1 s", testpmd.command("analytics show config"))
        assert "not publishing" in testpmd.command("analytics stop")
        assert "not publishing" in testpmd.command("analytics show ports")
        assert testpmd.quit() == 0


def test_tab_and_question_mark_know_the_commands():
    with with_plugin() as testpmd:
        testpmd.write("analy\t")
        testpmd.expect("analytics ")
        testpmd.write("set \t")
        text = testpmd.expect(r"server")
        text += testpmd.expect(re.escape("testpmd> analytics set "))
        assert "interval" in text and "link" in text
        testpmd.write("interval ?")
        assert "analytics set interval TIME" in testpmd.expect(re.escape("testpmd> analytics set interval "))
        testpmd.command("250ms")
        assert "250 ms" in testpmd.command("analytics show config")


@pytest.mark.parametrize("line, expected", [
    ("analytics", "analytics start"),
    ("analytics nonsense", "analytics help"),
    ("analytics set", "analytics set interval TIME"),
    ("analytics set interval", "analytics set interval TIME"),
    ("analytics set link 0", "analytics set link PORT LINK_ID"),
    ("analytics show status now", "analytics show status"),
    ("analytics a b c d e f g h", "expected"),
    ("analytics set interval 99us", "expected 100us to 60s"),
    ("analytics set interval 61s", "expected 100us to 60s"),
    ("analytics set interval soon", "expected 100us to 60s"),
    ("analytics set interval -5", "expected 100us to 60s"),
    ("analytics set link 9 core", "port 9 does not exist"),
    ("analytics set link x core", "expected a port number"),
    ("analytics set link 70000 core", "expected a port number"),
    ("analytics set server nowhere", "expected ipc://PATH"),
    ("analytics start udp://x", "expected ipc://PATH"),
    ("analytics start @tcp://0.0.0.0:1", "loopback"),
    ("analytics start ipc:///" + "x" * 110, "107 bytes"),
    ("analytics forecast 9 60", "port 9 does not exist"),
    ("analytics forecast 0 never", "expected seconds"),
    ("analytics forecast 0 0", "expected seconds"),
], ids=lambda value: value[:40])
def test_wrong_arguments_say_what_was_expected(shared_testpmd, line, expected):
    assert expected in shared_testpmd.command(line)
    assert re.search(r"publishing +no", shared_testpmd.command("analytics show status"))


@pytest.fixture(scope="module")
def shared_testpmd():
    with with_plugin() as testpmd:
        yield testpmd


def test_a_command_file_is_obeyed(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber:
        lines = ["analytics set interval 100ms", "analytics set link 0 core",
                 f"analytics start {ipc(sockets, 's')}"]
        with with_plugin(command_file=lines) as testpmd:
            subscriber.until(lambda s: len(s.rows("net_null0")) >= 3, "three rows")
            assert testpmd.quit() == 0
        assert {row["link"] for row in subscriber.rows("net_null0")} == {"core"}
        assert {row["link"] for row in subscriber.rows("net_null1")} == {None}


def test_a_process_of_another_release_is_not_touched(sockets):
    """Structures of another size would be written over the plugin's own."""
    with with_plugin(preload=[built("libother_release.so")]) as testpmd:
        assert re.search(r"built for DPDK \d\d\.\d\d, and this is 99.07", testpmd.command("analytics start"))
        assert "publishing  no" in testpmd.command("analytics show status")
        assert testpmd.quit() == 0


def test_an_object_that_was_preloaded_reaches_the_prompt_too():
    with Testpmd(NULL_PORTS, preload=[PLUGIN]) as testpmd:
        assert "redirected imports" in testpmd.command("analytics show status")
        assert testpmd.quit() == 0


# ---- what is published

def test_samples_equal_testpmds_own_counters(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 50")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.samples, "the first row")
        testpmd.command("start")
        subscriber.until(lambda s: len(s.rows("net_null1")) > 10, "ten rows")
        testpmd.command("stop")
        stop_publishing(testpmd, subscriber)
        for port, name in enumerate(NULL_PORTS):
            rows = subscriber.rows(name)
            assert_without_gaps(rows)
            assert {key: rows[-1][key] for key in BASIC} == testpmd.port_stats(port)
            assert rows[-1]["rx_packets"] > rows[0]["rx_packets"]
            assert {row["epoch"] for row in rows} == {rows[0]["epoch"]}
        host = f"{os.uname().nodename}/{testpmd.prefix}"
        assert {f"sample/{host}/net_null0/", f"sample/{host}/net_null1/", f"hello/{host}/"} == \
            subscriber.topics - {f"lcore/{host}/"}
        first = subscriber.samples[0]
        assert (first["v"], first["host"], first["names"]) == (1, host, BASIC)
        assert first["speed_mbps"] == 10000 and first["up"] is True
        assert 0 <= first["instance"] < 2**63
        assert testpmd.quit() == 0


def test_the_first_row_is_not_lost_when_somebody_listens(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0") and s.rows("net_null1"), "the first rows")
        assert subscriber.rows("net_null0")[0]["seq"] == 1
        assert subscriber.rows("net_null1")[0]["seq"] == 1


def test_hello_tells_start_state_and_end(sockets):
    answers = {"Hello": lambda request: {}}
    with Subscriber(ipc(sockets, "s")) as subscriber, Server(ipc(sockets, "api"), answers) as server, \
            with_plugin(env={"LINKCAST_HOST": "router-7", "LINKCAST_API": ipc(sockets, "api")}) as testpmd:
        testpmd.command("analytics set interval 100")
        testpmd.command("analytics set link 1 core")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        first = subscriber.until(lambda s: s.hellos, "a hello")[0]
        assert first["host"] == "router-7" and first["interval_ns"] == 100_000_000 and first["dropped"] == 0
        subscriber.until(lambda s: len(s.rows("net_null1")) >= 3, "rows")
        wait_until(lambda: "answered" in testpmd.command("analytics show status"), "the server's answer")
        last = stop_publishing(testpmd, subscriber)
        assert last["stopped"] is True
        assert not any("stopped" in hello for hello in subscriber.hellos[:-1])
        for port in last["ports"]:
            assert port["last_seq"] == subscriber.rows(port["name"])[-1]["seq"]
            assert port["first_seq"] == 1, "every row is held for replay"
        assert {port["name"]: port.get("link") for port in last["ports"]} == \
            {"net_null0": None, "net_null1": "core"}
        wait_until(lambda: server.requests and server.requests[-1] == {"op": "Hello", **last},
                   "the last hello at the server")
        assert server.asked("Hello")[0]["instance"] == first["instance"]

        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        second = subscriber.until(lambda s: s.hellos[-1]["instance"] != first["instance"] and s.hellos[-1],
                                  "a hello of the second instance")
        assert second["instance"] != first["instance"]


def test_a_server_that_refuses_is_named(sockets):
    with Server(ipc(sockets, "api"), {}) as server, with_plugin() as testpmd:
        testpmd.command(f"analytics set server {ipc(sockets, 'api')}")
        testpmd.command(f"analytics start {ipc(sockets, 'nobody')}")
        wait_until(lambda: server.asked("Hello"), "a hello")
        wait_until(lambda: "refused" in testpmd.command("analytics show status"), "the refusal in the status")
        assert "no such operation" in testpmd.command("analytics show status")


def test_settings_change_while_publishing(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, Server(ipc(sockets, "api"), {"Hello": lambda _: {}}) as server, \
            with_plugin() as testpmd:
        testpmd.command("analytics set interval 60s")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0"), "the first row")
        testpmd.command("analytics set interval 20ms")
        subscriber.until(lambda s: len(s.rows("net_null0")) > 5, "rows at the new interval")
        assert subscriber.until(lambda s: s.hellos[-1]["interval_ns"] == 20_000_000, "its hello")
        testpmd.command("analytics set link 0 core")
        subscriber.until(lambda s: s.rows("net_null0")[-1]["link"] == "core", "rows with the link")
        testpmd.command(f"analytics set server {ipc(sockets, 'api')}")
        wait_until(lambda: server.asked("Hello"), "a hello at the new server")
        assert_without_gaps(subscriber.rows("net_null0"))


def test_an_epoch_begins_at_reset_and_restart(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        def epoch_after(*commands):
            before = subscriber.rows("net_null0")[-1]["epoch"]
            for command in commands:
                testpmd.command(command)
            subscriber.until(lambda s: s.rows("net_null0")[-1]["epoch"] > before, f"a new epoch after {commands}")
            return subscriber.rows("net_null0")[-1]["epoch"] - before

        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: len(s.rows("net_null0")) > 2 and s.rows("net_null1"), "rows")
        other = subscriber.rows("net_null1")[-1]["epoch"]
        assert epoch_after("clear port stats 0") == 1
        assert epoch_after("clear port xstats 0") == 1
        assert epoch_after("port stop 0", "port start 0") == 1
        stop_publishing(testpmd, subscriber)
        assert_without_gaps(subscriber.rows("net_null0"))
        assert {row["epoch"] for row in subscriber.rows("net_null1")} == {other}


def test_what_was_counted_since_the_last_row_is_read_before_it_is_gone(sockets):
    """At an interval of a minute: a stop or reset of a port and the end of testpmd take no counts with them."""
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 60s")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0") and s.rows("net_null1"), "the first rows")

        def count_some(ports):
            testpmd.command("start")
            wait_until(lambda: testpmd.port_stats(ports[-1])["rx_packets"] > 1000, "packets")
            testpmd.command("stop")
            return {port: testpmd.port_stats(port) for port in ports}

        def arrives(port, counts):
            subscriber.until(lambda s: {key: s.rows(f"net_null{port}")[-1][key] for key in BASIC} == counts,
                             f"the last counts of port {port}")
        counts = count_some([0, 1])
        testpmd.command("clear port stats 0")
        arrives(0, counts[0])
        testpmd.command("port stop 1")
        arrives(1, counts[1])
        assert len(subscriber.rows("net_null0")) == 2, "one port ends, and one is read"
        testpmd.command("port start 1")
        counts = count_some([0, 1])
        assert testpmd.quit() == 0
        arrives(0, counts[0])
        arrives(1, counts[1])
        subscriber.until(lambda s: s.hellos[-1]["ports"] and all(
            port["last_seq"] == s.rows(port["name"])[-1]["seq"] for port in s.hellos[-1]["ports"]), "the last hello")
        for name in NULL_PORTS:
            assert_without_gaps(subscriber.rows(name))


def test_only_started_ports_are_read(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0") and s.rows("net_null1"), "rows of both")
        testpmd.command("port stop 0")
        wait_until(lambda: re.search(r"net_null0 .* gone", testpmd.command("analytics show ports")), "port 0 to go")
        count = len(subscriber.rows("net_null1"))
        subscriber.until(lambda s: len(s.rows("net_null1")) > count + 3, "more rows of port 1")
        heard = len(subscriber.rows("net_null0"))
        subscriber.until(lambda s: len(s.rows("net_null1")) > count + 8, "more rows of port 1")
        assert len(subscriber.rows("net_null0")) == heard
        testpmd.command("port attach net_null7")
        testpmd.command("port start 2")
        subscriber.until(lambda s: s.rows("net_null7"), "rows of a port that was attached")


def test_rows_are_batched_at_a_high_rate(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 1ms")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: len(s.rows("net_null0")) > 500, "500 rows")
        stop_publishing(testpmd, subscriber)
        rows = subscriber.rows("net_null0")
        messages = [sample for sample in subscriber.samples if sample["name"] == "net_null0"]
        assert_without_gaps(rows)
        assert len(messages) * 3 < len(rows)
        for sample in messages:
            assert sample["rows"][-1][1] - sample["rows"][0][1] < 1_000_000_000


def test_environment_starts_it_without_a_prompt(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber:
        env = {"LINKCAST_AUTOSTART": ipc(sockets, "s"), "LINKCAST_INTERVAL_MS": "20"}
        with with_plugin(env=env, interactive=False) as testpmd:
            subscriber.until(lambda s: len(s.rows("net_null1")) > 5, "rows")
            assert subscriber.hellos[-1]["interval_ns"] == 20_000_000
            assert testpmd.quit() == 0
        subscriber.until(lambda s: s.hellos[-1]["ports"][0]["last_seq"] == s.rows("net_null0")[-1]["seq"],
                         "the last hello")


@pytest.mark.parametrize("env, complaint", [
    ({"LINKCAST_AUTOSTART": "nonsense"}, "LINKCAST_AUTOSTART: endpoint 'nonsense'"),
    ({"LINKCAST_INTERVAL_MS": "soon"}, "LINKCAST_INTERVAL_MS: interval 'soon'"),
    ({"LINKCAST_API": "nonsense"}, "endpoint 'nonsense'"),
], ids=["autostart", "interval", "server"])
def test_a_wrong_environment_is_told_and_stops_nobody(env, complaint):
    with with_plugin(env=env) as testpmd:
        assert complaint in testpmd.output
        assert testpmd.quit() == 0


def test_subscribers_may_come_to_the_plugin(sockets):
    with with_plugin() as testpmd:
        testpmd.command("analytics set interval 50")
        assert "publishing to @" in testpmd.command(f"analytics start @{ipc(sockets, 's')}")
        assert os.stat(f"{sockets}/s").st_mode & 0o777 == 0o660
        with Subscriber(ipc(sockets, "s"), bind=False) as one, \
                Subscriber(ipc(sockets, "s"), bind=False, topic=b"hello/") as two:
            one.until(lambda s: s.rows("net_null0"), "rows at the first")
            two.until(lambda s: s.hellos, "a hello at the second")
            assert not two.samples
        assert testpmd.quit() == 0


def test_nonsense_from_a_subscriber_changes_nothing(sockets):
    endpoint = ipc(sockets, "plugin")
    with with_plugin() as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start @{endpoint}")
        with Subscriber(endpoint, bind=False) as subscriber, zmq.Context() as context, \
                context.socket(zmq.XSUB) as stranger:
            stranger.setsockopt(zmq.LINGER, 0)
            stranger.connect(endpoint)
            subscriber.until(lambda s: s.rows("net_null0"), "rows")
            for frames in ([b""], [b"\x02"], [b"\xff" * 100000], [b"\x00never"], [b"\x01" + b"x" * 5000], [b"a", b"", b"b"],
                           [bytes(range(256))] * 20):
                stranger.send_multipart(frames)
            heard = len(subscriber.rows("net_null0"))
            subscriber.until(lambda s: len(s.rows("net_null0")) > heard + 20, "rows after that")
            assert_without_gaps(subscriber.rows("net_null0"))
        wait_until(lambda: " 0 subscriptions" in testpmd.command("analytics show status"), "all to be gone")
        assert testpmd.quit() == 0


def test_an_endpoint_that_is_held_is_not_stolen(sockets):
    with open(f"{sockets}/s.lock", "w", encoding="utf-8") as lock, with_plugin() as testpmd:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is held by another process" in testpmd.command(f"analytics start @{ipc(sockets, 's')}")
        assert re.search(r"publishing +no", testpmd.command("analytics show status"))
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert "publishing to" in testpmd.command(f"analytics start @{ipc(sockets, 's')}")
        assert "already" in testpmd.command(f"analytics start @{ipc(sockets, 's')}")
        testpmd.command("analytics stop")
        assert "publishing to" in testpmd.command(f"analytics start @{ipc(sockets, 's')}")


# ---- forecasts

FORECAST = {"link_id": "core", "direction": "forward", "total_capacity_gbps": 10, "state": "up",
            "current_used_capacity_gbps": 1.5, "forecast_used_capacity_gbps": 4.25, "reserved_gbps": 0.25,
            "model": "harmonic", "history_from_ns": 10**18, "history_to_ns": 2 * 10**18, "samples": 2016,
            "step_seconds": 300, "peak_resolution_seconds": 300, "staleness_seconds": 12.5,
            "backtest_mase": 0.75, "calibration_windows": 40, "coverage": 0.95,
            "series": [[10**18, 2.0, 1.0, 3.0], [10**18 + 1, 3.5, 2.5, 4.25]]}


def test_a_forecast_is_printed_with_its_provenance(sockets):
    host = "router-7"
    sources = {"sources": [{"host": host, "instance": 1, "live": True, "last_ts_ns": 0, "interval_ns": 1,
                            "dropped": 0, "ports": [{"name": "net_null1", "port": 1, "link": "core", "end": "z",
                                                     "up": True, "speed_mbps": 1, "last_ts_ns": 0, "last_seq": 1,
                                                     "rows": 1, "lost": 0, "errors": 0}]}]}
    answers = {"ListSources": lambda _: sources,
               "ForecastLinkCapacity": lambda request: {**FORECAST, "direction": request["direction"]}}
    with Server(ipc(sockets, "api"), answers) as server, with_plugin(env={"LINKCAST_HOST": host}) as testpmd:
        testpmd.command(f"analytics set server {ipc(sockets, 'api')}")
        text = testpmd.command("analytics forecast 1 6h")
        assert "link core forward, what the port receives: up, next 6 h" in text
        assert "link core reverse, what the port sends" in text
        for part in ("used now     1.5 Gbps", "4.25 Gbps: no more than that in 95 of 100", "total        10 Gbps",
                     "free         5.5 Gbps", "band         2.5 to 4.25 Gbps", "harmonic, 2016 samples of 5 min",
                     "40 windows calibrated, 95 of 100 covered", "MASE 0.75"):
            assert part in text, part
        asked = server.asked("ForecastLinkCapacity")
        assert [(r["link_id"], r["direction"], r["forecast_window_seconds"]) for r in asked] == \
            [("core", "forward", 21600), ("core", "reverse", 21600)]
        assert "net_null0 has no link" in testpmd.command("analytics forecast 0 60")
        testpmd.command("analytics set link 0 edge")
        testpmd.command("analytics forecast 0 60")
        assert server.asked("ForecastLinkCapacity")[-1]["link_id"] == "edge"


def test_a_server_that_is_away_is_told_and_the_prompt_goes_on(sockets):
    with with_plugin() as testpmd:
        testpmd.command(f"analytics set server {ipc(sockets, 'nobody')}")
        testpmd.command("analytics set link 0 core")
        assert "does not answer" in testpmd.command("analytics forecast 0 600")
        assert re.search(r"publishing +no", testpmd.command("analytics show status"))
        testpmd.command("start")
        testpmd.command("stop")
        assert testpmd.port_stats(0)["rx_packets"] > 0
        assert testpmd.quit() == 0


# ---- other hosts

def built(name):
    return os.path.join(build_folder(), "tests", "integration", name)


def test_a_host_without_prompt_publishes_by_environment(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber:
        env = {"LINKCAST_AUTOSTART": ipc(sockets, "s"), "LINKCAST_INTERVAL_MS": "20"}
        with with_plugin(["net_null0"], executable=built("plain_host"), interactive=False, env=env) as host:
            subscriber.until(lambda s: len(s.rows("net_null0")) > 5, "rows")
            assert host.quit() == 0
        subscriber.until(lambda s: s.hellos[-1]["ports"][0]["last_seq"] == s.rows("net_null0")[-1]["seq"],
                         "the last hello")


def test_a_host_that_exports_its_registration_is_asked(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(["net_null0"], executable=built("exporting_host")) as host:
        assert "exported registration" in host.command("analytics show status")
        host.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0"), "rows")


# ---- a good guest

def test_its_threads_stay_off_the_forwarding_core_and_take_no_signals(sockets):
    with with_plugin() as testpmd:
        testpmd.command(f"analytics start @{ipc(sockets, 's')}")
        testpmd.command("start")
        ours = [thread for thread in testpmd.threads()
                if thread["name"] == "linkcast" or thread["name"].startswith("ZMQ")]
        assert {thread["name"] for thread in ours} >= {"linkcast", "ZMQbg/Reaper", "ZMQbg/IO/0"}
        worker = [thread for thread in testpmd.threads() if "worker" in thread["name"]]
        assert worker, "testpmd has a forwarding thread"
        for thread in ours:
            assert not thread["cpus"] & worker[0]["cpus"], thread
            assert thread["blocked"] & (1 << (signal.SIGTERM - 1)), thread
            assert thread["blocked"] & (1 << (signal.SIGINT - 1)), thread


def mappings(pid):
    """Protection and place of each mapped part of testpmd and DPDK's libraries."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if len(fields) == 6 and ("dpdk-testpmd" in fields[5] or "librte_" in fields[5]):
                first, last = (int(part, 16) for part in fields[0].split("-"))
                found.append((fields[5], fields[2], last - first, fields[1]))
    return sorted(found)


def test_memory_protection_is_as_without_it():
    with Testpmd(NULL_PORTS) as plain, with_plugin() as guest:
        assert mappings(guest.pid) == mappings(plain.pid)
        assert any(protection.startswith("r--") for *_, protection in mappings(guest.pid))


def test_ports_come_and_go_under_a_fast_sampler(sockets):
    lines = ["analytics set interval 100us", f"analytics start @{ipc(sockets, 's')}"]
    for number in range(40):
        lines += ["port attach net_null9", "port start 1", "port stop 1", "port detach 1"]
        # After close the device is still there, without a port.
        lines += [f"port attach net_ring{number}", "port start 1", "port stop 1", "port close 1"]
    lines += ["port stop all", "port start all", "clear port stats all"] * 20
    with with_plugin(["net_null0"], command_file=lines) as testpmd:
        text = testpmd.command("analytics show status")
        assert int(re.search(r"ticks +(\d+)", text).group(1)) > 0
        assert testpmd.quit() == 0


def test_no_port_is_taken_away_while_it_is_read(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(["net_null0"], preload=[built("libhanging_stats.so")],
                        env={"LINGERING_STATS": "900"}) as testpmd:
        testpmd.command("analytics set interval 100us")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0"), "rows")
        for _ in range(20):
            heard = len(subscriber.rows("net_null9"))
            testpmd.command("port attach net_null9")
            testpmd.command("port start 1")
            subscriber.until(lambda s, n=heard: len(s.rows("net_null9")) > n, "rows of a port that came")
            testpmd.command("port stop 1")
            testpmd.command("port detach 1")
        for _ in range(20):
            testpmd.command("port stop 0")
            testpmd.command("port start 0")
        assert testpmd.quit() == 0
        assert "was read" not in testpmd.output


@pytest.mark.parametrize("listened", [True, False], ids=["subscriber", "nobody"])
def test_quit_while_publishing_is_clean(sockets, listened):
    endpoint = ipc(sockets, "s")
    subscriber = Subscriber(endpoint) if listened else None
    try:
        with with_plugin() as testpmd:
            testpmd.command(f"analytics start {endpoint}")
            testpmd.command("start")
            if subscriber is not None:
                subscriber.until(lambda s: s.rows("net_null0"), "rows")
            testpmd.command("stop")
            assert testpmd.quit() == 0
            assert "Bye" in testpmd.output
        if subscriber is not None:
            subscriber.until(lambda s: s.hellos[-1]["ports"] and all(
                port["last_seq"] == s.rows(port["name"])[-1]["seq"] for port in s.hellos[-1]["ports"]),
                "the last hello")
    finally:
        if subscriber is not None:
            subscriber.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_a_signal_ends_testpmd_as_without_the_plugin(sockets, number):
    with Testpmd(NULL_PORTS) as plain:
        plain.signal(number)
        expected = plain.wait()
    with with_plugin() as testpmd:
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        testpmd.signal(number)
        assert testpmd.wait() == expected


def test_a_signal_takes_no_counts_with_it(sockets):
    with Subscriber(ipc(sockets, "s")) as subscriber, with_plugin() as testpmd:
        testpmd.command("analytics set interval 60s")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0"), "the first row")
        testpmd.command("start")
        wait_until(lambda: testpmd.port_stats(1)["rx_packets"] > 1000, "packets")
        testpmd.command("stop")
        counts = testpmd.port_stats(1)
        testpmd.signal(signal.SIGTERM)
        testpmd.wait()
        subscriber.until(lambda s: {key: s.rows("net_null1")[-1][key] for key in BASIC} == counts, "the last counts")


def test_a_driver_that_hangs_holds_up_neither_prompt_nor_quit(sockets):
    shim = built("libhanging_stats.so")
    trigger = f"{sockets}/hang"
    with with_plugin(preload=[shim], env={"HANGING_STATS": trigger}) as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        wait_until(lambda: "net_null0" in testpmd.command("analytics show ports"), "ports")
        with open(trigger, "w", encoding="utf-8"):
            pass
        wait_until(lambda: "in the driver of port" in testpmd.command("analytics show status"), "the hang")
        assert "net_null0" in testpmd.command("analytics show ports")
        assert "Done" in testpmd.command("port stop 0")
        assert "hangs in a driver" in testpmd.command("analytics stop")
        assert "still hangs" in testpmd.command(f"analytics start {ipc(sockets, 's')}")
        assert testpmd.quit() == 0


def test_a_driver_that_hung_and_came_back_is_read_again(sockets):
    shim = built("libhanging_stats.so")
    trigger = f"{sockets}/hang"
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(preload=[shim], env={"HANGING_STATS": trigger}) as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_null0"), "rows")
        with open(trigger, "w", encoding="utf-8"):
            pass
        wait_until(lambda: "in the driver of port" in testpmd.command("analytics show status"), "the hang")
        os.unlink(trigger)
        count = len(subscriber.rows("net_null0"))
        subscriber.until(lambda s: len(s.rows("net_null0")) > count + 2, "rows after the hang")
        assert re.search(r"ticks +\d+, [1-9]\d* missed", testpmd.command("analytics show status"))
        stop_publishing(testpmd, subscriber)
        assert_without_gaps(subscriber.rows("net_null0"))


# ---- real traffic

def test_bytes_over_a_wire_are_counted_on_both_ends(sockets):
    reason = netns.why_not()
    if reason is not None:
        pytest.skip(reason)
    device = "net_af_packet0,iface={},qdisc_bypass=0,blocksz=4096,framesz=2048,framecnt=512"
    with netns.VethPair() as veth, Subscriber(ipc(sockets, "s")) as subscriber:
        veth.set_rate("a", 0, "20mbit")
        env = {"LINKCAST_AUTOSTART": ipc(sockets, "s"), "LINKCAST_INTERVAL_MS": "100"}
        with with_plugin([device.format(veth.a_links[0])], namespace=veth.a, cores="0,1",
                         app=["--forward-mode=txonly", "--txpkts=512"], env={**env, "LINKCAST_HOST": "a"}) as a, \
                with_plugin([device.format(veth.b_links[0])], namespace=veth.b, cores="0,1",
                            app=["--forward-mode=rxonly"], env={**env, "LINKCAST_HOST": "b"}) as b:
            def rows(host):
                return [row for sample in subscriber.samples if sample["host"] == host
                        for row in sample["rows"]]
            b.command("start")
            a.command("start")
            subscriber.until(lambda s: rows("b") and rows("b")[-1][2 + BASIC.index("rx_bytes")] > 500_000,
                             "half a megabyte at b")
            a.command("stop")
            b.command("stop")
            for testpmd, host in ((a, "a"), (b, "b")):
                testpmd.command("analytics stop")
                subscriber.until(lambda s, h=host: any(
                    hello["host"] == h and hello["ports"] and rows(h)
                    and hello["ports"][0]["last_seq"] == rows(h)[-1][0] for hello in s.hellos[-2:]), "the end")
                assert dict(zip(BASIC, rows(host)[-1][2:])) == testpmd.port_stats(0)
            assert rows("a")[-1][2 + BASIC.index("tx_bytes")] > 500_000
            assert a.quit() == 0 and b.quit() == 0


def test_a_memif_peer_that_dies_is_a_link_down_and_a_new_epoch(sockets):
    device = "net_memif0,role={},socket-abstract=no,socket=" + f"{sockets}/memif"
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin([device.format("server")], app=["--forward-mode=rxonly"]) as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_memif0"), "the first row")
        testpmd.command("start")
        with Testpmd([device.format("client")], app=["--forward-mode=txonly"]) as peer:
            peer.command("start")
            subscriber.until(lambda s: s.rows("net_memif0") and s.rows("net_memif0")[-1]["rx_bytes"] > 100_000
                             and s.rows("net_memif0")[-1]["up"], "traffic")
            epoch = subscriber.rows("net_memif0")[-1]["epoch"]
            # DPDK 22.11's memif crashes now and then when a peer dies under a forwarding core, plugin or not.
            testpmd.command("stop")
            peer.kill()
        subscriber.until(lambda s: not s.rows("net_memif0")[-1]["up"], "link down")
        subscriber.until(lambda s: s.rows("net_memif0")[-1]["epoch"] > epoch, "a new epoch")
        stop_publishing(testpmd, subscriber)
        rows = subscriber.rows("net_memif0")
        assert_without_gaps(rows)
        for one, two in zip(rows, rows[1:]):
            assert one["epoch"] != two["epoch"] or all(one[name] <= two[name] for name in BASIC)


def test_packets_that_a_stopped_receiver_misses_are_counted(sockets):
    reason = netns.why_not()
    if reason is not None:
        pytest.skip(reason)
    with netns.VethPair() as veth, Subscriber(ipc(sockets, "s")) as subscriber:
        sender = f"net_af_packet0,iface={veth.a_links[0]},qdisc_bypass=0,blocksz=4096,framesz=2048,framecnt=512"
        with Testpmd([sender], namespace=veth.a, app=["--forward-mode=txonly", "--txpkts=512"]) as a, \
                with_plugin([f"net_pcap0,iface={veth.b_links[0]}"], namespace=veth.b,
                            app=["--forward-mode=rxonly"]) as b:
            b.command("analytics set interval 50")
            b.command(f"analytics start {ipc(sockets, 's')}")
            a.command("start")
            subscriber.until(lambda s: s.rows("net_pcap0") and s.rows("net_pcap0")[-1]["rx_missed"] > 0,
                             "missed packets")
            a.command("stop")
            stop_publishing(b, subscriber)
            assert {key: subscriber.rows("net_pcap0")[-1][key] for key in BASIC} == b.port_stats(0)


def test_a_tap_that_goes_down_is_seen_down(sockets):
    if not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("no /dev/net/tun")
    interface = f"lct{os.getpid() % 100000}"
    with Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin([f"net_tap0,iface={interface}"]) as testpmd:
        testpmd.command("analytics set interval 50")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: s.rows("net_tap0") and s.rows("net_tap0")[-1]["up"], "link up")
        testpmd.command("set link-down port 0")
        subscriber.until(lambda s: not s.rows("net_tap0")[-1]["up"], "link down")
        testpmd.command("set link-up port 0")
        subscriber.until(lambda s: s.rows("net_tap0")[-1]["up"], "link up again")


def test_packets_that_a_tap_cannot_send_are_counted_and_its_link_is_down(sockets):
    reason = netns.why_not() or (None if os.access("/dev/net/tun", os.W_OK) else "no /dev/net/tun")
    if reason is not None:
        pytest.skip(reason)
    with netns.VethPair() as veth, Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(["net_tap0,iface=lct0"], namespace=veth.a, app=["--forward-mode=txonly"]) as testpmd:
        last = lambda s: s.rows("net_tap0")[-1] if s.rows("net_tap0") else {}  # noqa: E731
        testpmd.command("analytics set interval 50")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        testpmd.command("start")
        subscriber.until(lambda s: last(s).get("tx_packets", 0) > 1000 and last(s)["up"], "packets that are sent")
        assert last(subscriber)["tx_errors"] == 0
        veth.run("a", "ip", "link", "set", "lct0", "down")
        subscriber.until(lambda s: last(s)["tx_errors"] > 0 and not last(s)["up"], "errors and a link that is down")
        assert re.search(r"net_tap0 .* down .* [1-9]\d*$", testpmd.command("analytics show ports"), re.M)
        sent = last(subscriber)["tx_packets"]
        veth.run("a", "ip", "link", "set", "lct0", "up")
        subscriber.until(lambda s: last(s)["up"] and last(s)["tx_packets"] > sent, "packets again")
        testpmd.command("stop")
        stop_publishing(testpmd, subscriber)
        assert {key: last(subscriber)[key] for key in BASIC} == testpmd.port_stats(0)
        assert testpmd.quit() == 0
