"""The plugin's sockets under CURVE: keys from the environment, and none of their secrets anywhere.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import re

import pytest
import zmq

from cutter import CUTS, Cutter
from testpmd import TESTPMD, Testpmd, plugin_path, wait_until
from wire import Server, Subscriber

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


class Keys:
    """A pair of keys, and its file."""

    def __init__(self, folder, name, mode=0o600):
        public, secret = zmq.curve_keypair()
        self.public, self.secret = public.decode(), secret.decode()
        self.path = os.path.join(folder, name)
        with open(os.open(self.path, os.O_CREAT | os.O_WRONLY, mode), "w", encoding="ascii") as file:
            file.write(f"public = {self.public}\nsecret = {self.secret}\n")

    def serve(self, sock):
        """Makes a socket one that takes CURVE clients only."""
        sock.curve_secretkey = self.secret.encode()
        sock.curve_publickey = self.public.encode()
        sock.curve_server = True

    def visit(self, server):
        """What makes a socket a CURVE client of `server`."""
        def prepare(sock):
            sock.curve_secretkey = self.secret.encode()
            sock.curve_publickey = self.public.encode()
            sock.curve_serverkey = server.public.encode()
        return prepare


@pytest.fixture
def keys(sockets):
    """Of analyticsd, and of a plugin."""
    return Keys(sockets, "server.key"), Keys(sockets, "plugin.key")


def with_plugin(env):
    return Testpmd(["net_null0"], plugin=plugin_path(), env=env)


def free_port():
    """An address that nobody is bound to, and a context's worth of time to take it."""
    context = zmq.Context()
    sock = context.socket(zmq.REP)
    port = sock.bind_to_random_port("tcp://127.0.0.1")
    sock.close()
    context.term()
    return port


def bound_subscriber(prepare):
    """A subscriber bound to a port of its own; returns it and its endpoint."""
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    return Subscriber(endpoint, prepare=prepare), endpoint


def environment(server, own, **more):
    return {"LINKCAST_CURVE_SERVER": server.public, "LINKCAST_CURVE_KEY": own.path, "LINKCAST_INTERVAL_MS": "20",
            **more}


def test_samples_and_hello_go_to_a_server_with_its_key(sockets, keys):
    server, own = keys
    subscriber, endpoint = bound_subscriber(server.serve)
    api = f"tcp://127.0.0.1:{free_port()}"
    with subscriber, Server(api, {"Hello": lambda _: {}}, prepare=server.serve) as asked, \
            with_plugin(environment(server, own, LINKCAST_API=api)) as testpmd:
        testpmd.command(f"analytics start {endpoint}")
        subscriber.until(lambda s: len(s.rows("net_null0")) > 3, "rows under CURVE")
        wait_until(lambda: asked.asked("Hello"), "a hello under CURVE")
        wait_until(lambda: "answered" in testpmd.command("analytics show status"), "the answer")
        shown = testpmd.command("analytics show config")
        assert own.path in shown
        testpmd.quit()
        assert own.secret not in testpmd.output and server.secret not in testpmd.output


def test_a_server_with_another_key_gets_nothing(sockets, keys):
    server, own = keys
    subscriber, endpoint = bound_subscriber(Keys(sockets, "imposter.key").serve)
    with subscriber, with_plugin(environment(server, own)) as testpmd:
        testpmd.command(f"analytics start {endpoint}")
        wait_until(lambda: re.search(r"rows +[1-9]\d+ in", testpmd.command("analytics show status")), "rows")
        assert " 0 subscriptions" in testpmd.command("analytics show status")
        with pytest.raises(AssertionError):
            subscriber.until(lambda s: s.samples or s.hellos, "nothing", 0.5)
        assert testpmd.quit() == 0


def test_keys_are_not_for_ipc(sockets, keys):
    with Subscriber(f"ipc://{sockets}/s") as subscriber, with_plugin(environment(*keys)) as testpmd:
        testpmd.command(f"analytics start ipc://{sockets}/s")
        subscriber.until(lambda s: s.rows("net_null0"), "rows without CURVE")


def test_a_bound_plugin_takes_only_the_servers_key(sockets, keys):
    server, own = keys
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with with_plugin(environment(server, own)) as testpmd:
        testpmd.command(f"analytics start @{endpoint}")
        with Subscriber(endpoint, bind=False) as plain, \
                Subscriber(endpoint, bind=False, prepare=Keys(sockets, "other.key").visit(own)) as stranger, \
                Subscriber(endpoint, bind=False, prepare=server.visit(own)) as friend:
            friend.until(lambda s: len(s.rows("net_null0")) > 20, "rows at the friend")
            for other in (plain, stranger):
                with pytest.raises(AssertionError):
                    other.until(lambda s: s.samples or s.hellos, "nothing", 0.3)
            assert testpmd.quit() == 0


@pytest.mark.parametrize("secure", [True, False], ids=["curve", "plain"])
def test_half_open_peers_hold_up_neither_the_rows_of_others_nor_the_end(sockets, keys, secure):
    """libzmq waits for its ZAP handler without end, and aborts when it goes at the wrong moment."""
    server, own = keys
    visitors = [key.visit(own) for key in (server, Keys(sockets, "other.key"))] if secure else [lambda sock: None]
    env = environment(server, own) if secure else {"LINKCAST_INTERVAL_MS": "20"}
    with with_plugin(env) as testpmd:
        for _ in range(3):
            port = free_port()
            assert "publishing to" in testpmd.command(f"analytics start @tcp://127.0.0.1:{port}")
            with contextlib.ExitStack() as stack:
                for after in CUTS:
                    cutter = stack.enter_context(Cutter(port, after))
                    for visit in visitors:
                        stack.enter_context(Subscriber(cutter.endpoint, bind=False, prepare=visit))
                friend = stack.enter_context(Subscriber(f"tcp://127.0.0.1:{port}", bind=False, prepare=visitors[0]))
                friend.until(lambda s: len(s.rows("net_null0")) > 20, "rows at the friend")
                assert "stopped" in testpmd.command("analytics stop")
        assert testpmd.quit() == 0
        assert "Assertion" not in testpmd.output


def test_the_network_is_opened_with_keys_only(sockets, keys):
    port = free_port()
    with with_plugin({}) as testpmd:
        assert "loopback" in testpmd.command(f"analytics start @tcp://0.0.0.0:{port}")
        assert "publishing  no" in testpmd.command("analytics show status")
        assert "not encrypted" in testpmd.command("analytics show config")
    with with_plugin(environment(*keys)) as testpmd:
        assert "publishing to @" in testpmd.command(f"analytics start @tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("change, complaint", [
    (lambda env, path: env.pop("LINKCAST_CURVE_SERVER"), "LINKCAST_CURVE_SERVER"),
    (lambda env, path: env.pop("LINKCAST_CURVE_KEY"), "LINKCAST_CURVE_KEY"),
    (lambda env, path: env.update(LINKCAST_CURVE_SERVER="short"), "LINKCAST_CURVE_SERVER"),
    (lambda env, path: os.chmod(path, 0o640), "must have mode 600"),
    (lambda env, path: os.unlink(path), "No such file"),
], ids=["no server", "no key", "bad server", "open file", "no file"])
def test_half_a_set_of_keys_is_refused_not_ignored(keys, change, complaint):
    server, own = keys
    env = environment(server, own)
    change(env, own.path)
    with with_plugin(env) as testpmd:
        text = testpmd.command("analytics start tcp://127.0.0.1:1")
        assert complaint in text and own.secret not in text
        assert "publishing  no" in testpmd.command("analytics show status")
        assert testpmd.quit() == 0
