"""Nobody holds up the others: a subscriber that never reads, queries over years, publishers that send nonsense; and a disk
that is full holds up storing only.

SPDX-License-Identifier: MIT
"""

import contextlib
import errno
import os
import pathlib
import random
import re
import socket
import subprocess
import threading

import msgpack
import pytest
import zmq

from daemon import Analyticsd, Publisher, Refused
from ports import sequence_ends, sources, stored
from testpmd import TESTPMD, Testpmd, build_folder, plugin_path, wait_until
from wire import BASIC

ANALYTICSCTL = os.path.join(build_folder(), "analyticsd/ctl/analyticsctl")
START = 1_600_000_000
DAY = 86400
PORTS = [f"net_null{i}" for i in range(2)]

needs_testpmd = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


@pytest.fixture
def daemon(sockets):
    with Analyticsd(sockets) as process:
        yield process


def resident(process):
    """Bytes of memory that a process has now."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) * 1024


@contextlib.contextmanager
def plugin_of(daemon):
    """A real publisher, every 10 ms."""
    env = {"LINKCAST_HOST": "plugin", "LINKCAST_API": daemon.api}
    with Testpmd(PORTS, plugin=plugin_path(), env=env) as testpmd:
        testpmd.command("analytics set interval 10ms")
        testpmd.command(f"analytics start {daemon.samples}")
        testpmd.command("start")
        yield testpmd


class Background:
    """Calls `act` again and again in a thread of its own; `n` is how often that was done."""

    def __init__(self, act):
        self.n, self.fault, self._act, self._ending = 0, None, act, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self._ending.is_set():
                self._act()
                self.n += 1
        except BaseException as fault:  # pylint: disable=broad-exception-caught
            self.fault = fault

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        assert self.fault is None, self.fault


@contextlib.contextmanager
def subscriber_that_never_reads(daemon):
    """It takes two messages, then its buffers and the kernel's are full."""
    context = zmq.Context()
    never = context.socket(zmq.SUB)
    never.setsockopt(zmq.LINGER, 0)
    never.setsockopt(zmq.RCVHWM, 1)
    never.setsockopt(zmq.SUBSCRIBE, b"")
    never.connect(daemon.events)
    yield never
    never.close()
    context.term()


