"""A strict reader of OpenMetrics 1.0 text, written from the specification
(https://prometheus.io/docs/specs/om/open_metrics_spec/): what breaks a rule is an AssertionError.

SPDX-License-Identifier: MIT
"""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SAMPLE = re.compile(rf'({NAME})(?:\{{(.*)\}})? ([^ ]+)$')
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "unknown": ("",), "stateset": ("",)}
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family:
    """One metric family: kind, unit, help, samples {(suffix, ((label, value), ...)): text}."""

    def __init__(self, name, kind):
        self.name, self.kind, self.unit, self.help, self.samples = name, kind, "", "", {}


def _labels(text):
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"labels: {text}"
        found.append((match.group(1), re.sub(r'\\[\\"n]', lambda m: ESCAPES[m.group()], match.group(2))))
        at = match.end()
    assert len({name for name, _ in found}) == len(found), f"a label twice: {text}"
    return tuple(sorted(found))


def parse(text):
    """{name: Family}."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    families, current = {}, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert re.fullmatch(NAME, name), line
            if word == "TYPE":
                assert name not in families and rest in SUFFIXES, line
                current = families[name] = Family(name, rest)
                continue
            assert current is not None and current.name == name and not current.samples, f"out of place: {line}"
            if word == "UNIT":
                assert name.endswith("_" + rest), line
                current.unit = rest
            else:
                assert word == "HELP", line
                current.help = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, labels, value = match.groups()
        suffix = name[len(current.name):]
        assert name.startswith(current.name) and suffix in SUFFIXES[current.kind], f"{name} in family {current.name}"
        assert current.kind != "counter" or float(value) >= 0
        assert current.kind != "stateset" or value in ("0", "1")
        key = (suffix, _labels(labels or ""))
        assert key not in current.samples, f"twice: {line}"
        assert float(value) == float(value), line
        current.samples[key] = value
    return families
