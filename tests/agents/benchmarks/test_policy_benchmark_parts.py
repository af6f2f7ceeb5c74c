"""The parts of `python -m benchmarks.policy`: each measures, reports, and feeds the goals."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from agents.evaluation.statistics import Interval
from benchmarks.policy import document, goal_figures, goals, steady
from benchmarks.policy.cases import Drawn
from benchmarks.policy.evaluation import KeptResults, Measuring
from benchmarks.policy.parts import (
    ablation,
    budget,
    curves,
    drawn,
    frontier,
    kth,
    moves,
    preemption,
    rlscheduler,
    traces,
    transfer,
)
from envs.scenarios import load
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.lookup import named
from tests.support.policy_benchmark import entry
from tests.support.thinning import thinned


class TestGoals:
    def goal(self, value, **how):
        return goals.Goal("g", -5, "%", "kth", lambda _: Interval(*value, 48), **how).entry(Path())

    def test_what_was_not_measured_is_null(self, tmp_path):
        """With an empty folder of results nothing is known, and nothing is invented."""
        how = Measuring(results=tmp_path)
        entries = goals.measure(how)["entries"]
        assert len(entries) == len(goals.GOALS)
        assert all(each["value"] is None and each["met"] is None for each in entries)
        assert entries[0].keys() == {"name", "value", "low", "high", "goal", "met", "command"}

    def test_a_goal_is_met_by_its_figure_and_its_interval(self):
        assert self.goal((-6.0, -8.0, -4.0))["met"] is True
        assert self.goal((-4.0, -5.0, -3.0))["met"] is False
        assert self.goal((-6.0, -14.0, 1.0))["met"] is False
        assert self.goal((-6.0, math.nan, math.nan))["met"] is True
        assert self.goal((-6.0, -8.0, -4.0), less=False)["met"] is False
        few = Interval(-6.0, -8.0, -4.0, 3)
        assert goals.Goal("g", -5, "%", "kth", lambda _: few).entry(Path())["met"] is False

    def test_the_file_is_a_list_and_the_page_shows_it(self, tmp_path):
        runs = {"fulcrum": [0.9] * 8, "wgc": [1.1] * 8, frontier.TUNED: [1.0] * 8}
        measured = {"settings": [entry(runs, w=w) for w in frontier.DIAL]}
        (tmp_path / "frontier.json").write_text(json.dumps(measured))
        document.save(goals.PART, goals.measure(Measuring(results=tmp_path)), tmp_path, 0.0)
        entries = json.loads((tmp_path / "goals.json").read_text())
        known = {each["name"]: each for each in entries if each["value"] is not None}
        assert known["mixed-cloud, w = 0.5: to tuned wgc"]["value"] == pytest.approx(-10.0)
        assert known["mixed-cloud, w = 0.5: to tuned wgc"]["met"] is True
        assert known["mixed-cloud, worst w: to tuned wgc"]["met"] is True
        section = goals.report(document.read(goals.PART, tmp_path), tmp_path)
        assert section.text.startswith("6 of ")
        assert (tmp_path / "goals.svg").read_text().startswith("<svg")
        text = document.markdown(section, document.read(goals.PART, tmp_path))
        assert (
            "| mixed-cloud, w = 0.5: to tuned wgc | −10.0 % [−10.0, −10.0] | ≤ −5.0 % | ✓ |" in text
        )

    def test_seeds_of_a_training_count_by_their_mean_and_a_search_apart(self, tmp_path):
        """One lucky seed does not meet a goal, and a search is no seed of what it searches."""
        runs = {name: [10.0] * 8 for name in rlscheduler.HEURISTICS}
        runs |= {"net-1": [6.0] * 8, "net-2": [10.0] * 8, "net-1+search": [5.0] * 8}
        found = {"slowdowns": {str(Mode.COMMIT): {str(rlscheduler.LENGTHS[-1]): runs}}}
        (tmp_path / "rlscheduler.json").write_text(json.dumps(found))
        reactive, searched = (
            goal_figures.fresh(Mode.COMMIT, searched=each)(tmp_path).mean for each in (False, True)
        )
        assert reactive == pytest.approx(-20.0)
        assert searched == pytest.approx(-50.0)

    def test_preemption_is_held_against_the_best_rival(self, tmp_path):
        means = {preemption.OURS: [1.0, 90.0], "tiresias": [1.0, 200.0], "themis": [1.0, 100.0]}
        settings = [entry({}, title=f"{name}, runtimes learned", means=means) for name in "ab"]
        (tmp_path / "preemption.json").write_text(json.dumps({"settings": settings}))
        measured = goal_figures.preemptive(preemption.LEARNED, preemption.RIVALS)
        assert measured(tmp_path).mean == pytest.approx(-10.0)


@pytest.mark.parametrize("driver", ["gavel", "themis"])
def test_a_policy_that_only_simulations_run_plays_the_same_jobs(driver):
    served = Drawn(load("lab"), 0, 0.5, 8)
    driven = replace(served, driver=driver)
    assert driven.key != served.key
    assert driven.run(named("wgc")) != served.run(named("wgc"))


@pytest.mark.parametrize(
    "part",
    thinned(
        [
            ablation.PART, goals.PART, curves.PART, kth.PART, rlscheduler.PART, traces.PART,
            preemption.PART, budget.PART, drawn.PART, frontier.PART, transfer.PART, moves.PART,
        ],
        keep=5,
    ),
    ids=lambda part: part.name,
)  # fmt: skip
def test_reports_read_what_a_quick_measurement_writes(part, tmp_path, monkeypatch):
    """Without learned policies and logs, on the least of everything."""
    for module in (kth.kth, rlscheduler.rlscheduler):
        monkeypatch.setattr(module, "TRACE", tmp_path / "none")
    for module in (traces, preemption):
        monkeypatch.setattr(module, "TRACES", tmp_path / "none")
    monkeypatch.setattr(steady, "ORDERS", ("sjf", "fcfs"))
    monkeypatch.setattr(transfer, "OTHERS", ("lab",))
    monkeypatch.setattr(rlscheduler, "LENGTHS", (16,))
    monkeypatch.setattr(budget.decisions, "SIZES", (3, 4))
    monkeypatch.setattr(budget, "LIMITS_S", (0.001,))
    how = Measuring(quick=True, jobs=3, folder=tmp_path, kept=KeptResults(None), results=tmp_path)
    document.save(part, part.measure(how), tmp_path, 1.0)
    section = part.report(document.read(part, tmp_path), tmp_path)
    assert document.markdown(section, document.read(part, tmp_path)).startswith("## ")
