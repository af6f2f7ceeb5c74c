"""When a training has passed the heuristics, as its artifact's curve tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.serving.artifact import ArtifactManifest

POLICY = "policy"
"""In `ArtifactManifest.evaluation`; all other names are heuristics."""
WEIGHTS = ("raw", "averaged")


@dataclass(frozen=True, slots=True)
class Passed:
    """The first validation below a mark."""

    steps: int
    seconds: float | None
    """None: not recorded."""


def best_heuristic(manifest: ArtifactManifest) -> tuple[str, float]:
    """The one with the least mean objective ÷ the reference's on the validation workloads."""
    means = {name: float(score["mean"]) for name, score in _heuristics(manifest).items()}
    name = min(means, key=lambda one: means[one])
    return name, means[name]


def best_of_each(manifest: ArtifactManifest) -> float:
    """The mean over w of whichever heuristic is best there: harder to pass."""
    scores = [score["at"] for score in _heuristics(manifest).values()]
    return float(sum(min(at[w] for at in scores) for w in scores[0]) / len(scores[0]))


def passed(curve: Sequence[Mapping[str, Any]], mark: float) -> Passed | None:
    """When the mean was below `mark` for the first time, raw or averaged; None: never."""
    for entry in curve:
        means = [entry[one]["mean"] for one in WEIGHTS if one in entry]
        if min(means) < mark:
            return Passed(int(entry["steps"]), entry.get("seconds"))
    return None


def _heuristics(manifest: ArtifactManifest) -> Mapping[str, Any]:
    """The reference among them, which is 1 by definition and which old manifests leave out."""
    own = manifest.evaluation[POLICY]["at"]
    baseline = manifest.config.get("baseline") or manifest.config["reference"]
    reference = {str(baseline): {"mean": 1.0, "at": dict.fromkeys(own, 1.0)}}
    others = {name: score for name, score in manifest.evaluation.items() if name != POLICY}
    return others | reference
