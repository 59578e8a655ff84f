"""The TRex profiles and trex_drive.py against a test double of TRex's API (tests/trex_double), and, where they are there,
against the real library (TREX_PATH) and a server (TREX_SERVER).

SPDX-License-Identifier: MIT
"""

import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("scapy", reason="python3-scapy is not installed")

HERE = os.path.dirname(os.path.abspath(__file__))
PROFILES = os.path.join(HERE, "..", "..", "trex_profiles")
DOUBLE = os.path.join(HERE, "..", "trex_double")
sys.path[:0] = [DOUBLE, PROFILES]

from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from trex.stl.api import PORT_DESTINATION, PORT_SOURCE, STLProfile, TRexError, emit  # noqa: E402

from daemon import Analyticsd  # noqa: E402
from linkcast_schedule import BadSchedule, read_schedule  # noqa: E402
from testpmd import build_folder, wait_until  # noqa: E402
from wire import Server  # noqa: E402

DRIVE = os.path.join(PROFILES, "trex_drive.py")

# profile: small tunables, and [(seconds, packets)]: what has left by then, as the integral of the rate says
SMALL = {
    "base_imix": (["--pps", "1200"], [(1, 1200), (5, 6000)]),
    "diurnal": (["--peak", "200", "--trough", "40", "--day-seconds", "10", "--slots", "20", "--weekend", ".5"],
                [(10, 1200), (50, 6000), (60, 6600), (70, 7200), (140, 14400)]),
    "ramp": (["--from-pps", "10", "--to-pps", "100", "--seconds", "10", "--steps", "10"], [(10, 550), (12, 750)]),
    "microburst": (["--pps", "100", "--burst-pps", "10000", "--burst-packets", "50", "--every", "1"], [(10, 1500)]),
    "flash_crowd": (["--pps", "100", "--crowd", "5", "--quiet", "10", "--rise", "2", "--stay", "4", "--decay", "4",
                     "--steps", "4"], [(10, 1000), (12, 1600), (16, 3600)]),
    "link_failure": (["--pps", "100", "--up", "10", "--flaps", "2", "--flap", "1", "--between", "3", "--down", "4"],
                     [(10, 1000), (11, 1000), (14, 1300), (18, 1600), (22, 1600), (44, 3200)]),
    "degradation": (["--pps", "100", "--seconds", "20", "--steps", "5", "--worst", ".5"], [(20, 2000), (40, 4000)]),
    "scan": (["--pps", "100", "--scan-pps", "50", "--hosts", "16"], [(4, 600)]),
}


def load(name, *tunables, direction=0):
    """The streams of a profile, by the double's loader."""
    return STLProfile.load_py(os.path.join(PROFILES, name + ".py"), direction=direction,
                              tunables=list(tunables)).get_streams()


def followers(streams):
    """The names that a chain's first stream leads to, in order, until one comes again or none follows."""
    by_name = {stream.name: stream for stream in streams}
    first = next(stream for stream in streams if stream.next is not None and stream.fields["self_start"])
    names, at = [first.name], first.next
    while at is not None and at not in names:
        names.append(at)
        at = by_name[at].next
    return names, at


