"""Promotion is gated, and what happens to a policy is written down."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from agents.evaluation import promotion
from agents.evaluation.statistics import Interval
from agents.registry.registry import Registry
from api.cli.main import app
from envs.scenarios import load
from scheduler.domain.errors import InputError, StateError
from tests.support.comparison_worlds import scenario
from tests.support.learning_world import saved

TINY = """
name = "tiny"
version = 1

[pools.gpu]
kind = "cuda"
model = "NVIDIA T4"
devices = 2
dollars_per_device_hour = 1.0
source = "a list"

[workload]
jobs = 25

[workload.synthetic]
"""


def duel(high, distinct=8, margin=0.0):
    interval = Interval(-0.1, -0.2, high, 8)
    return promotion.PairedTest("wgc", False, 1.0, interval, margin, -0.1, 7, distinct)


def test_the_upper_end_decides():
    assert duel(0.0).passed
    assert not duel(0.001).passed
    assert duel(0.001, margin=0.01).passed
    assert not duel(-0.1, distinct=5).passed
    assert not duel(float("nan")).passed
    assert not replace(duel(0.0), incumbent=True).passed
    assert replace(duel(-0.001), incumbent=True).passed


def test_a_trial_is_paired_and_counts_every_preference_alike():
    plan = promotion.plan("sjf", "cheapest", scenario(), workloads=6, jobs=5)
    assert plan.policies[:3] == ("sjf", "cheapest", "wgc")
    assert plan.conditions.split == "test"
    found = promotion.evaluate(plan, "cheapest", margin=0.05)
    assert [one.incumbent for one in found.duels][:2] == [True, False]
    margins = {one.rival: one.margin for one in found.duels if not one.incumbent}
    assert set(margins.values()) == {0.05}
    assert found.duels[0].margin == 0
    assert "sjf" not in {one.rival for one in found.duels}
    wgc = next(one for one in found.duels if one.rival == "wgc")
    assert wgc.score == 1
    assert wgc.difference.mean == pytest.approx(found.score - 1)
    assert (wgc.distinct, found.evidence) == (6, "")
    assert 0 <= wgc.won <= 6
    assert set(found.regime) == {"utilisation", "queue_mean", "queue_max", "waiting"}
    assert [one.score for one in found.duels[1:]] == sorted(one.score for one in found.duels[1:])
    assert json.loads(json.dumps(found.plain()))["passed"] == found.passed
    points = {(one.policy, one.preference): one for one in found.trade_offs}
    assert len(points) == len(plan.policies) * len(plan.preferences)
    # The cheapest placement is the same at every preference, and no other costs less.
    cheapest = [one.cost for one in found.trade_offs if one.policy == "cheapest"]
    assert set(cheapest) == {min(one.cost for one in found.trade_offs)}
    assert points["fastest", 0.5].latency > 0
    assert not found.relative


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match="are too few to show a difference"):
        promotion.plan("sjf", None, scenario(), workloads=5)
    with pytest.raises(InputError, match="no objective"):
        promotion.plan("sjf", None, scenario(objective=None))
    with pytest.raises(InputError, match="scenario hpc-kth replays a trace"):
        promotion.plan("sjf", None, load("hpc-kth"))
    plan = promotion.plan("nobody", None, scenario(), workloads=6, jobs=2, preferences=(0.5,))
    with pytest.raises(InputError, match="nobody failed on tiny, seed 0"):
        promotion.evaluate(plan, None)


@pytest.fixture
def fulcrum(tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0):
        done = CliRunner().invoke(app, ["--data", str(tmp_path / "data"), "policy", *words])
        assert done.exit_code == code, done.output
        return done

    return run


def test_from_import_to_promotion(fulcrum, tmp_path):
    saved(tmp_path / "Ours" / "best", config={"scenario": "tiny.toml"})
    assert "learned:Ours/best" in fulcrum("show", "./Ours", code=3).stderr
    for folder in ("Ours", "Ours/best"):  # named as the training
        fulcrum("import", folder)
    answer = json.loads(fulcrum("ls", "--json").stdout)
    states = {one["name"]: one["state"] for one in answer["policies"]}
    (name,) = (each for each in states if each.startswith("learned:ours@"))
    assert (states[name], states["fcfs"], answer["active"]) == ("candidate", "heuristic", None)

    words = ("promote", "ours", "--workloads", "6", "--workers", "1")
    refused = fulcrum(*words, code=4)
    assert "refused" in refused.output
    assert "wgc" in refused.output
    forced = json.loads(fulcrum(*words, "--force", "--json").stdout)
    assert (forced["policy"], forced["promoted"], forced["trial"]["passed"]) == (name, True, False)
    fulcrum(*words, code=6)  # it is the incumbent already
    shown = json.loads(fulcrum("show", "ours", "--json").stdout)
    assert [event["deed"] for event in shown["history"]] == ["registered", "refused", "promoted"]
    assert [event["forced"] for event in shown["history"]] == [False, False, True]
    assert "promoted" in fulcrum("show", "ours").stdout
    assert "promoted" in fulcrum("ls").stdout

    fulcrum("export", "ours", "ours.onnx")
    fulcrum("export", "ours", "ours.onnx", code=6)
    fulcrum("export", "ours", "ours.zip", code=2)
    again = json.loads(fulcrum("import", "ours.onnx", "--as", "theirs", "--json").stdout)
    assert again["policy"] == name.replace("ours", "theirs")
    # No worse than the incumbent, but no better either.
    fulcrum("promote", "theirs", "-s", "tiny.toml", "--workloads", "6", "--workers", "1", code=4)


@pytest.mark.slow
def test_policies_are_compared_by_name(fulcrum, tmp_path):
    saved(tmp_path / "best")
    fulcrum("import", "best", "--as", "ours")
    done = fulcrum(
        "compare", "sjf", "learned:ours", "-s", "tiny.toml", "--workloads", "2", "--json"
    )
    manifest = json.loads(done.stdout)["manifest"]
    assert [name[:13] for name in manifest["policies"]] == ["sjf", "learned:ours@"]
    assert manifest["baseline"] == "sjf"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "nobody"), ("promote", "nobody"), ("export", "nobody", "x.onnx"),
        ("import", "nowhere.onnx"), ("compare", "learned:nobody", "fcfs"),
    ],
)  # fmt: skip
def test_unknown_names_are_told(fulcrum, words):
    assert "there is no" in fulcrum(*words, code=3).stderr


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path / "data")
    registry.import_file(saved(tmp_path / "one"), "ours")
    return registry


def end_test(monkeypatch, paired):
    """Let the promotion test of `learned:ours` end like this."""
    test = promotion.PromotionTest(
        "ours", 0.9, "tiny", "0" * 12, "test", 8, None, (0.5,), "", {}, (paired,), False, ()
    )
    monkeypatch.setattr(promotion, "evaluate", lambda *_, **__: test)


def test_a_policy_that_beats_all_is_promoted_and_used(registry, monkeypatch):
    used = []
    end_test(monkeypatch, duel(0.01))
    found = promotion.promote(registry, "ours", scenario=scenario(), use=used.append)
    assert (found.promoted, found.used, used) == (False, False, [])
    assert registry.history(found.entry)[-1].action == "refused"

    end_test(monkeypatch, duel(-0.01))
    found = promotion.promote(registry, "ours", scenario=scenario(), use=used.append)
    assert (found.promoted, found.forced, found.used) == (True, False, True)
    assert used == [found.entry.reference]
    assert registry.incumbent() == found.entry
    event = registry.history(found.entry)[-1]
    assert event.trial["passed"]
    assert not event.forced
    with pytest.raises(StateError, match="is the incumbent already"):
        promotion.promote(registry, "ours", scenario=scenario())


def test_a_policy_that_cannot_be_tested_is_promoted_by_force_only(registry):
    where = scenario(objective=None)
    with pytest.raises(InputError, match="no objective"):
        promotion.promote(registry, "ours", scenario=where)
    found = promotion.promote(registry, "ours", scenario=where, force=True)
    assert (found.promoted, found.forced, found.test) == (True, True, None)
    assert any("no objective" in note for note in found.notes)


def test_the_curve_and_the_evaluation_are_shown(fulcrum, tmp_path):
    score = {"mean": 0.93, "at": {"0.5": 0.93}}
    curve = (
        {"steps": 0, "seconds": 1.5, "raw": {**score, "mean": 1.2}},
        {"steps": 64, "seconds": 9.0, "raw": {**score, "mean": 1.0}, "averaged": score},
    )
    saved(tmp_path / "best", curve=curve, evaluation={"policy": score, "wgc": score})
    shown = fulcrum("show", "best").stdout
    assert "1.200" in shown
    assert "0.930" in shown
    assert "█" in shown
    fulcrum("import", "best", "--as", "ours")
    assert "0.930 of" in fulcrum("ls").stdout
