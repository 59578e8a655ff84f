"""A real analyticsd for tests and the demo, a client of it and a publisher, written from the protocol alone.

    with Analyticsd(folder) as daemon:
        daemon.ask("Ping")
        assert daemon.stop() == 0

SPDX-License-Identifier: MIT
"""

import os
import signal
import subprocess

import msgpack
import zmq

from testpmd import build_folder, wait_until
from wire import BASIC

BINARY = os.path.join(build_folder(), "analyticsd", "analyticsd")


class Refused(Exception):
    """An error reply: .code and .message."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message, self.error = error["code"], error["message"], error


class Client:
    """A REQ socket to an API endpoint."""

    def __init__(self, endpoint):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)

    def close(self):
        """Close the socket."""
        self._socket.close()
        self._context.term()

    def raw(self, frame, seconds=60):
        """The decoded reply to one frame of any bytes."""
        self._socket.send(frame)
        if not self._socket.poll(seconds * 1000):
            raise AssertionError(f"no reply within {seconds} s")
        return msgpack.unpackb(self._socket.recv())

    def ask(self, operation, **fields):
        """The reply to a request; Refused when it is an error."""
        reply = self.raw(msgpack.packb({"op": operation, **fields}))
        if not reply["ok"]:
            raise Refused(reply["error"])
        return reply


class Analyticsd:
    """One analyticsd with its data and sockets in `folder` (a short path: it is part of the ipc endpoints)."""

    def __init__(self, folder, *arguments, binary=BINARY):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.samples, self.api, self.events = (f"ipc://{folder}/{name}" for name in ("samples", "api", "events"))
        self.process = None
        self._log = os.path.join(folder, "analyticsd.log")
        self._client = None
        self._argv = [binary, "--data", self.data, "--samples", self.samples, "--api", self.api,
                      "--events", self.events, *arguments]

    @property
    def log(self):
        """What it said so far."""
        with open(self._log, encoding="utf-8") as file:
            return file.read()

    def start(self):
        """Start it and wait until it says that it is ready."""
        with open(self._log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self._argv, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

        def ready():
            assert self.process.poll() is None, f"analyticsd ended ({self.process.returncode}): {self.log}"
            return "ready\n" in self.log
        wait_until(ready, "analyticsd to be ready")
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def client(self):
        """A client of its own, to be closed by the caller."""
        return Client(self.api)

    def ask(self, operation, **fields):
        """A request over a client that is kept; its reply, or Refused."""
        if self._client is None:
            self._client = self.client()
        return self._client.ask(operation, **fields)

    def metrics(self):
        """Its own metrics: {name: value}."""
        return {metric["name"]: metric["value"] for metric in self.ask("Metrics")["metrics"]}

    def stop(self, seconds=30):
        """SIGTERM; returns the exit status."""
        self._drop_client()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        """SIGKILL, whatever its state. May be called twice."""
        self._drop_client()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _drop_client(self):
        if self._client is not None:
            self._client.close()
            self._client = None


class Publisher:
    """Publishes samples as a plugin does, with counters of the test's choice; waits until it is subscribed to."""

    def __init__(self, daemon, host="h", name="p0", instance=7, **fields):
        self.fields = {"v": 1, "host": host, "instance": instance, "port": 0, "name": name, "speed_mbps": 10000,
                       "up": True, "epoch": 0, "names": BASIC, **fields}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.LINGER, 5000)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # all of it arrives, however busy the machine is
        self._socket.connect(daemon.samples)
        wait_until(self._subscribed, "analyticsd to subscribe")

    def _subscribed(self):
        return self._socket.poll(0) and b"sample/".startswith(self._socket.recv()[1:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Send what waits, then close."""
        self._socket.close()
        self._context.term()

    def frame(self, kind, body):
        """Publish a message: a map, or any bytes."""
        topic = f"{kind}/{self.fields['host']}/" + (f"{self.fields['name']}/" if kind == "sample" else "")
        payload = body if isinstance(body, bytes) else msgpack.packb(body)
        self._socket.send_multipart([topic.encode(), payload])

    def send(self, *rows, **fields):
        """Publish rows: (seq, ts_ns, {counter: value}), all other counters 0."""
        table = [[seq, ts_ns] + [counters.get(name, 0) for name in BASIC] for seq, ts_ns, counters in rows]
        self.frame("sample", {**self.fields, **fields, "rows": table})
