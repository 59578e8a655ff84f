"""Linkcast's messages as a stranger reads them: written from the protocol alone, with pyzmq and msgpack.

SPDX-License-Identifier: MIT
"""

import threading
import time

import msgpack
import zmq

BASIC = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors", "rx_nombuf"]


def sample_rows(sample):
    """The rows of a sample as maps."""
    rows = []
    for row in sample["rows"]:
        entry = dict(zip(["seq", "ts_ns"] + sample["names"], row, strict=True))
        for key in ("epoch", "up", "instance", "port", "speed_mbps"):
            entry[key] = sample[key]
        entry["link"] = sample.get("link")
        rows.append(entry)
    return rows


class Subscriber:
    """A SUB socket that keeps all it heard: `samples`, `hellos` and `lcores` are lists of maps, `topics` a set.

    bind=True: publishers connect to `endpoint`, as they do to analyticsd; else it connects to a publisher.
    """

    def __init__(self, endpoint, bind=True, topic=b"", prepare=lambda socket: None):
        self.samples, self.hellos, self.lcores, self.topics = [], [], [], set()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        prepare(self._socket)
        if bind:
            self._socket.bind(endpoint)
        else:
            self._socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the socket."""
        self._socket.close()
        self._context.term()

    def _take(self, frames):
        topic, payload = frames
        body = msgpack.unpackb(payload, raw=False)
        self.topics.add(topic.decode())
        if topic.startswith(b"sample/"):
            self.samples.append(body)
        elif topic.startswith(b"hello/"):
            self.hellos.append(body)
        elif topic.startswith(b"lcore/"):
            self.lcores.append(body)

    def until(self, condition, what, seconds=30.0):
        """Listen until `condition(self)` is true; returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            while self._socket.poll(0):
                self._take(self._socket.recv_multipart())
            value = condition(self)
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s for {what}: {len(self.samples)} samples, "
                                     f"{len(self.hellos)} hellos")
            self._socket.poll(50)

    def rows(self, name):
        """All rows of a port: [{"seq", "ts_ns", "epoch", "up", "instance", counter: value, ...}]."""
        return [row for sample in self.samples if sample["name"] == name for row in sample_rows(sample)]


class Server:
    """A ROUTER that answers like analyticsd's API, on a thread of its own.

    answers: {op: function(request) -> the reply's fields}. An op without one is UNIMPLEMENTED.
    `requests` is all that was asked.
    """

    def __init__(self, endpoint, answers, prepare=lambda socket: None):
        self.endpoint = endpoint
        self._prepare = prepare
        self.requests = []
        self._answers = answers
        self._stop = threading.Event()
        self._bound = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        assert self._bound.wait(10), "the test's server did not come up"
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def asked(self, operation):
        """The requests of one kind."""
        return [request for request in list(self.requests) if request.get("op") == operation]

    def _reply(self, request):
        answer = self._answers.get(request.get("op"))
        if answer is None:
            return {"ok": False, "error": {"code": "UNIMPLEMENTED", "message": "no such operation"}}
        return {"ok": True, **answer(request)}

    def _run(self):
        context = zmq.Context()
        socket = context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        self._prepare(socket)
        socket.bind(self.endpoint)
        self._bound.set()
        while not self._stop.is_set():
            if not socket.poll(20):
                continue
            *head, payload = socket.recv_multipart()
            request = msgpack.unpackb(payload, raw=False)
            self.requests.append(request)
            socket.send_multipart([*head, msgpack.packb(self._reply(request))])
        socket.close()
        context.term()
