#!/usr/bin/python3
"""How accurate the forecasts are on real series, beside R's forecast package and scikit-learn in the same run.

    bench_accuracy.py --build build [--m4 FILE] [--output docs/accuracy.md] CSV...

A CSV holds `timestamp_unix,value[,link]`, or one column for each link. Each series is asked at moments of its younger
part (rolling origins) about the time after; nobody sees what comes later. A cell is a file, a window and a history.
Peers that are not installed are passed over. Their answers are kept in BUILD/accuracy/, so that only new tasks cost.

SPDX-License-Identifier: MIT
"""

import argparse
import csv
import gzip
import hashlib
import math
import os
import shlex
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HOUR, DAY, WEEK = 3600, 86400, 7 * 86400
R_METHODS = ["naive", "snaive", "theta", "ets", "arima", "tbats"]
FAST = ("naive", "snaive", "theta")
NAMES = {"arima": "auto.arima", "hgb": "HistGradientBoosting"}

PAGE = """# How accurate the forecasts are

Made by

    {command}

Any CSV of `timestamp_unix,value[,link]` will do; `make bench-accuracy` takes the series in `data/`. The Abilene, Facebook and
EC2 files are there (the latter two in part); Cortez and M4 may not be passed on.

Rolling origins: each series is asked at moments of its younger part about the window that follows, from what came before
alone. A cell is a file, a window and the history given: ten windows (10:1), or all there is. Peers get the same history:
`forecast` of R, and scikit-learn's HistGradientBoosting on 24 lags, the same time of the two days before, the time of day,
the weekday and the distance. naive, snaive and theta answer every task, the others some of each cell, evenly; tbats only those with
at most 700 values of history, since more take it minutes. auto.arima looks for a season of up to 24 steps in up to 300 values
(a few tasks of the hourly series had more, and took it up to three minutes), ets for one of up to 24 steps.
"""
ERROR = """MASE is the mean absolute error over the mean change from a day to the next in the history (from a step to the next where
it holds no two days). The other columns are Linkcast's MASE over the peer's on the tasks that both answered: below 1
Linkcast is better. "Best naive" and "best" are ratios to the better of naive and snaive, and to the best of all peers."""
COVERAGE = """How often the truth was below: of each step (`each_step`), and of the highest step of the window, which is what a
forecast answers. Links of a file that are asked at the same moment lend each other errors, as those of a topology do. For
peers the highest point of their upper line is taken for the window."""
CPU = """Milliseconds of CPU time of one thread. "Cached" is the forecast after one more sample; both include the band of each step."""
M4 = """414 hourly series of the M4 competition (S. Makridakis and others, International Journal of Forecasting 36, 2020), 48 steps
ahead. OWA is the mean of sMAPE and MASE, each over that of Naive2, computed here. Published: Doornik .410, Smyl .440,
FFORMA .484."""


# ---- the series


def read_columns(path):
    """{link: [(time, value), ...]} of a CSV file, gzipped or not."""
    series = {}
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        rows = csv.reader(file)
        names = next(rows)
        time = names.index("timestamp_unix")
        if "value" in names:
            value, link = names.index("value"), names.index("link") if "link" in names else None
            for row in rows:
                name = row[link] if link is not None else ""
                series.setdefault(name, []).append((float(row[time]), float(row[value])))
        else:
            for row in rows:
                for name, cell in zip(names, row):
                    if name != "timestamp_unix":
                        series.setdefault(name, []).append((float(row[time]), float(cell)))
    return series


def on_grid(points):
    """(step, values) with NaN where nothing was measured."""
    points = sorted(points)
    step = statistics.median(b[0] - a[0] for a, b in zip(points, points[1:]))
    values = [math.nan] * (round((points[-1][0] - points[0][0]) / step) + 1)
    for time, value in points:
        values[round((time - points[0][0]) / step)] = value
    return step, values


# ---- the tasks


