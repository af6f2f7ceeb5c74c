"""What looking ahead gains on RLScheduler's protocol: NAME against NAME+search.

python -m benchmarks.searched [--base f1,saf,f4] [--fresh 24] [--json [FILE]]

The protocol is that of `benchmarks.rlscheduler`: ten published sequences of 1,024 jobs on 256
processors, and fresh ones out of the same model, without and with backfilling; the figure is the
mean bounded slowdown. Futures are runs of consecutive arrivals of other files out of the model,
with seeds that training may use; no future is taken from a sequence that is played. The setting was
fixed before: 8 jobs, 16 futures, 48 arrivals, one standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np

from agents.evaluation.statistics import relative
from benchmarks import rlscheduler
from benchmarks.arguments import add_json, parser, write_json
from benchmarks.policy.cases import fresh, sequence
from benchmarks.policy.tables import signed
from envs.workloads.base import Workload
from envs.workloads.traces import swf
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.policies.lookup import named
from scheduler.policies.search import SearchedPolicy

MODES = {"no backfilling": Mode.COMMIT, "backfilling": Mode.COMMIT_FCFS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table line by line, as it is computed."""
    options = parser(__doc__, "searched")
    options.add_argument("--base", default="f1,saf,f4", help="policies, separated by commas")
    options.add_argument("--fresh", type=int, default=24, help="fresh sequences (default 24)")
    options.add_argument("--modes", default=",".join(MODES), help="of: " + ", ".join(MODES))
    add_json(options)
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
                print(
                    f"{which:10} {title:15} {base:12} {np.mean(alone):8.2f} "
                    f"{np.mean(searched):9.2f}  {signed(relative(searched, alone))}  "
                    f"{1e3 * spent / len(pairs) / rlscheduler.JOBS:.1f} ms per job",
                    flush=True,
                )
                found.append([which, title, base, alone, searched])
    if asked.json:
        write_json(found, asked.json)
    return 0


def pair(
    workload: Workload, start: int, mode: Mode, base: Policy, jobs: int = rlscheduler.JOBS
) -> tuple[float, float]:
    """Mean bounded slowdown of one sequence under a policy, and under its search."""
    alone, searched = (
        sequence(workload, start, jobs, mode, policy).slowdown
        for policy in (base, SearchedPolicy(base))
    )
    return alone, searched


if __name__ == "__main__":
    sys.exit(main())
