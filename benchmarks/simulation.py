"""Speed of the simulation on one core, beside bare SimPy timeouts in the same run.

    python -m benchmarks.simulation [--json [FILE]] [--profile] [--million [POLICY …]] [--jobs N]
        [--nodes 100,1000,10000] [--traces FOLDER]

Traces and the very large cluster are played by the compiled clock; `SimPy` in a line is the same by
SimPy. A replayed job is at least two SimPy events, its arrival and its end; `ratio` is the time of
a job ÷ the time of two bare timeouts. Environment steps take the row that ends soonest beside what
the job could have, so that queues are as long as in training; choosing it is not measured, and of
some equal runs each step's least time counts. `--million`: 1,000,000 jobs on 10,000 nodes, or as
`--jobs` and `--nodes` say. `--json`
writes or prints one object with the main figures; lines for people go to stderr then. What could
not be measured, such as the replay of a trace that is not there, is null.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import simpy

import agents.registry.resolve  # noqa: F401 - so that learned policies are found
from benchmarks.arguments import add_json, write_json
from envs.clock import CompiledSimulation
from envs.clock.kernel.columns import CHOICES, ROUNDS
from envs.gym.cluster_env import ClusterEnv
from envs.scenarios import Scenario, load
from envs.simulator.simulation import ClusterSpec, Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.runtime_estimates import Exact, Requested, RuntimeEstimator
from envs.workloads.traces import swf
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import traits
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.lookup import named

TRACES = Path(__file__).resolve().parents[1] / ".." / "shared/traces/swf"
REPLAYS: Sequence[tuple[str, int, Mode, Callable[[], RuntimeEstimator]]] = (
    ("lublin_256.swf.gz", 256, Mode.NONE, Exact),
    ("lublin_256.swf.gz", 256, Mode.EASY, Exact),
    ("KTH-SP2.swf.gz", 100, Mode.EASY, Requested),
)
Clock = Callable[[Workload, ClusterSpec, RuntimeEstimator], Simulation | CompiledSimulation]
CLOCKS: Mapping[str, Clock] = {"SimPy": Simulation, "compiled": CompiledSimulation}
"""The last one's figures are those of `--json`."""
LUBLIN_FCFS = "lublin_256.swf.gz", Mode.NONE
KTH_EASY = "KTH-SP2.swf.gz", Mode.EASY
REPEATS = 10
STEPS = 1_000
JOBS = 160
WORLDS = 32
LATER = [column.name for column in ROW_COLUMNS].index("later")
T = TypeVar("T")
Say = Callable[[str], object]
"""Prints a line for people."""


