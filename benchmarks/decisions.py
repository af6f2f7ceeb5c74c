"""How long one decision takes: a whole round, beside sorting the same jobs in the same run.

    python -m benchmarks.decisions [--json] [--seconds SECONDS]

Three pools, each job accepts widths 1, 2 and 4 on all of them; half of the devices are busy. A
round scores every placement (`scheduler.decisions.rounds.run.run_round`, EASY backfilling), starts
what fits and reserves for what does not. The reference is Python's `sorted()` of as many jobs by
a key already computed: what the plainest scheduler imaginable would do per decision.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.queue import Backlog
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.heuristics import HEURISTICS

SIZES = (10, 100, 1_000, 10_000)
POLICIES = ("fcfs", "sjf", "wfp3", "f1", "edf", "priority", "tetris", "best-value")
AIM_MS = 50.0
"""Milliseconds that a round over 10,000 queued jobs may take."""
NOW = 1_800_000_000.0
POOLS = (
    Pool("cpu", DeviceKind.CPU, "16 cores", 16, nodes=2, dollars_per_device_hour=0.04),
    Pool("small", DeviceKind.CUDA, "24 GB", 8, dollars_per_device_hour=0.75),
    Pool("large", DeviceKind.CUDA, "80 GB", 8, dollars_per_device_hour=2.5, boot_s=60.0),
)
SPEED = (1.0, 12.0, 40.0)
"""Of one device of each pool."""


@dataclass(frozen=True, slots=True)
class DecisionTiming:
    """Rounds of one policy over one queue."""

    policy: str
    jobs: int
    milliseconds: float
    """Median of the repetitions."""
    growth: float | None
    """This time ÷ the time of a tenth of the jobs; 10 is linear. None for the shortest queue."""
    sorts: float
    """This time ÷ the time of the reference."""
    placements: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--seconds", type=float, default=0.3, help="per policy and queue")
    given = parser.parse_args()
    timings = list(measure(given.seconds))
    if given.json:
        print(json.dumps([asdict(timing) for timing in timings], indent=2))
    else:
        show(timings)


def measure(seconds: float) -> Iterator[DecisionTiming]:
    before: dict[str, float] = {}
    for count in SIZES:
        world = snapshot(count)
        plain = reference(count, seconds)
        for name in POLICIES:
            policy: Policy = HEURISTICS[name]
            placements = len(run_round(world, policy, Mode.EASY).placements)
            spent = median(partial(run_round, world, policy, Mode.EASY), seconds)
            growth = spent / before[name] if name in before else None
            yield DecisionTiming(name, count, spent * 1e3, growth, spent / plain, placements)
            before[name] = spent


def snapshot(count: int) -> Snapshot:
    """`count` queued jobs, drawn with a fixed seed, before half-busy pools."""
    draw = random.Random(count)
    backlog = Backlog(origin=NOW - 1e6)
    for job in range(1, count + 1):
        backlog.add(
            Waiting(
                id=job,
                submitted_at=NOW - draw.uniform(0.0, 1e5),
                options=options(draw.lognormvariate(7.0, 1.5)),
                priority=float(draw.randrange(101)),
                deadline=NOW + draw.uniform(0.0, 1e6),
                preference=draw.random(),
            )
        )
    return Snapshot(NOW, backlog.freeze(), POOLS, tuple(busy(draw)))


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


def reference(count: int, seconds: float) -> float:
    draw = random.Random(count)
    keys = [draw.random() for _ in range(count)]
    jobs = list(range(count))
    return median(lambda: sorted(jobs, key=keys.__getitem__), seconds)


def median(work: Callable[[], object], seconds: float) -> float:
    """Seconds of one call: the median of at least five, after one that warms up."""
    work()
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent)


def show(timings: list[DecisionTiming]) -> None:
    table = Table(title="One round with EASY backfilling (median, ms)")
    table.add_column("policy")
    for count in SIZES:
        table.add_column(f"{count:,} jobs", justify="right")
    table.add_column("growth 1,000 → 10,000", justify="right")
    table.add_column("÷ sorted() at 10,000", justify="right")
    for name in POLICIES:
        own = [timing for timing in timings if timing.policy == name]
        last = own[-1]
        table.add_row(
            name,
            *(f"{timing.milliseconds:.2f}" for timing in own),
            f"× {last.growth:.1f}",
            f"{last.sorts:.1f}",
        )
    console = Console()
    console.print(table)
    worst = max(timing.milliseconds for timing in timings if timing.jobs == SIZES[-1])
    steepest = max(timing.growth or 0.0 for timing in timings)
    console.print(
        f"slowest at {SIZES[-1]:,} jobs: {worst:.1f} ms (aim: under {AIM_MS:.0f} ms); "
        f"steepest growth for ten times the jobs: × {steepest:.1f} (aim: at most × 10)"
    )


if __name__ == "__main__":
    main()
