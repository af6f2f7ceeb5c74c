"""The network knows rows, not positions."""

import numpy as np
import onnxruntime
import pytest
import torch
from sb3_contrib import MaskablePPO
from torch import nn

from agents.serving.artifact import INPUT, OUTPUT, PolicyArtifact
from agents.training.environments.env import vectorised
from agents.training.model.network import PADDING, Critic, RowPolicy
from agents.training.model.onnx_export import exported
from tests.support.learning_world import TINY, flat, mixed_cloud, observations, privileged, scorer


def scores(network, values):
    with torch.no_grad():
        return network(torch.as_tensor(values)).numpy()


def test_permuted_rows_give_permuted_scores():
    values, shown, overall = observations(3, 10, 10)
    order = np.random.default_rng(1).permutation(10)
    network = scorer()
    permuted = scores(network, flat(shown[:, order], overall, 10))
    np.testing.assert_allclose(permuted, scores(network, values)[:, order], atol=1e-5)


@pytest.mark.parametrize("rows", [7, 8, 64, 200])
def test_rows_that_are_not_there_change_nothing(rows):
    tight, shown, overall = observations(3, 7, 7)
    network = scorer()
    found = scores(network, flat(shown, overall, rows))
    assert found.shape == (3, rows)
    np.testing.assert_allclose(found[:, :7], scores(network, tight), atol=1e-5)
    assert (found[:, 7:] == PADDING).all()


def test_the_critic_sees_neither_order_nor_padding():
    torch.manual_seed(0)
    critic = Critic(16)
    values, shown, overall = observations(2, 6, 6)
    values, other = privileged(values), privileged(flat(shown[:, ::-1], overall, 20))
    np.testing.assert_allclose(scores(critic, other), scores(critic, values), atol=1e-5)


def test_only_the_critic_sees_how_the_reference_fares():
    env = vectorised(mixed_cloud(), TINY, 0)
    policy = MaskablePPO(RowPolicy, env, n_steps=4, batch_size=4).policy
    values, *_ = observations(4, 9, TINY.rows)
    behind, ahead = (torch.as_tensor(privileged(values, level)) for level in (-1, 1))
    torch.testing.assert_close(
        policy.get_distribution(behind).distribution.logits,
        policy.get_distribution(ahead).distribution.logits,
    )
    assert (policy.predict_values(behind) != policy.predict_values(ahead)).all()
    env.close()


def test_the_preference_reaches_every_score():
    _, shown, overall = observations(1, 5, 5)
    network = scorer()
    before = scores(network, flat(shown, overall, 5))
    overall[:, 0] = 1 - overall[:, 0]
    assert (before != scores(network, flat(shown, overall, 5))).all()


def test_ppo_uses_the_scores_as_logits():
    env = vectorised(mixed_cloud(), TINY, 0)
    model = MaskablePPO(RowPolicy, env, n_steps=4, batch_size=4, policy_kwargs={"hidden": 16})
    policy = model.policy
    assert isinstance(policy.action_net, nn.Identity)
    values, *_ = observations(4, 9, TINY.rows)
    logits = policy.get_distribution(torch.as_tensor(privileged(values))).distribution.logits
    expected = torch.log_softmax(policy.scorer(torch.as_tensor(values)), 1)
    torch.testing.assert_close(logits, expected)
    dense = [each for each in policy.modules() if isinstance(each, nn.Linear)]
    assert all(TINY.rows not in (each.in_features, each.out_features) for each in dense)
    env.close()


@pytest.mark.parametrize("rows", [5, 24, 64])
def test_onnx_gives_the_same_scores_for_any_number_of_rows(rows):
    network = scorer()
    values, *_ = observations(3, 5, rows)
    model = exported(network)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    by_runtime = session.run([OUTPUT], {INPUT: values})[0]
    by_kernel = PolicyArtifact(None, model).network().scores(values)
    for found in (by_runtime, by_kernel):
        np.testing.assert_allclose(found, scores(network, values), rtol=1e-4, atol=1e-5)
    assert (by_kernel.argmax(1) == by_runtime.argmax(1)).all()


def test_weights_of_an_earlier_release_are_loaded():
    env = vectorised(mixed_cloud(), TINY, seed=0)
    policy = MaskablePPO(RowPolicy, env, policy_kwargs={"hidden": 16}, seed=1).policy
    weights = {name: value.clone() for name, value in policy.state_dict().items()}
    old = {name.replace(".critic.", ".judge."): value + 1 for name, value in weights.items()}
    assert old.keys() != weights.keys()
    policy.load_state_dict(old)
    assert all((policy.state_dict()[name] == value + 1).all() for name, value in weights.items())
    env.close()
