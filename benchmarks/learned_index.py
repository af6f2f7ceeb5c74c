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

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation.provenance import commit
from agents.evaluation.statistics import relative
from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST
from agents.serving.learned_policy import learned
from agents.training import config as configs
from agents.training.config import Training
from agents.training.job_index.export import TrainedOn
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.task import IndexTask, of_scenario, played
from agents.training.job_index.training import LEARNERS, begin, learn, start_in
from agents.training.lock import exclusive
from agents.training.progress import Tell, TrainingEvent, TrainingProgress
from benchmarks import rlscheduler
from benchmarks.arguments import add_json, parser, write_json
from benchmarks.policy.cases import FASTEST, FILE_JOBS, fresh
from benchmarks.policy.tables import signed
from envs.gym import episodes
from envs.gym.episodes import Draw, Episode
from envs.gym.rewards import Scales
from envs.scenarios import Split, load
from envs.scenarios.splits import WORKLOAD, place
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads import lublin
from envs.workloads.base import Workload
from envs.workloads.traces import swf
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import StateError
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.lookup import named

COMMAND = "python -m benchmarks.learned_index"
MODES = {"backfilling": Mode.COMMIT_FCFS, "no-backfilling": Mode.COMMIT}
MIXED = "mixed-cloud"
SETTINGS: Mapping[str, Any] = {"jobs": 400, "criterion": "ratio_of_means"}
STEPS = {"search": 320_000, "cmaes": 4_000_000}
"""Eight rounds, or some 40 generations, of sequences of 1,024 jobs."""
RIVALS = {"backfilling": "sjf,f1,saf,f4", "no-backfilling": "sjf,f1,saf,f4", MIXED: "sjf,saf,wgc"}
WINDOWS = FILE_JOBS // rlscheduler.JOBS
"""Sequences of one file; they share no job."""
SLOWDOWN = Scales(bounded=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Learn, then test."""
    options = parser(__doc__, "learned_index")
    options.add_argument("folder", type=Path)
    options.add_argument("--task", choices=[*MODES, MIXED], default="backfilling")
    options.add_argument("--way", choices=list(LEARNERS), default="search")
    options.add_argument("--base", default="saf", help="the policy that is corrected")
    options.add_argument("--hidden", type=int, default=16, help="hidden units; 0: linear")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--fresh", type=int, default=120, help="test workloads")
    options.add_argument("--set", action="append", default=[], help="NAME=VALUE of the settings")
    add_json(options)
    asked = options.parse_args(arguments)
    w = 0.5 if asked.task == MIXED else FASTEST
    scenario = load(MIXED if asked.task == MIXED else "hpc-lublin")
    own = {
        "scenario": scenario.name, "algo": asked.way, "baseline": asked.base,
        "hidden": asked.hidden, "seed": asked.seed, "preference": w, "steps": STEPS[asked.way],
    }  # fmt: skip
    config = configs.of({**own, **SETTINGS, **dict(map(configs.parse_option, asked.set))})
    begun = time.process_time()
    on = TrainedOn(scenario.name, scenario.digest, MODES.get(asked.task, scenario.mode))
    words = sys.argv[1:] if arguments is None else arguments
    made = TrainingProgress(command=shlex.join([*COMMAND.split(), *words]), commit=commit())
    _learn(asked.folder, config, asked.task, on, made, _tell(begun))
    print(f"learned in {time.process_time() - begun:.0f} CPU seconds", flush=True)
    policy = learned(asked.folder / BEST)
    names = list(dict.fromkeys([asked.base, *RIVALS[asked.task].split(",")]))
    kept: dict[str, dict[str, list[float]]] = {}
    for title, workloads in tests(asked.task, asked.fresh, config.jobs).items():
        policies = [policy, *map(named, names)]
        figures = np.array([played(each.at(w), policies) for each in workloads]).T
        own_figures, values = figures[0], dict(zip(names, figures[1:], strict=True))
        kept[title] = {"learned": own_figures.tolist()} | {
            name: value.tolist() for name, value in values.items()
        }
        best = min(names, key=lambda name: float(np.mean(values[name])))
        shown = {"learned": own_figures, **values}
        means = ", ".join(f"{name} {np.mean(value):.4g}" for name, value in shown.items())
        won = np.mean(own_figures < values[best])
        print(f"{title}, {len(workloads)}: {means}")
        print(
            f"  to {best} {signed(relative(own_figures, values[best]))}, {won:.0%} won; "
            f"to the base {signed(relative(own_figures, values[asked.base]))}",
            flush=True,
        )
    if asked.json:
        write_json({"task": asked.task, "values": kept}, asked.json)
    return 0


def _learn(
    folder: Path,
    config: Training,
    name: str,
    on: TrainedOn,
    made: TrainingProgress,
    tell: Tell,
) -> None:
    """Learn, or go on; the artifact in the folder is `learned:FOLDER/best` for other commands."""
    with exclusive(folder, "training"):
        if (folder / configs.FILE).is_file():
            if configs.read(folder) != config:
                raise StateError(
                    f"{folder} holds a training with other settings",
                    {"folder": "another one, or the same settings"},
                )
        else:
            begin(config, on, folder, made)
        with ProcessPool(task_of(name, config, start_in(folder))) as pool:
            learn(pool, IndexRun.read(folder), on, tell)


def task_of(name: str, config: Training, start: LearnedIndex) -> IndexTask:
    """The task of that name."""
    if name == MIXED:
        return of_scenario(load(MIXED), config, start)
    train, validation = (sequences(split, MODES[name]) for split in (Split.TRAIN, Split.VALIDATION))
    return IndexTask(config, start, train, validation)


def tests(name: str, count: int, jobs: int) -> dict[str, list[Episode]]:
    """Title → workloads that nothing was learned or chosen from."""
    if name == MIXED:
        draw = episodes.of_scenario(MIXED, jobs, Split.TEST)
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


def _tell(begun: float) -> Tell:
    def told(event: TrainingEvent) -> None:
        for score in event.scores.values():
            print(
                f"{time.process_time() - begun:6.0f} s  {event.steps:,} decisions: "
                f"{score.mean:.4f} of the base on {score.workloads} validation workloads, "
                f"standard error {score.error or 0.0:.4f}",
                flush=True,
            )

    return told


if __name__ == "__main__":
    sys.exit(main())
