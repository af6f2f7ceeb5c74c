"""How long the served policy takes to decide, beside SB3's `predict`; how long it took to train.

A decision is everything from a frozen queue on: the table of candidates, its encoding, the network,
and the choice. Between two decisions a job has come and one has gone, as in a service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from agents.serving.artifact import ArtifactManifest
from agents.serving.learned_policy import LearnedPolicy, learned
from benchmarks.decisions import decision, snapshots, timed
from benchmarks.policy import plots
from benchmarks.policy.document import Found, ReportPart
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section, Table, number
from envs.scenarios import load
from scheduler.decisions.features.encoder import encode
from scheduler.decisions.kernel.learned import choice
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.policies.lookup import named

SIZES = (10, 100, 1_000, 10_000)
REPEATS = {10: 1_000, 100: 1_000, 1_000: 1_000, 10_000: 300}
GROUPS = ("random", "mixed-cloud", "hpc-lublin", "hpc-kth")
AIM_MS = 1.0
"""p99 of a decision at 1,000 jobs."""
_WARM = 20
POLICY = "policy"
"""Name of the policy in `ArtifactManifest.evaluation`; the others are heuristics."""
WEIGHTS = ("raw", "averaged")


@dataclass(frozen=True, slots=True)
class Passed:
    """The first validation with a mean below a mark."""

    steps: int
    seconds: float | None
    """None if the artifact does not record it."""


def best_heuristic(manifest: ArtifactManifest) -> tuple[str, float]:
    """The heuristic with the least mean objective ÷ the baseline's on the validation workloads."""
    means = {name: float(score["mean"]) for name, score in _heuristics(manifest).items()}
    name = min(means, key=lambda one: means[one])
    return name, means[name]


def best_of_each(manifest: ArtifactManifest) -> float:
    """Mean over the preferences of the best heuristic at each, a mark that is harder to pass."""
    scores = [score["at"] for score in _heuristics(manifest).values()]
    return float(sum(min(at[w] for at in scores) for w in scores[0]) / len(scores[0]))


def passed(curve: Sequence[Mapping[str, Any]], mark: float) -> Passed | None:
    """The first validation with a mean, raw or averaged, below `mark`; None if there is none."""
    for entry in curve:
        means = [entry[one]["mean"] for one in WEIGHTS if one in entry]
        if min(means) < mark:
            return Passed(int(entry["steps"]), entry.get("seconds"))
    return None


def _heuristics(manifest: ArtifactManifest) -> Mapping[str, Any]:
    """Scores of all heuristics; the baseline's is 1 by definition, and old manifests omit it."""
    own = manifest.evaluation[POLICY]["at"]
    baseline = {manifest.baseline: {"mean": 1.0, "at": dict.fromkeys(own, 1.0)}}
    others = {name: score for name, score in manifest.evaluation.items() if name != POLICY}
    return others | baseline


def measure(how: Measuring) -> Found:
    """Times of the first artifact that is there, and every artifact's curve."""
    found = how.find(*GROUPS, seeds=1)
    trainings = []
    for one in found.trained:
        manifest = one.manifest
        name, mark = best_heuristic(manifest)
        first, each = passed(manifest.curve, mark), passed(manifest.curve, best_of_each(manifest))
        last = manifest.curve[-1] if manifest.curve else None
        trainings.append(
            {
                "name": one.name,
                "heuristic": name,
                "mark": mark,
                "steps": last and last["steps"],
                "seconds": last and last.get("seconds"),
                "best": first and {"steps": first.steps, "seconds": first.seconds},
                "each": each and {"steps": each.steps, "seconds": each.seconds},
            }
        )
    times: list[dict[str, Any]] = []
    missing = list(found.missing)
    if found.trained:
        chosen = found.trained[0]
        policy, manifest = learned(chosen.folder), chosen.manifest
        assert isinstance(policy, LearnedPolicy), "the trainings of this page score rows"
        for count in SIZES:
            repeats = 50 if how.quick else REPEATS[count]
            times.append(_times(policy, count, repeats, int(manifest.config["hidden"])))
    return {
        "policy": found.trained[0].name if found.trained else None,
        "times": times,
        "trainings": trainings,
        "missing": missing,
    }


