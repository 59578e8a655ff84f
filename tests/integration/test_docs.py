"""The commands of the documents, run as a reader would, block after block in one shell.

A fence of ```sh or ```python is run; `<!-- not run: WHY -->` in the line before it keeps it from that. A command's exit
status is 0, or what a comment that ends in `exit status N` says. Only names that must be unique on a machine are replaced: the
folder /tmp/lc and the gateway's port.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import re
import signal
import subprocess

import pytest

from daemon import Analyticsd
from testpmd import build_folder

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(build_folder())
PROGRAMS = ("analyticsd", "analyticsd/ctl", "pathcomp", "dashboard", "dashboard/top")
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "data/README.md", ROOT / "tests/fuzz/README.md", *(ROOT / "docs").glob("*.md")])
WITH_COMMANDS = [path for path in DOCUMENTS if "```sh" in path.read_text(encoding="utf-8")]
DEADLINE = 240.0  # of a document

FENCE = re.compile(r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>sh|python)\n(?P<text>.*?)^```$", re.M | re.S)
OUR_COMMAND = re.compile(r"(?m)^    (?:analytics(?:d|ctl)|pathcomp|linkcast-\w+|make|curl|sqlite3|tools/\w+|trex_profiles/\w+) ")

# What curl meets may still be starting, and an answer of 4xx or 5xx is a failure.
PRELUDE = """
curl() { command curl --silent --show-error --fail --retry 30 --retry-connrefused --retry-delay 1 "$@"; }
ended() { [ "$1" = "$2" ] || { echo "$3: exit status $1 for $2" >&2; exit 99; }; }
"""


def name_of(path):
    """Of a document, among the others."""
    return str(path.relative_to(ROOT))


def blocks(path):
    """[(first line, language, text)] of what is to be run."""
    text = path.read_text(encoding="utf-8")
    return [(text[:match.start("text")].count("\n") + 1, match["language"], match["text"])
            for match in FENCE.finditer(text) if match["why"] is None]


def commands(first_line, text):
    """[(line, command)]; what ends in a backslash goes on in the next line."""
    found, begun = [], None
    for number, line in enumerate(text.splitlines(), first_line):
        if begun is not None:
            begun = (begun[0], begun[1] + "\n" + line)
        elif line.strip() and not line.startswith("#"):
            begun = (number, line)
        if begun is not None and not line.endswith("\\"):
            found.append(begun)
            begun = None
    return found


def script_of(path, folder, port):
    """The document as a shell script."""
    script = [PRELUDE]
    for first_line, language, text in blocks(path):
        text = text.replace("/tmp/lc", str(folder)).replace("127.0.0.1:5580", f"127.0.0.1:{port}")
        if language == "python":
            program = folder / f"line{first_line}.py"
            program.write_text(text, encoding="utf-8")
            script.append(f"/usr/bin/python3 {program}\nended $? 0 '{path.name}:{first_line}'")
            continue
        for line, command in commands(first_line, text):
            expected = re.search(r"#.*exit status (\d+)$", command)
            script.append(f"{command}\nended $? {expected[1] if expected else 0} '{path.name}:{line}'")
    return "\n".join(script) + "\n"


def run(path, folder, environment):
    """In a folder that looks like the sources, built."""
    place = folder / "sources"
    place.mkdir()
    for name in ("data", "tools", "trex_profiles", "packaging"):
        (place / name).symlink_to(ROOT / name)
    (place / "build").symlink_to(BUILD)
    port = 20000 + os.getpid() % 10000
    script = folder / "script"
    script.write_text(script_of(path, folder, port), encoding="utf-8")
    output = folder / "output"
    with open(output, "wb") as log, subprocess.Popen(
            ["bash", script], cwd=place, env={**os.environ, "LINKCAST_DASHBOARD_LISTEN": f"127.0.0.1:{port}", **environment},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True) as shell:
        try:
            status = shell.wait(DEADLINE)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)  # what a document left running
            except ProcessLookupError:
                pass
    said = output.read_text(encoding="utf-8", errors="replace")
    assert status == 0, said[-3000:]
    return said


@pytest.mark.parametrize("path", [path for path in WITH_COMMANDS if blocks(path)], ids=name_of)
def test_commands_of_a_document_do_what_it_says(path, sockets):
    folder = pathlib.Path(sockets)
    if path == ROOT / "README.md":  # it starts everything itself
        said = run(path, folder, {})
        assert "blocked (capacity)" in said and "linkcast_link_forecast_used_bits_per_second" in said
        assert (folder / "forecast.svg").stat().st_size > 5000
        return
    (folder / "d").mkdir()
    with Analyticsd(str(folder / "d")) as daemon:
        environment = {"LINKCAST_SAMPLES": daemon.samples, "LINKCAST_API": daemon.api, "LINKCAST_EVENTS": daemon.events,
                       "DATA": daemon.data, "PATH": ":".join([*(str(BUILD / name) for name in PROGRAMS), os.environ["PATH"]])}
        ctl = [BUILD / "analyticsd/ctl/analyticsctl"]
        for command in (["topology", "load", ROOT / "data/abilene/topology.json"],
                        ["import", ROOT / "data/abilene/loads.csv", "--map", ROOT / "data/abilene/map.csv", "--end", "now"]):
            subprocess.run(ctl + command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL, timeout=60)
        run(path, folder, environment)
        assert daemon.stop() == 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_stand_where_they_are_run_or_excused(path):
    text = path.read_text(encoding="utf-8")
    assert not OUR_COMMAND.findall(text)
    assert text.count("```sh\n") + text.count("```python\n") == len(FENCE.findall(text))


def test_messages_that_are_explained_exist():
    sources = "".join(path.read_text(encoding="utf-8") for folder in ("analyticsd", "common", "dashboard", "pathcomp", "schema", "testpmd_plugin")
                      for path in (ROOT / folder).rglob("*.c"))
    sources = re.sub(r'"\s+(?:PRI\w+\s+)?"', "", sources)
    headings = re.findall(r"^### (.*)$", (ROOT / "docs/faq.md").read_text(encoding="utf-8"), re.M)
    messages = [message for heading in headings for message in re.findall(r"`([^`]+)`", heading) if not message.startswith("EAL:")]
    assert len(messages) > 20
    for message in messages:
        pattern = r"[^\"\n]{0,60}?".join(map(re.escape, message.split("…")))
        assert re.search(pattern, sources), message


def test_the_alerts_file_of_its_page_is_taken_and_has_every_setting(sockets):
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    lines = [line[4:] for line in text[text.index("## The alerts file"):].splitlines() if line.startswith("    ")]
    names = re.findall(r'^\s+\{"(\w+)", [A-Z]+, (?:AT\(|offsetof)', (ROOT / "analyticsd/alerts/settings.c").read_text(encoding="utf-8"), re.M)
    assert len(names) > 15
    assert set(names) <= {line.split(" =")[0] for line in lines}
    secret, path = pathlib.Path(sockets) / "secret", pathlib.Path(sockets) / "alerts.conf"
    secret.write_text("correct horse\n", encoding="utf-8")
    path.write_text("\n".join(lines).replace("/etc/linkcast/hook.secret", str(secret))
                    .replace("/usr/share/linkcast/actions", str(ROOT / "packaging/actions")) + "\n", encoding="utf-8")
    with Analyticsd(sockets, "--alerts", str(path)) as daemon:
        assert daemon.stop() == 0


def test_links_between_documents_lead_somewhere():
    for path in DOCUMENTS:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", path.read_text(encoding="utf-8")):
            there = path.parent / target if target else path
            assert there.exists(), (path.name, target)
            if anchor and there.suffix == ".md":
                heads = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
                         for head in re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)]
                assert anchor in heads, (path.name, target, anchor)
