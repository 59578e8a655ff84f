"""Rows that did not arrive: analyticsd asks for them, stores them once, and derives what follows from them in order.

SPDX-License-Identifier: MIT
"""

import os
import sqlite3
import time

import msgpack
import pytest

from daemon import Analyticsd, Publisher, Refused
from history_file import SEQ, TS, TX_BYTES, port_rows
from replaying import ReplayingPublisher
from testpmd import wait_until

SECOND = 10 ** 9
TOPOLOGY = {"nodes": [{"id": "A"}, {"id": "B"}],
            "links": [{"id": "L", "a": "A", "z": "B", "total_capacity_gbps": 10,
                       "ports": [{"host": "h", "name": "p0", "end": "a"}]}]}


@pytest.fixture
def daemon(sockets):
    """A running analyticsd whose link L is measured by port p0 of host h at end a."""
    with Analyticsd(sockets) as running:
        running.ask("SetTopology", **TOPOLOGY)
        yield running


def port_of(daemon, name="p0"):
    """What ListSources says of a port, or None."""
    for source in daemon.ask("ListSources")["sources"]:
        for port in source["ports"]:
            if port["name"] == name:
                return port
    return None


def rows_are(daemon, n, name="p0"):
    """Has the port n rows?"""
    return (port_of(daemon, name) or {}).get("rows") == n


def stored(daemon):
    """[(seq, ts_ns, tx_bytes)] of all rows in the database, in the order of seq."""
    rows = [row for rows in port_rows(f"{daemon.data}/history.db").values() for row in rows]
    return sorted((row[SEQ], row[TS], row[TX_BYTES]) for row in rows)


def expected(publisher, seqs):
    """What stored() is when just these rows came."""
    return [(seq, ts_ns, counters["tx_bytes"]) for seq, ts_ns, counters in (publisher.row(s) for s in seqs)]


def used(daemon, direction="forward"):
    """The points of KPI 302 of L: {ts_ns: gbps}; no time twice."""
    points = daemon.ask("QueryKpi", link_id="L", direction=direction, kpi=302, from_ns=0, to_ns=2 ** 62)["samples"]
    assert len({ts for ts, _ in points}) == len(points)
    return dict(points)


def whole_second_points(publisher, seqs):
    """The points that an undisturbed stream gives at 1 Gbit/s: one for each row but the first."""
    return {publisher.row(seq)[1]: pytest.approx(1.0) for seq in list(seqs)[1:]}


# ---- gaps

