"""The real pathcomp command and its serve, for tests.

SPDX-License-Identifier: MIT
"""

import json
import os
import pathlib
import signal
import subprocess

from daemon import Client

PATHCOMP = pathlib.Path(os.environ["LINKCAST_BUILD"]) / "pathcomp/pathcomp"
DATA = pathlib.Path(__file__).parent.parent / "data/topologies"
RING = DATA / "ring.json"

DONE, ERROR, USAGE, BLOCKED = range(4)


def pathcomp(*arguments, stdin="", **variables):
    """Run the command with nothing of the caller's environment that would change what it does."""
    environment = {k: v for k, v in os.environ.items() if k not in ("ENABLE_FORECASTER", "LINKCAST_API")}
    return subprocess.run([PATHCOMP, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120,
                          env=environment | variables, check=False)


def answer(*arguments, status=DONE):
    """What it prints with --json, after it ended as it should."""
    run = pathcomp(*arguments, "--json")
    assert run.returncode == status, (run.stdout, run.stderr)
    return json.loads(run.stdout)


def links_of(reply):
    """The links of each path of an answer."""
    return [path["links"] for path in reply["paths"]]


class Serve:
    """A pathcomp serve of a test's own; `ask` as a client."""

    def __init__(self, folder, *arguments):
        self.endpoint = f"ipc://{folder}/path"
        self.process = subprocess.Popen([PATHCOMP, "serve", "--endpoint", self.endpoint, *map(str, arguments)],
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        assert "answers at" in line, line
        self.client = Client(self.endpoint)
        self.ask = self.client.ask

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        """Its exit status, once it was told to stop."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
