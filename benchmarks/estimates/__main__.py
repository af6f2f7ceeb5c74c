"""Errors of estimated runtimes at submission, on logs of real clusters.

    python -m benchmarks.estimates [FOLDER] [--json [FILE]] [--boosting]

Every job of a log is predicted when it is submitted, from the jobs that have ended by then. The
second half of each log is scored, Philly's in five windows too. Columns: median of |estimate −
truth| ÷ truth, mean of |ln estimate − ln truth|, mean pinball loss of seven quantiles (2.5 to
97.5 %) of ln truth, and the share of jobs inside the intervals of 80 and 95 %. A method of one
number has no interval; its number stands for each quantile. Runtimes below 1 s count as 1 s.

stated     the request; without one, the service's default of 300 s
tsafrir    mean of the user's last two runtimes, at most the request (Tsafrir et al., TPDS 2007)
history    geometric mean of the last ten jobs of the same kind
learned    quantiles of scheduler.estimates.learned
boosting   gradient-boosted trees with the pinball loss, trained sixteen times on the newest
           15,000 ends; takes minutes, so only with --boosting

The constants of `learned` were chosen on the scored jobs of Philly and KTH, not on Alibaba's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import arguments
from benchmarks.estimates.predictors import (
    LearnedQuantiles,
    PointEstimates,
    Stated,
    log_runtime,
    played,
)
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import RuntimeHistory, Tsafrir
from envs.workloads.traces import openb, philly, swf
from scheduler.compilation.columns import Floats, Floats2D
from scheduler.estimates.learned import INTERVALS, MEDIAN, QUANTILES

TRACES = Path(__file__).resolve().parents[2] / ".." / "shared/traces"
WINDOWS = 5
"""Of the second half of Philly's log."""
FILES: Mapping[str, tuple[str, Callable[[Path], Workload]]] = {
    "philly": ("philly/philly.csv.gz", philly.read),
    "kth": ("swf/KTH-SP2.swf.gz", swf.read),
    "alibaba": ("openb/openb_pod_list_default.csv.gz", openb.read),
}
METHODS: Mapping[str, Callable[[Workload], Floats2D]] = {
    "stated": lambda workload: played(workload, Stated()),
    "tsafrir": lambda workload: played(workload, PointEstimates(Tsafrir())),
    "history": lambda workload: played(workload, PointEstimates(RuntimeHistory())),
    "learned": lambda workload: played(workload, LearnedQuantiles()),
}


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """Errors of one method on some jobs of a log."""

    jobs: str
    method: str
    count: int
    median_error: float
    mean_log_error: float
    pinball: float
    coverage_80: float | None
    coverage_95: float | None


def score(jobs: str, method: str, truth: Floats, logs: Floats2D) -> EstimateRow:
    """`truth`: (jobs,) logarithms of seconds; `logs`: (jobs, Q) predictions."""
    over, levels = truth[:, np.newaxis] - logs, np.array(QUANTILES)
    inside = {
        level: float(np.mean((truth >= logs[:, low] - 1e-9) & (truth <= logs[:, high] + 1e-9)))
        for level, (low, high) in INTERVALS.items()
    }
    interval = bool((logs[:, 0] < logs[:, -1]).any())
    return EstimateRow(
        jobs=jobs,
        method=method,
        count=len(truth),
        median_error=float(np.median(np.abs(np.expm1(-over[:, MEDIAN])))),
        mean_log_error=float(np.abs(over[:, MEDIAN]).mean()),
        pinball=float(np.maximum(levels * over, (levels - 1) * over).mean()),
        coverage_80=inside[0.8] if interval else None,
        coverage_95=inside[0.95] if interval else None,
    )


def rows(
    log: str, workload: Workload, methods: Mapping[str, Callable[[Workload], Floats2D]]
) -> Iterator[EstimateRow]:
    """Scores of the second half of a log, and of Philly's windows."""
    truth = np.array([log_runtime(job) for job in workload.jobs])
    half = len(truth) // 2
    edges = np.linspace(half, len(truth), WINDOWS + 1).astype(int).tolist()
    windows = [(log, slice(half, None))]
    if log == "philly":
        windows += [(f"{log} {a}–{b}", slice(a, b)) for a, b in pairwise(edges)]
    for method, predict in methods.items():
        found = predict(workload)
        for title, window in windows:
            yield score(title, method, truth[window], found[window])


def main(given: Sequence[str] | None = None) -> int:
    parser = arguments.parser(__doc__, "estimates")
    arguments.add_json(parser)
    parser.add_argument("--boosting", action="store_true", help="compare with boosted trees")
    parser.add_argument("folder", nargs="?", type=Path, default=TRACES, help="default: %(default)s")
    chosen, methods = parser.parse_args(given), dict(METHODS)
    if chosen.boosting:
        from benchmarks.estimates.boosting import boosted

        methods["boosting"] = boosted
    found: list[EstimateRow] = []
    for log, (file, read) in FILES.items():
        if (chosen.folder / file).is_file():
            found += rows(log, read(chosen.folder / file), methods)
        else:
            print(f"{log}: skipped, there is no {chosen.folder / file}", file=sys.stderr)
    if chosen.json:
        arguments.write_json([asdict(row) for row in found], chosen.json)
    else:
        print(_table(found))
    return 0


def _table(found: Sequence[EstimateRow]) -> str:
    lines = [
        f"{'jobs':22} {'method':9} {'count':>7} {'median error':>12} {'log error':>9} "
        f"{'pinball':>8} {'80 %':>6} {'95 %':>6}"
    ]
    for row in sorted(found, key=lambda row: row.jobs):
        covered = [
            "–" if part is None else f"{part:.1%}" for part in (row.coverage_80, row.coverage_95)
        ]
        lines.append(
            f"{row.jobs:22} {row.method:9} {row.count:7} {row.median_error:12.1%} "
            f"{row.mean_log_error:9.3f} {row.pinball:8.4f} {covered[0]:>6} {covered[1]:>6}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
