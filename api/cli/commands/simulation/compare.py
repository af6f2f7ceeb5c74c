"""compare: policies on the same simulated workloads."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.support.exit_codes import ExitCode
from api.cli.support.global_options import Json
from api.cli.support.output import err, out
from api.cli.support.processes import Workers, processes
from scheduler.policies import SIMULATED

if TYPE_CHECKING:
    from agents.evaluation.compare import Comparison
    from agents.evaluation.run import RunResult
    from envs.scenarios import Scenario, Split

LARGEST = 1_000_000
"""No comparison has more seeds."""


def compare(
    policies: Annotated[
        str,
        typer.Option(
            "--policies",
            "-p",
            metavar="NAMES|all",
            help="fcfs,sjf,… as in `fulcrum policy ls`, or all; and of the simulator only: "
            f"{', '.join(SIMULATED)}. fcfs@fgd: with another placement on nodes.",
        ),
    ] = "fcfs,sjf,saf,f1,cheapest,fastest,best-value,wgc",
    scenarios: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME|FILE", help="Repeatable."),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="N|LIST", help="8 (means 0 to 7), or 3,5,10-12.")
    ] = "8",
    baseline: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="Compare others with it; default: the first."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Of each workload; default: as the scenario says."),
    ] = None,
    preferences: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Run all at each: 0,.25,.5,1 (0 cheapest … 1 fastest), or names."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="Reservations: none, easy, commit, …; default: the scenario's."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which workloads: train, validation, tuning or test.")
    ] = "test",
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What scenarios without a trace replay.")
    ] = None,
    starved: Annotated[
        str, typer.Option(metavar="DURATION", help="A longer wait counts as starved.")
    ] = "1d",
    by: Annotated[
        str, typer.Option(help="Who waited, in the table: by priority, preference or user.")
    ] = "priority",
    clock: Annotated[
        str,
        typer.Option(
            help="What moves time: compiled, simpy, or auto: compiled wherever it can. "
            "All give the same results."
        ),
    ] = "auto",
    workers: Workers = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one row per run; - for stdout.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report with tables and plots.")
    ] = None,
    timeline: Annotated[
        int | None,
        typer.Option(metavar="SEED", help="Of the report's device timelines; default: the first."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep finished runs there; take over what is in it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run policies on the same simulated workloads, and compare them.

    Means over seeds with bootstrap 95 % intervals, and differences to the baseline on the same
    seeds; waits, slowdowns and missed deadlines also by priority, preference and user. Exits 1 if a
    run failed; it shows the others all the same.

    Example: fulcrum compare -s mixed-cloud -p fcfs,sjf,fastest --by user --html report.html
    """
    from agents.evaluation.by_class import By
    from agents.evaluation.compare import Comparison
    from agents.evaluation.provenance import provenance_of
    from agents.evaluation.run import ClockChoice, Conditions
    from agents.evaluation.summary import summarise
    from agents.report.csv_json import as_csv, write
    from agents.report.csv_json import as_json as document
    from api.cli.views.comparison import show

    if csv is not None and str(csv) == "-" and as_json:
        raise typer.BadParameter("one of them goes to stdout, not both", param_hint="--csv")
    names = _policies(policies)
    numbers = _seeds(seeds)
    if timeline is not None and timeline not in numbers:
        raise typer.BadParameter("is none of the seeds", param_hint="--timeline")
    if by not in set(By):
        raise typer.BadParameter(f"{by!r} is none of {', '.join(By)}", param_hint="--by")
    if clock not in set(ClockChoice):
        raise typer.BadParameter(
            f"{clock!r} is none of {', '.join(ClockChoice)}", param_hint="--clock"
        )
    chosen = numbers[0] if timeline is None else timeline
    plan = Comparison(
        scenarios=_scenarios(scenarios or ["mixed-cloud"], trace, mode),
        policies=names,
        seeds=numbers,
        baseline=baseline or names[0],
        preferences=_preferences(preferences),
        conditions=Conditions(
            jobs=jobs,
            split=_split(split),
            starved_s=_seconds(starved),
            timeline=None if html is None else chosen,
            clock=ClockChoice(clock),
        ),
    )
    comparison = replace(plan, runs=_runs(plan, processes(workers), resume))
    summaries = summarise(comparison)
    made = provenance_of(comparison, ["fulcrum", *map(shlex.quote, sys.argv[1:])])
    if csv is not None and str(csv) != "-":
        write(csv, as_csv(comparison))
    if html is not None:
        from agents.report.html import report

        write(html, report(comparison, summaries, made))
        err().print(f"[dim]report:[/] {html}", soft_wrap=True)
    if as_json:
        print(document(comparison, summaries, made), end="")
    elif csv is not None and str(csv) == "-":
        sys.stdout.write(as_csv(comparison))
    else:
        show(comparison, summaries, By(by), out())
    if comparison.failures:
        _show_failures(comparison.failures)
        raise typer.Exit(ExitCode.FAILED)


