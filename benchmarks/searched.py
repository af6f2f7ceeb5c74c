"""What looking ahead gains on RLScheduler's protocol: NAME against NAME+search.

python -m benchmarks.searched [--base f1,saf,f4] [--fresh 24] [--json FILE]

The protocol is that of `benchmarks.rlscheduler`: ten published sequences of 1,024 jobs on 256
processors, and fresh ones out of the same model, without and with backfilling; the figure is the
mean bounded slowdown. Futures are runs of consecutive arrivals of other files out of the model,
with seeds that training may use; no future is taken from a sequence that is played. The setting was
fixed before: 8 jobs, 16 futures, 48 arrivals, one standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from agents.evaluation.statistics import relative
from benchmarks import rlscheduler
from benchmarks.arguments import parser
from benchmarks.policy.cases import FASTEST, FILE_JOBS, fresh
from benchmarks.policy.tables import signed
from envs.clock import CompiledSimulation
from envs.scenarios import Split
from envs.scenarios.splits import WORKLOAD, place
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads import lublin
from envs.workloads.base import Arrival, Workload
from envs.workloads.traces import swf
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.arrivals import ArrivalHistory, ArrivedJob
from scheduler.decisions.search.settings import PlayoutObjective, SearchSettings
from scheduler.decisions.state.world import Shape
from scheduler.policies.lookup import named
from scheduler.policies.search import SearchedPolicy

MODES = {"no backfilling": Mode.COMMIT, "backfilling": Mode.COMMIT_FCFS}
FILES = 3
"""Files that futures are drawn from."""
SETTINGS = SearchSettings(jobs=8, futures=16, length=48, margin=1.0, every_event=True)
OBJECTIVE = PlayoutObjective(seconds=0.0, slowdown=1.0, preference=FASTEST)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table line by line, as it is computed."""
    options = parser(__doc__, "searched")
    options.add_argument("--base", default="f1,saf,f4", help="policies, separated by commas")
    options.add_argument("--fresh", type=int, default=24, help="fresh sequences (default 24)")
    options.add_argument("--modes", default=",".join(MODES), help="of: " + ", ".join(MODES))
    options.add_argument("--json", type=Path, help="write the figures of all sequences there")
    asked = options.parse_args(arguments)
    sets: dict[str, list[tuple[Workload, int]]] = {}
    if rlscheduler.TRACE.is_file():
        published = swf.read(rlscheduler.TRACE)
        sets["published"] = [(published, start) for start in rlscheduler.STARTS]
    sets["fresh"] = [fresh(seed, rlscheduler.JOBS) for seed in range(asked.fresh)]
    print(f"{'sequences':10} {'mode':15} {'policy':12} {'alone':>8} {'searched':>9}  difference")
    found = []
    for which, sequences in sets.items():
        for title in asked.modes.split(","):
            for base in asked.base.split(","):
                begun = time.process_time()
                pairs = [pair(*sequence, MODES[title], named(base)) for sequence in sequences]
                spent = time.process_time() - begun
                alone, searched = np.transpose(pairs).tolist()
                row = [which, title, base]
                print(
                    f"{which:10} {title:15} {base:12} {np.mean(alone):8.2f} "
                    f"{np.mean(searched):9.2f}  {signed(relative(searched, alone))}  "
                    f"{1e3 * spent / len(pairs) / rlscheduler.JOBS:.1f} ms per job",
                    flush=True,
                )
                found.append([*row, alone, searched])
                if asked.json:
                    asked.json.write_text(json.dumps(found), encoding="utf-8")
    return 0


def pair(
    workload: Workload, start: int, mode: Mode, base: Policy, jobs: int = rlscheduler.JOBS
) -> tuple[float, float]:
    """Mean bounded slowdown of one sequence under a policy, and under its search."""
    policies = base, SearchedPolicy(base, training_arrivals(), SETTINGS, OBJECTIVE)
    spec = ClusterSpec((rlscheduler.PROCESSORS,), mode, FASTEST, every_event=True)
    window = workload.window(start, jobs, aged=True)
    alone, searched = (
        float(CompiledSimulation(window, spec).run(policy).bounded_slowdown.mean())
        for policy in policies
    )
    return alone, searched


@cache
def training_arrivals() -> ArrivalHistory:
    """Jobs of whole files out of the model, none of which is played."""
    model = lublin.Lublin(rlscheduler.PROCESSORS.count)
    files = [
        lublin.draw(model, FILE_JOBS, place(seed, Split.TRAIN, WORKLOAD)) for seed in range(FILES)
    ]
    return ArrivalHistory.of([[_arrived(job) for job in file.jobs] for file in files])


def _arrived(job: Arrival) -> ArrivedJob:
    (run,) = job.runs
    figures = np.array([[run.runtime_s], [0.0], [0.0]])
    return ArrivedJob(
        float(job.submitted_at), job.priority, FASTEST, np.inf, (Shape(0, run.width, 0),), figures
    )


if __name__ == "__main__":
    sys.exit(main())
