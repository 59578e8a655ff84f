"""Rows that were published already, asked for again over the publisher's DEALER as the protocol says.

SPDX-License-Identifier: MIT
"""

import os
import re
import time

import msgpack
import pytest
import zmq

from testpmd import TESTPMD, Testpmd, plugin_path, wait_until
from wire import Subscriber, sample_rows

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


def ipc(folder, name):
    return f"ipc://{folder}/{name}"


def with_plugin(**options):
    return Testpmd(["net_null0", "net_null1"], plugin=plugin_path(), **options)


class Asker:
    """The ROUTER of an API endpoint that asks its publisher for rows. Everything happens when it is waited for."""

    def __init__(self, endpoint):
        self.hellos, self.answers = [], []
        self._peer = None
        self._refs = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._context.term()

    def _take(self):
        peer, empty, payload = self._socket.recv_multipart()
        assert empty == b""
        body = msgpack.unpackb(payload)
        if body["op"] == "Hello":
            self._peer = peer
            self.hellos.append(body)
            self.send({"ok": True})
        else:
            assert body["op"] == "Rows"
            self.answers.append((body, len(payload)))

    def until(self, condition, what, seconds=30.0):
        """Listen until `condition(self)` is true; returns its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition(self)):
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            if self._socket.poll(20):
                self._take()
        return value

    def send(self, body, frames=None):
        """A map, or any frames, to the publisher."""
        self._socket.send_multipart([self._peer, *(frames or [b"", msgpack.packb(body)])])

    def ask(self, port, first, last):
        """One Replay; its answer and that one's size."""
        self._refs += 1
        self.send({"op": "Replay", "ref": self._refs, "port": port, "from_seq": first, "to_seq": last})
        count = len(self.answers)
        answer, size = self.until(lambda s: s.answers[count:], "the answer")[0]
        assert answer["ref"] == self._refs
        return answer, size

    def rows(self, port, first, last):
        """All rows of a range, and how far it is gone; asks as often as there is more."""
        rows, gone, more = [], None, True
        while more:
            answer, size = self.ask(port, first, last)
            assert size <= 2**20 + 1000
            gone = answer.get("gone_to_seq", gone)
            more = answer["more"]
            rows += [row for sample in answer["samples"] for row in sample_rows(sample)]
            assert rows or not more
            first = rows[-1]["seq"] + 1 if rows else first
        return rows, gone


def last_seq(asker, name):
    """As the newest hello tells it; 0 before."""
    ports = asker.hellos[-1]["ports"] if asker.hellos else []
    return next((port["last_seq"] for port in ports if port["name"] == name), 0)