def test_every_profile_is_tested():
    assert {name[:-3] for name in os.listdir(PROFILES) if re.fullmatch(r"(?!linkcast_|trex_)\w+\.py", name)} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_as_many_packets_leave_as_the_integral_of_the_rate_says(name):
    tunables, wanted = SMALL[name]
    times = [at for at, _, _ in emit(load(name, *tunables), wanted[-1][0] + 1e-3)]
    for seconds, packets in wanted:
        # A packet of each chain or stream may be on its way at the very end.
        assert abs(sum(at < seconds for at in times) - packets) <= 3, (seconds, packets)


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("name", SMALL)
def test_frames_have_their_size_their_checksums_and_addresses(name, direction):
    sizes = collections.Counter()
    for _, stream, frame in emit(load(name, *SMALL[name][0], "--size", "128", direction=direction), 3):
        packet = Ether(frame)
        assert (packet.src, packet.dst) == (PORT_SOURCE, PORT_DESTINATION)
        one, other = packet[IP].src, packet[IP].dst
        if stream.name == "scan":
            other = ["48.0.0.1", "16.0.0.1"][direction]  # one host after the other
        assert (one, other) == [("16.0.0.1", "48.0.0.1"), ("48.0.0.1", "16.0.0.1")][direction]
        assert packet[IP].len == len(frame) - 14 or len(frame) == 60
        again = packet.copy()
        del again[IP].chksum, again[TCP if TCP in again else UDP].chksum
        again = Ether(bytes(again))
        assert (packet[IP].chksum == again[IP].chksum) != stream.name.startswith("broken")
        layer = TCP if TCP in packet else UDP
        assert packet[layer].chksum == again[layer].chksum
        sizes[len(frame) + 4] += 1
    assert set(sizes) == {"base_imix": {64, 570, 1518}, "scan": {64, 128}}.get(name, {128})
    if name == "base_imix":
        assert sizes[64] / 7 == pytest.approx(sizes[570] / 4, rel=.01) == pytest.approx(sizes[1518], rel=.01)


@pytest.mark.parametrize("name", ["diurnal", "microburst", "flash_crowd", "link_failure", "degradation"])
def test_chains_are_closed_and_only_their_first_stream_starts_itself(name):
    streams = load(name, *SMALL[name][0])
    chains = [stream for stream in streams if stream.next is not None]
    starters = [stream for stream in chains if stream.fields["self_start"]]
    assert len(starters) == (2 if name == "degradation" else 1)
    names, back_to = followers(streams)
    assert names[-1].endswith(" again") and back_to == names[1]
    assert all(len(stream.fields["mode"]["rate"]) == 2 for stream in streams)


def test_a_ramp_goes_on_at_its_last_rate():
    streams = load("ramp", *SMALL["ramp"][0])
    names, back_to = followers(streams)
    assert back_to is None and names[-1] == "step on" and len(names) == len(streams) == 11
    assert streams[-1].fields["mode"]["type"] == "continuous" and not streams[-1].fields["self_start"]


def test_a_week_has_five_days_and_a_weekend_and_a_sine_in_each():
    times = [at for at, _, _ in emit(load("diurnal", *SMALL["diurnal"][0]), 70)]
    hours = collections.Counter(int(at / (10 / 24)) for at in times)
    days = [sum(hours[24 * day + hour] for hour in range(24)) for day in range(7)]
    assert days == pytest.approx([1200] * 5 + [600] * 2, abs=3)
    monday = [hours[hour] for hour in range(24)]
    assert monday.index(max(monday)) in (12, 13, 14, 15) and monday.index(min(monday)) in (0, 1, 2, 3)
    assert max(monday) == pytest.approx(200 * 10 / 24, rel=.06) and min(monday) == pytest.approx(40 * 10 / 24, rel=.1)


def test_a_factor_shortens_the_day_of_a_chain():
    """Why one scales a chain by its tunables."""
    streams = load("diurnal", *SMALL["diurnal"][0])
    assert sum(1 for _ in emit(streams, 10, mult=2)) > 1.5 * sum(1 for _ in emit(streams, 10))


def test_a_scan_goes_through_hosts_and_ports():
    seen = {(packet[IP].dst, packet[TCP].dport) for packet in (
        Ether(frame) for _, stream, frame in emit(load("scan", "--hosts", "7", "--scan-pps", "1000"), 1)
        if stream.name == "scan")}
    assert {host for host, _ in seen} == {f"48.0.0.{i}" for i in range(1, 8)}
    assert {port for _, port in seen} == set(range(1, 1001))


