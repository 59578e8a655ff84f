"""A real linkcast-dashboard for tests, the demo and the benchmark, and an HTTP client of it.

    with Gateway(daemon) as gateway:
        assert gateway.get("/healthz").status == 200

SPDX-License-Identifier: MIT
"""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess

from testpmd import build_folder, wait_until

BINARY = os.path.join(build_folder(), "dashboard", "linkcast-dashboard")
PATHCOMP = os.path.join(build_folder(), "pathcomp", "pathcomp")


class Answer:
    """Status, headers (names in lower case) and body of an HTTP answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        """The body, decoded."""
        return json.loads(self.body)


class PathServer:
    """`pathcomp serve` at an analyticsd."""

    def __init__(self, daemon):
        self.endpoint = f"ipc://{daemon.folder}/path"
        self._daemon = daemon
        self.process = None

    def __enter__(self):
        log = os.path.join(self._daemon.folder, "pathcomp.log")
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [PATHCOMP, "serve", "--api", self._daemon.api, "--endpoint", self.endpoint], stderr=file,
                stdin=subprocess.DEVNULL, start_new_session=True)

        def ready():
            assert self.process.poll() is None, "pathcomp serve ended"
            with open(log, encoding="utf-8") as file:
                return "answers at" in file.read()
        wait_until(ready, "pathcomp serve")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Gateway:
    """One linkcast-dashboard on a port of its own, for the analyticsd `daemon`."""

    def __init__(self, daemon, *arguments, path=None, port=0, limits=False):
        self.folder = daemon.folder
        self.process = None
        self.port = port
        self.tls = "--certificate" in arguments
        self._log = os.path.join(self.folder, f"gateway-{os.getpid()}-{id(self)}.log")
        self._argv = [BINARY, "--api", daemon.api, "--events", daemon.events,
                      "--path", path.endpoint if path else f"ipc://{self.folder}/nobody", *arguments]
        if not limits:
            self._argv += ["--rate", "0"]

    @property
    def log(self):
        """What it said so far."""
        with open(self._log, encoding="utf-8") as file:
            return file.read()

    @property
    def url(self):
        """Where it answers, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self):
        """Start it, and wait until it listens."""
        with open(self._log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*self._argv, "--listen", f"127.0.0.1:{self.port}"], stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, env={k: v for k, v in os.environ.items() if not k.startswith("LINKCAST_")})

        def ready():
            assert self.process.poll() is None, f"linkcast-dashboard ended ({self.process.returncode}): {self.log}"
            return "ready\n" in self.log
        wait_until(ready, "linkcast-dashboard to be ready")
        self.port = int(re.search(r"https?://[^/]*:(\d+)/", self.log).group(1))
        return self

    def connected(self, **headers):
        """Wait until it has found analyticsd and hears its events."""
        wait_until(lambda: self.get("/readyz", **headers).status == 200, "the gateway to be connected")
        return self

    def __enter__(self):
        return self.start().connected()

    def __exit__(self, *_):
        self.kill()

    def stop(self, seconds=30):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        """SIGKILL, whatever its state. May be called twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # ---- asking

    def connection(self, seconds=60):
        """A new HTTP connection."""
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=seconds, context=context)

    def request(self, method, path, body=None, **headers):
        """One request over a connection of its own."""
        connection = self.connection()
        try:
            connection.request(method, path, body=body,
                               headers={name.replace("_", "-"): value for name, value in headers.items()})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        """A GET."""
        return self.request("GET", path, **headers)

    def api(self, name, body=None, **headers):
        """A request of the API as a POST; its answer."""
        return self.request("POST", "/api/v1/" + name, json.dumps(body if body is not None else {}),
                            Content_Type="application/json", **headers)

    def stream(self, query="", **headers):
        """An event stream."""
        return EventStream(self, query, headers)


class EventStream:
    """Server-sent events, read as they come: (id, event, data) each; the first one is "welcome"."""

    def __init__(self, gateway, query, headers):
        self._connection = gateway.connection()
        self._connection.request("GET", "/events" + query,
                                 headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.response = self._connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.welcome = self.next()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def next(self):
        """The next event; EOFError when the stream has ended."""
        fields = {}
        while True:
            line = self.response.readline()
            if line == b"":
                raise EOFError("the stream has ended")
            line = line.rstrip(b"\n").decode()
            if line == "" and "data" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
