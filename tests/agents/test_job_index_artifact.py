"""A learned index as a file: it is served as it was learned, and other programs can compute it."""

import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import agents.registry.resolve  # noqa: F401 - so that files of schedules are found
from agents.registry.registry import Registry
from agents.serving import artifact
from agents.serving.learned_policy import learned
from agents.training import config as configs
from agents.training.job_index.export import BASE_INPUT, TrainedOn, export, exported
from agents.training.job_index.task import starting
from agents.training.progress import TrainingProgress
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import LIMIT
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.domain.errors import InputError
from scheduler.policies.learned_index import order_of
from scheduler.policies.lookup import named
from tests.support.worlds import option, pool, snapshot, waiting


def policy(base="saf", hidden=3):
    start = starting(configs.of({"algo": "cmaes", "baseline": base, "hidden": hidden}))
    weights = start.weights.copy()
    weights[LIMIT + 1 :] = np.random.default_rng(0).normal(size=len(weights) - 1)
    return replace(start, weights=weights)


def written(folder, base="saf"):
    own, config = policy(base), configs.of({"algo": "cmaes", "baseline": base, "hidden": 3})
    trained_on = TrainedOn("hpc-lublin", "0" * 12, Mode.EASY)
    export(folder, own, config, trained_on, TrainingProgress(command="fulcrum"), steps=7)
    return own


def changed(folder, **fields):
    """Write other fields into the manifest."""
    kept = artifact.load(folder)
    artifact.save(folder, kept.weights, replace(kept.manifest, **fields))


@pytest.mark.parametrize("base", ["saf", "wgc", "wgc:random", "wgc:congestion=.2"])
def test_what_was_learned_is_what_is_served(tmp_path, base):
    own, served = written(tmp_path, base), learned(tmp_path)
    assert np.array_equal(own.weights, served.weights)
    assert (served.name, served.mode) == (f"learned:{tmp_path}", Mode.EASY)
    jobs = [waiting(at, option(50.0 * at**2, width=1 + at % 3)) for at in range(1, 9)]
    snap = snapshot(pool(devices=4), jobs)
    plans = [decide(Round(snap.world.copy(), snap.now, Mode.EASY), one) for one in (own, served)]
    assert plans[0].placements == plans[1].placements


def test_it_is_registered_like_any_learned_policy(tmp_path):
    own, registry = written(tmp_path / "best"), Registry(tmp_path / "data")
    entry = registry.import_file(tmp_path / "best", "mine")
    assert entry.summary() == "corrects saf, learned on hpc-lublin, 7 decisions"
    assert entry.manifest().baseline == "saf"
    assert np.array_equal(registry.policy("mine").weights, own.weights)


@pytest.mark.parametrize("hidden", [0, 1, 5])
def test_the_model_computes_what_the_kernel_does(hidden):
    own = policy(hidden=hidden)
    jobs = [waiting(at, option(50.0 * at**2, width=at)) for at in range(1, 5)]
    snap = snapshot(pool(devices=4), jobs)
    seen = Round(snap.world.copy(), snap.now, Mode.EASY).table()
    scores = own.scores(seen)[1:]
    bases, columns = own.describe(seen.world, seen.slot[1:].copy())
    assert columns.shape == (4, JOB_WIDTH + CLUSTER_WIDTH)
    values = {artifact.INPUT: columns.astype(np.float32), BASE_INPUT: bases.astype(np.float32)}
    (found,) = ReferenceEvaluator(exported(order_of(own.base), own.weights)).run(None, values)
    assert found == pytest.approx(scores, abs=1e-4)


def test_other_columns_are_refused(tmp_path):
    written(tmp_path)
    changed(tmp_path, encoding="index-0:000000000000")
    with pytest.raises(InputError, match="trained for encoding index-0"):
        learned(tmp_path)


def test_an_index_that_learned_nothing_says_what_it_is(tmp_path):
    written(tmp_path)
    registry = Registry(tmp_path / "data")
    for config, start in (({}, "saf"), ({"base": "learned:mine"}, "learned:mine")):
        changed(tmp_path, steps=0, config=config)
        entry = registry.import_file(tmp_path, "ours")
        assert entry.summary() == f"{start} itself: learning on hpc-lublin found nothing better"


def test_a_schedule_that_was_tuned_again_changes_nothing(tmp_path):
    file = tmp_path / "ours.toml"
    shipped = (files("scheduler.policies.schedules") / "random.toml").read_text()
    file.write_text(shipped)
    own = written(tmp_path / "best", f"wgc:{file}")
    file.write_text((files("scheduler.policies.schedules") / "mixed-cloud.toml").read_text())
    served = learned(tmp_path / "best")
    assert np.array_equal(served.base.constants.table(), named("wgc:random").constants.table())
    assert served.base.constants == own.base.constants
    file.unlink()
    assert learned(tmp_path / "best").base == served.base


@pytest.mark.parametrize(
    ("base", "fields", "reason"),
    [
        ("saf", {"base": "nothing"}, "its base 'nothing' is unknown"),
        ("wgc", {"base_points": ()}, "the constants of its base wgc are missing"),
        ("wgc:random", {"base": "fcfs"}, "its base fcfs has constants of wgc"),
        ("wgc:random", {"base": ""}, "it has constants of a base, but no base"),
        (
            "wgc",
            {"base_points": ({"w": None, "constants": {"congestion": -1.0}},)},
            "wgc's congestion is -1.0",
        ),
        (
            "wgc",
            {"base_points": ({"w": 0.7, "constants": {}}, {"w": 0.2, "constants": {}})},
            "a schedule of wgc has the preferences",
        ),
        (
            "wgc",
            {"base_points": ({"w": None, "constants": {}}, {"w": 0.2, "constants": {}})},
            "has no preference",
        ),
        ("wgc", {"base_points": ({"w": "a lot", "constants": {}},)}, "in its manifest"),
        ("wgc", {"base_points": ({"w": 0.5},)}, "in its manifest"),
        ("saf", {"base": "priority"}, "no index can be learned on 'priority'"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path, base, fields, reason):
    written(tmp_path, base)
    changed(tmp_path, **fields)
    with pytest.raises(InputError, match=re.escape(reason)):
        learned(tmp_path)