def _policies(text: str) -> tuple[str, ...]:
    """Raises `MissingError` naming the legal ones."""
    from envs.baselines.catalogue import check, names

    if text == "all":
        return tuple(names())
    found = tuple(dict.fromkeys(_words(text)))
    for name in found:
        check(name)
    return found


def _scenarios(names: Sequence[str], trace: Path | None, mode: str | None) -> dict[str, Scenario]:
    from envs.scenarios import load
    from scheduler.decisions.rounds.modes import Mode

    if mode is not None and mode not in set(Mode):
        legal = ", ".join(Mode)
        raise typer.BadParameter(f"{mode!r} is none of {legal}", param_hint="--mode")
    found = {}
    for name in names:
        scenario = load(name)
        log = scenario.source.trace
        if trace is not None and log is not None and log.path is None:
            scenario = load(name, trace=trace)
        scenario.check()
        if mode is not None:
            scenario = replace(scenario, mode=Mode(mode))
        if scenario.name in found:
            raise typer.BadParameter(f"{scenario.name} is named twice", param_hint="--scenario")
        found[scenario.name] = scenario
    return found


def _seeds(text: str) -> tuple[int, ...]:
    """`8` → 0 … 7; `3,` → 3; `3,5,10-12` → 3, 5, 10, 11, 12."""
    try:
        if text.isdecimal():
            seeds = tuple(range(min(int(text), LARGEST)))
        else:
            seeds = tuple(seed for word in _words(text) for seed in _range(word))
    except ValueError:
        seeds = ()
    if not seeds or len(set(seeds)) < len(seeds):
        raise typer.BadParameter(
            f"{text!r} is no number ≥ 1 and no list of different seeds such as 3,5,10-12",
            param_hint="--seeds",
        )
    return seeds


def _range(word: str) -> range:
    first, _, last = word.partition("-")
    return range(int(first), min(int(last or first), int(first) + LARGEST) + 1)


def _preferences(text: str | None) -> tuple[float | None, ...]:
    from scheduler.domain.jobs import PREFERENCES

    if text is None:
        return (None,)
    try:
        found = tuple(
            PREFERENCES[word] if word in PREFERENCES else float(word) for word in _words(text)
        )
    except ValueError:
        found = ()
    if not found or not all(0 <= value <= 1 for value in found) or len(set(found)) < len(found):
        legal = f"different numbers from 0 to 1, or {', '.join(PREFERENCES)}"
        raise typer.BadParameter(f"{text!r} is no list of {legal}", param_hint="--preferences")
    return found


def _split(text: str) -> Split:
    from envs.scenarios import Split

    if text not in set(Split):
        raise typer.BadParameter(f"{text!r} is none of {', '.join(Split)}", param_hint="--split")
    return Split(text)


def _seconds(text: str) -> float:
    from scheduler.domain.units import seconds

    try:
        value = seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--starved") from None
    if not value:
        raise typer.BadParameter("is not above 0", param_hint="--starved")
    return value


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _runs(plan: Comparison, workers: int, resume: Path | None) -> tuple[RunResult, ...]:
    from agents.evaluation.compare import compare as run_all
    from agents.evaluation.result_cache import ResultCache
    from api.cli.support.progress_bar import ProgressBar

    with ResultCache(resume, plan) if resume is not None else nullcontext() as cache:
        known = cache.known() if cache is not None else {}
        with ProgressBar("simulating", len(plan.keys), err(), already=len(known)) as progress:

            def done(run: RunResult) -> None:
                if cache is not None:
                    cache.add(run)
                progress.step()

            return run_all(plan, workers=workers, known=known, done=done)


def _show_failures(failures: Sequence[RunResult]) -> None:
    from rich.markup import escape

    console = err()
    console.print(f"[bold red]error:[/] {len(failures)} runs failed")
    for run in failures:
        key = run.key
        preference = "" if key.preference is None else f" at preference {key.preference:g}"
        where = f"{key.policy}{preference} on {key.scenario}, seed {key.seed}"
        console.print(f"  [bold]{escape(where)}[/]: {escape(run.error)}", soft_wrap=True)
