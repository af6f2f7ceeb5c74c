"""Preemptive policies on Muri's traces beside its published figures; exit code 1 if they differ.

    python -m benchmarks.muri [FOLDER] [--traces trace1,trace2] [--policies srtf,srsf]
        [--json [FILE]]

Zhao et al., "Multi-resource interleaving for deep learning training", SIGCOMM 2022: 8 nodes of 8
GPUs, average job completion time of the policies it is compared with. Runtimes are 1.015 times
those of the trace, as in its simulator; Tiresias has queues at 3,250 and 7,200 GPU·s. Columns:

`nodes`        8 nodes of 8 GPUs, a job up to 8 GPUs wide stays within one; a job that was
               preempted or moved loses the start-up time of its model when it goes on.
`counted`      64 GPUs anywhere, else the same.
`every event`  64 GPUs anywhere, and every running job is restarted at every event. Muri's
               simulator, which descends from Tiresias's, charges start-up like this. It is the
               column that has to agree: within 1 %, Tiresias within 5 %.

Start-up times are one per model here; Muri has one per model and width, and charges the first
start too. Its Tiresias orders jobs of a queue by how its lists are maintained; here they go in the
order of arrival, those that run first. On these traces the mean depends on that order by a third.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

from agents.process_pool import ProcessPool, cores
from benchmarks import arguments
from envs.simulator.simulation import ClusterSpec, Simulation
from envs.workloads.base import Arrival, Workload
from envs.workloads.traces import muri
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies import preemptive

TRACES = Path(__file__).resolve().parents[1] / ".." / "shared/traces/muri"
NODES = Pool("gpus", DeviceKind.CUDA, "V100", 8, nodes=8)
COUNTED = Pool("gpus", DeviceKind.CUDA, "V100", 64)
OVERHEAD = 1.015
START_UP_S = {"a2c": 40.0, "bert": 10.0, "gpt2": 10.0, "vgg16": 8.0, "vgg19": 8.0}
"""By model, as Muri measured them, about the mean over widths; 5 s for all others."""
POLICIES = {
    "srtf": preemptive.SRTF,
    "srsf": preemptive.SRSF,
    "tiresias": preemptive.las((3250.0, 7200.0)),
}
COLUMNS = (("nodes", NODES, False), ("counted", COUNTED, False), ("every event", COUNTED, True))
"""(title, pool, whether every event restarts all jobs)."""
PUBLISHED = {
    ("trace1", "srtf"): 1370603,
    ("trace1", "srsf"): 980141,
    ("trace1", "tiresias"): 3330371,
    ("trace1_pr", "srtf"): 2303544,
    ("trace1_pr", "srsf"): 1801860,
    ("trace1_pr", "tiresias"): 6921683,
    ("trace2", "srtf"): 2665607,
    ("trace2", "srsf"): 2213950,
    ("trace2", "tiresias"): 7396369,
    ("trace2_pr", "srtf"): 4079154,
    ("trace2_pr", "srsf"): 3384600,
    ("trace2_pr", "tiresias"): 10555502,
}
"""Average job completion times (s)."""
TOLERANCE = {"srtf": 0.01, "srsf": 0.01, "tiresias": 0.05}


def mean_jct(trace: str, policy: str, column: int, folder: Path = TRACES) -> float:
    """Seconds, under the conditions of one of `COLUMNS`."""
    _, pool, disturb = COLUMNS[column]
    workload = _slower(muri.read(folder / f"{trace}.csv"))
    simulation = Simulation(workload, ClusterSpec((pool,)), restart=_start_up)
    simulation.ranked(policy, POLICIES[policy].ranking).run(disturb=disturb)
    return float(simulation.outcome().jct.mean())


def main(given: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(given)
    cells = [cell for cell in PUBLISHED if cell[0] in chosen.traces and cell[1] in chosen.policies]
    wrong, figures = 0, []
    print(f"{'trace':10} {'policy':10} {'published':>10}", end="")
    print("".join(f" {title:>20}" for title, *_ in COLUMNS))
    with ProcessPool(chosen.folder, cores()) as pool:
        found = pool.map(_mean_jct, product(cells, range(len(COLUMNS))))
        for trace, policy in cells:
            published, difference = PUBLISHED[trace, policy], 0.0
            print(f"{trace:10} {policy:10} {published:10d}", end="")
            for (title, *_), here in zip(COLUMNS, islice(found, len(COLUMNS)), strict=True):
                figures.append([trace, policy, title, here])
                difference = here / published - 1
                print(f" {here:12.0f} {difference:+7.1%}", end="", flush=True)
            bad = abs(difference) > TOLERANCE[policy]
            wrong += bad
            print(" !" * bad)
    print(f"{len(cells) - wrong} of {len(cells)} figures agree")
    if chosen.json:
        arguments.write_json(figures, chosen.json)
    return int(wrong > 0)


def _parser() -> argparse.ArgumentParser:
    own = arguments.parser(__doc__, "muri")
    own.add_argument("folder", nargs="?", type=Path, default=TRACES, help=f"default: {TRACES}")
    for number, name in enumerate(("traces", "policies")):
        legal = sorted({cell[number] for cell in PUBLISHED})
        own.add_argument(f"--{name}", type=_names, default=legal, help=f"some of {','.join(legal)}")
    arguments.add_json(own)
    return own


def _names(text: str) -> list[str]:
    return text.split(",")


def _mean_jct(folder: Path, task: tuple[tuple[str, str], int]) -> float:
    (trace, policy), column = task
    return mean_jct(trace, policy, column, folder)


def _slower(workload: Workload) -> Workload:
    return replace(
        workload,
        jobs=tuple(
            replace(
                job,
                runs=tuple(replace(run, runtime_s=run.runtime_s * OVERHEAD) for run in job.runs),
            )
            for job in workload.jobs
        ),
    )


def _start_up(job: Arrival) -> float:
    return START_UP_S.get(job.kind.partition(":")[0], 5.0)


if __name__ == "__main__":
    sys.exit(main())