def test_what_was_published_comes_again_as_it_was(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    with Asker(ipc(sockets, "api")) as asker, Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(env=env) as testpmd:
        testpmd.command("analytics set interval 1ms")
        testpmd.command("analytics set link 1 core")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        subscriber.until(lambda s: len(s.rows("net_null1")) > 300, "rows")
        testpmd.command("clear port stats 1")
        testpmd.command("analytics set link 1 edge")
        subscriber.until(lambda s: len(s.rows("net_null1")) > 600, "more rows")
        testpmd.command("analytics set interval 60s")
        asker.until(lambda s: last_seq(s, "net_null1") > 600, "a hello")
        last = last_seq(asker, "net_null1")
        published = subscriber.until(lambda s: len(s.rows("net_null1")) >= last and s.rows("net_null1"), "all rows")
        for first, end in ((1, last), (1, 1), (17, 23), (299, 305), (last, last), (last - 50, last + 1000)):
            rows, gone = asker.rows("net_null1", first, end)
            assert rows == published[first - 1:min(end, last)], (first, end)
            assert gone is None
        assert {row["link"] for row in published} == {"core", "edge"}
        assert asker.ask("net_null1", last + 1, last + 10)[0] == \
            {"op": "Rows", "ref": asker.answers[-1][0]["ref"], "samples": [], "more": False}
        nobody, _ = asker.ask("no such port", 1, 10)
        assert (nobody["samples"], nobody["gone_to_seq"], nobody["more"]) == ([], 10, False)
        assert testpmd.quit() == 0


def test_rows_that_nobody_heard_are_held(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api"), "LINKCAST_AUTOSTART": ipc(sockets, "nobody"),
           "LINKCAST_INTERVAL_MS": "10"}
    with Asker(ipc(sockets, "api")) as asker, with_plugin(env=env) as testpmd:
        asker.until(lambda s: last_seq(s, "net_null0") > 100, "a hello with rows", 60)
        assert {port["first_seq"] for port in asker.hellos[-1]["ports"]} == {1}
        for name in ("net_null0", "net_null1"):
            last = last_seq(asker, name)
            rows, gone = asker.rows(name, 1, last)
            assert [row["seq"] for row in rows] == list(range(1, last + 1))
            assert gone is None
        wait_until(lambda: re.search(r"sent again [1-9]\d*, asked for too late 0",
                                     testpmd.command("analytics show status")), "the count of what was sent again")


def test_memory_bounds_the_ring_and_what_is_gone_is_told(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    with Asker(ipc(sockets, "api")) as asker, with_plugin(env=env) as testpmd:
        testpmd.command("analytics set replay 64KiB")
        testpmd.command("analytics set interval 1ms")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        asker.until(lambda s: last_seq(s, "net_null0") > 2000, "rows", 60)
        testpmd.command("analytics set interval 60s")
        hellos = len(asker.hellos)
        asker.until(lambda s: len(s.hellos) > hellos, "the hello of the new interval")
        port = next(port for port in asker.hellos[-1]["ports"] if port["name"] == "net_null0")
        assert 1 < port["first_seq"] < port["last_seq"]
        rows, gone = asker.rows("net_null0", 1, port["last_seq"])
        assert gone == port["first_seq"] - 1
        assert [row["seq"] for row in rows] == list(range(port["first_seq"], port["last_seq"] + 1))
        status = testpmd.command("analytics show status")
        held, size, limit = map(float, re.search(r"holds (\d+) rows in ([\d.]+) of ([\d.]+) MiB", status).groups())
        assert size <= limit == 64 / 1024 and held >= len(rows)
        wait_until(lambda: re.search(r"asked for too late [1-9]", testpmd.command("analytics show status")),
                   "the count of what is gone")
        testpmd.command("analytics set replay 0")
        hellos = len(asker.hellos)
        asker.until(lambda s: len(s.hellos) > hellos, "the hello without a ring")
        assert all(port["first_seq"] == port["last_seq"] + 1 for port in asker.hellos[-1]["ports"])


def test_long_answers_come_in_parts(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    with Asker(ipc(sockets, "api")) as asker, with_plugin(env=env) as testpmd:
        testpmd.command("analytics set xstats on")
        testpmd.command("analytics set interval 100us")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        asker.until(lambda s: last_seq(s, "net_null0") > 20000, "many rows", 60)
        last = last_seq(asker, "net_null0")
        rows, gone = asker.rows("net_null0", 1, last)
        assert gone is None and [row["seq"] for row in rows] == list(range(1, last + 1))
        assert len(asker.answers) > 3
        assert testpmd.quit() == 0


def test_malformed_frames_from_the_server_change_nothing(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    garbage = [b"\xdd\xe2\x8b\xe2\x01", b"\x80", b"\xc1", b"x" * 100000, msgpack.packb([1, 2]),
               msgpack.packb({"op": "Replay"}), msgpack.packb({"op": 7}), msgpack.packb({"op": "Format"}),
               msgpack.packb({"op": "Replay", "ref": -1, "port": "net_null0", "from_seq": 1, "to_seq": 2}),
               msgpack.packb({"op": "Replay", "ref": 1, "port": "", "from_seq": 1, "to_seq": 2}),
               msgpack.packb({"op": "Replay", "ref": 1, "port": 0, "from_seq": 1, "to_seq": 2}),
               msgpack.packb({"op": "Replay", "ref": 1, "port": "net_null0", "from_seq": 0.5, "to_seq": 2})]
    with Asker(ipc(sockets, "api")) as asker, with_plugin(env=env) as testpmd:
        testpmd.command("analytics set interval 20")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        asker.until(lambda s: last_seq(s, "net_null0") > 3, "rows")
        for frame in garbage:
            asker.send(None, [b"", frame])
            asker.send(None, [frame])
            asker.send(None, [frame, b"", frame])
        asker.send(None, [b""])
        rows, _ = asker.rows("net_null0", 0, 2**64 - 1)
        assert [row["seq"] for row in rows][:3] == [1, 2, 3]
        assert not asker.answers[1:], "garbage was answered"
        assert testpmd.quit() == 0


def test_the_last_rows_can_be_asked_for_at_the_end(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    with Asker(ipc(sockets, "api")) as asker, with_plugin(env=env) as testpmd:
        testpmd.command("analytics set interval 5")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        asker.until(lambda s: last_seq(s, "net_null0") > 3, "rows")
        before, hellos = last_seq(asker, "net_null0"), len(asker.hellos)
        testpmd.write("analytics stop\n")
        asker.until(lambda s: len(s.hellos) > hellos, "the last hello")
        last = last_seq(asker, "net_null0")
        assert last > before
        assert [row["seq"] for row in asker.rows("net_null0", before, last)[0]] == list(range(before, last + 1))
        testpmd.expect("stopped")


def test_a_server_that_asks_for_all_the_time_delays_no_row(sockets):
    env = {"LINKCAST_API": ipc(sockets, "api")}
    with Asker(ipc(sockets, "api")) as asker, Subscriber(ipc(sockets, "s")) as subscriber, \
            with_plugin(env=env) as testpmd:
        testpmd.command("analytics set interval 10")
        testpmd.command(f"analytics start {ipc(sockets, 's')}")
        asker.until(lambda s: last_seq(s, "net_null0") > 20, "rows")
        for _ in range(500):
            asker.send({"op": "Replay", "ref": 1, "port": "net_null0", "from_seq": 1, "to_seq": 2**63})
        count = len(subscriber.rows("net_null0"))
        subscriber.until(lambda s: len(s.rows("net_null0")) > count + 20, "rows meanwhile")
        asker.until(lambda s: s.answers, "answers")
        rows = subscriber.rows("net_null0")
        assert [row["seq"] for row in rows] == list(range(rows[0]["seq"], rows[-1]["seq"] + 1))
        wait_until(lambda: "answered" in testpmd.command("analytics show status"), "the prompt")
        assert testpmd.quit() == 0
