"""Replays on a cluster's own pools: of its own jobs, or of made-up ones."""

import json
import subprocess
import sys
import threading

import pytest

from agents.evaluation.replay import evaluate
from agents.evaluation.replay_process import ReplayProcess
from scheduler.domain import transitions
from scheduler.domain.errors import FulcrumError, OutageError
from scheduler.domain.jobs import Estimate
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.service.policy_control.replay_evaluation import Question, ReplayVerdict
from scheduler.store.base import Submission
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import job_spec

CPU = Pool("cpu", DeviceKind.CPU, "Test CPU", 4, dollars_per_device_hour=0.1)
GPU = Pool("gpu", DeviceKind.CUDA, "Test GPU", 2, dollars_per_device_hour=2.0)


def question(**fields):
    return Question(
        **{
            "nominee": "sjf",
            "rival": "wgc",
            "pools": (CPU,),
            "mode": "easy",
            "preference": 0.5,
            "starvation_s": 14_400.0,
            "since": 0.0,
            "until": 1e12,
            "jobs": 30,
            "windows": 2,
            **fields,
        }
    )


@pytest.mark.parametrize("pools", [(CPU,), (GPU,), (CPU, GPU)])
def test_without_a_history_jobs_are_made_up_for_the_pools(pools):
    verdict = evaluate(question(pools=pools), None)
    assert (verdict.source, verdict.windows, verdict.jobs) == ("synthetic", 2, 60)
    assert verdict.nominee > 0
    assert verdict.rival > 0
    assert evaluate(question(pools=pools), None).nominee == verdict.nominee


def test_a_policy_does_as_well_as_itself():
    verdict = evaluate(question(nominee="wgc"), None)
    assert (verdict.difference, verdict.nominee) == (0.0, verdict.rival)
    assert (verdict.won, verdict.lost, verdict.shown) == (0, 0, False)


def test_the_limit_ends_it_after_a_whole_workload():
    assert evaluate(question(limit_s=0.0), None).windows == 1


def test_own_jobs_are_replayed_where_there_are_enough(history):
    verdict = evaluate(question(least_jobs=50, windows=3), history)
    assert verdict.source == "history"
    # Windows share no job: there are as many as the jobs can fill.
    assert (verdict.windows, verdict.jobs) == (1, 60)
    assert (verdict.low, verdict.high, verdict.shown) == (None, None, False)
    assert "60 jobs of this cluster" in verdict.about
    assert "to its end" in verdict.about
    assert 0 < verdict.utilisation <= 1
    assert evaluate(question(least_jobs=61), history).source == "synthetic"


def test_in_a_process_of_its_own(tmp_path):
    asked = question()
    assert ReplayProcess(tmp_path, None).run(asked).rival == evaluate(asked, None).rival


def test_what_went_wrong_there_is_told(tmp_path):
    with pytest.raises(OutageError, match="no policy 'best'"):
        ReplayProcess(tmp_path, None).run(question(nominee="best"))


def test_cancelled_it_is_gone(tmp_path):
    replay, raised = ReplayProcess(tmp_path, None), []

    def run():
        try:
            replay.run(question(jobs=100_000, windows=100))
        except FulcrumError as error:
            raised.append(error.message)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        replay.cancel()
        thread.join(0.05)
    assert raised == ["the replay was cancelled"]


def test_only_learned_policies_must_prove_themselves(tmp_path):
    replay = ReplayProcess(tmp_path, None)
    assert replay.concerns("learned:fulcrum")
    assert not replay.concerns("wgc")
    assert not replay.concerns("wgc:tuned")


def test_asking_loads_no_simulator():
    code = (
        "import sys, agents.evaluation.replay_process, scheduler.bootstrap\n"
        "print(sorted({'simpy', 'torch', 'stable_baselines3', 'gymnasium'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_verdict_survives_json():
    verdict = evaluate(question(limit_s=0.0), None)
    values = {name: getattr(verdict, name) for name in verdict.__slots__}
    assert ReplayVerdict.of(json.loads(json.dumps(values))) == verdict


def test_a_verdict_has_latency_and_cost_and_older_ones_are_still_read():
    verdict = evaluate(question(nominee="wgc", rival="wgc", limit_s=0.0), None)
    assert verdict.nominee_latency_s == verdict.rival_latency_s > 0
    assert verdict.nominee_dollars == verdict.rival_dollars > 0
    values = {name: getattr(verdict, name) for name in verdict.__slots__}
    for name in ("nominee_latency_s", "nominee_dollars", "rival_latency_s", "rival_dollars"):
        del values[name]
    assert ReplayVerdict.of(values).rival_dollars is None


@pytest.fixture
def history():
    """60 jobs that ran for 100 s each on one CPU, half a minute apart."""
    store = MemoryStore()
    for index in range(60):
        now = 1000.0 + 30.0 * index
        ((job,),) = store.submit([Submission([job_spec()], now, "ann")])
        placed, attempt = transitions.placed(
            job, CPU, (index % 4,), Estimate(100.0, 0.0, 0.0, "default"), now, ""
        )
        store.record([placed])
        begun = transitions.started(placed.job, attempt, now, 1)
        store.record([begun])
        store.record([transitions.succeeded(begun.job, begun.attempt, CPU, {}, now + 100.0)])
    return store
