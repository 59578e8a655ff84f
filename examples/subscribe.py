#!/usr/bin/python3
"""Prints the rate of each port that a Linkcast plugin or analyticsd publishes.

usage: subscribe.py ENDPOINT      such as ipc:///run/linkcast/events

SPDX-License-Identifier: MIT
"""
import sys

import msgpack
import zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe(b"sample/")
last = {}

while True:
    topic, payload = socket.recv_multipart()
    sample = msgpack.unpackb(payload)
    port = (sample["host"], sample["name"])
    for seq, ts_ns, *values in sample["rows"]:
        row = dict(zip(sample["names"], values), ts_ns=ts_ns, epoch=sample["epoch"])
        before = last.get(port)
        last[port] = row
        if before and before["epoch"] == row["epoch"] and ts_ns > before["ts_ns"]:
            gbps = (row["rx_bytes"] - before["rx_bytes"]) * 8 / (ts_ns - before["ts_ns"])
            print("/".join(port), "receives", f"{gbps:.6f} Gbps", flush=True)
