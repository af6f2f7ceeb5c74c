"""What was run is found again; what was damaged or made otherwise is not."""

import json
from dataclasses import replace

import pytest

from agents.evaluation.by_class import By
from agents.evaluation.compare import Comparison, compare
from agents.evaluation.metrics import METRICS
from agents.evaluation.result_cache import ResultCache
from agents.evaluation.run import Conditions, RunResult
from scheduler.domain.errors import InputError
from tests.support.comparison_worlds import scenario
from tests.support.learning_world import saved


@pytest.fixture
def plan():
    tiny = scenario(jobs=5)
    return Comparison({"tiny": tiny}, ("fcfs", "nobody"), (0, 1), "fcfs")


@pytest.fixture
def full(tmp_path, plan):
    path = tmp_path / "deep" / "runs.jsonl"
    with ResultCache(path, plan) as journal:
        assert journal.known() == {}
        runs = compare(plan, done=journal.add)
    return path, runs


def known(path, plan):
    with ResultCache(path, plan) as journal:
        return journal.known()


def test_good_runs_come_back_as_they_were(full, plan):
    path, runs = full
    found = known(path, plan)
    good = {run.key: run for run in runs if not run.error}
    assert found.keys() == good.keys()
    for key, run in good.items():
        # repr: nan is not equal to itself.
        assert repr(found[key]) == repr(run)


@pytest.mark.parametrize(
    "change",
    [
        {"scenarios": {"tiny": scenario(jobs=5, preference=0.9)}},
        {"conditions": Conditions(jobs=4)},
        {"conditions": Conditions(split="train")},
        {"policies": ("sjf", "fcfs"), "seeds": (7,)},
    ],
)
def test_other_conditions_take_nothing_over(full, plan, change):
    assert known(full[0], replace(plan, **change)) == {}


def test_the_seed_of_the_timelines_runs_again(full, plan):
    found = known(full[0], replace(plan, conditions=Conditions(timeline=0)))
    assert {key.seed for key in found} == {1}


def test_other_code_takes_nothing_over(full, plan, monkeypatch):
    monkeypatch.setattr("agents.evaluation.result_cache.code", lambda: "0" * 12)
    assert known(full[0], plan) == {}


def test_a_policy_that_was_changed_runs_again(tmp_path, plan, monkeypatch):
    constants = tmp_path / "mine.toml"
    constants.write_text("[[at]]\npreference = 0.5\npatience = 1\n")
    artifact = saved(tmp_path / "best")
    plan = replace(plan, policies=(f"wgc:{constants}", f"learned:{artifact}", "fcfs"), seeds=(0,))
    path = tmp_path / "runs.jsonl"
    with ResultCache(path, plan) as journal:
        for key in plan.keys:
            journal.add(RunResult(key, dict.fromkeys(METRICS, 1.0), {str(by): {} for by in By}))
    assert len(known(path, plan)) == 3
    constants.write_text("[[at]]\npreference = 0.5\npatience = 2\n")
    saved(tmp_path / "best", seed=1)
    assert {key.policy for key in known(path, plan)} == {"fcfs"}


def test_damaged_lines_are_passed_over(full, plan):
    path, _ = full
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:1], "[]", "nonsense", "{}", lines[2][:50]]))
    with ResultCache(path, plan) as journal:
        assert len(journal.known()) == 1
        compare(plan, known=journal.known(), done=journal.add)
    assert len(known(path, plan)) == 2


def test_a_line_that_does_not_tell_who_waited_runs_again(full, plan):
    path, _ = full
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["classes"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert known(path, plan) == {}


def test_a_folder_is_no_journal(tmp_path, plan):
    with pytest.raises(InputError, match="cannot be written"):
        ResultCache(tmp_path, plan).__enter__()
