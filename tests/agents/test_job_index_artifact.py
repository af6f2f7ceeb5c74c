"""A learned index as a file: it is served as it was learned, and other programs can compute it."""

from dataclasses import replace

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from agents.evaluation.statistics import Interval
from agents.registry.registry import Registry
from agents.serving import artifact
from agents.serving.learned_policy import learned
from agents.training.job_index.export import BASE_INPUT, TrainedOn, export, exported
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.settings import DistillationSettings, IndexSettings
from agents.training.job_index.task import Validated
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import size_of
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.domain.errors import InputError
from scheduler.policies.learned_index import on
from scheduler.policies.lookup import named
from tests.support.worlds import option, pool, snapshot, waiting


def policy(base="saf", hidden=3):
    settings = IndexSettings(base, hidden=hidden)
    weights = np.random.default_rng(0).normal(size=size_of(hidden) - 1)
    return on(named(base), settings.packed(weights))


def written(folder, base="saf"):
    own = policy(base)
    run = IndexRun.open(folder, (IndexSettings(base, hidden=3), DistillationSettings()))
    trained_on = TrainedOn("hpc-lublin", "0" * 12, Mode.EASY, "fulcrum")
    export(folder, own, IndexSettings(base, hidden=3), run, trained_on)
    return own


@pytest.mark.parametrize("base", ["saf", "wgc"])
def test_what_was_learned_is_what_is_served(tmp_path, base):
    own, served = written(tmp_path, base), learned(tmp_path)
    assert np.array_equal(own.weights, served.weights)
    assert (served.name, served.mode) == (f"learned:{tmp_path}", Mode.EASY)
    jobs = [waiting(at, option(50.0 * at**2, width=1 + at % 3)) for at in range(1, 9)]
    snap = snapshot(pool(devices=4), jobs)
    plans = [decide(Round(snap.world.copy(), snap.now, Mode.EASY), one) for one in (own, served)]
    assert plans[0].placements == plans[1].placements


def test_a_run_records_the_processor_time_of_its_validations(tmp_path):
    settings = (IndexSettings("saf", hidden=0), DistillationSettings())
    found = Validated(Interval(-0.1, -0.2, -0.05, 8), 0.02)
    for _ in range(2):  # the second one resumes
        run = IndexRun.open(tmp_path, settings)
        run.keep(np.zeros(size_of(0) - 1), found)
    first, second = (each["cpu_seconds"] for each in IndexRun.read(tmp_path).validated)
    assert 0.0 <= first <= second
    export(tmp_path, policy("saf", 0), settings[0], run, TrainedOn("lab", "", Mode.EASY))
    curve = artifact.load(tmp_path).manifest.curve
    assert [each["steps"] for each in curve] == [1, 2]
    assert [each["raw"]["mean"] for each in curve] == [0.9, 0.9]
    assert [each["cpu_seconds"] for each in curve] == [first, second]


def test_it_is_registered_like_any_learned_policy(tmp_path):
    own, registry = written(tmp_path / "best"), Registry(tmp_path / "data")
    entry = registry.import_file(tmp_path / "best", "mine")
    assert "hpc-lublin" in entry.summary()
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
    (found,) = ReferenceEvaluator(exported(own.weights)).run(None, values)
    assert found == pytest.approx(scores, abs=1e-4)


def test_other_columns_are_refused(tmp_path):
    written(tmp_path)
    kept = artifact.load(tmp_path)
    other = replace(kept.manifest, encoding="index-0:000000000000")
    artifact.save(tmp_path, kept.weights, other)
    with pytest.raises(InputError, match="trained for encoding index-0"):
        learned(tmp_path)


def test_a_base_that_does_not_exist_is_refused(tmp_path):
    written(tmp_path)
    kept = artifact.load(tmp_path)
    artifact.save(tmp_path, kept.weights, replace(kept.manifest, base="nothing"))
    with pytest.raises(InputError, match="its base 'nothing' is unknown"):
        learned(tmp_path)