def test_latency_is_measured_at_a_rate_that_no_factor_changes():
    streams = load("base_imix", "--pps", "1000", "--latency", "--latency-pps", "10")
    counts = collections.Counter(stream.is_fixed for _, stream, _ in emit(streams, 10, mult=.5))
    assert counts[True] == pytest.approx(100, abs=1) and counts[False] == pytest.approx(5000, abs=3)


@pytest.mark.parametrize("name", SMALL)
def test_tunables_come_as_the_api_writes_them_too(name):
    path = os.path.join(PROFILES, name + ".py")
    assert STLProfile.load_py(path, size=256) is not None
    if name == "diurnal":
        as_api = STLProfile.load_py(path, day_seconds=700, slots=24).get_streams()
        assert [s.fields for s in as_api] == [s.fields for s in load(name, "--day-seconds", "700", "--slots", "24")]


@pytest.mark.parametrize("name, tunables, words", [
    ("base_imix", ["--pps", "0"], "--pps: '0': expected a rate"),
    ("base_imix", ["--pps", "nan"], "--pps: 'nan'"),
    ("base_imix", ["--size", "63"], "64 to 9238"),
    ("base_imix", ["--src", "example.org"], "IPv4 address"),
    ("base_imix", ["--speed", "2"], "unrecognized arguments: --speed 2"),
    ("diurnal", ["--peak", "10", "--trough", "20"], "--trough 20 is above --peak 10"),
    ("diurnal", ["--slots", "0"], "--slots: '0'"),
    ("diurnal", ["--day-seconds", "-5"], "day_seconds: '-5'"),
    ("diurnal", ["--weekend", "1.5"], "--weekend: '1.5': expected a number from 0 to 1"),
    ("diurnal", ["--day-seconds", "1", "--trough", "10", "--peak", "10"], "has not one packet"),
    ("ramp", ["--steps", "x"], "--steps: 'x'"),
    ("microburst", ["--every", "0.001"], "a burst takes"),
    ("flash_crowd", ["--crowd", "0.5"], "--crowd: '0.5'"),
    ("link_failure", ["--flaps", "-1"], "--flaps -1"),
    ("degradation", ["--steps", "2"], "at least 3 --steps"),
    ("scan", ["--hosts", "5000000000"], "not so many"),
])
def test_wrong_tunables_are_refused_and_named(name, tunables, words):
    """TRex takes argparse's exit for a call for help, and says nothing."""
    with pytest.raises(TRexError, match=re.escape(words)):
        load(name, *tunables)


@pytest.mark.parametrize("name", SMALL)
def test_help_is_help(name, capsys):
    assert STLProfile.load_py(os.path.join(PROFILES, name + ".py"), tunables=["--help"]) is None
    assert "--size" in capsys.readouterr().out


# ---- schedules

