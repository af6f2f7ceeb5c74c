"""Every run is the same wherever it runs; what fails is told, and the rest goes on."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from agents.evaluation.compare import Comparison, compare
from agents.evaluation.run import Conditions, RunKey, run
from scheduler.domain.errors import InputError
from tests.support.comparison_worlds import scenario

DEADLY = """
import os
from scheduler.policies.heuristics import HEURISTICS


class Deadly:
    name, stable = "deadly", True

    def scores(self, table):
        os._exit(9)

    def costs(self, table):
        return table.dollars


class Buggy(Deadly):
    def scores(self, table):
        raise ZeroDivisionError("by zero")
"""


def plan(policies=("fcfs", "sjf"), seeds=(0, 1), **figures):
    tiny = scenario()
    return Comparison({tiny.name: tiny}, policies, seeds, policies[0], **figures)


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """Two policies of another distribution: `deadly` ends its process, `buggy` raises."""
    (tmp_path / "deadly_policies.py").write_text(DEADLY)
    info = tmp_path / "deadly_policies-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly-policies\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[fulcrum.policies]\ndeadly = deadly_policies:Deadly\nbuggy = deadly_policies:Buggy\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_runs_are_equal_in_one_process_and_in_several():
    wanted = plan(preferences=(0.0, 1.0), conditions=Conditions(timeline=0))
    alone, together = compare(wanted), compare(wanted, workers=2)
    assert [run.key for run in alone] == list(wanted.keys)
    # repr: nan is not equal to itself.
    assert [repr(replace(run, seconds=0.0)) for run in alone] == [
        repr(replace(run, seconds=0.0)) for run in together
    ]
    for one, other in zip(alone, together, strict=True):
        assert not one.error
        assert (one.timeline is None) == (one.key.seed != 0)
        if one.timeline is not None and other.timeline is not None:
            assert (one.timeline.log.start == other.timeline.log.start).all()


def test_a_cell_depends_on_its_seed_and_preference_only():
    tiny = scenario()
    first = run(tiny, RunKey("tiny", "fcfs", 0), Conditions())
    again = run(tiny, RunKey("tiny", "fcfs", 0), Conditions())
    other = run(tiny, RunKey("tiny", "fcfs", 1), Conditions())
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics
    cheap = run(tiny, RunKey("tiny", "fcfs", 0, 0.0), Conditions())
    assert cheap.metrics["dollars"] < first.metrics["dollars"]


def test_a_failing_policy_is_reported_and_the_rest_goes_on(deadly):
    heard = []
    wanted = plan(("fcfs", "buggy", "nobody"))
    runs = compare(wanted, done=heard.append)
    assert len(heard) == len(runs) == 6
    found = replace(wanted, runs=runs)
    assert {run.key.policy for run in found.failures} == {"buggy", "nobody"}
    assert "ZeroDivisionError: by zero" in {run.error for run in found.failures}
    assert any("there is no policy 'nobody'" in run.error for run in found.failures)
    assert sorted(found.of("tiny", "fcfs", None)) == [0, 1]
    assert not found.of("tiny", "buggy", None)


@pytest.mark.slow
def test_a_dying_process_takes_only_its_own_cell_along(deadly):
    wanted = plan(("fcfs", "deadly", "sjf"), seeds=(0, 1))
    runs = compare(wanted, workers=2)
    assert [run.key for run in runs] == list(wanted.keys)
    dead = {run.key.policy for run in runs if run.error}
    assert dead == {"deadly"}
    assert all("its process died" in run.error for run in runs if run.error)


def test_known_runs_are_not_run_again():
    wanted = plan()
    first = compare(wanted)
    heard = []
    again = compare(wanted, known={run.key: run for run in first[:3]}, done=heard.append)
    assert [run.key for run in heard] == [wanted.keys[3]]
    assert again[:3] == first[:3]


def test_common_luck_hangs_on_the_seed_not_on_the_policy():
    tiny = scenario()
    doomed = replace(tiny, failures=replace(tiny.failures, per_attempt=1.0, retries=0))
    fates = [
        run(doomed, RunKey("tiny", policy, 0), Conditions()).metrics["failed"]
        for policy in ("fcfs", "sjf")
    ]
    assert fates == [12, 12]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"policies": ()}, "no policies"),
        ({"seeds": ()}, "no seeds"),
        ({"scenarios": {}}, "no scenarios"),
        ({"baseline": "edf"}, "'edf' is not compared"),
    ],
)
def test_nothing_to_compare_is_refused(figures, words):
    with pytest.raises(InputError, match=words):
        replace(plan(), **figures)


def test_workers_load_no_learning_library():
    heavy = ["torch", "stable_baselines3", "matplotlib", "lightning"]
    code = f"import sys, agents.evaluation.compare; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