@contextlib.contextmanager
def connections_that_say_half(daemon):
    """Clients that connect and then say nothing, nonsense, or half of what ZeroMQ begins with."""
    path = daemon.samples.removeprefix("ipc://")
    with contextlib.ExitStack() as all_of_them:
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" + bytes(8) + b"\x7f",
                      b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48) + b"\x04\xff\xff\xff\xff\xff\xff\xff\xff"):
            half = all_of_them.enter_context(socket.socket(socket.AF_UNIX))
            half.connect(path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                half.sendall(words)
        yield


def nonsense():
    """Messages that are none: (frames of) garbage, halves, wrong kinds of values, far too long counts."""
    chosen = random.Random(1)
    good = msgpack.packb({"v": 1, "host": "bad", "instance": 1, "port": 0, "name": "p0", "speed_mbps": 1, "up": True,
                          "epoch": 0, "names": BASIC, "rows": [[1, 1] + [0] * 8]})
    messages = [[b"sample/bad/p0/", good[:i]] for i in range(0, len(good), 3)]
    messages += [[b"sample/bad/p0/", good.replace(*pair)] for pair in (
        (b"rows", b"r0ws"), (b"\x98\xaa", b"\x91\xaa"), (b"\x01\x01\x00", b"\xc3\x01\x00"), (b"\xa3bad", b"\xa3\x00\x01\x02"))]
    messages += [[b"sample/bad/p0/", b"\xdd\xe2\x8b\xe2\x01"], [b"sample/bad/p0/", b"\x91" * 100000],
                 [b"hello/bad/", b"\x80"], [b"sample/bad/p0/"], [b"sample/bad/p0/", good, good], [b"sample/", b""],
                 [b"sample/bad/p0/", chosen.randbytes(1 << 20)], [b"", good], [b"sample/" + b"x" * 5000, good[:-1]]]
    messages += [[b"sample/bad/p0/", chosen.randbytes(chosen.randrange(1, 400))] for _ in range(200)]
    return messages


def import_years(daemon, folder, n):
    """Rows of a port every five minutes, `n` of them. They end long ago."""
    path = os.path.join(folder, "years.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("timestamp," + ",".join(BASIC) + "\n")
        for i in range(n):
            file.write(f"{START + 300 * i}," + ",".join(str(i * (k + 1)) for k in range(len(BASIC))) + "\n")
    done = subprocess.run([ANALYTICSCTL, "--api", daemon.api, "import", path, "--port", "past/p0"], capture_output=True,
                          text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@needs_testpmd
def test_a_deaf_subscriber_long_queries_and_nonsense_hold_nobody_up(daemon, sockets):
    years = 250_000
    import_years(daemon, sockets, years)
    messages = nonsense()
    context = zmq.Context()
    bad = context.socket(zmq.PUB)
    bad.setsockopt(zmq.LINGER, 0)
    bad.connect(daemon.samples)
    clients = [daemon.client() for _ in range(3)]

    def flood():
        for message in messages:
            bad.send_multipart(message)

    def ask(client):  # every raw row of two years for an answer of one row a day
        reply = client.ask("QueryPort", host="past", name="p0", from_ns=0, to_ns=2**62, level="raw", step_seconds=DAY)
        assert len(reply["rows"]) in (years * 300 // DAY, years * 300 // DAY + 1, years * 300 // DAY + 2)

    def rows_of_plugin():
        found = sources(daemon)
        return min(found[name]["last_seq"] if name in found else 0 for name in PORTS)

    with contextlib.ExitStack() as around:
        around.callback(context.term)
        around.callback(bad.close)
        for client in clients:
            around.callback(client.close)
        around.enter_context(subscriber_that_never_reads(daemon))
        around.enter_context(connections_that_say_half(daemon))
        floods = around.enter_context(Background(flood))
        queries = [around.enter_context(Background(lambda c=client: ask(c))) for client in clients]
        publisher = around.enter_context(Publisher(daemon, host="good", name="good0"))
        testpmd = around.enter_context(plugin_of(daemon))
        for seq in range(1, 31):  # each row is stored and answered before the next is sent
            before = rows_of_plugin()
            publisher.send((seq, (START + seq) * 10**9, {"rx_bytes": seq}))
            wait_until(lambda s=seq: sources(daemon).get("good0", {}).get("last_seq") == s, "a good publisher's row")
            assert len(stored(daemon, "good", "good0")) == seq
            wait_until(lambda b=before: rows_of_plugin() > b, "rows of the plugin")
        wait_until(lambda: floods.n > 2 and all(query.n > 2 for query in queries), "the others to have done something")
        testpmd.command("stop")
        testpmd.command("analytics stop")
    assert daemon.metrics()["frames_refused"] > 2 * len(messages) // 2
    last = sequence_ends(daemon)
    wait_until(lambda: all(len(stored(daemon, "plugin", name)) == last[name] for name in PORTS), "every row of the plugin")
    with pytest.raises(Refused):
        daemon.ask("QueryPort", host="bad", name="p0", from_ns=0, to_ns=2**62)
    assert daemon.stop() == 0


def test_what_a_deaf_subscriber_does_not_take_is_not_kept(daemon):
    names = BASIC + [f"{'x' * 240}_{i}" for i in range(200)]  # 50 kB a frame
    n, step = 5000, 250
    with subscriber_that_never_reads(daemon), Publisher(daemon, names=names) as publisher:
        def send(first):
            for seq in range(first, first + step):
                row = [seq, (START + seq) * 10**9] + [seq * k for k in range(len(names))]
                publisher.frame("sample", {**publisher.fields, "rows": [row]})
            wait_until(lambda: daemon.metrics()["rows_stored"] == first + step - 1, "the rows to be stored")
        send(1)
        before = resident(daemon.process)
        for first in range(1 + step, n, step):
            send(first)
        # a queue of a thousand frames for each subscriber and what history holds in memory; not the 250 MB that were sent
        assert resident(daemon.process) - before < 150 << 20
    assert daemon.stop() == 0


# ---- a full disk

def why_no_disk_of_its_own():
    """None when a process can have a file system of its own here, else the reason."""
    try:
        done = subprocess.run(["unshare", *UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True,
                              text=True, timeout=30, check=False)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else f"a mount namespace is not permitted: {done.stderr.strip()}"


UNSHARE = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]


class SmallDisk(Analyticsd):
    """analyticsd whose data is on a disk of its own of a few megabytes, that nobody else sees."""

    def __init__(self, folder, megabytes):
        super().__init__(folder)
        os.mkdir(self.data)
        mount = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
        self._argv = ["unshare", *UNSHARE, "sh", "-c", mount, "sh", f"{megabytes}m", self.data] + self._argv

    def inside(self, name):
        """A file of its disk, as seen from here."""
        return f"/proc/{self.process.pid}/root{self.data}/{name}"

    def fill(self):
        """Leave no byte free."""
        with open(self.inside("filler"), "wb", buffering=0) as file:
            for size in (1 << 16, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
            with pytest.raises(OSError) as refused:
                file.write(b"x")
        assert refused.value.errno == errno.ENOSPC

    def make_room(self):
        """Take that away again."""
        os.unlink(self.inside("filler"))


needs_a_disk = pytest.mark.skipif(why_no_disk_of_its_own() is not None, reason=str(why_no_disk_of_its_own()))


@needs_a_disk
@pytest.mark.parametrize("what", ["", "history.db", "state.db"])
def test_what_cannot_be_written_is_said_at_once(sockets, what):
    with Analyticsd(sockets) as daemon:
        assert daemon.stop() == 0
        path = os.path.join(daemon.data, what)
        before = pathlib.Path(daemon.data, "history.db").read_bytes()
        mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
        told = subprocess.run(["unshare", *UNSHARE, "sh", "-c", mount, "sh", path, *daemon._argv], capture_output=True,
                              text=True, timeout=60, check=False)
        assert told.returncode == 1 and path in told.stderr, told.stderr
        assert re.search("Read-only file system|cannot be written", told.stderr), told.stderr
        assert pathlib.Path(daemon.data, "history.db").read_bytes() == before
        daemon.start()
        assert daemon.stop() == 0


@needs_testpmd
@needs_a_disk
def test_storing_goes_on_by_itself_when_a_full_disk_has_room_again(sockets):
    with SmallDisk(sockets, 24) as daemon, plugin_of(daemon) as testpmd:
        wait_until(lambda: len(sources(daemon)) == len(PORTS), "rows of each port")
        for outage in (1, 2):
            daemon.fill()
            faults = daemon.metrics()["store_errors"]
            wait_until(lambda f=faults: daemon.metrics()["store_errors"] > f + 1, "a commit to fail")
            acknowledged = daemon.metrics()["rows_stored"]
            assert re.search(r"cannot store: .*/data/history\.db: database or disk is full", daemon.log)
            rows = {name: stored(daemon, "plugin", name) for name in PORTS}
            assert sum(map(len, rows.values())) >= acknowledged > 0, "what was acknowledged is answered meanwhile"
            assert daemon.ask("Ping")["uptime_seconds"] > 0
            daemon.make_room()
            wait_until(lambda a=acknowledged: daemon.metrics()["rows_stored"] > a + 50, "rows to be stored again")
            for name, before in rows.items():
                assert stored(daemon, "plugin", name)[:len(before)] == before, outage
        # what was not taken meanwhile comes from the plugin's ring
        wait_until(lambda: all(port["lost"] == 0 for port in sources(daemon).values()), "the rows of the outage")
        testpmd.command("analytics stop")
        last = sequence_ends(daemon)
        wait_until(lambda: all(len(stored(daemon, "plugin", name)) == last[name] for name in PORTS), "every row")
        done = subprocess.run([ANALYTICSCTL, "--api", daemon.api, "check"], capture_output=True, text=True, timeout=120,
                              check=False)
        assert done.returncode == 0 and "whole" in done.stdout, (done.stdout, done.stderr)
        assert daemon.stop() == 0
