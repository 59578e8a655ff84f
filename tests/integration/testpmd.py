"""A real dpdk-testpmd for tests and the demo: started without hugepages or NIC, driven at its prompt.

    with Testpmd(["net_null0", "net_null1"], plugin=plugin_path()) as testpmd:
        testpmd.command("analytics start ipc:///tmp/x/samples")
        print(testpmd.command("show port stats all"))
        assert testpmd.quit() == 0

SPDX-License-Identifier: MIT
"""

import itertools
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time

TESTPMD = os.environ.get("LINKCAST_TESTPMD", "/usr/bin/dpdk-testpmd")
PROMPT = "testpmd> "

_escapes = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[A-Z])|\r")
_half_escape = re.compile(rb"\x1b(?:\[[0-9;?]*)?$|[\x80-\xff]+$")
_numbers = itertools.count()


def wait_until(condition, what, seconds=30.0, pause=0.02):
    """Poll `condition` until it is true and return its value; fail naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(pause)


def build_folder():
    """The meson build folder that the tests belong to."""
    folder = os.environ.get("LINKCAST_BUILD")
    if folder is None:
        here = os.path.dirname(os.path.abspath(__file__))
        folder = os.path.join(here, "..", "..", "build")
    return os.path.abspath(folder)


def plugin_path():
    """The plugin that was built. EAL takes it only from a folder that not everybody can write."""
    return os.environ.get("LINKCAST_PLUGIN") or os.path.join(
        build_folder(), "testpmd_plugin", "liblinkcast_testpmd.so")


def _sanitizer_of(path):
    """The sanitizer's library that an instrumented object needs first in its process, or None."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path} is not built (LINKCAST_BUILD names the build folder)")
    text = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
    if "libasan" not in text:
        return None
    return subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True,
                          check=True).stdout.strip()


