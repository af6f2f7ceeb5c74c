"""What the learned policies are worth, beside the heuristics; see docs/results.md.

python -m benchmarks.policy [PART …] [--quick] [--workers N] [--out FOLDER] [--train] [--write]
    [--learned GROUP,…] [--runs FOLDER …] [--jobs N]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from agents.process_pool import cores
from api.cli.support import text_format
from api.cli.support.output import err, out
from benchmarks.policy import artifacts, document, goals
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.parts import (
    ablation,
    budget,
    curves,
    drawn,
    frontier,
    kth,
    live,
    moves,
    preemption,
    rlscheduler,
    traces,
    transfer,
)
from scheduler.domain.errors import InputError

PARTS: Mapping[str, ReportPart] = {
    part.name: part
    for part in (
        frontier.PART,
        drawn.PART,
        moves.PART,
        preemption.PART,
        transfer.PART,
        traces.PART,
        ablation.PART,
        rlscheduler.PART,
        kth.PART,
        budget.PART,
        curves.PART,
        live.PART,
        goals.PART,
    )
}
QUICK = artifacts.BUILD / "quick"
"""Results of `--quick` stay away from those that the page is made of."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write; the exit code."""
    given = _parser().parse_args(words)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        _parser().error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    parts = [PARTS[name] for name in given.parts] or list(PARTS.values())
    out_folder = given.out or (QUICK if given.quick else document.RESULTS)
    if given.train:
        groups = dict.fromkeys(group for part in parts for group in part.groups)
        try:
            artifacts.train_again(*groups, folder=given.artifacts)
        except InputError as error:
            err().print(escape(error.message), *error.fields.values(), sep="\n", soft_wrap=True)
            return 2
    if not (given.write and not given.parts):
        how = Measuring(
            quick=given.quick,
            jobs=given.jobs,
            workers=given.workers,
            folder=given.artifacts,
            learned=tuple(given.learned),
            trainings=tuple(given.runs),
            results=out_folder,
        )
        for part in parts:
            begun = time.monotonic()
            found = part.measure(how)
            file = document.save(part, found, out_folder, time.monotonic() - begun)
            took = text_format.seconds(time.monotonic() - begun)
            show(part, out_folder)
            err().print(f"[dim]{part.name}: {took}, {file}[/]", soft_wrap=True)
    if out_folder == document.RESULTS or given.write:
        without = document.write(PARTS, folder=out_folder)
        err().print(f"written: {document.PAGE}", soft_wrap=True)
        if without:
            err().print(f"not measured yet: {', '.join(without)}", soft_wrap=True)
    return 0


def show(part: ReportPart, folder: Path) -> None:
    """Print what was measured."""
    found: Found | None = document.read(part, folder)
    assert found is not None
    section = part.report(found, folder / "plots")
    console = out()
    console.print(f"\n[bold]{escape(section.title)}[/]")
    console.print(escape(section.text) + "\n", soft_wrap=True)
    for table in section.tables:
        table.show(console)
    for one in found["missing"]:
        console.print(f"[yellow]note:[/] {escape(one)}", soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.policy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument(
        "--quick", action="store_true", help="only two workloads, to check that all runs"
    )
    parser.add_argument(
        "--jobs", type=int, help="counted jobs of each workload in steady state, to try things out"
    )
    parser.add_argument("--workers", type=int, default=cores(), help="processes")
    parser.add_argument("--out", type=Path, help="folder for results (JSON) and plots")
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=artifacts.FOLDER,
        help="folder of the policies, with NAME-SEED/",
    )
    parser.add_argument(
        "--learned",
        type=lambda text: text.split(","),
        default=[artifacts.SHIPPED, artifacts.RIVAL],
        metavar="GROUP,…",
        help="policies of the tables in steady state: `fulcrum` is the one that ships (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--runs", type=Path, nargs="*", default=[], help="folders of trainings, for their curves"
    )
    parser.add_argument("--train", action="store_true", help="train the policies again first")
    parser.add_argument(
        "--write", action="store_true", help="write docs/results.md; without parts: measure nothing"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
