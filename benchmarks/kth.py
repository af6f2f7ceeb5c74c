"""Agreement with published figures on the log of KTH's IBM SP2; exit code 1 if there is none.

    python -m benchmarks.kth [FILE] [--json [FILE]]

Protocol: all 28,481 jobs of the log on 100 processors, widths as they were; runtimes as they were
(none is above its request, which is the time at which a job would be killed); the scheduler knows
the users' requests or a prediction; EASY backfilling; mean over all jobs of max(1, (wait + run) /
max(run, 10 s)). The figures to agree with are those of studies of this log that follow Tsafrir,
Etsion and Feitelson (TPDS 2007), such as Gaussier, Glesser, Reis and Trystram, "Improving
backfilling by using machine learning to predict running times", SC 2015.

EASY++ predicts the mean of the user's last two runtimes, at most the request. A job that outlives
it is then believed to run as long as it requested: that protocol agrees. `by steps` raises the
prediction step by step, as in section 4.2 of Tsafrir et al. `learned` are the medians of
`scheduler.estimates.learned`; a job that outlives its median is believed to run as requested, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.process_pool import ProcessPool, cores
from benchmarks import arguments
from envs.baselines.easy_sjbf import EASY_SJBF
from envs.simulator.simulation import ClusterSpec, Simulation
from envs.workloads.base import Arrival
from envs.workloads.runtime_estimates import Exact, Learned, Requested, RuntimeEstimator, Tsafrir
from envs.workloads.traces import swf
from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.heuristics import HEURISTICS

TRACE = Path(__file__).resolve().parents[1] / ".." / "shared/traces/swf/KTH-SP2.swf.gz"
PROCESSORS = Pool("sp2", DeviceKind.CPU, "IBM SP2", 100)


class TsafrirToRequest(Tsafrir):
    """The request replaces a prediction that the job has outlived."""

    def corrected(self, job: Arrival, estimate_s: float, elapsed_s: float) -> float:
        """The request, but at least the time that has passed."""
        return max(job.requested_s or 0.0, elapsed_s)


@dataclass(frozen=True, slots=True)
class KthRow:
    """A policy and its estimates of runtimes."""

    title: str
    policy: Policy
    estimator: Callable[[], RuntimeEstimator]
    published: float | None = None
    tolerance: float = 0.0


ORDERS: Mapping[str, Policy] = {
    "EASY": HEURISTICS["fcfs"],
    "EASY-SJBF": EASY_SJBF,
    "SJF": HEURISTICS["sjf"],
    "SAF": HEURISTICS["saf"],
    "F4": HEURISTICS["f4"],
}
"""With the users' requests."""
ESTIMATORS: Mapping[str, Callable[[], RuntimeEstimator]] = {
    "by steps": Tsafrir,
    "learned": Learned,
    "clairvoyant": Exact,
}
ROWS = (
    KthRow("EASY", ORDERS["EASY"], Requested, 92.6, 1.0),
    KthRow("EASY++", EASY_SJBF, TsafrirToRequest, 62.9, 3.0),
    *(KthRow(title, policy, Requested) for title, policy in ORDERS.items() if title != "EASY"),
    *(
        KthRow(f"{title}, {name}", policy, estimator)
        for title, policy in ORDERS.items()
        for name, estimator in ESTIMATORS.items()
    ),
)


def slowdown(row: KthRow, trace: Path = TRACE) -> tuple[float, float]:
    """Mean bounded slowdown, and mean wait (s)."""
    workload = swf.read(trace)
    outcome = Simulation(workload, ClusterSpec((PROCESSORS,)), row.estimator()).run(row.policy)
    return float(outcome.bounded_slowdown.mean()), float(outcome.wait.mean())


def main(arguments_: Sequence[str] | None = None) -> int:
    own = arguments.parser(__doc__, "kth")
    own.add_argument("path", nargs="?", type=Path, default=TRACE, help=f"default: {TRACE}")
    arguments.add_json(own)
    given = own.parse_args(arguments_)
    trace: Path = given.path
    figures = []
    print(f"EASY backfilling on {trace.name}")
    print(f"{'policy':24} {'published':>12} {'here':>8} {'mean wait s':>12}")
    wrong = 0
    with ProcessPool(trace, cores()) as pool:
        found = pool.map(_numbered, range(len(ROWS)))
        for row, (here, wait) in zip(ROWS, found, strict=True):
            bad = row.published is not None and abs(here - row.published) > row.tolerance
            wrong += bad
            figures.append([row.title, here, wait])
            known = "" if row.published is None else f"{row.published:.1f} ± {row.tolerance:g}"
            print(f"{row.title:24} {known:>12} {here:8.2f} {wait:12.0f}{' !' * bad}", flush=True)
    if given.json:
        arguments.write_json(figures, given.json)
    return int(wrong > 0)


def _numbered(trace: Path, number: int) -> tuple[float, float]:
    # Heuristics hold functions, which cannot be pickled.
    return slowdown(ROWS[number], trace)


if __name__ == "__main__":
    sys.exit(main())
