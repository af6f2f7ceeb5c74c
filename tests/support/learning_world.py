"""A cluster small enough to learn on in seconds, and observations made up."""

import numpy as np
import torch

from agents.serving.artifact import ArtifactManifest, digest, save
from agents.serving.network import NetworkWeights
from agents.training.config import Training
from agents.training.environments.reward import CRITIC_FEATURES
from agents.training.model.network import PolicyNetwork
from agents.training.model.onnx_export import exported
from envs.scenarios import load
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.digest import ENCODING

TINY = Training(
    scenario="mixed-cloud",
    jobs=12,
    rows=24,
    hidden=16,
    workloads=2,
    expert="wgc",
    demonstrations=60,
    imitation_epochs=2,
    envs=2,
    n_steps=16,
    batch_size=16,
    n_epochs=1,
    steps=96,
    validate_every=2,
    validation_workloads=1,
    validation_preferences=(0.5,),
    checkpoint_every=1,
)


def mixed_cloud():
    return load("mixed-cloud")


def scorer(hidden=16, seed=0):
    """With scores that differ: the last layer is not near zero as in training's beginning."""
    torch.manual_seed(seed)
    return PolicyNetwork(hidden).eval()


def linear_weights(seed=0):
    """A network without hidden layers: one weight per column of a row, and no bias."""
    weights = np.random.default_rng(seed).normal(size=len(ROW_COLUMNS))
    return NetworkWeights(0, np.append(weights, 0.0).astype(np.float32))


def broken_weights():
    """A network whose scores are not numbers."""
    return NetworkWeights(0, np.full(len(ROW_COLUMNS) + 1, np.nan, dtype=np.float32))


def observations(count, present, rows, seed=0):
    """(count, size(rows)) with `present` rows of numbers, and (count, present, columns) alone."""
    rng = np.random.default_rng(seed)
    shown = rng.random((count, present, len(ROW_COLUMNS)), dtype=np.float32) * 3
    shown[:, :, 0] = 1.0
    overall = rng.random((count, len(GLOBAL_COLUMNS)), dtype=np.float32)
    return flat(shown, overall, rows), shown, overall


def flat(shown, overall, rows):
    """Laid out as by `scheduler.decisions.features.encoder`: by column, padded, then globals."""
    count, present, columns = shown.shape
    padded = np.zeros((count, rows, columns), dtype=np.float32)
    padded[:, :present] = shown
    return np.concatenate([padded.transpose(0, 2, 1).reshape(count, -1), overall], axis=1)


def privileged(values, level=0.5):
    """What training's environments observe: (B, size) and numbers that only critics see."""
    added = np.full((len(values), CRITIC_FEATURES), level, dtype=np.float32)
    return np.concatenate((values, added), axis=1)


def saved(folder, seed=0, rows=24, **fields):
    """The folder, with the artifact of an untrained network in it."""
    weights = exported(scorer(seed=seed))
    facts = {
        "scenario": "mixed-cloud", "scenario_digest": "0" * 12, "seed": seed, "steps": 0,
        "averaged": False, "command": "", "commit": "", "versions": {}, "config": {},
    }  # fmt: skip
    manifest = ArtifactManifest(digest(weights), ENCODING, rows, "easy", **{**facts, **fields})
    save(folder, weights, manifest)
    return folder
