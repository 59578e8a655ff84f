#!/usr/bin/python3
"""Writes the golden messages: what another program (python3-msgpack) makes of the documented protocol.

Run by hand when a message is added; the .hex files are committed, and an old one never changes.
SPDX-License-Identifier: MIT
"""
import pathlib

import msgpack

TIME = 1078099200123456789
BASIC = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors", "rx_nombuf"]

SAMPLE = {
    "v": 1, "host": "h1/tpmd-a", "instance": 0x7FEDCBA987654321, "port": 0, "name": "net_af_packet0",
    "link": "A-Z", "speed_mbps": 10000, "up": True, "epoch": 2, "names": BASIC,
    "rows": [[1, TIME, 10, 0, 1280, 0, 0, 0, 0, 0],
             [2, TIME + 10**9, 2**64 - 1, 2**63, 2**32, 2**32 - 1, 2**16, 256, 128, 127]],
}

MESSAGES = {
    "sample": SAMPLE,
    "hello": {
        "v": 1, "host": "h1", "instance": 7, "interval_ns": 10**9,
        "ports": [{"port": 0, "name": "net_null0", "link": "A-Z", "first_seq": 1, "last_seq": 3600},
                  {"port": 1, "name": "net_ring\u00e9", "first_seq": 1, "last_seq": 0}],
        "dropped": 0,
    },
    "set_topology": {
        "op": "SetTopology", "id": "42", "topology_id": "lab",
        "nodes": [{"id": "A", "x": -84.39, "y": 33.75}, {"id": "Z"}],
        "links": [{"id": "A-Z", "a": "A", "z": "Z", "bidirectional": True, "total_capacity_gbps": 9.92,
                   "used_capacity_gbps": 0.5, "used_capacity_reverse_gbps": 0.25, "cost": 1176.0,
                   "latency_ms": 2.5, "srlg": ["duct 1", "bridge"], "admin_up": True,
                   "ports": [{"host": "h1", "name": "net_null0", "end": "a"},
                             {"host": "h2", "name": "net_null0", "end": "z"}]}],
        "upload_id": "u1", "part": 1, "parts": 1,
    },
    "forecast_request": {
        "op": "ForecastLinkCapacity", "link_id": "A-Z", "direction": "reverse",
        "forecast_window_seconds": 604800.0, "as_of_ns": TIME, "start_ns": TIME + 1, "statistic": "mean",
        "quantile": 0.99, "model": "harmonic", "series": True, "peak_resolution_seconds": 300.0,
        "strict_history": False, "each_step": True,
    },
    "forecast_reply": {
        "ok": True, "id": "7", "link_id": "A-Z", "direction": "reverse", "total_capacity_gbps": 10.0,
        "current_used_capacity_gbps": 1.5, "forecast_used_capacity_gbps": 12.25, "reserved_gbps": 0.0,
        "state": "stale", "model": "harmonic", "history_from_ns": TIME - 10**15, "history_to_ns": TIME,
        "samples": 4032, "step_seconds": 300.0, "peak_resolution_seconds": 300.0, "staleness_seconds": 86400.0,
        "backtest_mase": 0.87, "calibration_windows": 19, "coverage": 0.95,
        "fallback_reason": "history ends 1 d ago",
        "series": [[TIME + 300 * 10**9, 1.0, 0.5, 12.25], [TIME + 600 * 10**9, 1.25, 0.75, 12.0]],
    },
    "reserve_request": {
        "op": "Reserve", "id": "9", "request_id": "order 17", "topology_id": "lab",
        "links": [{"link_id": "A-Z", "direction": "forward"}, {"link_id": "Z-B", "direction": "reverse"}],
        "gbps": 2.5, "start_ns": TIME, "end_ns": TIME + 3600 * 10**9, "duration_seconds": 3600.0, "quantile": 0.99,
        "version": 12, "evidence": "{}", "traffic": "metered",
        "meter": {"host": "h1", "name": "net_null0", "way": "rx", "link_id": "A-Z", "direction": "reverse"},
        "service_id": "svc-3", "dry_run": True, "from": "A", "to": "B", "forecaster": "on", "unknown": "refuse",
        "max_utilization": 0.75,
    },
    "service_event": {
        "service_id": "svc-3", "change": "changed", "ts_ns": TIME,
        "service": {"service_id": "svc-3", "version": 2, "state": "active", "request_id": "order 17",
                    "topology_id": "lab", "from": "A", "to": "B",
                    "links": [{"link_id": "A-Z", "direction": "forward"}], "gbps": 2.5, "start_ns": TIME - 1,
                    "end_ns": TIME + 1, "quantile": 0.95, "traffic": "assumed", "admitted_ns": TIME - 2,
                    "changed_ns": TIME, "ledger_version": 2**40},
    },
    "replay_request": {"op": "Replay", "ref": 2**40, "port": "net_af_packet0", "from_seq": 1, "to_seq": 2**33},
    "replay_rows": {"op": "Rows", "ref": 2**40, "samples": [SAMPLE, {**SAMPLE, "epoch": 3}], "gone_to_seq": 255,
                    "more": True},
    "lcores": {
        "v": 1, "host": "h1", "instance": 7, "ts_ns": TIME,
        "lcores": [{"lcore": 0, "role": "main"}, {"lcore": 1, "role": "worker", "busy": 0.25},
                   {"lcore": 300, "role": "non_eal", "busy": 1.0}],
    },
    "error_reply": {
        "ok": False, "id": "\u4e03", "error": {"code": "NOT_FOUND", "message": "link 'x' does not exist"},
    },
}


def main():
    folder = pathlib.Path(__file__).parent
    for name, message in MESSAGES.items():
        digits = msgpack.packb(message, use_bin_type=True).hex()
        lines = [digits[i:i + 96] for i in range(0, len(digits), 96)]
        (folder / f"{name}.hex").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
