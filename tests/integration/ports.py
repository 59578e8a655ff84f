"""What analyticsd knows of ports, and what the prompt shows of them.

SPDX-License-Identifier: MIT
"""

from testpmd import wait_until


def sources(daemon):
    """What it knows of the ports: {name: port}."""
    return {port["name"]: port for source in daemon.ask("ListSources")["sources"] for port in source["ports"]}


def stored(daemon, host, name):
    """All rows of a port, in the order of time."""
    rows, page = [], 0
    while page is not None:
        reply = daemon.ask("QueryPort", host=host, name=name, from_ns=0, to_ns=2**62, page=page)
        rows += reply["rows"]
        page = reply.get("next_page")
    return rows


def shown_rows(testpmd):
    """The rows of each port as the prompt shows them: {name: seq}."""
    lines = testpmd.command("analytics show ports").splitlines()[1:]
    return {line.split()[1]: int(line.rsplit(None, 7)[1]) for line in lines if "net_null" in line}


def sequence_ends(daemon):
    """The last seq of each port, when it doesn't grow any more."""
    before = None

    def settled():
        nonlocal before
        now = {name: port["last_seq"] for name, port in sources(daemon).items()}
        same, before = now == before, now
        return now if same else None
    return wait_until(settled, "the last rows", 30, pause=0.5)
