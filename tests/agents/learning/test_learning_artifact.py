"""An artifact is served as it was trained, or refused with the reason."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agents.serving.artifact import (
    FILE,
    FORMAT,
    ArtifactManifest,
    digest,
    load,
    pack,
    save,
    unpack,
)
from agents.serving.learned_policy import LearnedPolicy, learned
from agents.training.model.onnx_export import exported
from envs.gym.cluster_env import ClusterEnv
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from scheduler.decisions.features.digest import ENCODING
from scheduler.decisions.kernel.learned.choice import wait_score
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import lookup
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named
from tests.support.learning_world import broken_weights, mixed_cloud, scorer

ROWS = 24


@pytest.fixture
def artifact(tmp_path):
    weights = exported(scorer())
    manifest = ArtifactManifest(
        sha256=digest(weights),
        encoding=ENCODING,
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
    weights, manifest = unpack((folder / FILE).read_bytes())
    text = json.dumps(json.loads(manifest) | values)
    (folder / FILE).write_bytes(pack(weights, text.encode()))


def test_what_was_saved_is_loaded(artifact):
    assert load(artifact).manifest.format == FORMAT
    policy = learned(artifact)
    assert (policy.name, policy.rows) == (f"learned:{artifact}", ROWS)


def test_one_flipped_bit_is_refused(artifact):
    weights, manifest = unpack((artifact / FILE).read_bytes())
    content = bytearray(weights)
    content[len(content) // 2] ^= 1
    (artifact / FILE).write_bytes(pack(content, manifest))
    with pytest.raises(InputError, match="not those that its manifest describes"):
        load(artifact)


def test_the_file_is_an_onnx_model_with_the_manifest_in_its_metadata(artifact):
    session = onnxruntime.InferenceSession(artifact / FILE)
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["fulcrum"])
    assert manifest["scenario"] == "mixed-cloud"
    model = onnx.load(artifact / FILE)
    onnx.checker.check_model(model)
    assert load(artifact / FILE) == load(artifact)
    del model.metadata_props[:]
    assert model.SerializeToString() == load(artifact).weights


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"encoding": "0" * 12}, "trained for encoding 000000000000"),
        ({"format": 99}, "format 99"),
        ({"rows": 1}, "rows is 1"),
        ({"rows": "many"}, "rows in its manifest: should be a whole number"),
        ({"steps": "many"}, "steps in its manifest: should be a whole number"),
        ({"config": None}, "config in its manifest"),
        ({"curve": [{"steps": 1}]}, r"curve\.0\.raw in its manifest: is required"),
        ({"evaluation": []}, "evaluation in its manifest"),
        ({"evaluation": {"policy": {"mean": "good", "at": {}}}}, r"evaluation\.policy\.mean in"),
        ({"mode": "sometimes"}, "mode is 'sometimes'"),
        ({"mode": []}, "mode in its manifest"),
        ({"surplus": 1}, "unknown or missing: surplus"),
    ],
)
def test_a_manifest_that_does_not_match_is_refused(artifact, values, reason):
    changed(artifact, **values)
    with pytest.raises(InputError, match=reason):
        load(artifact)


@pytest.mark.parametrize("content", ["", "[]", "null", "{"])
def test_a_manifest_that_is_none_is_refused(artifact, content):
    weights, _ = unpack((artifact / FILE).read_bytes())
    (artifact / FILE).write_bytes(pack(weights, content.encode()))
    with pytest.raises(InputError, match="refused"):
        load(artifact)


def test_weights_that_are_no_network_are_refused(artifact):
    noise = b"\x72\x09import os"
    _, manifest = unpack((artifact / FILE).read_bytes())
    (artifact / FILE).write_bytes(pack(noise, manifest))
    changed(artifact, sha256=digest(noise))
    with pytest.raises(InputError, match="network cannot be used"):
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
        "values = np.zeros(encoder.size(24), np.float32)\n"
        "values[0] = 1.0\n"
        "policy = learned(sys.argv[1])\n"
        "policy.network.scores(np.zeros(encoder.size(policy.rows), np.float32))\n"
        "heavy = {'torch', 'stable_baselines3', 'sb3_contrib', 'gymnasium', 'simpy', 'onnx'}\n"
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
        scores[0] = wait_score(scores, len(scores))
        action = np.argmax(np.where(env.action_masks(), scores, -np.inf))
        observation, _, done, _, _ = env.step(action)

    simulation = _simulation(scenario, w, jobs, seed)
    simulation.run(learned(artifact))
    assert simulation.held == env.simulation.held
    assert len(simulation.held) >= jobs


def test_waiting_must_be_likelier_than_acting():
    # Two rows of 0.3 each outweigh a WAIT of 0.4, which is the likeliest single choice.
    scores = np.log([0.4, 0.3, 0.3, 1e-30], dtype=np.float32)
    assert wait_score(scores, 4) < scores[1]
    scores = np.log([0.6, 0.2, 0.2], dtype=np.float32)
    assert wait_score(scores, 3) > scores[1]
    assert wait_score(np.array([0.5, -np.inf], dtype=np.float32), 2) == 0.5


def test_a_failing_network_falls_back(artifact):
    guard = Guard(LearnedPolicy(broken_weights(), ROWS), named("wgc"))
    simulation = _simulation(mixed_cloud(), 0.5, 5, 0)
    outcome = simulation.run(guard)
    assert guard.fallbacks > 0
    assert np.isfinite(outcome.ended).tolist() == [True] * 5


def _scores(network, observation):
    with torch.no_grad():
        return network(torch.as_tensor(observation)[None])[0].numpy()


def _simulation(scenario, w, jobs, seed):
    drawn = replace(scenario.draw(seed), preference=w)
    workload = scenario.workload(seed, jobs)
    estimator = drawn.estimates.make(seed)
    return Simulation(workload, ClusterSpec.of(drawn), estimator, seed=seed, record=True)
