"""The policies that trainings left: found, and made anew."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from agents import config as configs
from agents.artefact import MANIFEST, WEIGHTS, Manifest, load
from agents.policy import SCHEME
from agents.registry import DEFAULT
from api.cli.output import err
from scheduler.domain.errors import FulcrumError

if TYPE_CHECKING:
    from agents.train import Event

FOLDER = Path(__file__).resolve().parent / "artefacts"
SHIPPED = "random"
"""Group of the policy that comes with Fulcrum: trained on drawn clusters."""
SEEDS = 3
"""Trainings that a statement about a training needs."""
LARGEST = 2**20
"""Bytes of both files of an artefact."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An artefact in `FOLDER`."""

    folder: Path
    manifest: Manifest

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
    """Artefacts of some groups, and what to say about those that are not there."""

    trained: tuple[Trained, ...]
    missing: tuple[str, ...]

    @property
    def names(self) -> dict[str, str]:
        """Name → policy."""
        return {one.name: one.policy for one in self.trained}


def find(*groups: str, folder: Path = FOLDER, seeds: int = SEEDS) -> Found:
    """Artefacts of the groups: `hpc-lublin` means `hpc-lublin-1` and `hpc-lublin-file-1`.

    The policy that is shipped belongs to the group `random`.
    """
    trained: list[Trained] = []
    missing: list[str] = []
    for group in groups:
        pattern = re.compile(rf"{re.escape(group)}(-[a-z0-9+.-]+)*-\d+")
        paths = [path for path in sorted(folder.glob(f"{group}-*")) if pattern.fullmatch(path.name)]
        if group == SHIPPED and _packaged().is_dir() and folder == FOLDER:
            paths.insert(0, _packaged())
        mine = 0
        for path in paths:
            try:
                trained.append(Trained(path, load(path).manifest))
                mine += 1
            except FulcrumError as error:
                missing.append(f"{path.name}: {error.message}")
                continue
            size = sum((path / file).stat().st_size for file in (WEIGHTS, MANIFEST))
            if size >= LARGEST:
                missing.append(f"{path.name} has {size:,} bytes, not less than {LARGEST:,}")
        if mine < seeds:
            missing.append(f"{group}: {mine} of {seeds} trainings are there")
    return Found(tuple(trained), tuple(missing))


def make_anew(trained: Sequence[Trained]) -> None:
    """Train every one again, as its manifest says, and put the result in its place."""
    from agents.train import BEST, train  # PyTorch is for those who train

    for one in trained:
        err().print(f"[bold]{one.name}[/]: {one.manifest.command}", soft_wrap=True)
        # The configuration is what the command line has set, with all that it left alone.
        config = configs.of(one.manifest.config)
        with tempfile.TemporaryDirectory() as run:
            train(config, Path(run), one.manifest.command, _tell)
            for file in (WEIGHTS, MANIFEST):
                shutil.copyfile(Path(run) / BEST / file, one.folder / file)


def _packaged() -> Path:
    return Path(str(resources.files("agents"))) / "shipped" / DEFAULT


def _tell(event: Event) -> None:
    if event.stage == "validated":
        means = ", ".join(f"{name} {score.mean:.3f}" for name, score in event.scores.items())
        err().print(f"  {event.done:.0%}, {event.steps:,} decisions: {means}")
