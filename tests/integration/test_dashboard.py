"""The dashboard's gateway from outside: HTTP as browsers, scripts and Prometheus speak it, in front of a real
analyticsd and `pathcomp serve`.

SPDX-License-Identifier: MIT
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

from daemon import Analyticsd, Publisher
from gateway import BINARY, Answer, Gateway, PathServer
from openmetrics import parse
from testpmd import build_folder, wait_until
from wire import BASIC

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OPENAPI = os.path.join(build_folder(), "dashboard", "openapi.json")
EVERY_ROLE = [word for role in ("read", "admit", "admin", "publish") for word in ("--role", role)]
RING = {"topology_id": "ring", "nodes": [{"id": name} for name in "abc"],
        "links": [{"id": a + z, "a": a, "z": z, "total_capacity_gbps": 10, "used_capacity_gbps": 1,
                   "ports": [{"host": "h", "name": "p0", "end": "a"}] if a + z == "ab" else []}
                  for a, z in ("ab", "bc", "ca")]}


@pytest.fixture(name="daemon")
def _daemon(sockets):
    with Analyticsd(sockets) as daemon:
        daemon.ask("SetTopology", **RING)
        yield daemon


@pytest.fixture(name="gateway")
def _gateway(daemon):
    with Gateway(daemon, *EVERY_ROLE) as gateway:
        yield gateway


def rows(first, count, **counters):
    """Rows of counters that grow, a second apart, the last one now."""
    now = time.time_ns()
    return [(first + i, now - (count - 1 - i) * 10 ** 9, {name: step * (first + i) for name, step in counters.items()})
            for i in range(count)]


# ---- requests

def test_a_request_is_answered_in_json(gateway):
    answer = gateway.api("GetTopology", {"topology_id": "ring", "id": "mine"})
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json["ok"] and answer.json["id"] == "mine" and len(answer.json["links"]) == 3


def test_what_only_reads_may_be_asked_with_get(gateway):
    answer = gateway.get("/api/v1/ForecastLinkCapacity?link_id=ab&forecast_window_seconds=3600&series=true")
    assert answer.status == 200 and answer.json["link_id"] == "ab" and "series" in answer.json
    assert gateway.get("/api/v1/listtopologies").json["topologies"][0]["topology_id"] == "ring"
    assert gateway.get("/api/v1/SetLink?link_id=ab&admin_up=false").status == 400
    assert gateway.get("/api/v1/GetTopology?topology_id=ring").json["links"][0]["admin_up"]


@pytest.mark.parametrize("path, status, code", [
    ("ForecastLinkCapacity?link_id=nowhere&forecast_window_seconds=60", 404, "NOT_FOUND"),
    ("ForecastLinkCapacity?link_id=ab", 400, "INVALID_ARGUMENT"),
    ("ForecastLinkCapacity?link_id=ab&forecast_window_seconds=x", 400, "INVALID_ARGUMENT"),
    ("GetTopology?colour=red", 400, "INVALID_ARGUMENT"),
    ("Nonsense", 404, "NOT_FOUND"),
    ("ComputePath?from=a&to=b&gbps=1", 503, "UNAVAILABLE"),
])
def test_a_refusal_has_the_status_of_its_code(gateway, path, status, code):
    answer = gateway.get("/api/v1/" + path)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.json["ok"] is False and answer.json["error"]["message"]


def test_json_that_the_schema_refuses_does_not_reach_analyticsd(gateway, daemon):
    before = daemon.metrics()["requests"]
    for body in ("{", "[]", "{\"link_id\": 7}", "{\"link_id\":\"ab\",\"link_id\":\"ab\"}", "{\"link_id\":\"a\\u0001\"}"):
        answer = gateway.request("POST", "/api/v1/SetLink", body, Content_Type="application/json")
        assert (answer.status, answer.json["error"]["code"]) == (400, "INVALID_ARGUMENT"), body
    assert daemon.metrics()["requests"] == before + 1


def test_paths_and_services_come_from_pathcomp_serve(daemon):
    with PathServer(daemon) as path, Gateway(daemon, path=path) as gateway:
        wait_until(lambda: gateway.get("/api/v1/about").json["pathcomp"], "pathcomp to be connected")
        ask = {"topology_id": "ring", "from": "a", "to": "b", "gbps": 8, "duration_seconds": 3600, "id": "q"}
        answer = gateway.api("ComputePath", ask).json
        assert answer["status"] == "path" and answer["paths"][0]["links"] == ["ab"] and answer["id"] == "q"
        assert gateway.api("RequestService", {**ask, "request_id": "r1"}).json["service_id"]
        assert len(gateway.api("ListServices").json["services"]) == 1
        assert gateway.api("ComputePath", ask).json["paths"][0]["links"] == ["ca", "bc"]


def test_a_role_that_is_not_given_is_refused(daemon):
    with Gateway(daemon, "--role", "read") as gateway:
        assert gateway.get("/api/v1/about").json["roles"] == ["read"]
        assert gateway.api("ListTopologies").status == 200
        for name in ("Release", "DeleteTopology"):
            answer = gateway.api(name, {"service_id": "x", "topology_id": "ring"})
            assert (answer.status, answer.json["error"]["code"]) == (403, "PERMISSION_DENIED")
    assert len(daemon.ask("ListTopologies")["topologies"]) == 1


def test_many_requests_at_once_get_their_own_answers(gateway):
    wrong = []

    def ask(number):
        for i in range(20):
            link = ("ab", "bc", "ca")[(number + i) % 3]
            answer = gateway.get(f"/api/v1/ForecastLinkCapacity?link_id={link}&forecast_window_seconds={60 + i}&id={number}.{i}")
            if answer.status != 200 or answer.json["link_id"] != link or answer.json["id"] != f"{number}.{i}":
                wrong.append(answer.body)
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- the OpenAPI file

class Schema:
    """So much of JSON Schema as the file uses. An object may have more than is listed: messages grow."""

    def __init__(self, document):
        self.document = document

    def resolve(self, schema):
        """Follow a $ref."""
        if "$ref" not in schema:
            return schema
        node = self.document
        for part in schema["$ref"][2:].split("/"):
            node = node[part]
        return self.resolve(node)

    def faults(self, value, schema, where="$"):
        """What is wrong with a value."""
        schema = self.resolve(schema)
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}
        found = [fault for part in schema.get("allOf", ()) for fault in self.faults(value, part, where)]
        if "const" in schema and value != schema["const"]:
            found.append(f"{where}: not {schema['const']}")
        if "type" in schema and (not isinstance(value, kinds[schema["type"]]) or
                                 (isinstance(value, bool) and schema["type"] != "boolean")):
            return found + [f"{where}: {value!r} is no {schema['type']}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is no such word")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where}: {value!r} has another form")
        if isinstance(value, dict):
            found += [f"{where}: no {name}" for name in schema.get("required", ()) if name not in value]
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    found += self.faults(value[name], inner, f"{where}.{name}")
        if isinstance(value, list):
            first = schema.get("prefixItems", ())
            for i, element in enumerate(value):
                inner = first[i] if i < len(first) else schema.get("items", {})
                found += self.faults(element, inner, f"{where}[{i}]")
        return found


# A request for each operation that a ring can be asked; those without one are asked with nothing, and must be refused
# for what is missing, not for being unknown.
ASKS = {
    "Ping": {}, "ListTopologies": {}, "ListSources": {}, "Metrics": {}, "ListServices": {}, "PathPing": {},
    "ListAlerts": {}, "ListLabels": {}, "ListModels": {}, "Check": {},
    "GetTopology": {"topology_id": "ring"}, "SetTopology": {**RING, "topology_id": "other"},
    "SetLink": {"link_id": "ab", "total_capacity_gbps": 12.5},
    "AppendKpi": {"link_id": "bc", "kpi": 302, "samples": [["1700000000000000000", 1.5], ["1700000300000000000", 2]]},
    "QueryKpi": {"link_id": "bc", "from_ns": "0", "to_ns": "1800000000000000000"},
    "QueryPort": {"host": "h", "name": "p0", "from_ns": "0", "to_ns": "9000000000000000000"},
    "ForecastLinkCapacity": {"link_id": "bc", "forecast_window_seconds": 3600, "series": True},
    "ForecastTopologyCapacity": {"topology_id": "ring", "forecast_window_seconds": 3600},
    "ComputePath": {"topology_id": "ring", "from": "a", "to": "b", "gbps": 1},
    "RequestService": {"topology_id": "ring", "from": "a", "to": "b", "gbps": 1, "duration_seconds": 60},
    "Reserve": {"request_id": "r", "topology_id": "ring", "links": [{"link_id": "ab"}], "gbps": 1, "duration_seconds": 60},
}


def test_the_openapi_file_holds_against_the_running_server(daemon):
    with open(OPENAPI, encoding="utf-8") as file:
        document = json.load(file)
    schema = Schema(document)
    with Publisher(daemon) as publisher, PathServer(daemon) as path, Gateway(daemon, *EVERY_ROLE, path=path) as gateway:
        publisher.send(*rows(1, 3, rx_bytes=2 ** 60))
        wait_until(lambda: daemon.metrics()["rows_stored"] >= 3, "the rows")
        wait_until(lambda: gateway.get("/api/v1/about").json["pathcomp"], "pathcomp to be connected")
        assert gateway.get("/api/v1/openapi.json").json == document
        answered = 0
        for where, methods in document["paths"].items():
            for method, operation in methods.items():
                if where in ("/events", "/metrics"):
                    continue
                name = where.rpartition("/")[2]
                ask = ASKS.get(name)
                answer = gateway.api(name, ask) if method == "post" else gateway.get(
                    where + ("?" + urllib.parse.urlencode(ask) if ask and "/api/" in where else "").replace("True", "true"))
                assert answer.status not in (404, 405, 501) or answer.json["error"]["code"] == "NOT_FOUND", (where, answer.body)
                if ask is None and "/api/" in where and name not in ("about", "openapi.json"):
                    assert answer.status != 200 or name == "Hello", f"{where} was asked nothing and answered"
                described = schema.resolve(operation["responses"].get(str(answer.status)) or operation["responses"]["default"])
                content = described["content"]["application/json"]
                assert schema.faults(answer.json, content.get("schema", {})) == [], (where, method)
                answered += answer.status == 200
        assert answered >= len(ASKS)


def test_every_request_of_the_protocol_page_is_in_the_openapi_file():
    with open(os.path.join(ROOT, "docs", "protocol.md"), encoding="utf-8") as file:
        page = file.read().partition("\n## Requests\n")[2].partition("\n## ")[0]
    asked = set(re.findall(r"^\| `([A-Z]\w+)` \| \[\w+\]\(#\w+\) \| \[", page, re.M))
    with open(OPENAPI, encoding="utf-8") as file:
        paths = {path.rpartition("/")[2] for path in json.load(file)["paths"]}
    assert len(asked) > 20 and asked <= paths


# ---- who may ask

@pytest.mark.parametrize("headers, status", [
    ({"Host": "localhost:5580"}, 200), ({"Host": "127.0.0.1"}, 200), ({"Host": "[::1]:1"}, 200),
    ({"Host": "attacker.example"}, 403), ({"Host": "127.0.0.1.attacker.example"}, 403), ({"Host": ""}, 400),
    ({"Host": "localhost:x"}, 400),
    ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200), ({"Host": "localhost", "Origin": "http://localhost:2"}, 403),
    ({"Host": "localhost", "Origin": "null"}, 403), ({"Host": "localhost", "Origin": "http://attacker.example"}, 403),
    ({"Host": "localhost", "Sec-Fetch-Site": "cross-site"}, 403), ({"Host": "localhost", "Sec-Fetch-Site": "same-origin"}, 200),
])
def test_other_hosts_and_origins_are_refused(gateway, headers, status):
    assert gateway.request("GET", "/api/v1/Ping", **headers).status == status


def test_a_form_of_another_site_cannot_ask(gateway):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"):
        assert gateway.request("POST", "/api/v1/Ping", "{}", Content_Type=kind).status == 400
    assert gateway.request("POST", "/api/v1/Ping", "{}").status == 400
    assert gateway.request("OPTIONS", "/api/v1/Ping", Origin="http://attacker.example").status == 403


def test_answers_forbid_scripts_of_others(gateway):
    for path in ("/", "/api/v1/Ping", "/metrics", "/nowhere"):
        headers = gateway.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"] and "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_paths_lead_to_no_other_file(gateway):
    for path in ("/../meson.build", "/%2e%2e/meson.build", "/..%2fmeson.build", "//etc/passwd", "/page/index.html", "/index.html"):
        assert gateway.get(path).status == 404


@pytest.fixture(name="secrets")
def _secrets(sockets):
    """A token, a certificate and its key."""
    files = {name: os.path.join(sockets, name) for name in ("token", "certificate", "key")}
    with open(files["token"], "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write("correct-horse-battery\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", files["key"], "-out", files["certificate"], "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    os.chmod(files["key"], 0o600)
    return files


def test_with_a_token_all_but_the_page_needs_it(daemon, secrets):
    gateway = Gateway(daemon, "--token", secrets["token"], "--certificate", secrets["certificate"], "--key", secrets["key"])
    with gateway:
        for path in ("/", "/healthz", "/api/v1/openapi.json"):
            assert gateway.get(path).status == 200
        for path in ("/api/v1/Ping", "/metrics", "/events", "/api/v1/about"):
            refused = gateway.get(path)
            assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Bearer")
            for wrong in ("Bearer ", "Bearer wrong-horse-battery", "Bearer correct-horse-batter", "Basic correct-horse-battery"):
                assert gateway.get(path, Authorization=wrong).status == 401
        right = {"Authorization": "Bearer correct-horse-battery"}
        assert gateway.get("/api/v1/Ping", **right).json["ok"] and gateway.get("/metrics", **right).status == 200
        with gateway.stream(**right) as stream:
            assert stream.welcome[1] == "welcome"
        assert "correct-horse" not in gateway.log


def test_other_machines_take_token_and_tls(sockets, secrets):
    def start(*arguments):
        return subprocess.run([BINARY, "--api", f"ipc://{sockets}/api", *arguments], capture_output=True, text=True,
                              timeout=30, check=False)
    token, tls = ["--token", secrets["token"]], ["--certificate", secrets["certificate"], "--key", secrets["key"]]
    for arguments in ([], token, tls, token + tls[:2]):
        done = start("--listen", "0.0.0.0:0", *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    os.chmod(secrets["token"], 0o644)
    done = start("--listen", "127.0.0.1:0", *token)
    assert done.returncode == 1 and "chmod 600" in done.stderr
    assert start("--rate", "many").returncode == 2 and start("--colour").returncode == 2


# ---- limits

def test_a_body_has_a_limit(gateway):
    for header in ("Content-Length: 9000000", "Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
            client.sendall(f"POST /api/v1/Ping HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{header}\r\n\r\n".encode())
            if "chunked" in header:
                try:
                    for _ in range(20):
                        client.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                    client.sendall(b"0\r\n\r\n")
                except OSError:
                    continue  # cut
            status = client.recv(64)
            assert status == b"" or b" 413 " in status
    assert gateway.get("/healthz").status == 200


def test_an_address_has_a_limit_of_requests(daemon):
    gateway = Gateway(daemon, "--rate", "1", limits=True).start()
    try:
        answers = [gateway.get("/healthz") for _ in range(12)]
        assert answers[0].status == 200 and answers[-1].status == 429 and answers[-1].headers["retry-after"] == "1"
    finally:
        gateway.kill()


def test_streams_leave_connections_for_requests(daemon):
    with Gateway(daemon, "--connections", "8") as gateway:
        streams = [gateway.stream() for _ in range(6)]
        refused = gateway.get("/events")
        assert refused.status == 429 and refused.json["error"]["code"] == "RESOURCE_EXHAUSTED"
        assert gateway.get("/healthz").status == 200
        for stream in streams:
            stream.close()
        wait_until(lambda: "linkcast_gateway_streams 0" in gateway.get("/metrics").body.decode(), "the streams to end")
        gateway.stream().close()


def test_nonsense_ends_no_more_than_its_own_connection(gateway):
    for noise in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100, b"A" * 70000,
                  b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 9000 + b"\r\n",
                  b"POST /api/v1/Ping HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                  b"POST /api/v1/Ping HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
            try:
                client.sendall(noise)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
            except OSError:
                pass
    assert gateway.get("/healthz").status == 200


# ---- events

def test_events_are_those_that_analyticsd_publishes(gateway, daemon):
    with Publisher(daemon) as publisher, gateway.stream("?topic=sample/h/") as samples, \
            gateway.stream("?topic=forecast/&topic=service/") as others:
        publisher.send(*rows(1, 1, rx_bytes=2 ** 60 + 1))
        event_id, kind, data = samples.next()
        assert kind == "sample" and data["topic"] == "sample/h/p0/" and event_id
        assert dict(zip(data["names"], data["rows"][0][2:]))["rx_bytes"] == str(2 ** 60 + 1)
        daemon.ask("ForecastLinkCapacity", link_id="bc", forecast_window_seconds=60)
        event_id, kind, data = others.next()
        assert (kind, data["topic"], data["link_id"]) == ("forecast", "forecast/bc/", "bc")


def forecast(daemon, seconds, link="bc"):
    """Makes analyticsd publish a forecast: a window that it has not been asked for."""
    daemon.ask("ForecastLinkCapacity", link_id=link, forecast_window_seconds=seconds)


def test_a_stream_goes_on_where_it_broke_off(gateway, daemon):
    with gateway.stream("?topic=forecast/") as watcher, gateway.stream("?topic=forecast/") as first:
        forecast(daemon, 60)
        last_id, _, _ = first.next()
        assert watcher.next()[0] == last_id
        first.close()
        forecast(daemon, 61)
        forecast(daemon, 62)
        missed = [watcher.next()[0] for _ in range(2)]
        with gateway.stream("?topic=forecast/", Last_Event_ID=last_id) as again:
            assert again.welcome[2] == {"missed": False}
            assert [again.next()[0] for _ in range(2)] == missed
        with gateway.stream("?topic=forecast/&last_id=1-1") as other:
            assert other.welcome[2] == {"missed": True}


def test_every_keeps_the_newest_of_each_topic(gateway, daemon):
    with gateway.stream("?topic=forecast/") as watcher, gateway.stream("?topic=forecast/&every=1s") as calm:
        for seconds in range(60, 80):
            forecast(daemon, seconds)
            forecast(daemon, seconds, "ca")
        newest = [watcher.next() for _ in range(40)][-2:]
        got = []
        while not got or got[-1][0] != newest[-1][0]:
            got.append(calm.next())
        assert len(got) <= 10 and newest[0][0] in [event[0] for event in got]
    assert gateway.get("/events?every=soon").status == 400 and gateway.get("/events?topic").status == 400


def test_a_slow_reader_is_dropped_and_not_waited_for(gateway, daemon):
    names = BASIC + [f"counter_{i}" for i in range(3000)]
    slow = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /events?topic=sample/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert slow.recv(12) == b"HTTP/1.1 200"

    def dropped():
        return re.search(r"streams_dropped_total (\d+)", gateway.get("/metrics").body.decode()).group(1) == "1"
    with gateway.stream("?topic=sample/") as quick, Publisher(daemon, names=names) as publisher:
        # about 70 kB a row: more than the ring and the sockets hold between them
        for seq in range(1, 901):
            publisher.frame("sample", {**publisher.fields, "rows": [[seq, time.time_ns()] + [2 ** 63] * len(names)]})
            assert quick.next()[2]["rows"][0][0] == str(seq)
        wait_until(dropped, "the slow stream to be dropped")
    slow.settimeout(60)
    with pytest.raises(OSError):  # what is on its way comes, then the end
        while slow.recv(1 << 20):
            pass
        raise OSError("ended")
    slow.close()


def test_streams_end_when_the_gateway_stops(daemon):
    with Gateway(daemon) as gateway, gateway.stream() as stream:
        assert gateway.stop() == 0
        with pytest.raises((EOFError, OSError)):
            while True:
                stream.next()


# ---- health

def test_ready_follows_analyticsd(daemon):
    with Gateway(daemon) as gateway:
        assert daemon.stop() == 0
        wait_until(lambda: gateway.get("/readyz").status == 503, "the gateway to notice")
        assert gateway.get("/healthz").status == 200 and gateway.get("/").status == 200
        refused = gateway.api("ListTopologies")
        assert (refused.status, refused.json["error"]["code"]) == (503, "UNAVAILABLE")
        daemon.start()
        wait_until(lambda: gateway.get("/readyz").status == 200, "the gateway to find analyticsd again")
        assert gateway.api("ListTopologies").json["topologies"]


# ---- metrics

def scrape(gateway):
    """Families of a scrape, checked for form."""
    answer = gateway.get("/metrics")
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return parse(answer.body.decode())


def test_counters_are_exact_and_named_as_dpdk_names_them(gateway, daemon):
    with Publisher(daemon, name='odd "name"\\', names=[
            "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_missed", "rx_errors", "tx_errors", "rx_nombuf",
            "rx_q0_packets"]) as publisher:
        publisher.frame("sample", {**publisher.fields, "link": "ab", "rows": [
            [1, time.time_ns(), 2 ** 64 - 1, 2, 2 ** 53 + 1, 4, 5, 6, 7, 8, 9]]})
        labels = (("host", "h"), ("link", "ab"), ("port", 'odd "name"\\'))
        families = wait_until(lambda: (found := scrape(gateway))["dpdk_ethdev_rx_packets"].samples and found, "the port")
    assert families["dpdk_ethdev_rx_packets"].kind == "counter"
    assert families["dpdk_ethdev_rx_packets"].samples[("_total", labels)] == str(2 ** 64 - 1)
    assert families["dpdk_ethdev_rx_bytes"].unit == "bytes"
    assert families["dpdk_ethdev_rx_bytes"].samples[("_total", labels)] == str(2 ** 53 + 1)
    assert families["dpdk_ethdev_rx_nombuf"].samples[("_total", labels)] == "8"
    assert list(families["dpdk_ethdev_xstats"].samples.values()) == ["9"]


def test_links_and_their_forecasts_are_gauges(gateway, daemon):
    now = time.time_ns() // (300 * 10 ** 9) * 300 * 10 ** 9
    daemon.ask("AppendKpi", link_id="bc", kpi=302,
               samples=[[now - (600 - i) * 300 * 10 ** 9, 2 + i % 12 / 10] for i in range(600)])
    daemon.ask("SetTopology", **{**RING, "topology_id": "again"})  # the same links: told once

    def forecasts():
        found = scrape(gateway)
        return found if len(found["linkcast_link_forecast_used_bits_per_second"].samples) == 12 else None
    families = wait_until(forecasts, "forecasts of 3 links, 2 directions, 2 horizons")
    for horizon in ("3600", "43200"):
        key = ("", (("direction", "forward"), ("horizon_seconds", horizon), ("link", "bc"), ("quantile", "0.95")))
        assert 2.5e9 < float(families["linkcast_link_forecast_used_bits_per_second"].samples[key]) < 4e9
    assert len(families["linkcast_link_capacity_bits_per_second"].samples) == 3
    states = families["linkcast_link_state"]
    assert states.kind == "stateset" and len(states.samples) == 15 and list(states.samples.values()).count("1") == 3
    assert families["linkcast_analyticsd_up"].samples[("", ())] == "1"
    assert float(families["linkcast_analyticsd_kpi_points_stored"].samples[("", ())]) == 600


def test_metrics_tell_when_analyticsd_is_away(daemon):
    with Gateway(daemon) as gateway:
        daemon.stop()
        wait_until(lambda: scrape(gateway)["linkcast_analyticsd_up"].samples[("", ())] == "0", "the gateway to notice")


PROMETHEUS = os.path.join(ROOT, "dashboard", "prometheus")


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_a_real_prometheus_scrapes_it(daemon, sockets):
    with open(os.path.join(PROMETHEUS, "prometheus.yml"), encoding="utf-8") as file:
        config = file.read()
    with Publisher(daemon) as publisher, Gateway(daemon) as gateway:
        publisher.send(*rows(1, 1, rx_packets=41))
        assert "127.0.0.1:5580" in config
        path = os.path.join(sockets, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config.replace("127.0.0.1:5580", f"127.0.0.1:{gateway.port}").replace("15s", "1s").replace("10s", "1s"))
        subprocess.run(["promtool", "check", "config", path], check=True, capture_output=True)
        with Prometheus(path, sockets) as prometheus:
            def one(query):
                found = prometheus.query(query)
                return found[0]["value"][1] if found else None
            wait_until(lambda: one("dpdk_ethdev_rx_packets_total") == "41", "the counter in Prometheus", 60)
            wait_until(lambda: one("count(linkcast_link_forecast_used_bits_per_second)") == "12", "forecasts", 60)
            kinds = prometheus.ask("/api/v1/metadata")
            assert kinds["dpdk_ethdev_rx_packets"][0]["type"] == "counter"
            assert one("up") == "1" and prometheus.ask("/api/v1/targets")["activeTargets"][0]["lastError"] == ""
            for query in grafana_queries():
                prometheus.query(query)


def grafana_queries():
    """The queries of the Grafana dashboard, its variables replaced as Grafana does."""
    with open(os.path.join(PROMETHEUS, "grafana", "linkcast.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(found) > 8
    return [query.replace("$link", ".*").replace("$host", ".*").replace("$__rate_interval", "1m") for query in found]


class Prometheus:
    """A real one, on a port that is free now."""

    def __init__(self, config, folder):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                      f"--web.listen-address=127.0.0.1:{self.port}"]
        self._log = os.path.join(folder, "prometheus.log")
        self.process = None

    def __enter__(self):
        with open(self._log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(self._argv, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

        def ready():
            assert self.process.poll() is None, "prometheus ended"
            try:
                return self.raw("/-/ready").status == 200
            except OSError:
                return False
        wait_until(ready, "prometheus", 60)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def raw(self, path):
        """A GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask(self, path):
        """The data of an answer; a query that Prometheus does not understand fails."""
        answer = self.raw(path).json
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, query):
        """The result of an instant query."""
        return self.ask("/api/v1/query?" + urllib.parse.urlencode({"query": query}))["result"]
