"""How long one decision and one round take, beside sorting the same jobs in the same run.

    python -m benchmarks.decisions [--json [FILE]] [--policies wgc,learned] [--jobs 10,1000]
        [--repeats N] [--seconds SECONDS]

Three pools, each job accepts widths 1, 2 and 4 on all of them; half of the devices are busy. A
decision is everything from the live world to one choice: its copy, the candidates, the scores.
Between two decisions a job has come and one has gone, as in a service. A round
(`scheduler.decisions.rounds.run.run_round`) goes on until nothing can be chosen: it starts what
fits and reserves for what does not. Policies decide with EASY backfilling, learned ones in the mode
that they were trained for. The reference is Python's `sorted()` of as many jobs by a key already
computed: what the plainest scheduler imaginable would do per decision. Times are processor time of
this thread. `NAME+search` may try choices out for 0.1 s in a round, as in the service. `--json`
writes or prints one object: `decision_ms` and `round_ms`, policy → queued jobs → `p50` and `p99`,
and for rounds the mean number of `choices`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

import agents.registry.resolve  # noqa: F401 - so that learned policies are found
from benchmarks.arguments import add_json, write_json
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, mode_of, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import best, run_round
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies import lookup
from scheduler.policies.search import limited

SIZES = (10, 100, 1_000, 10_000)
LEARNED = "learned"
"""Stands for the policy that is shipped."""
POLICIES = (
    "fcfs",
    "sjf",
    "wfp3",
    "f1",
    "edf",
    "priority",
    "tetris",
    "best-value",
    "wgc",
    LEARNED,
)
SEARCH_S = 0.1
"""Seconds that a policy may search in a round, as in the service."""
REPEATS = 300
"""Decisions of one policy with one length of the queue."""
WARM = 5
"""Decisions before those that are measured."""
AIM_MS = {1_000: 1.0, 10_000: 5.0}
"""Queued jobs → milliseconds that 99 of 100 decisions may take."""
NOW = 1_800_000_000.0
POOLS = (
    Pool("cpu", DeviceKind.CPU, "16 cores", 16, nodes=2, dollars_per_device_hour=0.04),
    Pool("small", DeviceKind.CUDA, "24 GB", 8, dollars_per_device_hour=0.75),
    Pool("large", DeviceKind.CUDA, "80 GB", 8, dollars_per_device_hour=2.5, boot_s=60.0),
)
SPEED = (1.0, 12.0, 40.0)
"""Of one device of each pool."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DecisionTiming:
    """Decisions and rounds of one policy with one length of the queue. Times in milliseconds."""

    policy: str
    jobs: int
    decision: tuple[float, float]
    """50th and 99th percentile."""
    round: tuple[float, float]
    """50th and 99th percentile; of few rounds the latter is nearly the longest."""
    choices: float
    """Placements and reservations of a round, on average."""
    sorts: float
    """Median round ÷ the time of the reference."""


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    timings = []
    for timing in measure(given.policies, given.jobs, given.repeats, given.seconds):
        timings.append(timing)
        print(f"{timing.policy}, {timing.jobs:,} jobs", file=sys.stderr, flush=True)
    if given.json:
        write_json(document(timings), given.json)
    else:
        show(timings)


def measure(
    policies: Sequence[str], sizes: Sequence[int], repeats: int, seconds: float
) -> Iterator[DecisionTiming]:
    """Time each policy with each length of the queue.

    `repeats`: number of decisions. `seconds`: processor time for the rounds of one figure, at least
    five. Raises `MissingError` for an unknown policy.
    """
    for name in policies:
        policy = limited(lookup.named(name.replace(LEARNED, f"{LEARNED}:fulcrum")), SEARCH_S)
        mode = mode_of(policy, Mode.EASY)
        for count in sizes:
            turns = snapshots(count)
            decide = partial(decision, policy=policy, mode=mode)
            decisions = [timed(partial(decide, next(turns)))[0] for _ in range(WARM + repeats)]
            rounds, choices = _rounds(turns, policy, mode, seconds)
            plain = reference(count)
            middle = float(np.median(rounds))
            yield DecisionTiming(
                name,
                count,
                _quantiles(decisions[WARM:]),
                _quantiles(rounds),
                choices,
                middle / plain,
            )


def _rounds(
    turns: Iterator[Snapshot], policy: Policy, mode: Mode, seconds: float
) -> tuple[list[float], float]:
    """Seconds of each round, and the mean number of choices."""
    took: list[float] = []
    choices = 0
    run_round(next(turns), policy, mode)
    while len(took) < 5 or sum(took) < seconds:
        passed, plan = timed(partial(run_round, next(turns), policy, mode))
        took.append(passed)
        choices += len(plan.placements) + len(plan.reservations)
    return took, choices / len(took)