def bare_timeouts(count: int = 50_000) -> float:
    """SimPy timeouts per second, with as many pending as a cluster has attempts."""
    env = simpy.Environment()

    def ticks() -> object:
        for _ in range(count // 100):
            yield env.timeout(1.0)

    for _ in range(100):
        env.process(ticks())  # type: ignore[arg-type]
    begun = time.process_time()
    env.run()
    return count / (time.process_time() - begun)


def replay(
    clock: Clock,
    workload: Workload,
    processors: int,
    mode: Mode,
    estimator: Callable[[], RuntimeEstimator],
) -> tuple[float, float]:
    """Seconds of processor time to prepare and to run, first come first served.

    The least of some repeats.
    """
    pool = Pool("machine", DeviceKind.CPU, "processor", processors)
    least = (np.inf, np.inf)
    for _ in range(REPEATS):
        begun = time.process_time()
        simulation = clock(workload, ClusterSpec((pool,), mode), estimator())
        made = time.process_time()
        simulation.run(named("fcfs"))
        least = min(least, (made - begun, time.process_time() - made), key=lambda pair: pair[1])
    return least


def steps(scenario: Scenario, rows: int) -> float:
    """Environment steps per second of processor time."""
    least = np.full(STEPS, np.inf)
    for _ in range(REPEATS):
        env = ClusterEnv(scenario, jobs=JOBS, rows=rows, reward="objective")
        observation, _ = env.reset(seed=1)
        for step in range(STEPS):
            mask = env.action_masks()
            later = np.where(mask, env.unflatten(observation)[0][:, LATER], np.inf)
            later[0] = 1.0 if mask[0] else np.inf
            begun = time.thread_time()
            observation, _, over, _, _ = env.step(later.argmin())
            if over:
                observation, _ = env.reset()
            least[step] = min(least[step], time.thread_time() - begun)
    return STEPS / float(least.sum())


def many(jobs: int, nodes: int, seed: int = 0) -> Workload:
    """Poisson arrivals that keep nodes of 8 devices at a load of 0.9."""
    rng = np.random.default_rng(seed)
    widths = rng.choice([1, 2, 4, 8], size=jobs, p=[0.6, 0.2, 0.12, 0.08])
    runtimes = np.exp(rng.normal(6.0, 1.2, jobs))
    gap = float((widths * runtimes).mean()) / (0.9 * 8 * nodes)
    times = np.cumsum(rng.exponential(gap, jobs))
    rows = zip(times.tolist(), widths.tolist(), runtimes.tolist(), strict=True)
    return Workload(
        "many",
        tuple(
            Arrival(number, time, (WorkloadRun("any", width, runtime),))
            for number, (time, width, runtime) in enumerate(rows, 1)
        ),
    )


def million(
    jobs: int, nodes: int, policies: Sequence[str], say: Say
) -> Mapping[str, Mapping[str, float]]:
    """Real time and memory of a large cluster, by the compiled clock, with all preparation.

    Returns policy → `seconds` and `memory_gib`.
    """
    workload = many(jobs, nodes)
    pool = Pool("nodes", DeviceKind.CUDA, "GPU", 8, nodes=nodes, dollars_per_device_hour=1.0)
    found = {}
    for policy in policies:
        begun = time.perf_counter()
        simulation = CompiledSimulation(workload, ClusterSpec((pool,), Mode.EASY))
        outcome = simulation.run(named(policy))
        seconds = time.perf_counter() - begun
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        found[policy] = {"seconds": seconds, "memory_gib": memory}
        say(
            f"{policy:8} {jobs:,} jobs on {nodes:,} nodes: {seconds / 60:.1f} min, "
            f"{jobs / seconds:,.0f} jobs/s, {memory:.1f} GiB at most, "
            f"mean wait {outcome.wait.mean():.1f} s"
        )
    return found


def replays(traces: Path, bare: float, say: Say) -> Mapping[tuple[str, Mode], tuple[float, float]]:
    """(file, mode) → jobs per second, and seconds, of the compiled clock.

    Only traces that are there. What the compiled clock prepares once per workload is not part of
    it, and is told in the lines for people.
    """
    found = {}
    for name, processors, mode, estimator in REPLAYS:
        if not (traces / name).exists():
            say(f"{name}: not found, skipped")
            continue
        workload = swf.read(traces / name)
        for title, clock in CLOCKS.items():
            prepared, seconds = replay(clock, workload, processors, mode, estimator)
            speed = len(workload.jobs) / seconds
            found[name, mode] = speed, seconds
            say(
                f"{name:18} {title:8} fcfs {mode:5} {speed:10,.0f} jobs/s {seconds:7.3f} s "
                f"ratio {bare / 2 / speed:6.1f} (prepared in {prepared:.3f} s)"
            )
    return found


def compiled_decisions(policy: str, say: Say) -> float | None:
    """Choices and ends of rounds per second of processor time, by the compiled clock on one core.

    None for a policy without a compiled scorer. Preparing the workloads is not part of it.
    """
    chosen = named(policy)
    if traits(chosen).scorer is None:
        return None
    scenario = replace(load("mixed-cloud"), mode=Mode.GREEDY)
    spec, best = ClusterSpec.of(scenario), 0.0
    for _ in range(REPEATS + 1):
        # The first time it is compiled, or read from disk.
        decisions, seconds = 0, 0.0
        for seed in range(WORLDS):
            workload = scenario.workload(seed, JOBS)
            simulation = CompiledSimulation(workload, spec, scenario.estimates.make(seed))
            begun = time.thread_time()
            simulation.run(chosen)
            seconds += time.thread_time() - begun
            decisions += int(simulation.episode.count[[ROUNDS, CHOICES]].sum())
        best = max(best, decisions / seconds)
    say(f"compiled clock, {policy:19} {best:10,.0f} decisions/s")
    return best


def environments(bare: float, say: Say) -> float:
    """Steps per second of the environment of four pools."""
    found = {}
    for title, scenario, rows in (
        ("4 pools, 64 rows", replace(load("mixed-cloud"), mode=Mode.GREEDY), 64),
        ("4 pools, 64 rows, EASY", replace(load("mixed-cloud"), mode=Mode.EASY), 64),
        ("1 pool, 128 rows", load("hpc-lublin"), 128),
    ):
        speed = found[title] = steps(scenario, rows)
        say(f"environment, {title:22} {speed:10,.0f} steps/s ratio {bare / speed:6.1f}")
    return found["4 pools, 64 rows"]


def figures(traces: Path, say: Say) -> dict[str, float | None]:
    """The main figures; None for what could not be measured. `say` gets the lines for people."""
    bare = bare_timeouts()
    say(f"bare SimPy timeouts: {bare:,.0f} per second")
    played = replays(traces, bare, say)
    lublin, kth = ((played.get(key) or (None, None)) for key in (LUBLIN_FCFS, KTH_EASY))
    steps_per_s = environments(bare, say)
    return {
        "simpy_timeouts_per_s": bare,
        "environment_steps_per_s": steps_per_s,
        "compiled_wgc_decisions_per_s": compiled_decisions("wgc", say),
        "compiled_learned_decisions_per_s": compiled_decisions("learned:fulcrum", say),
        "replay_lublin_fcfs_jobs_per_s": lublin[0],
        "replay_kth_easy_s": kth[1],
    }


def measure(given: argparse.Namespace, say: Say) -> Mapping[str, object]:
    """Everything that was asked for; `say` gets the lines for people."""
    found: dict[str, object] = {**figures(given.traces, say)}
    if given.million is None:
        return found
    policies = given.million or ["fcfs", "wgc"]
    sizes = [int(size) for size in given.nodes.split(",")]
    large = {str(nodes): million(given.jobs, nodes, policies, say) for nodes in sizes}
    return found | {"million": large}


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    say = partial(print, file=sys.stderr if given.json else sys.stdout, flush=True)
    found = profiled(partial(measure, given, say)) if given.profile else measure(given, say)
    if given.json:
        write_json(found, given.json)


def profiled(run: Callable[[], T]) -> T:
    """Run, and tell where time went."""
    profile = cProfile.Profile()
    found = profile.runcall(run)
    pstats.Stats(profile, stream=sys.stderr).strip_dirs().sort_stats("tottime").print_stats(25)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m benchmarks.simulation",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_json(parser)
    parser.add_argument("--profile", action="store_true", help="tell where time goes")
    parser.add_argument("--million", nargs="*", metavar="POLICY", help="a very large cluster too")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="of the very large cluster")
    parser.add_argument("--nodes", default="10000", help="of it; several, separated by commas")
    parser.add_argument("--traces", type=Path, default=TRACES, help="folder of SWF files")
    return parser


if __name__ == "__main__":
    main()
