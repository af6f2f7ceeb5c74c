"""The demo's jobs as real processes under several policies, and the same jobs simulated.

Each policy gets a service of its own in a folder of its own, and the jobs of examples/demo.yaml
through HTTP, all at once. Afterwards the service's history is read as `fulcrum scenario new
--from-history` reads it, and simulated under the same policy.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agents.registry.registry import Registry
from api.cli.support import text_format
from api.cli.support.output import err
from api.client import files
from api.local_service import private_service
from benchmarks.policy.artifacts import SHIPPED, Trained
from benchmarks.policy.cases import figures
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring, policy_of
from benchmarks.policy.tables import Section, Table
from envs.scenarios.file import detected
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads.runtime_estimates import estimator
from envs.workloads.traces import history
from scheduler import bootstrap, settings
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import JobQuery, Store

JOBS = Path(__file__).resolve().parents[3] / "examples" / "demo.yaml"
POLICIES = ("fcfs", "sjf", "wgc")
REPEATS = 2
"""Of each policy, in turn: machines have better and worse minutes."""
WARM_UP: Mapping[str, Any] = {"name": "warm-up", "dataset": "digits", "epochs": 1}
TIMEOUT_S = 900.0
LEARNED = "shipped"
QUICK_JOBS = 3


def measure(how: Measuring) -> Found:
    """Every policy, again and again."""
    found = how.find(SHIPPED, seeds=1)
    missing = list(found.missing)
    shipped = found.trained[0] if found.trained else None
    names = [*POLICIES, *([LEARNED] if shipped else [])]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(1 if how.quick else REPEATS):
        for name in names:
            err().print(f"live: {name}, turn {turn + 1}")
            with tempfile.TemporaryDirectory(prefix="fulcrum-live-") as folder:
                made = _run(Path(folder), name, shipped, QUICK_JOBS if how.quick else None)
            runs[name].append(made)
            err().print(
                f"  mean completion {text_format.seconds(made['jct_s'])}, simulated "
                f"{text_format.seconds(made['simulated_s'])}"
            )
    return {
        "learned": shipped.name if shipped else None,
        "runs": runs,
        "missing": missing,
    }


def report(found: Found, _: Path) -> Section:
    """Means over the turns."""
    rows = []
    for name, turns in found["runs"].items():
        mean = {key: float(np.mean([turn[key] for turn in turns])) for key in turns[0]}
        off = [turn["simulated_s"] / turn["ready_s"] - 1 for turn in turns]
        spread = [turn["jct_s"] for turn in turns]
        rows.append(
            [
                f"{name} ({found['learned']})" if name == LEARNED else name,
                f"{mean['jobs']:.0f}",
                f"{mean['jct_s']:.1f} ({min(spread):.1f} … {max(spread):.1f})",
                f"{mean['makespan_s']:.0f}",
                f"{1e3 * mean['dollars']:.3f}",
                f"{mean['ready_s']:.1f}",
                f"{mean['simulated_s']:.1f}",
                f"{100 * float(np.mean(off)):+.1f} %".replace("-", "−"),
            ]
        )
    columns = [
        "policy",
        ">jobs",
        ">mean completion (s)",
        ">all done after (s)",
        ">cost (m$ per job)",
        ">ready to end, service (s)",
        ">ready to end, simulated (s)",
        ">difference",
    ]
    note = (
        "Completion counts from the submission. In the simulator a job arrives when the jobs that "
        "it waits for have ended, so real and simulated times are compared from that moment. Real "
        "runs differ from one another because the machine also does other work."
    )
    turns = max(len(those) for those in found["runs"].values())
    return Section(
        "Live",
        f"The jobs of `make demo` run in a real service with real processes, {turns} times under "
        "each policy. Then the simulator runs the same jobs with their measured runtimes.",
        [Table("Service and simulator", columns, rows, note)],
    )


def _run(data: Path, name: str, shipped: Trained | None, count: int | None) -> dict[str, float]:
    served, path = name, name
    if name == LEARNED:
        assert shipped is not None
        served, path = _registered(shipped, data), shipped.policy
    # Who decides is set below; a replay at the start would take processor time from the jobs.
    with private_service(data, {"FULCRUM_FIT": "false"}) as client:
        # The first training waits for PyTorch to be imported: that is not what is measured.
        client.train(**WARM_UP).wait(TIMEOUT_S)
        client.use_policy(served)
        begun = time.time()
        jobs = client.submit_batch(files.read(JOBS)[:count])
        client.wait(jobs, TIMEOUT_S)
        details = [job.detail() for job in jobs]
    configured = settings.load(overrides={"data_dir": data})
    store = bootstrap.history(configured)
    try:
        real = _real(store, begun)
        simulated = _simulated(store, configured, path, begun)
    finally:
        store.close()
    return {
        **real,
        "dollars": math.fsum(job.dollars for job in details) / len(details),
        "simulated_s": simulated,
    }


def _registered(shipped: Trained, data: Path) -> str:
    """The name under which the service of this data folder knows it."""
    return Registry(data).import_file(shipped.folder, "candidate").reference


def _real(store: Store, begun: float) -> Mapping[str, float]:
    jobs = store.jobs(JobQuery(submitted_from=begun), limit=500)
    ends = {job.id: job.finished_at for job in jobs}
    done = [job for job in jobs if job.state is JobState.SUCCEEDED and job.finished_at]
    waited, ready = [], []
    for job in done:
        assert job.finished_at is not None
        first = max([job.submitted_at, *(ends[other] or 0.0 for other in job.spec.after)])
        waited.append(job.finished_at - job.submitted_at)
        ready.append(job.finished_at - first)
    last = max(job.finished_at or 0.0 for job in done)
    return {
        "jobs": float(len(done)),
        "jct_s": float(np.mean(waited)),
        "ready_s": float(np.mean(ready)),
        "makespan_s": last - min(job.submitted_at for job in done),
    }


def _simulated(store: Store, configured: settings.Settings, policy: str, begun: float) -> float:
    """Mean seconds from ready to end."""
    supplies = detected(configured)
    pools = tuple(supply.pool for supply in supplies)
    workload = history.read(store, pools, since=begun)
    mode = Mode(configured.backfilling)
    site = ClusterSpec(pools, mode, configured.preference, supplies=supplies)
    simulation = Simulation(workload, site, estimator("history"))
    return figures(simulation.run(policy_of(policy))).jct_s


PART = ReportPart("live", measure, report, (SHIPPED,))