def decision(snapshot: Snapshot, policy: Policy, mode: Mode) -> int:
    """The row that a policy would choose first."""
    round_ = Round(snapshot.world.copy(), snapshot.now, mode)
    scorer = traits(policy).scorer
    if scorer is not None:
        return round_.choose(scorer)
    table = round_.table()
    assert table is not None
    return int(table.rows[best(table, policy.scores(table), policy)])


def snapshots(count: int) -> Iterator[Snapshot]:
    """A queue of `count` jobs in which jobs come and go, drawn with a fixed seed.

    All snapshots are of one world: each is valid until the next.
    """
    draw = random.Random(count)
    world = World(POOLS, busy(draw), origin=NOW - 1e6)
    job = 0
    while True:
        job += 1
        if job > count:
            world.remove(job - count)
        submitted = NOW - draw.uniform(0.0, 1e4) if job <= count else NOW + job - count
        world.add(
            Waiting(
                id=job,
                submitted_at=submitted,
                options=options(draw.lognormvariate(7.0, 1.5)),
                priority=float(draw.randrange(101)),
                deadline=NOW + draw.uniform(0.0, 1e6),
                preference=draw.random(),
            )
        )
        if job > count:
            yield Snapshot(NOW + job - count, world)


def options(work: float) -> list[EstimatedPlacement]:
    """Widths 1, 2 and 4 on each pool; doubling the width makes it 1.8 times as fast."""
    found = []
    for where, pool in enumerate(POOLS):
        for power, width in enumerate((1, 2, 4)):
            runtime = work / SPEED[where] / 1.8**power
            dollars = runtime * width * pool.dollars_per_device_hour / 3600
            found.append(
                EstimatedPlacement(where, width, 0, runtime, dollars, runtime * width * 100.0)
            )
    return found


def busy(draw: random.Random) -> Iterator[RunningAttempt]:
    job = 1_000_000
    for where, pool in enumerate(POOLS):
        for node in range(pool.nodes):
            for _ in range(pool.devices_per_node // 2):
                job += 1
                yield RunningAttempt(NOW + draw.uniform(1.0, 3600.0), job, where, ((node, 1),))


def reference(count: int) -> float:
    """Seconds to sort as many jobs: the median of some repetitions."""
    draw = random.Random(count)
    keys = [draw.random() for _ in range(count)]
    jobs = list(range(count))
    work = partial(sorted, jobs, key=keys.__getitem__)
    return float(np.median([timed(work)[0] for _ in range(WARM)]))


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of a call, and its result."""
    # Of this thread, which does it all: what else the machine does is not part of it.
    begun = time.thread_time()
    found = work()
    return time.thread_time() - begun, found


def _quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """50th and 99th percentile in milliseconds."""
    middle, high = np.quantile(seconds, (0.5, 0.99)).tolist()
    return 1e3 * middle, 1e3 * high


def document(timings: Sequence[DecisionTiming]) -> Mapping[str, Mapping[str, object]]:
    """What `--json` prints."""
    decisions: dict[str, dict[str, object]] = {}
    rounds: dict[str, dict[str, object]] = {}
    for timing in timings:
        jobs = str(timing.jobs)
        one, whole = (
            dict(zip(("p50", "p99"), pair, strict=True)) for pair in (timing.decision, timing.round)
        )
        decisions.setdefault(timing.policy, {})[jobs] = one
        rounds.setdefault(timing.policy, {})[jobs] = whole | {"choices": timing.choices}
    return {"decision_ms": decisions, "round_ms": rounds}


def show(timings: Sequence[DecisionTiming]) -> None:
    sizes = list(dict.fromkeys(timing.jobs for timing in timings))
    console = Console()
    for title, kind in (("One decision", "decision"), ("One whole round", "round")):
        table = Table(title=f"{title} (ms, 50th / 99th percentile)")
        table.add_column("policy")
        for count in sizes:
            table.add_column(f"{count:,} jobs", justify="right")
        if kind == "round":
            table.add_column(f"choices, {sizes[-1]:,}", justify="right")
            table.add_column(f"÷ sorted(), {sizes[-1]:,}", justify="right")
        for name in dict.fromkeys(timing.policy for timing in timings):
            own = [timing for timing in timings if timing.policy == name]
            cells = ["{:.3g} / {:.3g}".format(*getattr(timing, kind)) for timing in own]
            last = [f"{own[-1].choices:.0f}", f"{own[-1].sorts:.1f}"] if kind == "round" else []
            table.add_row(name, *cells, *last)
        console.print(table)
    for count, aim in AIM_MS.items():
        slowest = max((t.decision[1] for t in timings if t.jobs == count), default=None)
        if slowest is not None:
            console.print(f"slowest at {count:,} jobs: {slowest:.2g} ms (aim: under {aim:g} ms)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m benchmarks.decisions",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_json(parser)
    parser.add_argument("--policies", type=_names, default=POLICIES, metavar="A,B")
    parser.add_argument("--jobs", type=_counts, default=SIZES, metavar="N,M", help="queued jobs")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="decisions per figure")
    parser.add_argument("--seconds", type=float, default=0.5, help="for the rounds of one figure")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    main()