def cells_of(step, span):
    """(window, whether only ten windows of history are given) as the length and spacing of a series allow."""
    if step < 60:
        return [(60, True), (60, False)]
    cells = []
    if step <= 600:
        cells += [(HOUR, True), (HOUR, False)]
    if span >= 9.9 * DAY and step <= HOUR:
        cells += [(DAY, False)]
    if span >= 35 * DAY and step == HOUR:
        cells += [(WEEK, False)]
    return cells


class Task:
    """One question: what follows 'history'."""

    def __init__(self, cell, step, values, origin, horizon, strict):
        self.cell, self.step, self.horizon, self.strict = cell, step, horizon, strict
        self.group = f"{cell}@{origin}"
        first = max(0, origin - 10 * horizon) if strict else 0
        self.history, self.truth = values[first:origin], values[origin : origin + horizon]
        self.period = DAY / step if DAY / step * 2 <= len(self.history) else 1
        text = "\t".join(
            [self.group, f"{step:g}", f"{self.period:g}", str(horizon), str(int(strict)), str(len(self.history))]
        )
        text += "\t" + " ".join("nan" if math.isnan(v) else repr(v) for v in self.history)
        self.id = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.line = f"{self.id}\t{text}\n"

    def unit(self):
        """What MASE counts in: the mean change over a season, or over a step, of the history."""
        lag = round(self.period)
        changes = [
            abs(b - a) for a, b in zip(self.history, self.history[lag:]) if not (math.isnan(a) or math.isnan(b))
        ]
        return statistics.fmean(changes) if changes else 0


def sound(task):
    """Whether there is enough to ask about and to score."""
    known = sum(not math.isnan(v) for v in task.truth)
    return (
        known >= 0.9 * task.horizon
        and not math.isnan(task.history[-1])
        and sum(not math.isnan(v) for v in task.history) > 20
        and task.unit() > 0
    )


def make_tasks(path, most):
    """The tasks of a file, at most about 'most' in a cell, spread evenly over links and time."""
    tasks = []
    grids = {name: on_grid(points) for name, points in read_columns(path).items()}
    step, values = next(iter(grids.values()))
    name = os.path.basename(path).split(".")[0]
    for window, strict in cells_of(step, step * len(values)):
        label = f"{name} {span_text(window)} {'10:1' if strict else 'all'}"
        horizon = round(window / step)
        tasks += [task for task in spread(grids, label, horizon, strict, most) if sound(task)]
    return tasks


