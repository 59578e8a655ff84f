"""What tests of alerts share: who listens to them, and a port whose traffic and faults the test chooses.

SPDX-License-Identifier: MIT
"""

import os
import time

import msgpack
import zmq

from daemon import Publisher
from testpmd import wait_until

NS = 10**9


class Events:
    """A SUB socket on the events endpoint that keeps the alert events."""

    def __init__(self, daemon, topic=b"alert/"):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._socket.connect(daemon.events)
        assert self._monitor.poll(20000), "no connection to the events"
        self.events, self.topics = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close()
        self._context.term()

    def read(self):
        """Take what has come."""
        while self._socket.poll(0):
            topic, payload = self._socket.recv_multipart()
            self.topics.append(topic.decode())
            self.events.append(msgpack.unpackb(payload))
        return self.events

    def until(self, rule, change, seconds=40):
        """The first event of that rule and change."""
        def found():
            return next((e for e in self.read() if e["alert"]["rule"] == rule and e["change"] == change), None)
        return wait_until(found, f"{rule} {change}: {[(e['alert']['rule'], e['change']) for e in self.events]}",
                          seconds)


class Port:
    """A publisher whose rows come as fast as asked for: a second of its own time each."""

    def __init__(self, daemon, seconds_ago=600, **fields):
        self.publisher = Publisher(daemon, **fields)
        self.daemon = daemon
        self.seq = 0
        self.ts_ns = time.time_ns() - seconds_ago * NS
        self.counters = dict.fromkeys(
            ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors", "rx_nombuf"), 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.publisher.close()

    def run(self, seconds, up=True, rate=1000, batch=1, **bad):
        """So many seconds of traffic, with so much of what is bad in each; `batch` rows in a message."""
        rows = []
        for i in range(seconds):
            self.seq += 1
            self.ts_ns += NS
            # not the same each second, as no traffic is
            packets = (rate + (self.seq * 7919) % 97) if up and rate else 0
            for way in ("rx", "tx"):
                self.counters[way + "_packets"] += packets
                self.counters[way + "_bytes"] += 500 * packets
            for name, count in bad.items():
                self.counters[name] += count
            rows.append((self.seq, self.ts_ns, dict(self.counters)))
            if len(rows) == batch or i == seconds - 1:
                self.publisher.send(*rows, up=up)
                rows = []
        return self

    def stored(self):
        """Wait until all of it is in the history."""
        wait_until(lambda: self.daemon.metrics()["rows_stored"] >= self.seq, "all rows to be stored")
        return self

    def seen(self):
        """Wait until the detector has looked at all of it."""
        def is_seen():
            metrics = self.daemon.metrics()
            return min(metrics["detect_rows"], metrics["rows_stored"]) >= self.seq
        wait_until(is_seen, "the detector to have seen all rows")
        return self


def alerts_file(folder, text):
    path = os.path.join(folder, "alerts.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def active(daemon, **fields):
    return daemon.ask("ListAlerts", state="active", **fields)["alerts"]


def actions_of(daemon):
    return [action for alert in daemon.ask("ListAlerts")["alerts"] for action in alert.get("actions", [])]