class Testpmd:
    """One dpdk-testpmd process.

    vdevs         list of --vdev arguments
    plugin        path of an object to load with -d, or None
    prefix        EAL's --file-prefix; unique by default
    cores         EAL's -l, or --lcores when an "@" is in it; the first runs the prompt, the others forward
    eal, app      further arguments for EAL and for testpmd
    env           further environment
    command_file  lines for --cmdline-file; they run before the prompt shows
    namespace     network namespace to run in (see netns.py)
    interactive   False: no -i, testpmd forwards at once and has no prompt
    preload       objects for LD_PRELOAD
    executable    another program that takes the same arguments
    """

    __test__ = False

    def __init__(self, vdevs, *, plugin=None, prefix=None, cores="0,1", eal=(), app=(), env=None,
                 command_file=None, namespace=None, interactive=True, preload=(), executable=TESTPMD):
        self.prefix = prefix or f"lct{os.getpid()}x{next(_numbers)}"
        self.output = ""
        self.process = None
        self._terminal = None
        self._file = None
        self._taken = 0
        self._half = b""
        self._argv = self._arguments(vdevs, plugin, cores, eal, app, command_file, interactive, executable)
        if namespace is not None:
            self._argv = ["ip", "netns", "exec", namespace] + self._argv
        self._env = self._environment(plugin, preload, env)
        self._interactive = interactive

    def _arguments(self, vdevs, plugin, cores, eal, app, command_file, interactive, executable):
        argv = [executable, "--no-huge", "--no-pci", "-m", "256", "--lcores" if "@" in cores else "-l", cores, "--file-prefix", self.prefix]
        argv += [f"--vdev={vdev}" for vdev in vdevs]
        argv += ["-d", plugin] if plugin else []
        argv += [*eal, "--"]
        argv += ["-i"] if interactive else []
        argv += ["--total-num-mbufs=8192", *app]
        if command_file is not None:
            self._file = os.path.join(build_folder(), f"{self.prefix}.commands")
            with open(self._file, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in command_file))
            argv.append(f"--cmdline-file={self._file}")
        return argv

    @staticmethod
    def _environment(plugin, preload, env):
        sanitizer = _sanitizer_of(plugin or preload[0]) if plugin or preload else None
        preload = ([sanitizer] if sanitizer else []) + list(preload)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LINKCAST_")}
        if preload:
            environment["LD_PRELOAD"] = ":".join(preload)
        if sanitizer:
            # DPDK's own leaks are not ours to judge, and the plugin stays loaded until the end.
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        environment.update(env or {})
        return environment

    # ---- life

    def start(self, seconds=60):
        """Start it and wait for its prompt (or, when not interactive, for the start of forwarding)."""
        self._terminal, theirs = pty.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self.process = subprocess.Popen(self._argv, stdin=theirs, stdout=theirs, stderr=theirs,
                                        env=self._env, start_new_session=True, close_fds=True)
        os.close(theirs)
        self.expect(re.escape(PROMPT) if self._interactive else "Press enter to exit", seconds)
        return self

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        """Its process id."""
        return self.process.pid

    @property
    def runtime_folder(self):
        """EAL's run-time folder, where its sockets are."""
        base = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
        return os.path.join(base, "dpdk", self.prefix)

    def kill(self):
        """End it whatever its state, and remove what it leaves behind. May be called twice."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        if self._file is not None and os.path.exists(self._file):
            os.unlink(self._file)
        shutil.rmtree(self.runtime_folder, ignore_errors=True)

    def wait(self, seconds=30):
        """Wait for its end while reading on; returns the exit status (negative: the signal)."""
        wait_until(lambda: self._read(0.02) or self.process.poll() is not None,
                   f"the end of testpmd:\n{self.output[-2000:]}", seconds, pause=0)
        return self.process.returncode

    def quit(self, seconds=30):
        """Say quit at the prompt; returns the exit status."""
        self.write("quit\n" if self._interactive else "\n")
        return self.wait(seconds)

    def signal(self, number):
        """Send it a signal, once it sleeps at its prompt: one that comes just before that is not noticed."""
        def sleeps():
            with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
                return file.read().rpartition(")")[2].split()[0] == "S"
        wait_until(sleeps, "testpmd to wait for input")
        self.process.send_signal(number)

    # ---- talk

    def _read(self, seconds):
        """Take what it printed; False-y always, so that it can sit in a condition."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return None
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # it closed its end
            time.sleep(seconds)
            return None
        data = self._half + data
        half = _half_escape.search(data)
        self._half = half.group() if half else b""
        data = data[:len(data) - len(self._half)]
        self.output += _escapes.sub(b"", data).decode("utf-8", "replace")
        return None

    def expect(self, pattern, seconds=30):
        """Wait until it prints what matches `pattern`; returns all text since the last call up to there."""
        def found():
            self._read(0.02)
            match = re.compile(pattern).search(self.output, self._taken)
            if match is None and self.process.poll() is not None:
                self._read(0)
                match = re.compile(pattern).search(self.output, self._taken)
                if match is None:
                    raise AssertionError(
                        f"testpmd ended ({self.process.returncode}) before '{pattern}':\n{self.output[-3000:]}")
            return match
        try:
            match = wait_until(found, f"'{pattern}'", seconds, pause=0)
        except AssertionError as error:
            raise AssertionError(f"{error}; testpmd printed:\n{self.output[-3000:]}") from None
        text = self.output[self._taken:match.end()]
        self._taken = match.end()
        return text

    def write(self, text):
        """Type something."""
        os.write(self._terminal, text.encode())

    def command(self, text, seconds=30):
        """Type a line and return what is printed before the prompt comes back."""
        self.write(text + "\n")
        printed = self.expect(r"\n(?:.|\n)*?" + re.escape(PROMPT), seconds)
        return printed.partition("\n")[2].removesuffix(PROMPT)

    # ---- what tests ask about

    def port_stats(self, port):
        """`show port stats`, by the names of a sample."""
        text = self.command(f"show port stats {port}")
        names = {"RX-packets": "rx_packets", "TX-packets": "tx_packets", "RX-bytes": "rx_bytes",
                 "TX-bytes": "tx_bytes", "RX-missed": "rx_missed", "RX-errors": "rx_errors",
                 "TX-errors": "tx_errors", "RX-nombuf": "rx_nombuf"}
        found = {name: re.search(rf"{shown}:\s+(\d+)", text) for shown, name in names.items()}
        assert all(found.values()), f"no counters of port {port}:\n{self.output[-2000:]!r}"
        return {name: int(match.group(1)) for name, match in found.items()}

    def threads(self):
        """Its threads: [{"name", "cpus": set of CPU numbers, "blocked": signal mask, "cpu_ns": CPU used}]."""
        found = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            folder = f"/proc/{self.pid}/task/{task}"
            with open(f"{folder}/status", encoding="utf-8") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            with open(f"{folder}/schedstat", encoding="utf-8") as file:
                cpu_ns = int(file.read().split()[0])
            found.append({"name": status["Name"], "cpus": _cpu_set(status["Cpus_allowed_list"]),
                          "blocked": int(status["SigBlk"], 16), "cpu_ns": cpu_ns})
        return found


def _cpu_set(text):
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus
