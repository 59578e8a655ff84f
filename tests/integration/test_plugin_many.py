"""One plugin with several who listen, several plugins with one, and a daemon that goes to its publishers.

SPDX-License-Identifier: MIT
"""

import contextlib
import os

import pytest

from cutter import Cable
from daemon import Analyticsd
from test_plugin_keys import Keys, free_port
from testpmd import TESTPMD, Testpmd, plugin_path, wait_until
from wire import Subscriber

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")

PORTS = ["net_null0", "net_null1"]


def daemon_in(folder, name, *arguments):
    """An analyticsd in a folder of its own."""
    path = os.path.join(folder, name)
    os.mkdir(path)
    return Analyticsd(path, *arguments)


def comes_for(daemon, endpoint):
    """Makes a daemon connect to its publishers."""
    daemon._argv[daemon._argv.index("--samples") + 1] = ">" + endpoint
    return daemon


def with_plugin(vdevs=tuple(PORTS), **env):
    return Testpmd(list(vdevs), plugin=plugin_path(), env={"LINKCAST_INTERVAL_MS": "20", **env})


def ports_of(daemon):
    """What it knows: {(host, name): port}."""
    return {(source["host"], port["name"]): port for source in daemon.ask("ListSources")["sources"]
            for port in source["ports"]}


def rows_of(daemon, host, name):
    """All stored rows: {ts_ns: values}."""
    rows, page = {}, 0
    while page is not None:
        reply = daemon.ask("QueryPort", host=host, name=name, from_ns=0, to_ns=2**62, page=page)
        rows.update((row[0], row[1:]) for row in reply["rows"])
        page = reply.get("next_page")
    return rows


def test_one_bound_plugin_serves_two_daemons_and_a_stranger_alike(sockets):
    endpoint = f"ipc://{sockets}/plugin"
    one, two = (comes_for(daemon_in(sockets, name), endpoint) for name in "ab")
    with one, two, with_plugin(LINKCAST_API=one.api, LINKCAST_HOST="h") as testpmd, \
            Subscriber(endpoint, bind=False) as stranger:
        testpmd.command(f"analytics start @{endpoint}")
        testpmd.command("start")
        for daemon in (one, two):
            wait_until(lambda d=daemon: len(p := ports_of(d)) == 2 and all(v["last_seq"] > 50 for v in p.values()),
                       "rows at a daemon")
        stranger.until(lambda s: len(s.rows("net_null1")) > 50, "rows at the stranger")
        testpmd.command("stop")
        assert "stopped" in testpmd.command("analytics stop")
        final = stranger.until(lambda s: all(
            port["last_seq"] == s.rows(port["name"])[-1]["seq"] for port in s.hellos[-1]["ports"])
            and s.hellos[-1], "the last hello")
        for port in final["ports"]:
            heard = {row["ts_ns"]: row["rx_packets"] for row in stranger.rows(port["name"])}
            for daemon in (one, two):
                stored = wait_until(lambda d=daemon, p=port: max(r := rows_of(d, "h", p["name"])) == max(heard) and r,
                                    "the last row")
                both = stored.keys() & heard.keys()
                assert len(both) > 50 and all(stored[ts_ns][0] == heard[ts_ns] for ts_ns in both)
            # The one that the plugin answers has every row, also those from before it came.
            wait_until(lambda p=port: len(rows_of(one, "h", p["name"])) == p["last_seq"], "every row")
            assert ports_of(one)["h", port["name"]]["lost"] == 0
        assert testpmd.quit() == 0


def test_what_one_connected_plugin_publishes_reaches_all_who_listen_to_the_daemon(sockets):
    with Analyticsd(sockets) as daemon, with_plugin(LINKCAST_API=daemon.api) as testpmd, \
            Subscriber(daemon.events, bind=False) as one, Subscriber(daemon.events, bind=False) as two:
        testpmd.command(f"analytics start {daemon.samples}")
        testpmd.command("start")
        for subscriber in (one, two):
            subscriber.until(lambda s: len(s.rows("net_null0")) > 20 and len(s.rows("net_null1")) > 20, "rows")
        testpmd.command("stop")
        testpmd.command("analytics stop")
        (ends,) = {tuple(sorted((name, port["last_seq"]) for (_, name), port in ports_of(daemon).items()))}
        for name, last in ends:
            rows = [s.until(lambda s, n=name, l=last: s.rows(n)[-1]["seq"] >= l and s.rows(n), "the last row")
                    for s in (one, two)]
            first = max(rows[0][0]["seq"], rows[1][0]["seq"])
            tails = [[row for row in half if first <= row["seq"] <= last] for half in rows]
            assert tails[0] == tails[1] and [row["seq"] for row in tails[0]] == list(range(first, last + 1))
        assert testpmd.quit() == 0


def test_many_plugins_publish_to_one_daemon_and_none_loses_a_row(sockets):
    with Analyticsd(sockets) as daemon, contextlib.ExitStack() as stack:
        testpmds = [stack.enter_context(with_plugin(LINKCAST_API=daemon.api)) for _ in range(5)]
        for testpmd in testpmds:
            testpmd.command("analytics set interval 5ms")
            assert "publishing" in testpmd.command(f"analytics start {daemon.samples}")
            testpmd.command("start")
        wait_until(lambda: len(ports_of(daemon)) == 10 and all(
            port["last_seq"] > 400 for port in ports_of(daemon).values()), "rows of all")
        for testpmd in testpmds:
            testpmd.command("stop")
        expected = {(f"{os.uname().nodename}/{testpmd.prefix}", name): testpmd.port_stats(number)
                    for testpmd in testpmds for number, name in enumerate(PORTS)}
        for testpmd in testpmds:
            assert "stopped" in testpmd.command("analytics stop")
        assert set(ports_of(daemon)) == set(expected)
        for (host, name), counters in expected.items():
            def is_whole(host=host, name=name, counters=counters):
                rows, port = rows_of(daemon, host, name), ports_of(daemon)[host, name]
                return len(rows) == port["last_seq"] and port["lost"] == 0 \
                    and dict(zip(port_names(daemon, host, name), rows[max(rows)])) == counters
            wait_until(is_whole, f"every row of {name} at {host}", pause=0.2)
        for testpmd in testpmds:
            assert testpmd.quit() == 0


def port_names(daemon, host, name):
    """The counters' names in a reply."""
    return daemon.ask("QueryPort", host=host, name=name, from_ns=0, to_ns=1)["names"]


def test_a_network_cut_loses_no_row(sockets):
    ports = [free_port() for _ in range(2)]
    daemon = Analyticsd(sockets)
    for option, port in zip(("--samples", "--api"), ports):
        daemon._argv[daemon._argv.index(option) + 1] = f"tcp://127.0.0.1:{port}"
    daemon.api = f"tcp://127.0.0.1:{ports[1]}"
    with daemon, Cable(ports[0]) as samples, Cable(ports[1]) as api, \
            with_plugin(LINKCAST_API=api.endpoint, LINKCAST_HOST="h", LINKCAST_INTERVAL_MS="5") as testpmd:
        testpmd.command(f"analytics start {samples.endpoint}")
        testpmd.command("start")

        def heard(more):
            known = ports_of(daemon)
            before = {name: port["last_seq"] for name, port in known.items()}
            wait_until(lambda: len(now := ports_of(daemon)) == 2 and all(
                port["last_seq"] > before.get(name, 0) + more for name, port in now.items()), "rows")
        heard(100)
        for cables in ([samples], [samples, api], [api], [samples, api]):
            for cable in cables:
                cable.cut()
            sent = shown_seq(testpmd)
            wait_until(lambda s=sent: shown_seq(testpmd) > s + 200, "rows that nobody hears")
            for cable in cables:
                cable.mend()
            heard(50)
        testpmd.command("stop")
        wait_until(lambda: all(port["lost"] == 0 for port in ports_of(daemon).values()), "what was missed", 60)
        testpmd.command("analytics stop")
        for name in PORTS:
            wait_until(lambda n=name: len(rows_of(daemon, "h", n)) == ports_of(daemon)["h", n]["last_seq"], "every row")
        assert testpmd.quit() == 0


def shown_seq(testpmd):
    """The rows of port 0 so far, by its prompt."""
    line = next(line for line in testpmd.command("analytics show ports").splitlines() if "net_null0" in line)
    return int(line.rsplit(None, 7)[1])


def test_a_daemon_goes_to_its_publishers_under_curve(sockets):
    daemon_key, plugin_key, other = (Keys(sockets, f"{name}.key") for name in ("daemon", "plugin", "other"))
    allowed = os.path.join(sockets, "clients")
    with open(allowed, "w", encoding="ascii") as file:
        file.write(f"{plugin_key.public} publish probe\n{other.public} read viewer\n")
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    api = f"tcp://127.0.0.1:{free_port()}"

    def daemon(name, publishers):
        """Goes there with the key of publishers that it was told."""
        config = os.path.join(sockets, f"{name}.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"curve_key = {daemon_key.path}\ncurve_clients = {allowed}\ncurve_publishers = {publishers}\n")
        return comes_for(daemon_in(sockets, name, "--config", config), endpoint)
    right = daemon("right", plugin_key.public)
    wrong = daemon("wrong", other.public)
    with with_plugin(LINKCAST_CURVE_SERVER=daemon_key.public, LINKCAST_CURVE_KEY=plugin_key.path,
                     LINKCAST_API=api, LINKCAST_HOST="h") as testpmd, wrong, right:
        testpmd.command(f"analytics start @{endpoint}")
        wait_until(lambda: len(p := ports_of(right)) == 2 and all(v["last_seq"] > 20 for v in p.values()),
                   "rows under CURVE")
        assert ports_of(wrong) == {}
        assert testpmd.quit() == 0
        assert wrong.stop() == 0 and right.stop() == 0


def test_with_keys_a_daemon_goes_to_no_publisher_whose_key_it_was_not_told(sockets):
    key = Keys(sockets, "daemon.key")
    allowed = os.path.join(sockets, "clients")
    with open(allowed, "w", encoding="ascii") as file:
        file.write(f"{key.public} publish probe\n")
    daemon = comes_for(Analyticsd(sockets, "--curve-key", key.path, "--curve-clients", allowed), "tcp://127.0.0.1:1")
    with pytest.raises(AssertionError, match="curve_publishers"):
        with daemon:
            pass
