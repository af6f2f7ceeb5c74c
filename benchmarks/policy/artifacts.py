"""The trained policies of the benchmark: found by group, and trained again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from agents.process_pool import cores
from agents.registry.registry import DEFAULT
from agents.serving.artifact import BEST, FILE, ArtifactManifest, content_of, load, save, unpack
from agents.serving.learned_policy import SCHEME
from agents.training import config as configs
from api.cli.support.output import err
from envs.scenarios import load as scenario
from scheduler.domain.errors import FulcrumError, InputError

if TYPE_CHECKING:
    from agents.training.progress import TrainingEvent

FOLDER = Path(__file__).resolve().parent / "artifacts"
BUILD = Path(__file__).resolve().parents[2] / "build" / "bench-policy"
RUNS = BUILD / "training"
"""Folder of trainings that are repeated, until all of them are done."""
SHIPPED = DEFAULT
"""Group of the policy that ships with Fulcrum; its other seeds are `fulcrum-2`, `fulcrum-3`, …"""
RIVAL = "ppo"
"""Group of policies that PPO has trained on drawn clusters: `ppo-1` shipped before."""
SEEDS = 3
"""Number of trainings that a statement about a training needs."""
LARGEST = 2**20
"""Limit of an artifact's size (bytes)."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An artifact of the benchmark."""

    folder: Path
    manifest: ArtifactManifest

    @property
    def name(self) -> str:
        """Group and seed, such as `mixed-cloud-1`."""
        return self.folder.name

    @property
    def group(self) -> str:
        """The name without the seed."""
        return self.name if self.name == SHIPPED else self.name.rpartition("-")[0]

    @property
    def policy(self) -> str:
        """The policy's name with its path, for `scheduler.policies.lookup.named`."""
        return f"{SCHEME}:{self.folder}"


@dataclass(frozen=True, slots=True)
class Found:
    """Artifacts of some groups, and notes on those that are missing."""

    trained: tuple[Trained, ...]
    missing: tuple[str, ...]

    @property
    def names(self) -> dict[str, str]:
        """Name → policy."""
        return {one.name: one.policy for one in self.trained}


def find(*groups: str, folder: Path = FOLDER, seeds: int = SEEDS) -> Found:
    """Artifacts of the groups: `hpc-lublin` means `hpc-lublin-1` and `hpc-lublin-file-1`.

    The policy that is shipped is the first of its group.
    """
    trained: list[Trained] = []
    missing: list[str] = []
    for group in groups:
        mine = 0
        for path in _paths(group, folder):
            try:
                trained.append(Trained(path, load(path).manifest))
                mine += 1
            except FulcrumError as error:
                missing.append(f"{path.name}: {error.message}")
                continue
            size = (path / FILE).stat().st_size
            if size >= LARGEST:
                missing.append(f"{path.name} has {size:,} bytes, not less than {LARGEST:,}")
        if mine < seeds:
            missing.append(f"{group}: {mine} of {seeds} trainings are there")
    return Found(tuple(trained), (*missing, *_unlike(trained), *_outdated(trained)))


def train_again(*groups: str, folder: Path = FOLDER, runs: Path = RUNS) -> None:
    """Train every artifact of the groups again, with the configuration in its manifest.

    Artifacts that today's encoding refuses are trained again too, learned indices are not: their
    manifests have the command. `runs` keeps the trainings until
    all are done, so the same call resumes after an interruption. Raises `InputError` before the
    first training if a scenario, or the log that it uses, is missing.
    """
    from agents.training.trainer import resume, train  # imports PyTorch

    paths = dict.fromkeys(path for group in groups for path in _paths(group, folder))
    recorded = {path: json.loads(unpack(content_of(path))[1]) for path in paths}
    trainings = {
        path: configs.of(manifest["config"])
        for path, manifest in recorded.items()
        if not manifest.get("base")
    }
    for path, config in trainings.items():
        try:
            scenario(config.scenario)
        except FulcrumError as error:
            raise InputError(
                f"{path.name} cannot be trained: {error.message}",
                {"traces": "`python -m benchmarks.policy.traces` cuts them out of public logs"},
            ) from error
    for path, config in trainings.items():
        command = recorded[path]["command"]
        err().print(f"[bold]{path.name}[/]: {escape(command)}", soft_wrap=True)
        run = runs / path.name
        if (run / configs.FILE).is_file() and configs.read(run) == config:
            resume(run, f"fulcrum policy train {run} --resume", _tell, workers=cores())
        else:
            shutil.rmtree(run, ignore_errors=True)
            train(config, run, command, _tell, workers=cores())
        made = load(run / BEST)
        save(path, made.weights, made.manifest)
    shutil.rmtree(runs, ignore_errors=True)


def _unlike(trained: Sequence[Trained]) -> Iterator[str]:
    """Notes on trainings that differ from the first of their group in more than the seed."""
    firsts: dict[str, Trained] = {}
    for one in trained:
        ours, theirs = map(_settings, (one, firsts.setdefault(one.group, one)))
        first = firsts[one.group]
        apart = [name for name in ours if ours[name] != theirs.get(name)]
        if apart:
            yield f"{one.name} has other settings than {first.name}: {', '.join(apart)}"


def _settings(one: Trained) -> dict[str, Any]:
    """All settings but the seed, flat; older manifests lack some of `Training`."""
    return asdict(configs.of({**one.manifest.config, "seed": 0}))


def _outdated(trained: Sequence[Trained]) -> Iterator[str]:
    """Notes on trainings whose scenario has changed since."""
    for one in trained:
        try:
            today = scenario(one.manifest.config.get("scenario", one.manifest.scenario)).digest
        except FulcrumError:
            continue  # its log is missing, so nobody can tell
        if today != one.manifest.scenario_digest:
            yield f"{one.name}: {one.manifest.scenario} has changed since it was trained"


def _paths(group: str, folder: Path) -> list[Path]:
    pattern = re.compile(rf"{re.escape(group)}(-[a-z0-9+.-]+)*-\d+")
    paths = [path for path in sorted(folder.glob(f"{group}-*")) if pattern.fullmatch(path.name)]
    if group == SHIPPED and _packaged().is_dir() and folder == FOLDER:
        paths.insert(0, _packaged())
    return paths


def _packaged() -> Path:
    return Path(str(resources.files("agents.registry"))) / "shipped" / DEFAULT


def _tell(event: TrainingEvent) -> None:
    if event.stage == "validated":
        means = ", ".join(f"{name} {score.mean:.3f}" for name, score in event.scores.items())
        err().print(f"  {event.done:.0%}, {event.steps:,} decisions: {means}")