def written(folder, text):
    """A file with that text."""
    path = os.path.join(folder, "schedule.csv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def test_a_schedule_is_read_with_its_faults(sockets):
    path = written(sockets, "fault,seconds,who,mult\r\n,0,a,1\r\nlink_down,0.5,b,0\r\n\r\nlink_down,1.0,b,2.5\r\n,1.5,c,1\r\n"
                            "reset,2.0,,1")
    schedule = read_schedule(path)
    assert [(s.begin, s.end, s.mult, s.fault) for s in schedule.slots] == [
        (0, .5, 1, ""), (.5, 1, 0, "link_down"), (1, 1.5, 2.5, "link_down"), (1.5, 2, 1, ""), (2, 2.5, 1, "reset")]
    assert schedule.faults == [("link_down", .5, 1.5), ("reset", 2, 2.5)] and schedule.end == 2.5


@pytest.mark.parametrize("text, words", [
    ("seconds,load\n0,1\n", "line 1: no column 'mult'"),
    ("", "line 1: no column"),
    ("seconds,mult\n0,1\n", "two slots or more"),
    ("seconds,mult\n5,1\n10,1\n", "line 2: seconds 5: the first slot begins at 0"),
    ("seconds,mult\n0,1\n60,1\n180,1\n", "line 4: seconds 180: a gap, or an uneven slot: 120 was to follow"),
    ("seconds,mult\n0,1\n60,1\n60,1\n", "line 4: seconds 60: not after 60"),
    ("seconds,mult\n0,1\n60,1\n30,1\n", "line 4: seconds 30: not after 60"),
    ("seconds,mult\n0,1\n60,-0.1\n", "line 3: mult '-0.1': expected a number, 0 or more"),
    ("seconds,mult\n0,1\n60,nan\n", "line 3: mult 'nan'"),
    ("seconds,mult\n0,inf\n", "line 2: mult 'inf'"),
    ("seconds,mult\n0,\n", "line 2: mult ''"),
    ("seconds,mult,fault\n0,1,Link Down\n", "line 2: fault 'Link Down'"),
    ("seconds,mult\n0,1,2\n", "line 2: other columns"),
    ("seconds,mult,fault\n0,1\n", "line 2: other columns"),
    ('seconds,mult\n"0,1\n', "unexpected end of data"),
])
def test_a_wrong_schedule_is_refused_with_its_line(sockets, text, words):
    with pytest.raises(BadSchedule, match=re.escape(words)):
        read_schedule(written(sockets, text))
    with pytest.raises(BadSchedule, match="No such file"):
        read_schedule(os.path.join(sockets, "nothing.csv"))


def test_the_simulators_schedule_is_one(sockets):
    path = os.path.join(sockets, "made.csv")
    ctl = os.path.join(build_folder(), "analyticsd", "ctl", "analyticsctl")
    subprocess.run([ctl, "simulate", "--profile", "failure", "--weeks", "0.1", "--fault-every", "1h", "--schedule", path],
                   check=True, capture_output=True)
    schedule = read_schedule(path)
    assert schedule.end == pytest.approx(0.1 * 7 * 86400, abs=60) and len(schedule.faults) > 3


# ---- driving

class Drive:
    """trex_drive.py on the double."""

    def __init__(self, folder, text, *arguments, environment=()):
        self.log = os.path.join(folder, "calls")
        self.argv = [sys.executable, DRIVE, "--schedule", written(folder, text), *arguments]
        self.environment = {**os.environ, "TREX_PATH": DOUBLE, "TREX_DOUBLE_LOG": self.log, **dict(environment)}

    def run(self):
        """To its end; returns (exit status, what it printed)."""
        done = subprocess.run(self.argv, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def calls(self, *names):
        """What the client was told: [[call, arguments]]."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            calls = [json.loads(line) for line in file]
        return [call for call in calls if not names or call[0] in names]


FAST = ["--speed", "100"]


def test_a_schedule_is_driven_slot_by_slot_and_stops_at_zero(sockets):
    drive = Drive(sockets, "seconds,mult\n0,1\n10,0.5\n20,0\n30,0\n40,2\n", *FAST, "--server", "trex1", "--port", "2")
    status, said = drive.run()
    assert status == 0, said
    assert [call for call, _ in drive.calls()] == ["server", "connect", "reset", "add_streams", "start", "update", "stop",
                                                   "start", "stop", "disconnect"]
    assert [arguments["mult"] for _, arguments in drive.calls("start", "update")] == ["1", "0.5", "2"]
    assert all(arguments["ports"] == [2] for _, arguments in drive.calls("reset", "start", "update", "stop"))
    assert drive.calls("server")[0][1] == {"server": "trex1"}


def test_the_streams_that_measure_latency_are_counted_in_and_never_starved(sockets):
    drive = Drive(sockets, "seconds,mult\n0,1\n10,0.5\n20,0.01\n", *FAST, "-t", "--pps", "900", "--latency",
                  "--latency-pps", "100")
    status, said = drive.run()
    assert status == 0, said
    factors = [float(arguments["mult"]) for _, arguments in drive.calls("start", "update")]
    assert factors == pytest.approx([1, 400 / 900, 1 / 900])


def test_a_link_is_taken_down_and_the_fault_labelled(sockets):
    asked = Server(f"ipc://{sockets}/api", {"LabelEvent": lambda _: {"label_id": 1}})
    with asked:
        drive = Drive(sockets, "seconds,mult,fault\n0,1,\n50,1,link_down\n100,1,link_down\n150,1,\n200,1,flapping\n"
                               "250,1,overload\n", *FAST, "--label-port", "h/x:0000:01:00.0", "--api", asked.endpoint)
        status, said = drive.run()
    assert status == 0, said
    assert [arguments["link_up"] for _, arguments in drive.calls("set_port_attr")] == [False, True, False, True]
    labels = asked.asked("LabelEvent")
    assert [label["event"] for label in labels] == ["link_down", "flapping", "overload"]
    assert {(label["host"], label["name"], label["failure"]) for label in labels} == {("h/x", "0000:01:00.0", True)}
    assert labels[0]["to_ns"] - labels[0]["from_ns"] == 10 ** 9
    assert labels[1]["from_ns"] - labels[0]["to_ns"] == 5 * 10 ** 8


def test_a_real_daemon_takes_the_labels(sockets):
    with Analyticsd(sockets) as daemon:
        daemon.ask("SetTopology", nodes=[{"id": "A"}, {"id": "B"}],
                   links=[{"id": "L", "a": "A", "z": "B", "total_capacity_gbps": 10}])
        daemon.ask("AppendKpi", link_id="L", kpi=302, samples=[[time.time_ns() - 60 * 10 ** 9, 1.0]])
        drive = Drive(sockets, "seconds,mult,fault\n0,1,\n10,1,overload\n20,1,\n", *FAST, "--label-link", "L", "--api",
                      daemon.api)
        status, said = drive.run()
        assert status == 0 and "labelled overload" in said, said
        (label,) = daemon.ask("ListLabels")["labels"]
        assert label["link_id"] == "L" and label["event"] == "overload" and label["to_ns"] - label["from_ns"] == 10 ** 8
        unknown = Drive(sockets, "seconds,mult,fault\n0,1,x\n10,1,\n", *FAST, "--label-link", "M", "--api", daemon.api)
        status, said = unknown.run()
        assert status == 0 and "not labelled: x: NOT_FOUND" in said, said


def test_a_port_whose_link_cannot_be_taken_down_is_driven_on(sockets):
    drive = Drive(sockets, "seconds,mult,fault\n0,1,\n10,1,link_down\n20,1,\n", *FAST,
                  environment={"TREX_DOUBLE_FAIL": "set_port_attr"})
    status, said = drive.run()
    assert status == 0 and "the link stays up, this port can't" in said
    assert len(drive.calls("set_port_attr")) == 1 and len(drive.calls("update")) == 2


def test_interrupted_it_stops_the_traffic_puts_the_link_back_and_labels(sockets):
    with Server(f"ipc://{sockets}/api", {"LabelEvent": lambda _: {"label_id": 1}}) as asked:
        drive = Drive(sockets, "seconds,mult,fault\n0,1,link_down\n1000,1,link_down\n", "--label-link", "L", "--api",
                      asked.endpoint)
        process = subprocess.Popen(drive.argv, env=drive.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        wait_until(lambda: drive.calls("set_port_attr"), "the link to go down")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 1 and "ended by SIGINT" in said and "Traceback" not in said
        (label,) = asked.asked("LabelEvent")
        assert label["link_id"] == "L" and 0 < label["to_ns"] - label["from_ns"] < 900 * 10 ** 9
    assert drive.calls()[-3:] == [["set_port_attr", {"ports": [0], "link_up": True}], ["stop", {"ports": [0]}],
                                  ["disconnect", {}]]


@pytest.mark.parametrize("text, arguments, environment, status, words", [
    ("seconds,mult\n0,1\n60,-1\n", [], {}, 1, "line 3: mult '-1'"),
    ("seconds,mult\n0,1\n1,1\n", ["--speed", "0"], {}, 2, "--speed"),
    ("seconds,mult\n0,1\n1,1\n", ["--label-port", "h"], {}, 2, "expected HOST:NAME"),
    ("seconds,mult\n0,1\n1,1\n", ["-t", "--pps", "0"], {}, 1, "--pps: '0'"),
    ("seconds,mult\n0,1\n1,1\n", ["-t", "--help"], {}, 1, "loaded as nothing"),
    ("seconds,mult\n0,1\n1,1\n", ["--profile", "/nothing.py"], {}, 1, "does not exist"),
    ("seconds,mult\n0,1\n1,1\n", [], {"TREX_DOUBLE_FAIL": "connect"}, 1, "connect was refused"),
    ("seconds,mult\n0,1\n1,1\n", [], {"TREX_PATH": "/nowhere"}, 1, "TREX_PATH names the folder"),
])
def test_what_cannot_be_driven_is_told_in_a_line(sockets, text, arguments, environment, status, words):
    drive = Drive(sockets, text, *arguments, environment=environment)
    got, said = drive.run()
    assert got == status and words in said and "Traceback" not in said
    assert not drive.calls("start")


# ---- the real thing

def real(code, *arguments):
    """Runs code in a Python that has the real library."""
    if not os.environ.get("TREX_PATH"):
        pytest.skip("TREX_PATH (the folder of TRex's Python library) is not set")
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.environ["TREX_PATH"]}, timeout=120)


@pytest.mark.parametrize("name", SMALL)
def test_trex_itself_loads_every_profile(name):
    code = ("import sys; from trex.stl.api import STLProfile\n"
            "for direction in (0, 1):\n"
            "    p = STLProfile.load_py(sys.argv[1], direction=direction, tunables=sys.argv[2:])\n"
            "    assert p is not None and p.get_streams()\n")
    done = real(code, os.path.join(PROFILES, name + ".py"), *SMALL[name][0])
    assert done.returncode == 0, done.stdout + done.stderr


def test_published_counters_equal_trexs_own(sockets):
    """On a server whose port 0 is wired to a port of a testpmd that publishes to $LINKCAST_SAMPLES' analyticsd."""
    server, port = os.environ.get("TREX_SERVER"), os.environ.get("TREX_RECEIVER")
    if not server or not port:
        pytest.skip("TREX_SERVER (of TRex) and TREX_RECEIVER (HOST:NAME of the port behind it) are not set")
    code = ("import sys; from trex.stl.api import STLProfile, STLClient\n"
            "c = STLClient(server=sys.argv[1]); c.connect()\n"
            "try:\n"
            "    c.reset(ports=[0]); c.clear_stats()\n"
            "    c.add_streams(STLProfile.load_py(sys.argv[2], tunables=['--pps', '1000']).get_streams(), ports=[0])\n"
            "    c.start(ports=[0], duration=5); c.wait_on_traffic(ports=[0])\n"
            "    print(c.get_stats()[0]['opackets'])\n"
            "finally:\n"
            "    c.disconnect()\n")
    from daemon import Client  # pylint: disable=import-outside-toplevel
    client, (host, _, name) = Client(os.environ["LINKCAST_API"]), port.partition(":")

    def received():
        reply = client.ask("QueryPort", host=host, name=name, counters=["rx_packets"], from_ns=0, to_ns=2 ** 62,
                           limit=100000)
        return reply["rows"][-1][1] if reply["rows"] else 0
    before = received()
    done = real(code, server, os.path.join(PROFILES, "base_imix.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: received() - before == int(done.stdout), "as many packets as TRex sent")
    client.close()
