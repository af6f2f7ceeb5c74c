"""Real processes under several policies, and the same jobs simulated.

Each policy gets a service of its own in a folder of its own, and jobs through HTTP, all at once:
those of examples/demo.yaml, and a mix of 60. Afterwards the service's history is read as
`fulcrum scenario new --from-history` reads it, and simulated under the same policy.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
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
from scheduler.domain.jobs import eligible_since
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import JobQuery, Store

JOBS = Path(__file__).resolve().parents[3] / "examples" / "demo.yaml"
POLICIES = ("fcfs", "sjf", "wgc")
DEMO, MIX = "demo", "mix"
MIX_JOBS = 60
REPEATS = {DEMO: 2, MIX: 1}
"""Of each policy, in turn: machines have better and worse minutes."""
WARM_UP: Mapping[str, Any] = {"name": "warm-up", "dataset": "digits", "epochs": 1}
TIMEOUT_S = 900.0
LEARNED = "shipped"
QUICK_JOBS = 3


def measure(how: Measuring) -> Found:
    """Every policy on both sets of jobs, again and again."""
    found = how.find(SHIPPED, seeds=1)
    shipped = found.trained[0] if found.trained else None
    names = [*POLICIES, *([LEARNED] if shipped else [])]
    sets = {DEMO: files.read(JOBS), MIX: mix(MIX_JOBS)}
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    for title, jobs in sets.items():
        some = jobs[:QUICK_JOBS] if how.quick else jobs
        runs[title] = {name: [] for name in names}
        for turn in range(1 if how.quick else REPEATS[title]):
            for name in names:
                err().print(f"live: {title}, {name}, turn {turn + 1}")
                with tempfile.TemporaryDirectory(prefix="fulcrum-live-") as folder:
                    made = _run(Path(folder), name, shipped, some)
                runs[title][name].append(made)
                err().print(
                    f"  mean from ready to end {text_format.seconds(made['ready_s'])}, simulated "
                    f"{text_format.seconds(made['simulated_s'])}"
                )
    return {
        "learned": shipped.name if shipped else None,
        "runs": runs,
        "missing": list(found.missing),
    }


def mix(count: int) -> list[dict[str, Any]]:
    """Jobs of all kinds, priorities and lengths: half trainings, a quarter inference or programs.

    Inference uses a model that an earlier training of the mix leaves.
    """
    rng = np.random.default_rng(0)
    jobs: list[dict[str, Any]] = []
    trained: list[str] = []
    for number in range(count):
        shared = {
            "name": f"mix-{number}",
            "priority": int(rng.choice([20, 50, 80], p=[0.25, 0.5, 0.25])),
            "preference": str(rng.choice(["cheap", "balanced", "fast"])),
        }
        kind = ("cnn-train", "cnn-train", "cnn-infer", "command")[number % 4]
        if kind == "cnn-train":
            trained.append(f"mix-{number}")
            epochs, pixels = int(rng.choice([1, 2, 4, 8, 16])), int(rng.choice([16, 28]))
            work = {"dataset": "digits", "epochs": epochs, "image_size": pixels, "batch_size": 64}
        elif kind == "cnn-infer":
            work = {"models": [str(rng.choice(trained))], "data": "digits:test"}
        else:
            seconds = float(rng.choice([0.2, 1.0, 4.0]))
            program = f"import time; end = time.process_time() + {seconds}\n"
            program += "while time.process_time() < end: pass"
            work = {"argv": ["python3", "-c", program]}
        jobs.append({"kind": kind, **shared, "work": work})
    return jobs


def report(found: Found, _: Path) -> Section:
    """Means over the turns."""
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
    tables = []
    for title, runs in found["runs"].items():
        rows = [_row(name, turns, found["learned"]) for name, turns in runs.items()]
        tables.append(Table(_TITLES[title], columns, rows, f"{_order(runs)} {note}"))
    return Section(
        "Live",
        "Jobs run in a real service with real processes, under each policy. Then the simulator "
        "runs the same jobs with their measured runtimes.",
        tables,
    )


_TITLES = {DEMO: "The jobs of the demo", MIX: f"A mix of {MIX_JOBS} jobs"}


def means(turns: list[dict[str, float]]) -> dict[str, float]:
    """The mean of every figure over the turns."""
    return {key: float(np.mean([turn[key] for turn in turns])) for key in turns[0]}


def _row(name: str, turns: list[dict[str, float]], learned: str | None) -> list[str]:
    mean = means(turns)
    off = [turn["simulated_s"] / turn["ready_s"] - 1 for turn in turns]
    spread = [turn["jct_s"] for turn in turns]
    return [
        f"{name} ({learned})" if name == LEARNED else name,
        f"{mean['jobs']:.0f}",
        f"{mean['jct_s']:.1f} ({min(spread):.1f} … {max(spread):.1f})",
        f"{mean['makespan_s']:.0f}",
        f"{1e3 * mean['dollars']:.3f}",
        f"{mean['ready_s']:.1f}",
        f"{mean['simulated_s']:.1f}",
        f"{100 * float(np.mean(off)):+.1f} %".replace("-", "−"),
    ]


def _order(runs: Mapping[str, list[dict[str, float]]]) -> str:
    """Which order the policies have in the service and in the simulator."""
    real, simulated = (
        sorted(runs, key=lambda name: means(runs[name])[key]) for key in ("ready_s", "simulated_s")
    )
    if real == simulated:
        return f"Service and simulator agree on the order of the policies: {', '.join(real)}."
    return (
        f"From fastest to slowest: {', '.join(real)} in the service, {', '.join(simulated)} "
        "in the simulator."
    )


def _run(
    data: Path, name: str, shipped: Trained | None, asked: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
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
        jobs = client.submit_batch(asked)
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
        first = eligible_since(job, (ends[other] or 0.0 for other in job.spec.after))
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
