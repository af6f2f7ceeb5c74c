"""What a learned index gains over its base, and what learning it costs.

    python -m benchmarks.learned_index FOLDER [--task backfilling] [--way search] [--base saf]
        [--json [FILE]]

Tasks: `backfilling` and `no-backfilling` are RLScheduler's protocol (see `benchmarks.rlscheduler`):
ten published sequences of 1,024 jobs and fresh ones out of the same model; the figure is the mean
bounded slowdown. `mixed-cloud` is the scenario with workloads of 400 jobs and w = 0.5. Training,
validation and test share no randomness, and nothing is learned from the published file. FOLDER
keeps the run: called again, it goes on, and a finished one is only tested.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import relative
from agents.serving.artifact import BEST
from agents.training.job_index import task as tasks
from agents.training.job_index.distillation import distil
from agents.training.job_index.evolution import evolve
from agents.training.job_index.export import TrainedOn, export
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.settings import (
    DistillationSettings,
    EvolutionSettings,
    IndexSettings,
)
from agents.training.job_index.task import IndexTask
from benchmarks import rlscheduler
from benchmarks.arguments import add_json, parser, write_json
from benchmarks.policy.cases import FASTEST, FILE_JOBS, fresh
from benchmarks.policy.tables import signed
from envs.gym.episodes import Draw, Episode, of_scenario
from envs.gym.rewards import Scales
from envs.scenarios import Split, load
from envs.scenarios.splits import WORKLOAD, place
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads import lublin
from envs.workloads.base import Workload
from envs.workloads.traces import swf
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.lookup import named

COMMAND = "python -m benchmarks.learned_index"
MODES = {"backfilling": Mode.COMMIT_FCFS, "no-backfilling": Mode.COMMIT}
MIXED, MIXED_JOBS = "mixed-cloud", 400
RIVALS = {"backfilling": "sjf,f1,saf,f4", "no-backfilling": "sjf,f1,saf,f4", MIXED: "sjf,saf,wgc"}
WINDOWS = FILE_JOBS // rlscheduler.JOBS
"""Sequences of one file; they share no job."""
SLOWDOWN = Scales(bounded=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, then test."""
    options = parser(__doc__, "learned_index")
    options.add_argument("folder", type=Path)
    options.add_argument("--task", choices=[*MODES, MIXED], default="backfilling")
    options.add_argument("--way", choices=["search", "cmaes"], default="search")
    options.add_argument("--base", default="saf", help="the policy that is corrected")
    options.add_argument("--hidden", type=int, default=16, help="hidden units; 0: linear")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--fresh", type=int, default=120, help="test workloads")
    options.add_argument("--set", action="append", default=[], help="NAME=VALUE of the settings")
    add_json(options)
    asked = options.parse_args(arguments)
    given = {key: json.loads(value) for key, value in (each.split("=") for each in asked.set)}
    shared = {key: given.pop(key) for key in list(given) if key in IndexSettings.__slots__}
    settings = IndexSettings(base=asked.base, hidden=asked.hidden, seed=asked.seed, **shared)
    task = task_of(asked.task, settings)
    begun = time.process_time()
    if asked.way == "search":
        searched = {key: given.pop(key) for key in ("jobs", "futures", "length") if key in given}
        how = DistillationSettings(**given)
        how = replace(how, search=replace(how.search, **searched))
        policy = distil(task, how, asked.folder, _tell(begun))
    else:
        policy = evolve(task, EvolutionSettings(**given), asked.folder, _tell(begun))
    _export(asked.folder, task, policy, asked.task)
    print(f"learned in {time.process_time() - begun:.0f} CPU seconds", flush=True)
    figures = {}
    names = list(dict.fromkeys([asked.base, *RIVALS[asked.task].split(",")]))
    for title, episodes in tests(asked.task, asked.fresh).items():
        values = {
            name: [task.value(episode, one) for episode in episodes]
            for name, one in [("learned", policy), *((name, named(name)) for name in names)]
        }
        figures[title] = values
        best = min(names, key=lambda name: float(np.mean(values[name])))
        own = values["learned"]
        means = ", ".join(f"{name} {np.mean(value):.4g}" for name, value in values.items())
        won = np.mean(np.array(own) < np.array(values[best]))
        print(f"{title}, {len(episodes)}: {means}")
        print(
            f"  to {best} {signed(relative(own, values[best]))}, {won:.0%} won; "
            f"to the base {signed(relative(own, values[asked.base]))}",
            flush=True,
        )
    if asked.json:
        write_json({"task": asked.task, "values": figures}, asked.json)
    return 0


def _export(folder: Path, task: IndexTask, policy: LearnedIndex, name: str) -> None:
    """Write the artifact: other commands know it as `learned:FOLDER/best`."""
    scenario = load(MIXED if name == MIXED else "hpc-lublin")
    on = TrainedOn(scenario.name, scenario.digest, MODES.get(name, scenario.mode), COMMAND)
    export(folder / BEST, policy, task.settings, IndexRun.read(folder), on)


def task_of(name: str, settings: IndexSettings) -> IndexTask:
    """The task of that name."""
    if name == MIXED:
        return tasks.of_scenario(MIXED, settings, w=0.5, jobs=MIXED_JOBS)
    return IndexTask(
        settings, sequences(Split.TRAIN, MODES[name]), sequences(Split.VALIDATION, MODES[name]), 1.0
    )


def tests(name: str, count: int) -> dict[str, list[Episode]]:
    """Title → workloads that nothing was learned or chosen from."""
    if name == MIXED:
        draw = of_scenario(MIXED, MIXED_JOBS, Split.TEST)
        return {"test": [draw(seed) for seed in range(count)]}
    sets = {}
    mode = MODES[name]
    if rlscheduler.TRACE.is_file():
        published = swf.read(rlscheduler.TRACE)
        sets["published"] = [_episode(published, start, mode) for start in rlscheduler.STARTS]
    drawn = (fresh(seed, rlscheduler.JOBS) for seed in range(count))
    return sets | {"fresh": [_episode(*each, mode) for each in drawn]}


def sequences(split: Split, mode: Mode) -> Draw:
    """Draws sequences of files out of the model."""

    def draw(seed: int) -> Episode:
        file, window = divmod(seed, WINDOWS)
        return _episode(_file(file, split), window * rlscheduler.JOBS, mode)

    return draw


@lru_cache(maxsize=4)
def _file(seed: int, split: Split) -> Workload:
    model = lublin.Lublin(rlscheduler.PROCESSORS.count)
    return lublin.draw(model, FILE_JOBS, place(seed, split, WORKLOAD))


def _episode(workload: Workload, start: int, mode: Mode) -> Episode:
    spec = ClusterSpec((rlscheduler.PROCESSORS,), mode, FASTEST, every_event=True)
    return Episode(workload.window(start, rlscheduler.JOBS, aged=True), spec, scales=SLOWDOWN)


def _tell(begun: float) -> Callable[[str], None]:
    return lambda text: print(f"{time.process_time() - begun:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
