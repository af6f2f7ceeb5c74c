"""Torture a real service: python -m benchmarks.torture [--rounds 10] [--seed 1] [--json].

Exit code 0: every promise was kept; 1: some were not, each with the command that repeats its
round; 2: wrong arguments. Linux only; as root also with a full disk.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time

from benchmarks.torture.program import BEHAVIOURS
from benchmarks.torture.report import as_json, as_text
from benchmarks.torture.rounds import Torture, TorturePlan, known


def main() -> int:
    """Run it and print what it found; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture")
    parser.add_argument("--rounds", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--first", type=int, default=1, help="number of the first round")
    names = ", ".join(known())
    for option, does in (("--without", "leave it out"), ("--only", "leave all others out")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            choices=known(),
            metavar="NAME",
            help=f"{does}; may be repeated. Faults and what jobs do: {names}",
        )
    parser.add_argument("--disk", type=int, default=256, help="size of the disk (MiB)")
    parser.add_argument("--json", action="store_true", help="print the totals as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the disk is unmounted
    without = set(options.without)
    if only := set(options.only):
        only |= set() if only & BEHAVIOURS.keys() else {"job-ends-well"}
        without |= set(known()) - only
    plan = TorturePlan(
        options.seed, options.first, options.rounds, frozenset(without), options.disk
    )
    begun = time.monotonic()
    torture = Torture(plan, say=lambda line: print(line, file=sys.stderr, flush=True))
    report = as_json(plan, torture.run(), time.monotonic() - begun)
    print(json.dumps(report) if options.json else as_text(report))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
