"""The policies that trainings left: found, and made anew."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from agents.process_pool import cores
from agents.registry.registry import DEFAULT
from agents.serving.artifact import BEST, FILE, ArtifactManifest, content_of, load, save, unpack
from agents.serving.learned_policy import SCHEME
from agents.training import config as configs
from api.cli.support.output import err
from benchmarks.policy.evaluation import KEPT
from envs.scenarios import load as scenario
from scheduler.domain.errors import FulcrumError, InputError

if TYPE_CHECKING:
    from agents.training.progress import TrainingEvent

FOLDER = Path(__file__).resolve().parent / "artifacts"
RUNS = KEPT.parent / "training"
"""Of trainings that are made anew, until all of them are done."""
SHIPPED = "random"
"""Group of the policy that comes with Fulcrum: trained on drawn clusters."""
SEEDS = 3
"""Trainings that a statement about a training needs."""
LARGEST = 2**20
"""Bytes of an artifact."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An artifact in `FOLDER`."""

    folder: Path
    manifest: ArtifactManifest

    @property
    def name(self) -> str:
        """`mixed-cloud-1`: what was trained, and the seed."""
        return self.folder.name

    @property
    def group(self) -> str:
        """What was trained, without the seed."""
        return SHIPPED if self.name == DEFAULT else self.name.rpartition("-")[0]

    @property
    def policy(self) -> str:
        """As `scheduler.policies.lookup.named` takes it."""
        return f"{SCHEME}:{self.folder}"


@dataclass(frozen=True, slots=True)
class Found:
    """Artifacts of some groups, and what to say about those that are not there."""

    trained: tuple[Trained, ...]
    missing: tuple[str, ...]

    @property
    def names(self) -> dict[str, str]:
        """Name → policy."""
        return {one.name: one.policy for one in self.trained}


def find(*groups: str, folder: Path = FOLDER, seeds: int = SEEDS) -> Found:
    """Artifacts of the groups: `hpc-lublin` means `hpc-lublin-1` and `hpc-lublin-file-1`.

    The policy that is shipped belongs to the group `random`.
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


def make_anew(*groups: str, folder: Path = FOLDER, runs: Path = RUNS) -> None:
    """Train every artifact of the groups again, as its manifest says; in its place once it is done.

    Also those that today's encoding refuses. `runs` keeps what was trained until all are: after an
    interruption the same call goes on. Raises `InputError` before the first training if a
    scenario, or the log it is made of, is missing.
    """
    from agents.training.trainer import resume, train  # PyTorch is for those who train

    paths = dict.fromkeys(path for group in groups for path in _paths(group, folder))
    recorded = {path: json.loads(unpack(content_of(path))[1]) for path in paths}
    trainings = {path: configs.of(manifest["config"]) for path, manifest in recorded.items()}
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
            # The configuration is what the command line has set, with all that it left alone.
            train(config, run, command, _tell, workers=cores())
        made = load(run / BEST)
        save(path, made.weights, made.manifest)
    shutil.rmtree(runs, ignore_errors=True)


def _unlike(trained: Sequence[Trained]) -> Iterator[str]:
    """Trainings of a group that differ in more than their seed from its first."""
    firsts: dict[str, Trained] = {}
    for one in trained:
        first = firsts.setdefault(one.group, one)
        ours, theirs = (configs.of({**each.manifest.config, "seed": 0}) for each in (one, first))
        names = [field.name for field in fields(ours)]
        apart = [name for name in names if getattr(ours, name) != getattr(theirs, name)]
        if apart:
            yield f"{one.name} was trained otherwise than {first.name}: {', '.join(apart)}"


def _outdated(trained: Sequence[Trained]) -> Iterator[str]:
    """Trainings on a scenario that is another by now."""
    for one in trained:
        try:
            today = scenario(one.manifest.config["scenario"]).digest
        except FulcrumError:
            continue  # its log is not here, so it cannot be told
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
