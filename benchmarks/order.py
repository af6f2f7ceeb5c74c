"""Compares a policy of this checkout with the same one of another checkout.

python -m benchmarks.order --against CHECKOUT [--scenarios lab,mixed-cloud] [--jobs 160,1000]
    [--workloads 6] [--preferences .2,.5,.8] [--policies wgc] [--json]

Both simulate the same test workloads. The table shows the change of the mean objective over the
workloads, with its paired 95 % interval; below 0 this checkout is better. It shows the waits of
jobs of priority 67 and more, and of 33 and less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Runs = Mapping[str, Mapping[str, float]]
"""`scenario/jobs/w/policy/seed` → figures."""


def play(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    """Every simulation that the options ask for, by the checkout that runs this."""
    from agents.evaluation.by_class import BANDS
    from agents.evaluation.run import Conditions, RunKey, run
    from envs.scenarios import load

    for name in options.scenarios.split(","):
        scenario = load(name)
        for count in map(int, options.jobs.split(",")):
            for seed in range(options.workloads):
                for w in map(float, options.preferences.split(",")):
                    for policy in options.policies.split(";"):
                        key = RunKey(name, policy, seed, w)
                        found = run(scenario, key, Conditions(jobs=count))
                        waits = found.classes["priority"]
                        yield (
                            f"{name}/{count}/{w:g}/{policy}/{seed}",
                            {
                                "objective": found.metrics["objective"],
                                "wait_high_s": waits.get(BANDS[-1], {}).get("wait_s", np.nan),
                                "wait_low_s": waits.get(BANDS[0], {}).get("wait_s", np.nan),
                                "wait_s": found.metrics["wait_s"],
                                "missed": found.metrics["misses"],
                            },
                        )


def rows(here: Runs, other: Runs) -> list[dict[str, Any]]:
    """One row for each scenario, number of jobs, preference and policy."""
    from agents.evaluation.statistics import relative

    groups: dict[str, list[str]] = {}
    for key in here:
        groups.setdefault(key.rpartition("/")[0], []).append(key)
    found = []
    for group, keys in groups.items():
        scenario, jobs, w, policy = group.split("/", 3)

        def of(runs: Runs, figure: str, keys: Sequence[str] = keys) -> list[float]:
            return [runs[key][figure] for key in keys]

        change = relative(of(here, "objective"), of(other, "objective"))
        ratios = np.array(of(here, "objective")) / np.array(of(other, "objective"))
        found.append(
            {"scenario": scenario, "jobs": int(jobs), "w": float(w), "policy": policy}
            | {"change": change.mean, "low": change.low, "high": change.high}
            | {"median": float(np.median(ratios)) - 1, "won": float((ratios < 1).mean())}
            | {
                figure: [_mean(of(runs, figure)) for runs in (here, other)]
                for figure in ("wait_high_s", "wait_low_s", "wait_s", "missed")
            }
        )
    return found


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers: a workload may have no job of a priority."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def main() -> None:
    options = _parser().parse_args()
    if options.play:
        print(json.dumps(dict(play(options))))
        return
    pair = [_start(place, options) for place in (Path.cwd(), options.against.resolve())]
    here, other = (json.loads(process.communicate()[0]) for process in pair)
    table = rows(here, other)
    if options.json:
        print(json.dumps(table))
        return
    print(f"{'':28} {'objective':>27} {'median':>7} {'won':>4}", end="")
    print(f" {'wait, high':>15} {'wait, low':>15} {'missed':>12}   (here / there)")
    for row in table:
        name = f"{row['scenario']} {row['jobs']} w={row['w']:g} {row['policy']}"
        interval = f"{row['change']:+7.1%} [{row['low']:+.1%}, {row['high']:+.1%}]"
        print(f"{name:28} {interval:>27} {row['median']:+7.1%} {row['won']:4.0%}", end="")
        for figure in ("wait_high_s", "wait_low_s"):
            print(f" {row[figure][0]:7,.0f}/{row[figure][1]:7,.0f}", end="")
        print(f" {row['missed'][0]:5.1%}/{row['missed'][1]:6.1%}")


def _start(checkout: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    """This file, in a process that imports the checkout's packages."""
    command = [sys.executable, str(Path(__file__).resolve()), "--play"]
    for name in ("scenarios", "jobs", "workloads", "preferences", "policies"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    return subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.order")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--against", type=Path, default=Path(), metavar="CHECKOUT")
    parser.add_argument("--scenarios", default="lab,mixed-cloud")
    parser.add_argument("--jobs", default="160,1000", help="of each workload")
    parser.add_argument("--workloads", type=int, default=6)
    parser.add_argument("--preferences", default=".2,.5,.8")
    parser.add_argument("--policies", default="wgc;wgc:mixed-cloud", help="separated by ;")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--play", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
