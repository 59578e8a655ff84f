"""A publisher that keeps its rows and gives them again when analyticsd asks, written from the protocol alone.

SPDX-License-Identifier: MIT
"""

import time

import msgpack
import zmq

from daemon import Publisher
from wire import BASIC


class ReplayingPublisher:
    """Rows are added to its ring with add(); publish() and drop() choose which of them go out.

    `questions` are the Replay requests that came; `answer` may be replaced to answer otherwise: a function of a
    question that returns the answer's map, or None for silence.
    """

    def __init__(self, daemon, host="h", name="p0", instance=7, bytes_per_second=125_000_000, step_ns=10 ** 9,
                 start_ns=None, **fields):
        self.daemon, self.host, self.name, self.instance = daemon, host, name, instance
        self.ring, self.held_from, self.questions = {}, 1, []
        self.answer, self.rows_per_answer = self.from_ring, 10 ** 6
        self._step_ns, self._rate = step_ns, bytes_per_second
        self._start_ns = start_ns or time.time_ns() - 3600 * 10 ** 9
        self._fields = fields
        self._context = zmq.Context()
        self._publisher = self._dealer = None
        self.connect()

    def connect(self, daemon=None):
        """(Again) to a daemon, which may be another one at the same endpoints."""
        self.disconnect()
        self.daemon = daemon or self.daemon
        self._publisher = Publisher(self.daemon, host=self.host, name=self.name, instance=self.instance, **self._fields)
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.LINGER, 0)
        self._dealer.connect(self.daemon.api)

    def disconnect(self):
        """As a network cut."""
        if self._publisher is not None:
            self._publisher.close()
            self._dealer.close()
            self._publisher = None

    def close(self):
        """End it."""
        self.disconnect()
        self._context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def last(self):
        """seq of the newest row."""
        return max(self.ring, default=0)

    def row(self, seq):
        """The row as publisher and test make it."""
        sent = seq * self._rate * self._step_ns // 10 ** 9
        return (seq, self._start_ns + seq * self._step_ns, {"tx_bytes": sent, "tx_packets": seq, "rx_bytes": sent // 2})

    def add(self, n):
        """n rows more; returns their numbers."""
        first = self.last + 1
        for seq in range(first, first + n):
            self.ring[seq] = self.row(seq)
        return range(first, first + n)

    def publish(self, seqs):
        """Publish rows, each in a message."""
        for seq in seqs:
            self._publisher.send(self.row(seq))

    def drop_below(self, seq):
        """The ring overflows."""
        self.held_from = seq
        for old in [s for s in self.ring if s < seq]:
            del self.ring[old]

    def sample(self, seqs):
        """A sample map of these rows."""
        rows = [[seq, ts_ns] + [counters.get(name, 0) for name in BASIC]
                for seq, ts_ns, counters in (self.row(s) for s in seqs)]
        return {**self._publisher.fields, "rows": rows}

    def hello_map(self, **changes):
        """What Hello says."""
        return {"v": 1, "host": self.host, "instance": self.instance, "interval_ns": self._step_ns, "dropped": 0,
                "ports": [{"port": 0, "name": self.name, "first_seq": self.held_from, "last_seq": self.last}], **changes}

    def hello(self, **changes):
        """Hello over the DEALER, and wait for its answer."""
        self.send({"op": "Hello", **self.hello_map(**changes)})
        return self.reply()

    def publish_hello(self):
        """Hello on the samples socket."""
        self._publisher.frame("hello", self.hello_map())

    def send(self, message):
        """Any map over the DEALER."""
        self._dealer.send_multipart([b"", msgpack.packb(message)])

    def receive(self, seconds):
        """The next map over the DEALER, or None."""
        if not self._dealer.poll(seconds * 1000):
            return None
        empty, frame = self._dealer.recv_multipart()
        assert empty == b""
        return msgpack.unpackb(frame)

    def reply(self, seconds=20):
        """The next reply; questions that come before it are kept."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.receive(0.1)
            if message is not None and "ok" in message:
                return message
            if message is not None:
                self.questions.append(message)
        raise AssertionError("no reply")

    def from_ring(self, question):
        """The answer of an honest publisher."""
        first, last = question["from_seq"], question["to_seq"]
        found = [seq for seq in sorted(self.ring) if first <= seq <= last]
        given = found[:self.rows_per_answer]
        answer = {"op": "Rows", "ref": question["ref"], "samples": [self.sample(given)] if given else [],
                  "more": len(found) > len(given)}
        if first < self.held_from:
            answer["gone_to_seq"] = min(self.held_from - 1, last)
        return answer

    def serve(self, condition, what, seconds=30):
        """Answer questions until `condition()` is true; returns its value."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(0.02)
            if message is not None and message.get("op") == "Replay":
                self.questions.append(message)
                answer = self.answer(message)
                if answer is not None:
                    self.send(answer)
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}; questions {self.questions[-3:]}"
