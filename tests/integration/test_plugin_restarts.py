"""Nothing is lost between a plugin and analyticsd: the daemon is killed and comes back, and asks for what it missed.

SPDX-License-Identifier: MIT
"""

import os
import time

import pytest

from daemon import Analyticsd
from ports import sequence_ends, shown_rows, sources, stored
from testpmd import TESTPMD, Testpmd, plugin_path, wait_until

PORTS = [f"net_null{i}" for i in range(8)]
RESTARTS = 50

pytestmark = pytest.mark.skipif(not os.path.exists(TESTPMD), reason="dpdk-testpmd is not installed")


def test_every_row_is_stored_once_though_the_daemon_is_killed_again_and_again(sockets):
    daemon = Analyticsd(sockets)
    env = {"LINKCAST_HOST": "h", "LINKCAST_API": daemon.api}
    with Testpmd(PORTS, plugin=plugin_path(), env=env, app=["--total-num-mbufs=16384"]) as testpmd:
        testpmd.command("analytics set interval 10ms")
        testpmd.command(f"analytics start {daemon.samples}")
        testpmd.command("start")
        try:
            for restart in range(RESTARTS):
                daemon.start()
                if restart % 2:  # in the middle of its work, or as soon as it can be asked
                    seen = time.time_ns()
                    wait_until(lambda t=seen: all(port["last_ts_ns"] > t for port in sources(daemon).values())
                               and len(sources(daemon)) == len(PORTS), "rows of each port")
                daemon.kill()
            daemon.start()
            testpmd.command("stop")
            # Whole again while it goes on, since after the stop there is nobody to ask.
            wait_until(lambda: len(sources(daemon)) == len(PORTS), "all ports")
            reached = shown_rows(testpmd)
            assert set(reached) == set(PORTS)

            def is_whole(name):
                return len(stored(daemon, "h", name)) >= reached[name]
            for name in PORTS:
                wait_until(lambda n=name: is_whole(n), f"the missing rows of {name}", 60, pause=0.5)
            testpmd.command("analytics stop")
            last = sequence_ends(daemon)
            for name in PORTS:
                assert last[name] >= reached[name] > RESTARTS
                rows = wait_until(lambda n=name: len(r := stored(daemon, "h", n)) >= last[n] and r,
                                  f"the last rows of {name}", 30, pause=0.5)
                times = [row[0] for row in rows]
                assert len(rows) == last[name] and len(set(times)) == len(times) and times == sorted(times)
            assert all(port["lost"] == 0 for port in sources(daemon).values())
            assert testpmd.quit() == 0
        finally:
            daemon.kill()
