"""Connections that come half-way: what a peer gets to see that dies, or means no good, in the middle of a handshake.

    with Cutter(port, after=65) as cutter:
        socket.connect(cutter.endpoint)     # 65 bytes reach 127.0.0.1:port, then nothing more, and nobody hangs up

SPDX-License-Identifier: MIT
"""

import contextlib
import selectors
import socket
import threading

CUTS = [0, 1, 10, 63, 64, 100, 264, 300, 500]  # in the greeting, behind it, and in the commands of CURVE


class Cutter:
    """Passes on the first `after` bytes from clients to a port of 127.0.0.1, and all that comes back."""

    def __init__(self, port, after):
        self._to, self._after = port, after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._open = [self._listener, self._wake, self._woken]
        self._left = {}
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._wake.send(b"x")
        self._thread.join()
        for one in self._open:
            one.close()
        self._selector.close()

    def _run(self):
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data()

    def _accept(self):
        client, _ = self._listener.accept()
        self._open.append(client)
        try:
            server = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            client.shutdown(socket.SHUT_RDWR)  # nobody is there any more
            return
        self._open.append(server)
        self._left[client] = self._after
        if self._after > 0:
            self._selector.register(client, selectors.EVENT_READ, lambda: self._pass_on(client, server))
        self._selector.register(server, selectors.EVENT_READ, lambda: self._pass_on(server, client))

    def _pass_on(self, source, target):
        try:
            data = source.recv(min(self._left.get(source, 65536), 65536))
            target.sendall(data)
        except OSError:
            data = b""
        if source in self._left:
            self._left[source] -= len(data)
        if not data or self._left.get(source) == 0:
            self._selector.unregister(source)  # and it stays open


class Cable:
    """A way to a port of 127.0.0.1 that can be pulled out: cut() ends what is connected and refuses what comes, mend()
    takes connections again."""

    def __init__(self, port):
        self._to = port
        self._lock = threading.Lock()
        self._pairs, self._threads = [], []
        self._listener = None
        self._address = ("127.0.0.1", 0)
        self.mend()
        self.endpoint = f"tcp://127.0.0.1:{self._address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()

    def mend(self):
        """Connections reach the port again."""
        self._listener = socket.create_server(self._address)
        self._address = self._listener.getsockname()
        self._start(self._accept, self._listener)

    def cut(self):
        """None does."""
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for one in self._pairs:
                with contextlib.suppress(OSError):  # its other end has left
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in [self._listener, *self._pairs]:
            one.close()
        self._pairs, self._threads = [], []

    def _start(self, what, *arguments):
        thread = threading.Thread(target=what, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with self._lock:
                self._pairs += [client, server]
                self._start(self._copy, client, server)
                self._start(self._copy, server, client)

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
