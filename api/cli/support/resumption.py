"""Going on with a training: nothing that a command says is passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from api.cli.support.training_options import Said
from scheduler.files import write_text

if TYPE_CHECKING:
    from agents.training.config import Training

FILE = "ending.json"


@dataclass(frozen=True, slots=True)
class Ending:
    """What is done with a policy once it is trained; kept in the run for who goes on with it."""

    name: str | None
    """Registered under it; None: not registered."""
    since: str | None
    """How far back the history goes that it learns from and is tested on; None: neither."""
    workloads: int
    """Of that test."""

    def save(self, run: Path) -> None:
        """Write it into the folder of the run."""
        write_text(run / FILE, json.dumps(asdict(self)) + "\n")


def ending(run: Path, asked: Ending, given: Callable[[str], bool]) -> Ending:
    """As the run was begun with, but for another name or test that is asked for now.

    `given` tells whether the command line has a parameter. Raises `StateError` if it speaks of
    another history.
    """
    from scheduler.domain.errors import StateError

    try:
        kept = Ending(**json.loads((run / FILE).read_text()))
    except FileNotFoundError:
        # Of a run that another command began.
        return asked
    fresh = given("from_history") and kept.since is None
    if fresh or (given("since") and asked.since != kept.since):
        option = "--from-history" if fresh else "--since"
        was = "not on the history" if kept.since is None else f"on the history since {kept.since}"
        raise StateError(
            f"the training in {run} was begun {was}", {option: "as saved, or another folder"}
        )
    if given("name"):
        kept = replace(kept, name=asked.name)
    if given("workloads"):
        kept = replace(kept, workloads=asked.workloads)
    return kept


def agreed(run: Path, saved: Training, said: Mapping[str, Said]) -> Training:
    """The saved configuration, with as many steps as are said if these are more.

    Raises `StateError` naming each option that contradicts it, the value saved and that given.
    """
    from scheduler.domain.errors import StateError

    wrong = {
        each.option: f"{getattr(saved, name)} is saved, {each.value} given"
        for name, each in said.items()
        if each.value != getattr(saved, name) and not (name == "steps" and each.value > saved.steps)
    }
    if wrong:
        raise StateError(
            f"{run} holds a training with other options; only --steps may grow: "
            "leave them out, or train in another folder",
            wrong,
        )
    return replace(saved, steps=said["steps"].value) if "steps" in said else saved
