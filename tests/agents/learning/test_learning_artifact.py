"""An artifact is served as it was trained, or refused with the reason."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.serving.artifact import FORMAT, MANIFEST, WEIGHTS, ArtifactManifest, digest, load, save
from agents.serving.learned_policy import LearnedPolicy, greedy_with_wait, learned
from agents.training.model.onnx_export import exported
from envs.gym.cluster_env import ClusterEnv
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from scheduler.decisions.features.digest import digest as encoding_digest
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import lookup
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named
from tests.agents.learning.world import mixed_cloud, scorer

ROWS = 24


@pytest.fixture
def artifact(tmp_path):
    weights = exported(scorer())
    manifest = ArtifactManifest(
        sha256=digest(weights),
        encoding=encoding_digest(),
        rows=ROWS,
        mode="greedy",
        scenario="mixed-cloud",
        scenario_digest=mixed_cloud().digest,
        seed=0,
        steps=0,
        averaged=False,
        command="",
        commit="",
        versions={},
        config={},
    )
    save(tmp_path / "policy", weights, manifest)
    return tmp_path / "policy"


def changed(folder, **values):
    file = folder / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_what_was_saved_is_loaded(artifact):
    assert load(artifact).manifest.format == FORMAT
    policy = learned(artifact)
    assert (policy.name, policy.rows) == (f"learned:{artifact}", ROWS)


def test_one_flipped_bit_is_refused(artifact):
    content = bytearray((artifact / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (artifact / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match="is not the file that"):
        load(artifact)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"encoding": "0" * 12}, "trained for encoding 000000000000"),
        ({"format": 99}, "format 99"),
        ({"rows": 1}, "rows is 1"),
        ({"rows": "many"}, "rows in manifest.json: .* valid integer"),
        ({"steps": "many"}, "steps in manifest.json: .* valid integer"),
        ({"config": None}, "config in manifest.json"),
        ({"curve": [{"steps": 1}]}, r"curve\.0\.raw in manifest.json: Field required"),
        ({"evaluation": []}, "evaluation in manifest.json"),
        ({"evaluation": {"policy": {"mean": "good", "at": {}}}}, r"evaluation\.policy\.mean in"),
        ({"mode": "sometimes"}, "mode is 'sometimes'"),
        ({"mode": []}, "mode in manifest.json"),
        ({"surplus": 1}, "too much or too little: surplus"),
    ],
)
def test_a_manifest_that_does_not_match_is_refused(artifact, values, reason):
    changed(artifact, **values)
    with pytest.raises(InputError, match=reason):
        load(artifact)


@pytest.mark.parametrize("content", ["", "[]", "null", "{"])
def test_a_manifest_that_is_none_is_refused(artifact, content):
    (artifact / MANIFEST).write_text(content)
    with pytest.raises(InputError, match="refused"):
        load(artifact)


def test_weights_that_are_no_network_are_refused(artifact):
    (artifact / WEIGHTS).write_bytes(b"import os")
    changed(artifact, sha256=digest(b"import os"))
    with pytest.raises(InputError, match="no usable network"):
        load(artifact)


def test_nothing_there_says_what_should_be(tmp_path):
    with pytest.raises(MissingError, match="no learned policy"):
        load(tmp_path)


def test_policies_are_found_by_path(artifact, monkeypatch):
    monkeypatch.setitem(lookup.DEFAULT.schemes, "learned", learned)
    assert named(f"learned:{artifact}").rows == ROWS
    with pytest.raises(MissingError, match="no learned policy"):
        named("learned:nowhere")


def test_serving_needs_nothing_that_training_needs(artifact):
    code = (
        "import sys\n"
        "from agents.serving.learned_policy import learned\n"
        "import numpy as np\n"
        "from scheduler.decisions.features import encoder\n"
        "policy = learned(sys.argv[1])\n"
        "policy.score(np.zeros(encoder.size(policy.rows), np.float32))\n"
        "heavy = {'torch', 'stable_baselines3', 'sb3_contrib', 'gymnasium', 'simpy', 'onnx'}\n"
        "heavy.add('numba')\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    words = [sys.executable, "-c", code, str(artifact)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("seed", [0, 1])
def test_served_and_trained_policies_place_alike(artifact, seed):
    scenario, w, jobs = mixed_cloud(), 0.7, 25
    network = scorer()

    env = ClusterEnv(scenario, w, jobs=jobs, rows=ROWS, illegal="raise", render_mode="rgb_array")
    observation, _ = env.reset(seed=0, options={"workload": seed})
    done = False
    while not done:
        scores = _scores(network, observation)
        scores = scores.astype(np.float64)
        scores[0] = greedy_with_wait(scores)
        action = np.argmax(np.where(env.action_masks(), scores, -np.inf))
        observation, _, done, _, _ = env.step(action)

    simulation = _simulation(scenario, w, jobs, seed)
    simulation.run(learned(artifact))
    assert simulation.held == env.simulation.held
    assert len(simulation.held) >= jobs


def test_waiting_must_be_likelier_than_acting():
    # Two rows of 0.3 each outweigh a WAIT of 0.4, which is the likeliest single choice.
    scores = np.log([0.4, 0.3, 0.3, 1e-30])
    assert greedy_with_wait(scores) < scores[1]
    scores = np.log([0.6, 0.2, 0.2])
    assert greedy_with_wait(scores) > scores[1]
    assert greedy_with_wait(np.array([0.5, -np.inf])) == 0.5


def test_a_failing_network_falls_back(artifact):
    def broken(_):
        raise RuntimeError("out of memory")

    guard = Guard(LearnedPolicy(broken, ROWS), named("wgc"))
    simulation = _simulation(mixed_cloud(), 0.5, 5, 0)
    simulation.run(guard)
    assert guard.fallbacks > 0
    assert simulation.finished == 5


def _scores(network, observation):
    with torch.no_grad():
        return network(torch.as_tensor(observation)[None])[0].numpy()


def _simulation(scenario, w, jobs, seed):
    drawn = replace(scenario.draw(seed), preference=w)
    workload = scenario.workload(seed, jobs)
    estimator = drawn.estimates.make(seed)
    return Simulation(workload, ClusterSpec.of(drawn), estimator, seed=seed, record=True)
