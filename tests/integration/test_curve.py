"""CURVE on tcp: who is let in, to what, and what is written down of it.

SPDX-License-Identifier: MIT
"""

import contextlib
import json
import os
import re
import socket as sockets_of_python
import stat
import subprocess
import time

import msgpack
import pytest
import zmq

from cutter import CUTS, Cutter
from daemon import Analyticsd, BINARY, Client, Refused
from testpmd import build_folder, wait_until
from wire import BASIC

CTL = os.path.join(build_folder(), "analyticsd", "ctl", "analyticsctl")
PATHCOMP = os.path.join(build_folder(), "pathcomp", "pathcomp")
LINKS = {"nodes": [{"id": "A"}, {"id": "B"}], "links": [{"id": "L", "a": "A", "z": "B", "total_capacity_gbps": 10}]}


def keygen(folder, name):
    """A key made by the command: (path, public)."""
    path = os.path.join(folder, name + ".key")
    public = subprocess.run([CTL, "keygen", "-o", path], capture_output=True, text=True, check=True).stdout.strip()
    return path, public


def secret_of(path):
    """The secret in a key file."""
    with open(path, encoding="ascii") as file:
        return re.search(r"^secret = (\S{40})$", file.read(), re.M).group(1)


def free_ports(n):
    """Ports of 127.0.0.1 that nobody holds."""
    held = [sockets_of_python.socket() for _ in range(n)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    numbers = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return numbers


class Keys:
    """A server's key, a list of clients, and a daemon on tcp and ipc that uses them."""

    ROLES = {"probe": "publish", "viewer": "read", "path": "read,admit", "boss": "admin,read"}

    def __init__(self, folder):
        self.folder = folder
        self.server = keygen(folder, "server")
        self.clients = {name: keygen(folder, name) for name in [*self.ROLES, "stranger"]}
        self.list = os.path.join(folder, "clients")
        self.write_list()
        numbers = free_ports(3)
        self.samples, self.api, self.events = (f"tcp://127.0.0.1:{number}" for number in numbers)
        self.daemon = Analyticsd(folder, "--curve-key", self.server[0], "--curve-clients", self.list)
        argv = self.daemon._argv
        argv[argv.index("--samples") + 1] = self.daemon.samples + " " + self.samples
        argv[argv.index("--api") + 1] = self.api
        argv[argv.index("--events") + 1] = self.events

    def write_list(self, **roles):
        """The list anew."""
        text = "# key role name\n\n" + "".join(f"{self.clients[name][1]} {what} {name}\n"
                                               for name, what in {**self.ROLES, **roles}.items())
        with open(self.list, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(self.list, 0o644)

    def arm(self, socket, name, server=None):
        """Give a socket the key of a client."""
        path, public = self.clients[name]
        socket.curve_publickey, socket.curve_secretkey = public.encode(), secret_of(path).encode()
        socket.curve_serverkey = (server or self.server[1]).encode()

    def client(self, name=None, server=None):
        """A client of the API with the key of `name`, or none."""
        client = Client.__new__(Client)
        client._context = zmq.Context()
        client._socket = client._context.socket(zmq.REQ)
        client._socket.setsockopt(zmq.LINGER, 0)
        if name:
            self.arm(client._socket, name, server)
        client._socket.connect(self.api)
        return client

    def environment(self, name):
        """For commands."""
        return {**os.environ, "LINKCAST_API": self.api, "LINKCAST_EVENTS": self.events,
                "LINKCAST_CURVE_SERVER": self.server[1], "LINKCAST_CURVE_KEY": self.clients[name][0]}


@pytest.fixture
def keys(sockets):
    """The daemon with keys, running."""
    made = Keys(sockets)
    with made.daemon:
        yield made


def handshake_fails(keys, make):
    """Does the monitor of a socket that `make` connects tell of a failed handshake, and of none that succeeded?"""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    monitor = socket.get_monitor_socket()
    make(socket)
    failed = succeeded = False
    deadline = time.monotonic() + 20
    while not failed and not succeeded and time.monotonic() < deadline:
        if monitor.poll(100):
            event = int.from_bytes(monitor.recv_multipart()[0][:2], "little")
            succeeded |= event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            failed |= event in (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
                                zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_DISCONNECTED)
    socket.disable_monitor()
    monitor.close()
    socket.close()
    context.term()
    return failed and not succeeded


def denied(client, operation, **fields):
    """The message of a PERMISSION_DENIED, or what came instead."""
    try:
        client.ask(operation, **fields)
    except Refused as refused:
        return refused.message if refused.code == "PERMISSION_DENIED" else refused.code
    return None


# ---- keygen

def test_keygen_writes_a_file_for_its_owner_alone_and_prints_the_public_key(sockets):
    path, public = keygen(sockets, "a")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert re.fullmatch(r"\S{40}", public)
    assert zmq.curve_public(secret_of(path).encode()).decode() == public
    assert keygen(sockets, "b")[1] != public
    before = open(path, encoding="ascii").read()
    again = subprocess.run([CTL, "keygen", "-o", path], capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "overwritten" in again.stderr and open(path, encoding="ascii").read() == before
    told = subprocess.run([CTL, "keygen", "--json", "-o", path + "2"], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == {"file": path + "2", "public_key": zmq.curve_public(
        secret_of(path + "2").encode()).decode()}


# ---- who is let in

@pytest.mark.parametrize("endpoint", ["samples", "api", "events"])
def test_no_key_a_strange_key_and_a_wrong_server_key_get_in_nowhere(keys, endpoint):
    address = getattr(keys, endpoint)
    assert handshake_fails(keys, lambda s: s.connect(address))

    def with_key(name, server=None):
        def make(socket):
            keys.arm(socket, name, server)
            socket.connect(address)
        return make

    def refused_and_said():
        assert handshake_fails(keys, with_key("stranger")), "however often it tries"
        return "not in the list" in keys.daemon.log
    wait_until(refused_and_said, "the refusal in the log")
    assert handshake_fails(keys, with_key("boss", server=keys.clients["viewer"][1]))
    assert secret_of(keys.server[0]) not in keys.daemon.log


def test_the_samples_socket_takes_publish_and_the_events_socket_read(keys):
    def connect(name, address):
        def make(socket):
            keys.arm(socket, name)
            socket.connect(address)
        return make
    assert handshake_fails(keys, connect("viewer", keys.samples))
    assert handshake_fails(keys, connect("probe", keys.events))
    assert "its key has not the role" in keys.daemon.log
    context = zmq.Context()
    publisher, subscriber = context.socket(zmq.XPUB), context.socket(zmq.SUB)
    for socket, name in ((publisher, "probe"), (subscriber, "viewer")):
        socket.setsockopt(zmq.LINGER, 0)
        keys.arm(socket, name)
    subscriber.subscribe(b"sample/")
    subscriber.connect(keys.events)
    publisher.connect(keys.samples)
    sample = {"v": 1, "host": "h", "instance": 7, "port": 0, "name": "p", "speed_mbps": 1, "up": True, "epoch": 0,
              "names": BASIC}
    wait_until(lambda: publisher.poll(100) and publisher.recv()[1:] == b"sample/", "the daemon to subscribe")
    seq = [0]

    def heard():
        seq[0] += 1
        rows = [[seq[0], time.time_ns()] + [0] * 8]
        publisher.send_multipart([b"sample/h/p/", msgpack.packb({**sample, "rows": rows})])
        return subscriber.poll(100)
    wait_until(heard, "a sample to come out")
    assert msgpack.unpackb(subscriber.recv_multipart()[1])["host"] == "h"
    publisher.close()
    subscriber.close()
    context.term()


REQUESTS = {
    "read": [("ListTopologies", {}), ("GetTopology", {}), ("ListSources", {}), ("Metrics", {}), ("ListServices", {}),
             ("QueryKpi", {"link_id": "L", "kpi": 302, "from_ns": 0, "to_ns": 1}),
             ("QueryPort", {"host": "h", "name": "p", "from_ns": 0, "to_ns": 1}),
             ("ForecastLinkCapacity", {"link_id": "L", "forecast_window_seconds": 60}),
             ("ForecastTopologyCapacity", {"forecast_window_seconds": 60})],
    "publish": [("Hello", {"v": 1, "host": "h", "instance": 1, "interval_ns": 1, "ports": [], "dropped": 0}),
                ("Rows", {"ref": 1, "samples": [], "more": False})],
    "admit": [("Reserve", {"request_id": "r", "links": [{"link_id": "L"}], "gbps": 1}), ("Release", {"service_id": "s"})],
    "admin": [("SetTopology", LINKS), ("SetLink", {"link_id": "L", "admin_up": True}),
              ("AppendKpi", {"link_id": "L", "kpi": 302, "samples": [[1, 1.0]]}), ("DeleteTopology", {"topology_id": "x"})],
}


@pytest.mark.parametrize("name", Keys.ROLES)
def test_each_request_takes_its_role(keys, name):
    client = keys.client(name)
    assert client.ask("Ping")["ok"]
    may = Keys.ROLES[name].split(",")
    for role, requests in REQUESTS.items():
        for operation, fields in requests:
            answer = denied(client, operation, **fields)
            if role in may:
                assert answer is None or len(answer.split()) == 1, (operation, answer)  # another refusal, if any
            else:
                assert answer and f"the role {role}" in answer and f"'{name}'" in answer, (operation, answer)
    client.close()


def test_changes_and_admissions_leave_an_audit_line_with_the_name(keys):
    boss, path, viewer = (keys.client(name) for name in ("boss", "path", "viewer"))
    boss.ask("SetTopology", **LINKS)
    boss.ask("SetLink", link_id="L", admin_up=True)
    assert denied(path, "Release", service_id="nothing") == "NOT_FOUND"
    denied(viewer, "SetLink", link_id="L", admin_up=False)
    viewer.ask("GetTopology")
    audit = [line.split("audit: ")[1] for line in keys.daemon.log.splitlines() if "audit: " in line]
    assert audit[0] == "boss: SetTopology topology_id=admin: done"
    assert audit[1].startswith("boss: SetLink link_id=L") and audit[1].endswith(": done")
    assert audit[2].startswith("path: Release service_id=nothing: NOT_FOUND")
    assert audit[3].startswith("viewer: SetLink: PERMISSION_DENIED")
    assert len(audit) == 4
    for client in (boss, path, viewer):
        client.close()


def test_the_list_is_read_again_and_a_broken_one_changes_nothing(keys):
    client = keys.client("viewer")
    assert denied(client, "SetTopology", **LINKS)
    client.close()
    keys.write_list(viewer="read,admin")
    client = keys.client("viewer")
    client.ask("SetTopology", **LINKS)
    client.close()
    with open(keys.list, "a", encoding="ascii") as file:
        file.write("nonsense\n")
    client = keys.client("viewer")
    client.ask("SetTopology", **LINKS)
    client.close()
    assert "the allow-list stays as it was" in keys.daemon.log


def test_ipc_beside_tcp_stays_without_keys(keys):
    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.setsockopt(zmq.LINGER, 0)
    publisher.connect(keys.daemon.samples)
    assert publisher.poll(10000) and publisher.recv()
    publisher.close()
    context.term()


# ---- commands

def run(argv, environment, **more):
    """A command's result."""
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False, **more)


def test_commands_take_their_keys_from_the_environment(keys):
    good = keys.environment("viewer")
    assert run([CTL, "status"], good).returncode == 0
    with_file = {**good, "LINKCAST_CURVE_SERVER": os.path.join(keys.folder, "server.pub")}
    with open(with_file["LINKCAST_CURVE_SERVER"], "w", encoding="ascii") as file:
        file.write(keys.server[1] + "\n")
    assert run([CTL, "status"], with_file).returncode == 0
    boss = keys.client("boss")
    boss.ask("SetTopology", **LINKS)
    boss.close()
    found = run([PATHCOMP, "path", "--from", "A", "--to", "B", "--gbps", "1", "--json"], keys.environment("path"))
    assert found.returncode == 0 and json.loads(found.stdout)["paths"][0]["links"] == ["L"], found.stderr
    refused = run([CTL, "topology", "delete", "admin"], good)
    assert refused.returncode == 1 and "the role admin" in refused.stderr
    stranger = run([CTL, "status"], keys.environment("stranger"))
    assert stranger.returncode == 1 and "does not answer" in stranger.stderr
    none = run([CTL, "status"], {**os.environ, "LINKCAST_API": keys.api})
    assert none.returncode == 1
    half = run([CTL, "status"], {k: v for k, v in good.items() if k != "LINKCAST_CURVE_KEY"})
    assert half.returncode == 1 and "LINKCAST_CURVE_KEY" in half.stderr


def test_watch_takes_the_keys_too(keys):
    watch = subprocess.Popen([CTL, "watch", "--count", "1", "forecast/"], env=keys.environment("viewer"),
                             stdout=subprocess.PIPE, text=True)
    boss = keys.client("boss")
    boss.ask("SetTopology", **LINKS)

    def ended():
        boss.ask("ForecastLinkCapacity", link_id="L", forecast_window_seconds=60 + time.monotonic() % 1)
        return watch.poll() is not None
    wait_until(ended, "watch to print a line")
    assert json.loads(watch.stdout.read())["topic"] == "forecast/L/"
    watch.stdout.close()
    boss.close()


def test_a_key_file_that_others_may_read_is_refused(keys):
    os.chmod(keys.clients["viewer"][0], 0o640)
    refused = run([CTL, "status"], keys.environment("viewer"))
    assert refused.returncode == 1 and "mode 600" in refused.stderr
    assert secret_of(keys.clients["viewer"][0]) not in refused.stderr


# ---- peers that come half-way

def half_open(stack, keys, address):
    """Connections of a client of the list and of a stranger, cut off at every stage of the handshake."""
    context = stack.enter_context(zmq.Context())
    for after in CUTS:
        cutter = stack.enter_context(Cutter(int(address.rpartition(":")[2]), after))
        for name in ("boss", "stranger"):
            socket = stack.enter_context(context.socket(zmq.DEALER))
            socket.setsockopt(zmq.LINGER, 0)
            keys.arm(socket, name)
            socket.connect(cutter.endpoint)


def test_half_open_peers_hold_up_neither_requests_nor_the_end(keys):
    with contextlib.ExitStack() as stack:
        for address in (keys.samples, keys.api, keys.events):
            half_open(stack, keys, address)
        client = keys.client("viewer")
        assert client.ask("Ping")["ok"]
        client.close()
        assert keys.daemon.stop() == 0
        assert "Assertion" not in keys.daemon.log


# ---- pathcomp serve

class Serve:
    """A pathcomp serve on tcp with the keys of a Keys; it asks the daemon with the key of `path`."""

    def __init__(self, keys, host="127.0.0.1", *arguments):
        (port,) = free_ports(1)
        self.keys, self.path = keys, f"tcp://127.0.0.1:{port}"
        self.api = self.path
        self._log = open(os.path.join(keys.folder, "serve.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [PATHCOMP, "serve", "--endpoint", f"tcp://{host}:{port}", *(arguments or (
                "--curve-key", keys.server[0], "--curve-clients", keys.list))],
            env=keys.environment("path"), stderr=self._log)

    @property
    def log(self):
        """What it said so far."""
        with open(self._log.name, encoding="utf-8") as file:
            return file.read()

    def __enter__(self):
        def answers():
            assert self.process.poll() is None, self.log
            return "answers at" in self.log
        wait_until(answers, "pathcomp serve")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self._log.close()

    def client(self, name, server=None):
        """A client with the key of `name`."""
        client = Client.__new__(Client)
        client._context = zmq.Context()
        client._socket = client._context.socket(zmq.REQ)
        client._socket.setsockopt(zmq.LINGER, 0)
        self.keys.arm(client._socket, name, server)
        client._socket.connect(self.path)
        return client


DEMAND = {"from": "A", "to": "B", "gbps": 1}


def test_pathcomp_serve_takes_keys_and_each_request_its_role(keys):
    boss = keys.client("boss")
    boss.ask("SetTopology", **LINKS)
    boss.close()
    with Serve(keys) as serve:
        assert handshake_fails(keys, lambda s: s.connect(serve.path))

        def stranger(socket):
            keys.arm(socket, "stranger")
            socket.connect(serve.path)
        assert handshake_fails(keys, stranger)
        viewer, path, probe = (serve.client(name) for name in ("viewer", "path", "probe"))
        assert viewer.ask("ComputePath", **DEMAND)["paths"][0]["links"] == ["L"]
        assert "the role admit" in denied(viewer, "RequestService", request_id="v", **DEMAND)
        assert path.ask("RequestService", request_id="p", **DEMAND)["service_id"]
        assert path.ask("RequestService", request_id="q", **{**DEMAND, "gbps": 11})["status"] == "blocked"
        assert probe.ask("Ping")["ok"]
        assert "the role read" in denied(probe, "ComputePath", **DEMAND)
        for client in (viewer, path, probe):
            client.close()
        audit = [line.split("audit: ")[1] for line in serve.log.splitlines() if "audit: " in line]
        assert audit[0].startswith("viewer: RequestService: PERMISSION_DENIED")
        assert audit[1] == "path: RequestService request_id=p: done"
        assert audit[2] == "path: RequestService request_id=q: FAILED_PRECONDITION: blocked"
        assert len(audit) == 3 and "not in the list" in serve.log
        assert not any(secret_of(keys.clients[name][0]) in serve.log for name in keys.clients)


def test_pathcomp_serve_binds_an_address_of_the_network_with_keys_or_insecure_only(keys):
    with Serve(keys, "0.0.0.0") as serve:
        with contextlib.ExitStack() as stack:
            half_open(stack, keys, serve.path)
            client = serve.client("viewer")
            assert client.ask("Ping")["ok"]
            client.close()
            serve.process.terminate()
            assert serve.process.wait(30) == 0
    with Serve(keys, "0.0.0.0", "--insecure") as serve:
        client = Client(serve.path)
        assert client.ask("Ping")["ok"]
        client.close()
    refused = run([PATHCOMP, "serve", "--endpoint", "tcp://0.0.0.0:1"], keys.environment("path"))
    assert refused.returncode == 1 and "--insecure" in refused.stderr and "keys" in refused.stderr
    half = run([PATHCOMP, "serve", "--curve-key", keys.server[0]], keys.environment("path"))
    assert half.returncode == 2 and "--curve-clients" in half.stderr


# ---- starting

def start(folder, *arguments):
    """Starts a daemon that should refuse; returns its status and what it said."""
    argv = [BINARY, "--data", f"{folder}/data", "--samples", f"ipc://{folder}/s", "--events", f"ipc://{folder}/e",
            "--api", f"ipc://{folder}/a", *arguments]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        return process.wait(20), process.stderr.read()
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None, process.stderr.read()
    finally:
        process.stderr.close()


def test_an_address_of_the_network_takes_keys_or_insecure(sockets):
    (port,) = free_ports(1)
    status, said = start(sockets, "--api", f"tcp://0.0.0.0:{port}")
    assert status == 1 and "keys" in said and "--insecure" in said


def test_with_keys_an_address_of_the_network_is_bound(sockets):
    made = Keys(sockets)
    (port,) = free_ports(1)
    argv = made.daemon._argv
    argv[argv.index("--api") + 1] = f"tcp://0.0.0.0:{port}"
    made.api = f"tcp://127.0.0.1:{port}"
    with made.daemon:
        client = made.client("viewer")
        assert client.ask("Ping")["ok"]
        client.close()


@pytest.mark.parametrize("spoil, words", [
    (lambda k: os.chmod(k.server[0], 0o604), "mode 600"),
    (lambda k: open(k.server[0], "w", encoding="ascii").close(), "no key file"),
    (lambda k: os.unlink(k.server[0]), "No such file"),
    (lambda k: os.unlink(k.list), "No such file"),
    (lambda k: os.chmod(k.list, 0o666), "others may write"),
    (lambda k: k.write_list(probe="publisher"), "line 3: publisher"),
    (lambda k: k.write_list(probe="publish a b"), "line 3: expected"),
])
def test_keys_and_lists_that_cannot_be_used_are_named(sockets, spoil, words):
    made = Keys(sockets)
    secret = secret_of(made.server[0])
    spoil(made)
    status, said = start(sockets, "--curve-key", made.server[0], "--curve-clients", made.list)
    assert status == 1 and words in said, said
    assert secret not in said


def test_a_key_takes_a_list(sockets):
    made = Keys(sockets)
    status, said = start(sockets, "--curve-key", made.server[0])
    assert status == 2 and "curve_clients" in said
