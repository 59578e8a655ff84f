# pathcomp_api.py: an analyticsd of a test's own making, written from the protocol page alone: it answers over
# ZeroMQ what the test tells it to, including the wrong things. What the real daemon does is tested with the
# real daemon.
# SPDX-License-Identifier: MIT
import threading

import msgpack
import zmq


class Refusal(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Silence(Exception):
    """No answer at all."""


class FakeApi:
    """Answers each request in a thread: `answers` maps an op to a function of the request."""

    def __init__(self, endpoint, answers):
        self.endpoint = endpoint
        self.answers = {"Ping": lambda request: {"version": "test", "uptime_seconds": 1.0}} | answers
        self.requests = []
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.bind(endpoint)
        self.stop = self.context.socket(zmq.PAIR)
        self.stop.bind("inproc://stop")
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        stopper = self.context.socket(zmq.PAIR)
        stopper.connect("inproc://stop")
        stopper.send(b"")
        self.thread.join()
        for socket in (stopper, self.stop, self.socket):
            socket.close(linger=0)
        self.context.term()

    def serve(self):
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        poller.register(self.stop, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self.stop in ready:
                return
            *envelope, frame = self.socket.recv_multipart()
            request = msgpack.unpackb(frame)
            self.requests.append(request)
            try:
                reply = {"ok": True} | self.answers[request["op"]](request)
            except Silence:
                continue
            except Refusal as refusal:
                reply = {"ok": False, "error": {"code": refusal.code, "message": str(refusal)}}
            self.socket.send_multipart([*envelope, msgpack.packb(reply)])

    def count(self, op):
        return sum(request["op"] == op for request in self.requests)


def link_view(link, state="up"):
    """A link of a topology file as GetTopology gives it."""
    view = {"bidirectional": True, "cost": 1.0, "admin_up": True, "state": state} | link
    if "used_capacity_gbps" in view:
        view.setdefault("used_capacity_reverse_gbps", view["used_capacity_gbps"])
    return view


def forecast_entry(link, direction, used_gbps, **more):
    entry = {
        "link_id": link["id"],
        "direction": direction,
        "current_used_capacity_gbps": link.get("used_capacity_gbps", 0.0),
        "forecast_used_capacity_gbps": used_gbps,
        "reserved_gbps": 0.0,
        "state": "up",
        "model": "seasonal",
        "samples": 1000,
        "step_seconds": 300.0,
        "peak_resolution_seconds": 300.0,
        "calibration_windows": 50,
    }
    if "total_capacity_gbps" in link:
        entry["total_capacity_gbps"] = link["total_capacity_gbps"]
    return entry | more
