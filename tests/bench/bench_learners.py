#!/usr/bin/python3
"""Forest and boosting against scikit-learn and xgboost: the same lags, the same rows, one machine, one run.

Each fit runs in a process of its own, on one thread; CPU seconds are what the fit took, peak memory is the process's.
`boost` ends when its trees help no more, `boost-all` grows as many as the peers, `boost-days` also sees what was there days
before, as it does when it is used. The data is `analyticsctl simulate --profile sinusoidal`, whose noise no forecast can
go below: RMSE 2886.8.

usage: bench_learners.py --build BUILD [--weeks N] [--csv FILE] [--lags N] [--window N] [--only NAME,...]

SPDX-License-Identifier: MIT
"""
import argparse
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time

FLOOR = 10000 / 12 ** 0.5
SKLEARN_TREES = 1  # grown; a hundred take hundred times as long


def features(values, lags, window):
    """The demo's features without its leak: what was there before each moment, and the moment's hour and weekday."""
    import numpy as np
    n, first = len(values), max(lags, window)
    table = np.empty((n - first, lags + 4), dtype=np.float32)
    for lag in range(1, lags + 1):
        table[:, lag - 1] = values[first - lag:n - lag]
    windows = np.lib.stride_tricks.sliding_window_view(values, window)[first - window:n - window]
    for i in range(0, len(table), 4096):  # a piece at a time, so that numpy copies no whole window table
        table[i:i + 4096, lags] = windows[i:i + 4096].mean(axis=1)
        table[i:i + 4096, lags + 1] = windows[i:i + 4096].std(axis=1, ddof=1)
    seconds = np.arange(first, n)
    table[:, lags + 2] = seconds // 3600 % 24
    table[:, lags + 3] = seconds // 86400 % 7
    return table, values[first:]


def make(name):
    if name == "forest":
        from sklearn.ensemble import RandomForestRegressor
        return RandomForestRegressor(n_estimators=SKLEARN_TREES, random_state=42, n_jobs=1, min_samples_leaf=10)
    if name == "hist":
        from sklearn.ensemble import HistGradientBoostingRegressor
        return HistGradientBoostingRegressor(max_iter=100, early_stopping=False, random_state=42)
    import xgboost
    return xgboost.XGBRegressor(n_estimators=100, max_depth=6, tree_method="hist", n_jobs=1, random_state=42)


def child(args):
    """One peer: prints key=value pairs like bench_learners does."""
    import numpy as np
    values = np.loadtxt(args.csv, delimiter=",", skiprows=1, usecols=1)
    train = len(values) * 8 // 10
    table, target = features(values, args.lags, args.window)
    train -= len(values) - len(target)
    model = make(args.child)
    start = time.process_time()
    model.fit(table[:train], target[:train])
    cpu = time.process_time() - start
    error = target[train:] - model.predict(table[train:])
    start = time.perf_counter()
    for i in range(200):
        model.predict(table[train + i:train + i + 1])
    one = (time.perf_counter() - start) / 200
    trees = SKLEARN_TREES if args.child == "forest" else 100
    print("model=%s rows=%d features=%d trees=%d cpu=%.2f peak_mb=%.1f bytes=%d h1_mae=%.1f h1_rmse=%.1f live_us=%.2f" % (
        args.child, train, table.shape[1], trees, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        len(pickle.dumps(model)), np.abs(error).mean(), (error ** 2).mean() ** 0.5, one * 1e6))


def run(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if process.returncode != 0:
        lines = process.stderr.strip().splitlines()
        return None, lines[-1] if lines else "status %d" % process.returncode
    return dict(pair.split("=") for pair in process.stdout.split()), None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--weeks", default="1")
    parser.add_argument("--lags", type=int, default=300)
    parser.add_argument("--window", type=int, default=300)
    parser.add_argument("--only", default="forest,boost,boost-all,boost-days,sklearn-hist,xgboost,sklearn-forest")
    parser.add_argument("--csv")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args)
    with tempfile.TemporaryDirectory() as folder:
        path = args.csv or os.path.join(folder, "sinusoidal.csv")
        if not args.csv:
            subprocess.run([os.path.join(args.build, "analyticsd/ctl/analyticsctl"), "simulate", "--weeks", args.weeks,
                            "-o", path], check=True, stdout=subprocess.DEVNULL)
        ours = [os.path.join(args.build, "tests/bench/bench_learners")]
        peer = ["/usr/bin/python3", __file__, "--csv", path, "--lags", str(args.lags), "--window", str(args.window), "--child"]
        shape = ["--lags", str(args.lags), "--window", str(args.window)]
        commands = {
            "forest": ours + ["--model", "forest", "--plain"] + shape + [path],
            "boost": ours + ["--model", "boost", "--plain"] + shape + [path],
            "boost-all": ours + ["--model", "boost", "--plain", "--patience", "0"] + shape + [path],
            "boost-days": ours + ["--model", "boost"] + shape + [path],
            "sklearn-forest": peer + ["forest"],
            "sklearn-hist": peer + ["hist"],
            "xgboost": peer + ["xgboost"],
        }
        found = {}
        for name in args.only.split(","):
            found[name], why = run(commands[name])
            if found[name] is None:
                print("%-15s skipped: %s" % (name, why))
                continue
            row = found[name]
            print("%-15s %s rows x %s: %s trees, %s CPU-s, peak %s MB, %.1f kB a model of them, RMSE %s (floor %.1f), one row %s us" % (
                name, row["rows"], row["features"], row["trees"], row["cpu"], row["peak_mb"], int(row["bytes"]) / 1e3,
                row["h1_rmse"], FLOOR, row["live_us"]), flush=True)
        compare(found)
    return 0


def compare(found):
    """What the figures are of the peers', where both are there."""
    def value(name, key, each=False):
        row = found[name]
        return float(row[key]) / (float(row["trees"]) if each else 1)

    for ours, peer, key, each, what in (
            ("forest", "sklearn-forest", "cpu", True, "CPU a tree"), ("forest", "sklearn-forest", "bytes", True, "size of a tree"),
            ("boost", "sklearn-hist", "cpu", False, "CPU"), ("boost", "xgboost", "cpu", False, "CPU"),
            ("boost-all", "sklearn-hist", "cpu", False, "CPU"), ("boost-all", "xgboost", "cpu", False, "CPU"),
            ("boost", "sklearn-hist", "h1_rmse", False, "RMSE"), ("boost", "xgboost", "h1_rmse", False, "RMSE"),
            ("boost-days", "sklearn-hist", "h1_rmse", False, "RMSE"), ("boost-days", "xgboost", "h1_rmse", False, "RMSE")):
        if found.get(ours) and found.get(peer):
            ratio = value(ours, key, each) / value(peer, key, each)
            print("%s / %s, %s: %.4f (1/%.1f)" % (ours, peer, what, ratio, 1 / ratio))


if __name__ == "__main__":
    sys.exit(main())
