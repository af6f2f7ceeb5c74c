"""Augmented random search behind the same training: `--algo ars`."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.process_pool import ProcessPool
from agents.serving.artifact import load
from agents.training import config as configs
from agents.training.algorithms import ALGORITHMS
from agents.training.callbacks import BEST
from agents.training.config import Training
from agents.training.progress import CHECKPOINT
from agents.training.trainer import resume, train
from agents.training.worker import TrainingContext
from api.cli.support.training_options import training_values
from scheduler.domain.errors import InputError
from tests.support.learning_world import TINY, mixed_cloud, observations, privileged

SHARED = (
    "scenario", "jobs", "rows", "hidden", "workloads", "expert", "demonstrations",
    "imitation_epochs", "validate_every", "validation_workloads", "validation_preferences",
    "checkpoint_every",
)  # fmt: skip
ARS = Training(
    **{name: getattr(TINY, name) for name in SHARED},
    algo="ars", n_delta=2, n_top=1, n_eval_episodes=1, steps=200,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("searched") / "run"
    return run, train(ARS, run)


@pytest.fixture
def model(tmp_path):
    algorithm = ALGORITHMS["ars"]
    env = algorithm.environments(ProcessPool(TrainingContext(mixed_cloud(), ARS)), ARS.seed)
    yield algorithm.begin(ARS, env, tmp_path)
    env.close()


class Limit(BaseCallback):
    """Ends the search after `most` decisions."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def _on_step(self):
        return self.num_timesteps < self.most


def test_a_search_leaves_the_same_artifact_as_ppo(trained):
    run, progress = trained
    artifact = load(run / BEST)
    assert configs.of(artifact.manifest.config) == configs.read(run) == ARS
    assert progress.best <= progress.curve[0]["raw"]["mean"]
    assert progress.curve[-1]["steps"] >= ARS.steps
    values, *_ = observations(1, 5, ARS.rows)
    assert np.isfinite(artifact.network().scores(values)).all()


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(trained, tmp_path):
    again = train(ARS, tmp_path / "again")
    assert [point["raw"] for point in again.curve] == [
        point["raw"] for point in trained[1].curve
    ]  # fmt: skip
    first, second = (load(run / BEST).manifest for run in (trained[0], tmp_path / "again"))
    assert first.sha256 == second.sha256


def test_a_search_that_was_killed_goes_on_from_its_weights(tmp_path):
    class KilledError(Exception):
        pass

    def kill(event):
        if event.stage == "learning" and event.done:
            raise KilledError

    run = tmp_path / "run"
    with pytest.raises(KilledError):
        train(ARS, run, tell=kill)
    algorithm = ALGORITHMS["ars"]
    env = algorithm.environments(ProcessPool(TrainingContext(mixed_cloud(), ARS)), 1)
    model = algorithm.load(run / CHECKPOINT / "model.zip", env, 1)
    torch.testing.assert_close(
        model.weights, torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach()
    )
    done = model.num_timesteps
    env.close()
    progress = resume(run)
    assert 0 < done < ARS.steps <= progress.curve[-1]["steps"]


def test_the_best_legal_row_is_taken_never_an_illegal_one(model):
    values, *_ = observations(4, 9, ARS.rows)
    scores = model.policy.scorer(torch.as_tensor(values)).detach().numpy()
    values = privileged(values)
    assert (model.policy.predict(values)[0] > 0).all()  # waiting is likelier than acting nowhere
    legal = np.zeros(scores.shape, dtype=np.bool_)
    legal[:, 2:9] = True
    chosen, _ = model.policy.predict(values, action_masks=legal)
    np.testing.assert_array_equal(chosen, np.where(legal, scores, -np.inf).argmax(1))


def test_equal_candidates_earn_equal_returns(model):
    # They play the same episodes; otherwise the workloads' luck would be taken for merit.
    _, callback = model._setup_learn(10_000, Limit(10_000))
    weights = model.weights.repeat(3, 1)
    returns = model.evaluate_candidates(weights, callback, None)
    assert returns.min() == returns.max() < 0


def test_a_callback_ends_the_search(model):
    model.learn(10_000, callback=Limit(30))
    assert model.num_timesteps == 30


def test_unknown_algorithms_are_refused_with_the_known_ones():
    with pytest.raises(InputError) as caught:
        replace(TINY, algo="dqn")
    assert caught.value.fields == {"algo": "ppo, ars, cmaes, search"}


def test_the_command_names_the_algorithm():
    values, _ = training_values({"algo": "ars"}, None, ["step_size=.01"])
    config = configs.of(values)
    assert (config.algo, config.step_size) == ("ars", 0.01)