def report(found: Found, folder: Path) -> Section:
    """Milliseconds by length of the queue, and minutes of training."""
    rows = [
        [
            f"{one['jobs']:,}",
            *(_pair(one[what]) for what in ("decision", "network", "predict", "wgc")),
            f"{_at(one['round'], 0.5)} ({one['choices']})",
        ]
        for one in found["times"]
    ]
    columns = [
        ">queued jobs",
        ">decision, p50 / p99",
        ">network alone",
        ">`predict` of SB3",
        ">wgc's decision",
        ">whole round, p50 (choices)",
    ]
    minutes = [
        [
            one["name"],
            one["heuristic"],
            _when(one["best"]),
            _when(one["each"]),
            _when(one),
        ]
        for one in found["trainings"]
    ]
    aim = [one for one in found["times"] if one["jobs"] == 1_000]
    curves = [
        (title, [(one["jobs"], *_both(one[what])) for one in found["times"]])
        for title, what in (
            ("decision of the learned policy", "decision"),
            ("SB3 predict, without candidates and encoding", "predict"),
            ("decision of wgc", "wgc"),
        )
    ]
    shown = "Time of a decision, p50 to p99; dashed: the aim for 1,000 jobs"
    if found["times"]:
        plots.write(lambda: plots.times(curves, AIM_MS), folder / "latency.svg", shown)
    reached = f" The p99 at 1,000 jobs is {_at(aim[0]['decision'], 0.99)} ms." if aim else ""
    return Section(
        "Time",
        f"Processor time of one decision of `{found['policy']}` in one thread (ms), with three "
        "pools of three widths each. A decision builds the candidates, encodes them, runs the "
        "network and chooses. For comparison, `predict` of Stable-Baselines3 (SB3) gets the "
        f"finished encoding of the same tables and runs the same network in PyTorch.{reached}",
        [
            Table("Decisions (ms)", columns, rows),
            Table(
                "Training time until the heuristics were beaten on validation workloads",
                [
                    "training",
                    "best heuristic",
                    ">beaten after",
                    ">best at each w beaten after",
                    ">kept weights reached after",
                ],
                minutes,
            ),
        ],
        [("latency.svg", shown)] if found["times"] else [],
    )


def _times(policy: LearnedPolicy, count: int, repeats: int, hidden: int) -> dict[str, Any]:
    """Seconds by what was timed."""
    mode, wgc = policy.mode, named("wgc")
    predict = _predict(policy.rows, hidden)
    spent: dict[str, list[float]] = {
        what: [] for what in ("decision", "network", "predict", "wgc", "round")
    }
    choices = 0
    for turn, world in enumerate(islice(snapshots(count), repeats + _WARM)):
        table = Round(world.world.copy(), world.now, mode).table()
        assert table is not None
        encoding = encode(table, policy.rows)
        network = partial(
            choice.score, table.world.handle, policy.scorer.constants, policy.scorer.weights
        )
        mask = np.zeros(policy.rows, dtype=np.bool_)
        mask[: len(encoding.positions)] = True
        took = {
            "decision": timed(partial(decision, world, policy, mode))[0],
            "network": timed(network)[0],
            "predict": timed(partial(predict, encoding.values, mask))[0],
            "wgc": timed(partial(decision, world, wgc, mode))[0],
            "round": timed(partial(_whole, world, policy))[0],
        }
        if turn >= _WARM:
            plan = _whole(world, policy)
            choices += len(plan.placements) + len(plan.reservations)
            for what, seconds in took.items():
                spent[what].append(seconds)
    shares = (0.5, 0.99)
    quantiles = {
        what: {f"{share:g}": float(np.quantile(those, share)) for share in shares}
        for what, those in spent.items()
    }
    return {"jobs": count, "choices": round(choices / repeats), **quantiles}


def _whole(world: Snapshot, policy: LearnedPolicy) -> Plan:
    return run_round(world, policy, policy.mode)


def _predict(rows: int, hidden: int) -> Callable[[Any, Any], object]:
    """SB3's way to ask a network of this size; its weights do not matter for the time."""
    import torch
    from sb3_contrib import MaskablePPO

    from agents.training.config import Training
    from agents.training.environments.env import BaselineRewardEnv
    from agents.training.environments.reward import CRITIC_FEATURES
    from agents.training.model.network import RowPolicy

    torch.set_num_threads(1)
    env = BaselineRewardEnv(load("mixed-cloud"), Training(rows=rows, jobs=10))
    model = MaskablePPO(RowPolicy, env, policy_kwargs={"hidden": hidden}, device="cpu")
    privileged = np.zeros(CRITIC_FEATURES, dtype=np.float32)

    def predict(values: Any, mask: Any) -> object:
        seen = np.append(values, privileged)
        return model.predict(seen, action_masks=mask, deterministic=True)

    return predict


def _at(quantiles: dict[str, float], share: float) -> str:
    return number(1e3 * quantiles[f"{share:g}"])


def _both(quantiles: dict[str, float]) -> tuple[float, float]:
    return 1e3 * quantiles["0.5"], 1e3 * quantiles["0.99"]


def _pair(quantiles: dict[str, float]) -> str:
    return f"{_at(quantiles, 0.5)} / {_at(quantiles, 0.99)}"


def _when(passed_: dict[str, Any] | None) -> str:
    if passed_ is None or passed_["steps"] is None:
        return "not beaten"
    decisions = f"{passed_['steps'] / 1e3:,.0f}k decisions"
    if passed_["seconds"] is None:
        return decisions
    return f"{passed_['seconds'] / 60:.1f} min ({decisions})"


PART = ReportPart("latency", measure, report, GROUPS)