def test_a_gap_is_asked_for_and_filled_once_and_in_order(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(50)
        publisher.hello()
        publisher.publish([s for s in range(1, 51) if s not in (10, 11, 12, 30)])
        publisher.serve(lambda: rows_are(daemon, 50), "all rows")
        assert stored(daemon) == expected(publisher, range(1, 51))
        assert used(daemon) == whole_second_points(publisher, range(1, 51))
        assert [(q["from_seq"], q["to_seq"], q["port"]) for q in publisher.questions] == \
            [(10, 12, "p0"), (30, 30, "p0")]
        assert port_of(daemon)["lost"] == 0
    metrics = daemon.metrics()
    assert metrics["rows_replayed"] == 4 and metrics["rows_stored"] == 50 and metrics["replays_asked"] == 2


def test_rows_before_the_first_and_behind_the_last_are_fetched_too(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(40)
        publisher.publish(range(11, 31))
        publisher.hello()
        publisher.serve(lambda: rows_are(daemon, 40), "all rows")
        assert stored(daemon) == expected(publisher, range(1, 41))
        assert used(daemon) == whole_second_points(publisher, range(1, 41))
        publisher.publish(publisher.add(3))  # rates go on behind what was replayed
        publisher.serve(lambda: rows_are(daemon, 43), "three more")
        assert used(daemon) == whole_second_points(publisher, range(1, 44))


def test_a_long_gap_comes_in_many_answers_one_question_at_a_time(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.rows_per_answer = 37
        publisher.add(1000)
        publisher.publish([1, 1000])
        publisher.hello()
        publisher.serve(lambda: rows_are(daemon, 1000), "all rows")
        assert stored(daemon) == expected(publisher, range(1, 1001))
        assert used(daemon) == whole_second_points(publisher, range(1, 1001))
        assert [q["from_seq"] for q in publisher.questions] == list(range(2, 1000, 37))


def test_fast_rows_give_about_one_point_a_second_also_around_a_gap(daemon):
    with ReplayingPublisher(daemon, step_ns=SECOND // 100) as publisher:
        publisher.rows_per_answer = 130
        publisher.add(2000)
        publisher.hello()
        publisher.publish([s for s in range(1, 2001) if not 500 <= s < 1100])
        publisher.serve(lambda: rows_are(daemon, 2000), "all rows")
        assert stored(daemon) == expected(publisher, range(1, 2001))
        points = used(daemon)
        assert all(value == pytest.approx(1.0) for value in points.values())
        times = sorted(points)
        steps = [(b - a) / SECOND for a, b in zip(times, times[1:])]
        assert 17 <= len(points) <= 21 and max(steps) < 2.1


def test_what_the_ring_lost_is_lost_for_good_and_shown(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(30)
        publisher.drop_below(15)
        publisher.publish([20, 30])
        # the hello of a ring that still had them: only the answer tells that they are gone
        publisher.hello(ports=[{"port": 0, "name": "p0", "first_seq": 1, "last_seq": 30}])
        publisher.serve(lambda: rows_are(daemon, 16), "what is still there")
        wait_until(lambda: port_of(daemon).get("gone") == 14, "the rest to be given up")
        assert port_of(daemon)["lost"] == 14
        assert daemon.metrics()["rows_gone"] == 14
        asked = len(publisher.questions)
        publisher.publish(publisher.add(1))
        publisher.serve(lambda: rows_are(daemon, 17), "the next row")
        assert len(publisher.questions) == asked  # what is gone isn't asked for again


def test_a_hello_that_holds_nothing_makes_no_questions(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(20)
        publisher.publish([1, 2, 20])
        publisher.hello(ports=[{"port": 0, "name": "p0", "first_seq": 21, "last_seq": 20}])
        publisher.serve(lambda: (port_of(daemon) or {}).get("gone") == 17, "them to be given up")
        assert not publisher.questions
        publisher.publish([7])  # it comes nevertheless
        publisher.serve(lambda: rows_are(daemon, 4), "the late row")
        assert port_of(daemon)["gone"] == 16 and port_of(daemon)["lost"] == 16


def test_without_a_dealer_nothing_is_asked_and_the_loss_is_shown(daemon):
    with Publisher(daemon) as publisher:
        publisher.send((1, SECOND, {}))
        publisher.send((5, 5 * SECOND, {}))
        wait_until(lambda: rows_are(daemon, 2), "both rows")
        assert port_of(daemon)["lost"] == 3
    assert daemon.metrics()["replays_asked"] == 0


# ---- order

def test_late_and_repeated_rows_are_stored_once_and_do_not_disturb_rates(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(20)
        publisher.publish([1, 2, 3, 6, 7, 5, 4, 5, 1, 7, 8, 8, 9, 10])
        publisher.publish(range(11, 21))
        wait_until(lambda: rows_are(daemon, 20), "all rows")
        assert stored(daemon) == expected(publisher, range(1, 21))
        assert used(daemon) == whole_second_points(publisher, range(1, 21))
    assert daemon.metrics()["rows_duplicate"] == 4


def test_the_sender_counts_again_when_its_rows_come_late(sockets):
    with Analyticsd(sockets) as daemon:
        topology = {**TOPOLOGY, "links": [{**TOPOLOGY["links"][0], "ports": [
            {"host": "h", "name": "p0", "end": "a"}, {"host": "z", "name": "p0", "end": "z"}]}]}
        daemon.ask("SetTopology", **topology)
        start_ns = time.time_ns() - 3600 * SECOND
        with ReplayingPublisher(daemon, start_ns=start_ns) as a, \
                ReplayingPublisher(daemon, host="z", start_ns=start_ns + SECOND // 3, instance=9) as z:
            a.add(60)
            z.add(60)
            total = 0
            for publisher, seqs in ((a, range(1, 20)), (z, range(1, 50)), (a, range(50, 61)), (z, range(50, 61))):
                publisher.publish(seqs)  # end a is silent for a while: what z receives stands for it
                total += len(seqs)
                wait_until(lambda n=total: daemon.metrics()["rows_stored"] == n, "what was published")
            assert set(used(daemon)) != set(whole_second_points(a, range(1, 61)))
            a.hello()
            a.serve(lambda: daemon.metrics()["rows_stored"] == 120, "the rest")
            assert used(daemon) == whole_second_points(a, range(1, 61))


def test_an_older_instance_does_not_take_the_port_back(daemon):
    with ReplayingPublisher(daemon, instance=1) as old:
        old.add(10)
        old.publish([1, 2, 10])
        wait_until(lambda: rows_are(daemon, 3), "the old rows")
        with ReplayingPublisher(daemon, instance=2, start_ns=time.time_ns() - 60 * SECOND) as new:
            new.publish(new.add(3))
            wait_until(lambda: port_of(daemon)["last_seq"] == 3, "the new rows")
            old.hello()
            old.serve(lambda: daemon.metrics()["rows_stored"] == 13, "the old rest")
            assert port_of(daemon)["last_seq"] == 3 and port_of(daemon)["rows"] == 3
            new.publish(new.add(2))
            wait_until(lambda: rows_are(daemon, 5), "rows that go on")
            times = [new.row(seq)[1] for seq in range(2, 6)]
            assert all(ts_ns in used(daemon) for ts_ns in times)


# ---- lives of the daemon

@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_loses_nothing_that_the_ring_holds(sockets, end):
    daemon = Analyticsd(sockets).start()
    try:
        daemon.ask("SetTopology", **TOPOLOGY)
        with ReplayingPublisher(daemon) as publisher:
            publisher.hello()
            for life in range(4):
                publisher.publish([s for s in publisher.add(40) if s % 9])
                publisher.hello()
                publisher.serve(lambda n=40 * life: (port_of(daemon) or {}).get("rows", 0) > n, "some rows")
                getattr(daemon, end)()  # in the middle: questions are open, a transaction too
                publisher.add(25)  # nobody hears these
                daemon.start()
                publisher.connect()
            publisher.hello()
            total = publisher.last
            publisher.serve(lambda: rows_are(daemon, total), "every row")
            assert stored(daemon) == expected(publisher, range(1, total + 1))
            assert used(daemon) == whole_second_points(publisher, range(1, total + 1))
            assert port_of(daemon)["lost"] == 0
    finally:
        daemon.kill()


def test_gaps_are_remembered_across_a_restart(sockets):
    daemon = Analyticsd(sockets).start()
    try:
        with Publisher(daemon) as publisher:
            publisher.send((1, SECOND, {}))
            publisher.send((9, 9 * SECOND, {}))
            wait_until(lambda: rows_are(daemon, 2), "both rows")
        daemon.stop()
        daemon.start()
        with ReplayingPublisher(daemon, start_ns=1) as publisher:
            publisher.add(9)
            publisher.hello()
            publisher.serve(lambda: rows_are(daemon, 9), "the gap's rows")
            assert [(q["from_seq"], q["to_seq"]) for q in publisher.questions] == [(2, 8)]
    finally:
        daemon.kill()


@pytest.mark.parametrize("version", [1, 2])
def test_a_database_of_an_older_version_has_its_rows_and_gaps(sockets, version):
    daemon = Analyticsd(sockets)
    os.makedirs(daemon.data)
    db = sqlite3.connect(f"{daemon.data}/history.db")
    with open(os.path.join(os.path.dirname(__file__), f"../data/history/version{version}.sql"), encoding="utf-8") as sql:
        db.executescript(sql.read())
    db.close()
    with daemon:
        assert stored(daemon) == sorted([(seq, seq * SECOND, seq * 10 + 3) for seq in (3, 4, 8)] +
                                        [(seq, seq * SECOND, 0) for seq in (1, 2)])
        db = sqlite3.connect(f"file:{daemon.data}/history.db?mode=ro", uri=True)
        assert db.execute("SELECT from_seq, to_seq, gone FROM port_gap ORDER BY from_seq").fetchall() == \
            [(1, 2, int(version == 2)), (5, 7, 0), (9, 10, 0)]
        db.close()
        assert [(port["name"], port["last_seq"], port["rows"]) for source in daemon.ask("ListSources")["sources"]
                for port in source["ports"]] == [("p0", 10, 3), ("p1", 2, 2)]


# ---- publishers of every kind

def test_an_unanswered_question_is_asked_again_but_never_a_flood(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.answer = lambda question: publisher.from_ring(question) if len(publisher.questions) > 2 else None
        publisher.add(10)
        publisher.publish([1, 10])
        publisher.hello()
        publisher.serve(lambda: rows_are(daemon, 10), "the rows at last", 60)
        assert len(publisher.questions) == 3
        assert len({q["ref"] for q in publisher.questions}) == 1  # a late answer would still have counted


def test_empty_answers_do_not_make_a_loop(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.answer = lambda question: {"op": "Rows", "ref": question["ref"], "samples": [], "more": True}
        publisher.add(10)
        publisher.publish([1, 10])
        publisher.hello()
        publisher.serve(lambda: len(publisher.questions) == 2, "a second question")
        assert daemon.metrics()["replays_asked"] <= 3
        publisher.answer = publisher.from_ring
        publisher.serve(lambda: rows_are(daemon, 10), "the rows", 60)


def test_a_new_connection_is_asked_at_once(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.answer = lambda question: None
        publisher.add(10)
        publisher.publish([1, 10])
        publisher.hello()
        publisher.serve(lambda: publisher.questions, "a question")
        publisher.connect()
        publisher.answer = publisher.from_ring
        publisher.hello()
        publisher.serve(lambda: rows_are(daemon, 10), "the rows")


def rows_answer(publisher, question, **changes):
    """An honest answer with some fields changed."""
    return {**publisher.from_ring(question), **changes}


def changed_row(publisher, *row):
    """A sample of the port whose row is another."""
    return [{**publisher.sample([2]), "rows": [list(row)]}]


HOSTILE = {
    "another ref": lambda p, q: rows_answer(p, q, ref=q["ref"] + 1000),
    "ref 0": lambda p, q: rows_answer(p, q, ref=0),
    "another host": lambda p, q: rows_answer(p, q, samples=[{**p.sample([2]), "host": "other"}]),
    "another instance": lambda p, q: rows_answer(p, q, samples=[{**p.sample([2]), "instance": 8}]),
    "another port": lambda p, q: rows_answer(p, q, samples=[{**p.sample([2]), "name": "p9"}]),
    "rows not asked for": lambda p, q: rows_answer(p, q, samples=[p.sample([2, 3, 20])]),
    "rows before them": lambda p, q: rows_answer(p, q, samples=[p.sample([1, 2])]),
    "out of order": lambda p, q: rows_answer(p, q, samples=[p.sample([3, 2])]),
    "a row twice": lambda p, q: rows_answer(p, q, samples=[p.sample([2, 2])]),
    "good rows, then bad": lambda p, q: rows_answer(p, q, samples=[p.sample([2, 3]), p.sample([20])]),
    "seq 0": lambda p, q: rows_answer(p, q, samples=changed_row(p, 0, 1, *[0] * 8)),
    "the future": lambda p, q: rows_answer(p, q, samples=changed_row(p, 2, time.time_ns() + 10 ** 15, *[0] * 8)),
    "negative": lambda p, q: rows_answer(p, q, samples=changed_row(p, 2, 1, *[-1] * 8)),
    "a narrow row": lambda p, q: rows_answer(p, q, samples=changed_row(p, 2, 1, 0)),
    "other names": lambda p, q: rows_answer(p, q, samples=[{**p.sample([2]), "names": list("abcdefgh")}]),
    "gone too far": lambda p, q: rows_answer(p, q, gone_to_seq=2 ** 64 - 1),
    "gone before": lambda p, q: rows_answer(p, q, gone_to_seq=0),
    "no list": lambda p, q: rows_answer(p, q, samples=7),
    "no more": lambda p, q: {k: v for k, v in p.from_ring(q).items() if k != "more"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_answer_is_refused_whole_and_changes_nothing(daemon, kind):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(20)
        publisher.publish([1, 11])
        publisher.hello(ports=[{"port": 0, "name": "p0", "first_seq": 1, "last_seq": 11}])
        publisher.answer = lambda question: None
        publisher.serve(lambda: publisher.questions, "the question")
        question = publisher.questions[-1]
        assert (question["from_seq"], question["to_seq"]) == (2, 10)
        publisher.send(HOSTILE[kind](publisher, question))
        reply = publisher.reply()
        assert reply["ok"] is False and reply["error"]["code"] == "INVALID_ARGUMENT", reply
        assert len(stored(daemon)) <= 2 and not (port_of(daemon) or {}).get("gone")
        publisher.send(publisher.from_ring(question))  # the honest one is still taken
        publisher.serve(lambda: rows_are(daemon, 11), "the rows")


def test_rows_of_another_peer_are_refused(daemon):
    with ReplayingPublisher(daemon) as publisher, ReplayingPublisher(daemon, host="evil") as other:
        publisher.add(10)
        publisher.publish([1, 10])
        publisher.answer = lambda question: None
        publisher.hello()
        other.hello()
        publisher.serve(lambda: publisher.questions and rows_are(daemon, 2), "the question")
        other.send(publisher.from_ring(publisher.questions[-1]))
        assert other.reply()["error"]["code"] == "INVALID_ARGUMENT"
        assert len(stored(daemon)) == 2


@pytest.mark.parametrize("ports", [
    [{"port": 0, "name": "p0", "first_seq": 1, "last_seq": 2 ** 64 - 1}],
    [{"port": 0, "name": "p0", "first_seq": 2 ** 63, "last_seq": 1}],
])
def test_a_hello_with_numbers_that_cannot_be_is_refused(daemon, ports):
    with ReplayingPublisher(daemon) as publisher:
        assert publisher.hello(ports=ports)["error"]["code"] == "INVALID_ARGUMENT"
        assert publisher.hello()["ok"]


def test_seqs_that_jump_to_the_end_break_nothing(daemon):
    with ReplayingPublisher(daemon) as publisher, Publisher(daemon) as wild:
        publisher.publish(publisher.add(3))
        wait_until(lambda: rows_are(daemon, 3), "the first rows")
        wild.send((2 ** 63 - 1, time.time_ns(), {}))
        for seq in range(10, 3000, 2):  # more gaps than are kept apart
            wild.send((seq, SECOND * seq, {}))
        wait_until(lambda: rows_are(daemon, 4 + 1495), "the rows")
        assert port_of(daemon)["lost"] == 2 ** 63 - 1 - 1499
        assert daemon.ask("Ping")["ok"]


def test_a_question_for_a_publisher_that_left_stops_nobody(daemon):
    with ReplayingPublisher(daemon) as publisher:
        publisher.add(10)
        publisher.hello()
        publisher.disconnect()
    wait_until(lambda: daemon.metrics()["replays_asked"] >= 1, "a question into the void")
    assert daemon.ask("Ping")["ok"]


def test_rows_from_a_plain_client_are_refused(daemon):
    client = daemon.client()
    with pytest.raises(Refused) as refused:
        client.ask("Rows", ref=1, samples=[], more=False)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert client.raw(msgpack.packb({"op": "Rows"}))["error"]["code"] == "INVALID_ARGUMENT"
    client.close()