def spread(grids, label, horizon, strict, most):
    """Origins in the younger part, the same for every link of the file, so that a topology is asked as one."""
    n = min(len(values) for _, values in grids.values())
    least = min(10 * horizon, int(0.7 * n)) if not strict else 10 * horizon
    least = max(least, n // 3)
    links = sorted(grids)
    moments = max(most // len(links), 1)
    if moments < 3:
        moments = 3
        keep = max(most // moments, 1)
        links = [links[i * len(links) // keep] for i in range(keep)] if keep < len(links) else links
    free = n - horizon - least
    moments = min(moments, free + 1)
    for i in range(moments):
        origin = least + free * (2 * i + 1) // (2 * moments)
        for link in links:
            step, values = grids[link]
            yield Task(label, step, values, origin, horizon, strict)


def span_text(seconds):
    """1 min, 1 h, 1 d, 1 w."""
    for unit, name in ((WEEK, "w"), (DAY, "d"), (HOUR, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


# ---- the answers


class Answer:
    """What somebody said to a task."""

    def __init__(self, cpu, path, upper, peak=None, model="", cached=None):
        self.cpu, self.path, self.upper, self.model, self.cached = cpu, path, upper, model, cached
        self.peak = peak if peak is not None else (max(upper) if upper else None)


def numbers(text):
    """Floats of a line."""
    return [float(v) for v in text.split()]


def ask_own(build, tasks, model="auto"):
    """Linkcast's answers."""
    program = os.path.join(build, "tests", "bench", "bench_accuracy")
    run = subprocess.run(
        [program, model], input="".join(t.line for t in tasks), stdout=subprocess.PIPE, text=True, check=True
    )
    answers = {}
    for line in run.stdout.splitlines():
        task, model, cold, cached, peak, path, upper = line.split("\t")
        answers[task] = Answer(float(cold), numbers(path), numbers(upper), float(peak), model, float(cached))
    return answers


def kept_or_asked(build, name, tasks, ask):
    """Answers of a peer: kept ones, and those of 'ask' for the rest, one by one so that an interrupt loses nothing."""
    folder = os.path.join(build, "accuracy")
    os.makedirs(folder, exist_ok=True)
    kept = os.path.join(folder, name + ".txt")
    lines = {}
    if os.path.exists(kept):
        with open(kept, encoding="utf-8") as file:
            lines = {line.split("\t")[0]: line for line in file if line.endswith("\n")}
    missing = [task for task in tasks if task.id not in lines]
    if missing:
        with open(kept, "a", encoding="utf-8") as file:
            for line in ask(missing):
                file.write(line)
                file.flush()
                lines[line.split("\t")[0]] = line
    answers = {}
    for task in tasks:
        if task.id in lines:
            _, cpu, path, *upper = lines[task.id].rstrip("\n").split("\t")
            answers[task.id] = Answer(float(cpu), numbers(path), numbers(upper[0]) if upper else [])
    return answers


def ask_r(method):
    """A function that asks R."""

    def ask(tasks):
        command = ["Rscript", "--vanilla", os.path.join(HERE, "bench_accuracy.R"), method]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as run:
            for task in tasks:
                run.stdin.write(task.line)
                run.stdin.flush()
                yield run.stdout.readline()
            run.stdin.close()

    return ask


def ask_hgb(tasks):
    """HistGradientBoosting on 24 lags, the same time of the days before, the time of day and the distance."""
    # pylint: disable=import-outside-toplevel
    import time

    import numpy
    from sklearn.ensemble import HistGradientBoostingRegressor

    lags = 24
    for task in tasks:
        y = numpy.array(task.history)
        bad = numpy.isnan(y)
        y[bad] = numpy.interp(numpy.flatnonzero(bad), numpy.flatnonzero(~bad), y[~bad])
        day = DAY / task.step if task.period > 1 else 0
        random = numpy.random.default_rng(1)

        def row(n, h):  # what is known before step n about step n + h - 1
            x = list(y[n - lags : n]) + [h]
            if day:
                t = n + h - 1
                back = [round(k * day) for k in range(1, 16) if t - round(k * day) < n and t >= round(k * day)]
                x += [y[t - back[0]] if back else numpy.nan, y[t - back[1]] if len(back) > 1 else numpy.nan]
                x += [math.sin(2 * math.pi * t / day), math.cos(2 * math.pi * t / day)]
                x += [t // day % 7]
            return x

        before = time.process_time()
        n_rows = min(20000, 4 * len(y))
        rows, targets = [], []
        for h, at in zip(random.integers(1, task.horizon + 1, n_rows), random.random(n_rows)):
            if len(y) - h - lags < 2:
                continue
            n = lags + int(at * (len(y) - h - lags + 1))
            rows.append(row(n, int(h)))
            targets.append(y[n + h - 1])
        rows, targets = numpy.array(rows), numpy.array(targets)
        ahead = numpy.array([row(len(y), h) for h in range(1, task.horizon + 1)])
        paths = []
        for loss in ({"loss": "squared_error"}, {"loss": "quantile", "quantile": 0.95}):
            model = HistGradientBoostingRegressor(max_iter=100, random_state=1, **loss).fit(rows, targets)
            paths.append(" ".join(f"{v:.7g}" for v in model.predict(ahead)))
        took = (time.process_time() - before) * 1000 / 2
        yield f"{task.id}\t{took:.1f}\t{paths[0]}\t{paths[1]}\n"


# ---- the scores


def mase(task, answer):
    """Mean absolute error in the task's unit."""
    errors = [abs(t - p) for t, p in zip(task.truth, answer.path) if not math.isnan(t)]
    return statistics.fmean(errors) / task.unit()


def geo(values):
    """Geometric mean."""
    return math.exp(statistics.fmean(math.log(v) for v in values))


def interval(hits, n):
    """Wilson's 95 % interval of a share."""
    z, share = 1.96, hits / n
    middle, reach = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - reach) / (1 + z * z / n), (middle + reach) / (1 + z * z / n)


class Coverage:
    """How often the truth stayed below the 0.95 quantile."""

    def __init__(self):
        self.steps = self.step_hits = self.windows = self.window_hits = 0

    def add(self, task, answer):
        """Count one task."""
        known = [(t, u) for t, u in zip(task.truth, answer.upper) if not math.isnan(t)]
        self.steps += len(known)
        self.step_hits += sum(t <= u for t, u in known)
        self.windows += 1
        self.window_hits += max(t for t, _ in known) <= answer.peak

    def text(self):
        """.950 | .950 (.93 to .97)"""
        if not self.windows:
            return "|"
        low, high = interval(self.window_hits, self.windows)
        return (
            f"{self.step_hits / self.steps:.3f} | "
            f"{self.window_hits / self.windows:.3f} ({low:.2f} to {high:.2f})"
        )


class Cell:
    """The scores of the tasks of one file, window and history."""

    def __init__(self, name, tasks, own, peers):
        self.name, self.tasks = name, tasks
        self.mase = statistics.fmean(mase(t, own[t.id]) for t in tasks)
        self.coverage = Coverage()
        for task in tasks:
            self.coverage.add(task, own[task.id])
        self.ratios, self.peer_mase, self.best = {}, {}, None
        for peer, answers in peers.items():
            both = [t for t in tasks if t.id in answers]
            if both:
                theirs = statistics.fmean(mase(t, answers[t.id]) for t in both)
                self.ratios[peer] = statistics.fmean(mase(t, own[t.id]) for t in both) / theirs

    def worst(self, names=None):
        """Our error over that of the best of the peers."""
        ratios = [r for peer, r in self.ratios.items() if names is None or peer in names]
        return max(ratios) if ratios else math.nan


def overall(cells, peer):
    """Geometric mean over the cells."""
    ratios = [c.ratios[peer] for c in cells if peer in c.ratios]
    return geo(ratios) if ratios else math.nan


def score(tasks, own, peers):
    """The cells, in the order of the tasks."""
    by_cell = {}
    for task in tasks:
        by_cell.setdefault(task.cell, []).append(task)
    return [Cell(name, some, own, peers) for name, some in by_cell.items()]


def accuracy_table(cells, peers, write):
    """One row for each cell."""
    names = [NAMES.get(p, p) for p in peers]
    write("| cell | tasks | MASE | " + " | ".join(names) + " | best naive | best |")
    write("|---|" + "---:|" * (len(names) + 4))
    for cell in cells:
        ratios = [f"{cell.ratios[p]:.2f}" if p in cell.ratios else "" for p in peers]
        write(
            f"| {cell.name} | {len(cell.tasks)} | {cell.mase:.3f} | "
            + " | ".join(ratios)
            + f" | {cell.worst(('naive', 'snaive')):.2f} | {cell.worst():.2f} |"
        )
    if peers:
        ratios = [f"{overall(cells, p):.3f}" for p in peers]
        naive = geo([c.worst(("naive", "snaive")) for c in cells])
        best = geo([c.worst() for c in cells])
        write("| **all (geometric mean)** | | | " + " | ".join(ratios) + f" | {naive:.3f} | {best:.3f} |")


def coverage_table(cells, peers, tasks, write):
    """Coverage of the 0.95 quantile."""
    write("| cell | each step | highest of the window (95 % interval) |")
    write("|---|---:|---:|")
    for cell in cells:
        write(f"| {cell.name} | {cell.coverage.text()} |")
    pooled = Coverage()
    for cell in cells:
        for field in vars(pooled):
            setattr(pooled, field, getattr(pooled, field) + getattr(cell.coverage, field))
    write(f"| **all** | {pooled.text()} |")
    for peer, answers in peers.items():
        theirs = Coverage()
        for task in tasks:
            if task.id in answers and answers[task.id].upper:
                theirs.add(task, answers[task.id])
        write(f"| {NAMES.get(peer, peer)} | {theirs.text()} |")


def cpu_table(own, peers, tasks, write):
    """CPU of a forecast."""
    cold = [own[t.id].cpu for t in tasks]
    cached = [own[t.id].cached for t in tasks]
    write("| who | CPU ms, mean | median | highest | times Linkcast's mean |")
    write("|---|---:|---:|---:|---:|")
    for name, values in (("Linkcast, cold", cold), ("Linkcast, cached", cached)):
        write(f"| {name} | {statistics.fmean(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} | |")
    for peer, answers in peers.items():
        values = [answers[t.id].cpu for t in tasks if t.id in answers]
        ours = statistics.fmean(own[t.id].cpu for t in tasks if t.id in answers)
        write(
            f"| {NAMES.get(peer, peer)} | {statistics.fmean(values):.1f} | {statistics.median(values):.1f} | "
            f"{max(values):.0f} | {statistics.fmean(values) / ours:.0f} |"
        )


# ---- M4


def m4_tasks(path):
    """The hourly series of the M4 competition: 48 steps ahead, the published test part as truth."""
    parts = {}
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            parts.setdefault(row["link"], {}).setdefault(row["part"], []).append(float(row["value"]))
    tasks = []
    for link in sorted(parts, key=lambda name: int(name[1:])):
        values = parts[link]["train"] + parts[link]["test"]
        tasks.append(Task(f"m4 {link}", HOUR, values, len(parts[link]["train"]), len(parts[link]["test"]), False))
    return tasks


def naive2(y, horizon, period=24):
    """The competition's reference: naive on seasonally adjusted data, where a test shows a season."""
    mean = statistics.fmean(y)
    variance = sum((v - mean) ** 2 for v in y)
    acf = [sum((a - mean) * (b - mean) for a, b in zip(y, y[lag:])) / variance for lag in range(1, period + 1)]
    limit = 1.645 * math.sqrt((1 + 2 * sum(r * r for r in acf[:-1])) / len(y))
    if abs(acf[-1]) <= limit:
        return [y[-1]] * horizon
    half = period // 2
    ratios = [[] for _ in range(period)]
    for t in range(half, len(y) - half):
        window = y[t - half : t + half + 1]
        trend = (sum(window) - (window[0] + window[-1]) / 2) / period
        ratios[t % period].append(y[t] / trend)
    index = [statistics.fmean(r) for r in ratios]
    index = [i / statistics.fmean(index) for i in index]
    level = y[-1] / index[(len(y) - 1) % period]
    return [level * index[(len(y) + h) % period] for h in range(horizon)]


def smape(truth, path):
    """In percent, as the competition counts."""
    return 200 * statistics.fmean(abs(t - p) / (abs(t) + abs(p)) if t or p else 0 for t, p in zip(truth, path))


def m4_scores(tasks, paths):
    """Mean sMAPE and MASE."""
    masses = []
    for task, path in zip(tasks, paths):
        unit = statistics.fmean(abs(b - a) for a, b in zip(task.history, task.history[24:]))
        masses.append(statistics.fmean(abs(t - p) for t, p in zip(task.truth, path)) / unit)
    return statistics.fmean(smape(t.truth, p) for t, p in zip(tasks, paths)), statistics.fmean(masses)


def m4_table(tasks, own, write):
    """OWA: the mean of both errors over those of Naive2."""
    ours = m4_scores(tasks, [own[t.id].path for t in tasks])
    theirs = m4_scores(tasks, [naive2(t.history, t.horizon) for t in tasks])
    owa = (ours[0] / theirs[0] + ours[1] / theirs[1]) / 2
    coverage = Coverage()
    for task in tasks:
        coverage.add(task, own[task.id])
    write("| series | sMAPE | MASE | Naive2 sMAPE | Naive2 MASE | OWA | p95 each step | p95 highest |")
    write("|---:|---:|---:|---:|---:|---:|---:|---:|")
    write(
        f"| {len(tasks)} | {ours[0]:.3f} | {ours[1]:.3f} | {theirs[0]:.3f} | {theirs[1]:.3f} | **{owa:.3f}** | "
        f"{coverage.text()} |"
    )


# ---- the run


def shown(arguments, argv):
    """The command for the page: files by their names, since folders differ from machine to machine."""
    files = {*arguments.csv, arguments.m4}
    return [os.path.basename(argv[0])] + [
        os.path.basename(word) if word in files and not word.startswith("data/") else word for word in argv[1:]
    ]


def choose(tasks, most):
    """At most 'most' tasks of each cell, evenly."""
    by_cell = {}
    for task in tasks:
        by_cell.setdefault(task.cell, []).append(task)
    return [some[i * len(some) // min(most, len(some))] for some in by_cell.values() for i in range(min(most, len(some)))]


def ask_peers(arguments, tasks):
    """{peer: {task: answer}} of those that are installed and wanted."""
    peers = {}
    wanted = arguments.peers.split(",") if arguments.peers else []
    has_r = shutil.which("Rscript") and not subprocess.run(
        ["Rscript", "--vanilla", "-e", "library(forecast)"], capture_output=True, check=False
    ).returncode
    for method in R_METHODS:
        if method in wanted and has_r:
            most = {"ets": arguments.slow, "arima": arguments.slower, "tbats": arguments.slowest}
            some = tasks if method in FAST else choose(tasks, most[method])
            if method == "tbats":  # minutes each above
                some = [task for task in some if len(task.history) <= 700]
            peers[method] = kept_or_asked(arguments.build, method, some, ask_r(method))
    if not has_r:
        print("R's forecast package is not installed (r-cran-forecast): passed over", file=sys.stderr)
    if "hgb" in wanted:
        try:
            import sklearn  # pylint: disable=import-outside-toplevel,unused-import

            peers["hgb"] = kept_or_asked(arguments.build, "hgb", choose(tasks, arguments.slow), ask_hgb)
        except ImportError:
            print("scikit-learn is not installed (python3-sklearn): passed over", file=sys.stderr)
    return peers


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="*", help="series")
    parser.add_argument("--build", default="build")
    parser.add_argument("--m4", help="the hourly series of M4: `step,value,link,part`")
    parser.add_argument("--tasks", type=int, default=60, help="of a cell, about (60)")
    parser.add_argument("--slow", type=int, default=24, help="tasks of a cell that ets and boosting get (24)")
    parser.add_argument("--slower", type=int, default=8, help="... auto.arima (8)")
    parser.add_argument("--slowest", type=int, default=2, help="... tbats (2)")
    parser.add_argument("--peers", default="naive,snaive,theta,ets,arima,tbats,hgb")
    parser.add_argument("--output", help="the page to write (docs/accuracy.md)")
    arguments = parser.parse_args()
    lines = [PAGE.format(command=shlex.join(shown(arguments, sys.argv)))]
    tasks = [task for path in arguments.csv for task in make_tasks(path, arguments.tasks)]
    if tasks:
        peers = ask_peers(arguments, tasks)
        own = ask_own(arguments.build, tasks)
        cells = score(tasks, own, peers)
        lines += ["## Error", "", ERROR, ""]
        accuracy_table(cells, list(peers), lines.append)
        lines += ["", "## Coverage of the 0.95 quantile", "", COVERAGE, ""]
        coverage_table(cells, peers, tasks, lines.append)
        lines += ["", "## CPU of a forecast", "", CPU, ""]
        cpu_table(own, peers, tasks, lines.append)
    if arguments.m4:
        m4 = m4_tasks(arguments.m4)
        lines += ["", "## M4, hourly", "", M4, ""]
        m4_table(m4, ask_own(arguments.build, m4), lines.append)
    print("\n".join(lines))
    if arguments.output:
        with open(arguments.output, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
