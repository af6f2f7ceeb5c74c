"""Logs of every placement: written as hashes, and compared with a file of hashes.

    python -m benchmarks.placement_logs --write FILE [--resume]
    python -m benchmarks.placement_logs --check FILE [--clock service] [--json]
    python -m benchmarks.placement_logs --print --policies wgc --scenarios lab,stress --seeds 3

A cell is a policy, a mode and a scenario; each seed gives one simulation of a short workload.
Policies that were made for one mode run in that one; `own` is the mode of policies that ignore
modes. The scenario `stress` is drawn here: small random clusters whose jobs arrive and run for
whole seconds, so that much happens at once. A log has one line for each attempt, also for one that
was cut short:

    job pool width node:devices,… start end action

Times are seconds from the start of the workload, with all digits. Then follows the record of each
job: first start, end, attempts, whether it failed, wasted seconds, dollars and joules. A file has
three hashes of each log: of the placements without their nodes, of the nodes, and of the records.
Logarithms of NumPy depend on the processor in the last digit, and so may workloads that are drawn
with them: compare on the type of processor that the file names. `--print` shows the logs
themselves, so that two versions of the code can be compared line by line. Exit code 1: a log
differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks.placement_logs.cells import JOBS, POLICIES, SCENARIOS, SEEDS, LogCell, cells
from benchmarks.placement_logs.clocks import CLOCKS, NotSupportedError
from benchmarks.placement_logs.files import LogComparison, check, write
from scheduler.domain.errors import FulcrumError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        chosen = list(cells(given.policies, given.modes, given.scenarios))
        if given.write:
            write(given.write, chosen, given.clock, given.seeds, given.jobs, given.resume)
            return 0
        if given.check:
            found = check(given.check, chosen, given.clock, given.seeds)
            figures = {each.name: getattr(found, each.name) for each in fields(found)}
            print(json.dumps(figures)) if given.json else show(found)
            return int(found.equal < found.compared)
        for cell in chosen:
            for seed in given.seeds:
                show_log(cell, seed, given.clock, given.jobs)
    except FulcrumError as error:
        parser.error(str(error))
    return 0


def show_log(cell: LogCell, seed: int, clock: str, jobs: int) -> None:
    print(f"[{' '.join(cell)} {seed}]")
    try:
        log = CLOCKS[clock](cell, seed, jobs)
    except NotSupportedError as reason:
        print(f"not run: {reason}")
    else:
        print("\n".join((*log.placements, "", *log.results)))


def show(found: LogComparison) -> None:
    print(f"{found.equal} of {found.compared} simulations by {found.clock} are equal")
    kinds = {"placements": found.placements, "nodes": found.nodes, "records": found.results}
    for name, different in kinds.items():
        if different:
            print(f"{len(different)} have other {name}; the first of each cell:")
        first: dict[LogCell, int] = {}
        for cell, seed in different:
            first.setdefault(cell, seed)
        for (policy, mode, scenario), seed in first.items():
            print(f"  --policies {policy} --modes {mode} --scenarios {scenario} --seeds {seed}")
    for reason, count in found.not_run.items():
        print(f"{count} not compared: {reason}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m benchmarks.placement_logs",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE", help="store the hashes")
    action.add_argument("--check", type=Path, metavar="FILE", help="compare with stored hashes")
    action.add_argument("--print", action="store_true", help="show the logs themselves")
    parser.add_argument("--resume", action="store_true", help="keep the cells that FILE has")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="simpy")
    parser.add_argument("--policies", type=_names, default=POLICIES, metavar="A,B")
    parser.add_argument("--modes", type=_names, default=None, metavar="A,B")
    parser.add_argument("--scenarios", type=_names, default=SCENARIOS, metavar="A,B")
    seeds = f"one, or a range such as the default 0-{SEEDS - 1}"
    parser.add_argument("--seeds", type=_seeds, default=range(SEEDS), metavar="N|N-M", help=seeds)
    parser.add_argument("--jobs", type=int, default=JOBS, help="of each workload")
    parser.add_argument("--json", action="store_true", help="what --check found, as one object")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
