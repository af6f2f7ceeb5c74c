"""policy train: learned policies, made on this machine."""

from __future__ import annotations

import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.door import Json
from api.cli.output import err, out, print_json

if TYPE_CHECKING:
    from agents.config import Training
    from agents.train import Event
    from api.cli.progress import Progress

PERCENT = 100
"""Steps of the progress bar."""


def train(
    run: Annotated[Path, typer.Argument(metavar="FOLDER", help="Everything is left there.")],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="What to train on.")
    ] = "mixed-cloud",
    steps: Annotated[int, typer.Option(min=1, help="Decisions to learn from.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preference: Annotated[
        str, typer.Option(metavar="random|W", help="0 cheapest … 1 fastest; random: all of them.")
    ] = "random",
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other hyper-parameter; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the training in FOLDER.")] = False,
    as_json: Json = False,
) -> None:
    """Train a policy in the simulator; it needs no service.

    It imitates wgc, then learns by maskable PPO, and is held against the heuristics on validation
    workloads. The best weights are in FOLDER/best: `learned:FOLDER/best` names that policy. A
    training that was interrupted goes on from its last checkpoint with --resume.

    Example: fulcrum policy train runs/first -s mixed-cloud --steps 300000 --seed 1
    """
    from agents import train as training
    from agents.artefact import load
    from api.cli import policyview

    command = " ".join(["fulcrum", *map(shlex.quote, sys.argv[1:])])
    with _Bar() as bar:
        if resume:
            progress = training.resume(run, command, bar.tell)
        else:
            config = _config(scenario, steps, seed, preference, options or [])
            progress = training.train(config, run, command, bar.tell)
    best = run / training.BEST
    if as_json:
        print_json({"policy": f"learned:{best}", "best": progress.best, "curve": progress.curve})
    else:
        policyview.show(load(best).manifest, {"name": f"learned:{best}"}, (), out())


def _config(scenario: str, steps: int, seed: int, preference: str, options: list[str]) -> Training:
    from agents.config import Training, of

    base = Training(scenario=scenario, steps=steps, seed=seed, preference=_dial(preference))
    values = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE", param_hint="--set")
        values[name] = _value(name, text)
    return of({**{each.name: getattr(base, each.name) for each in fields(base)}, **values})


def _value(name: str, text: str) -> Any:
    """A number, true or false, none, or text, as the field's default is."""
    from agents.config import Training

    default = getattr(Training(), name, None)
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text]
        if isinstance(default, tuple):
            return tuple(float(word) for word in text.split(","))
        if isinstance(default, (int, float)):
            return type(default)(text)
    except (KeyError, ValueError):
        raise typer.BadParameter(
            f"{name} is {text!r}, but {default!r} by default", param_hint="--set"
        ) from None
    return None if text == "none" else text


def _dial(text: str) -> float | None:
    if text == "random":
        return None
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither random nor 0 … 1", param_hint="--preference"
        ) from None


class _Bar:
    """Lessons, then learning, each with a bar; validations as lines between."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._stage = ""
        self._shown = 0

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def tell(self, event: Event) -> None:
        """Show what has happened."""
        if event.stage == "validated":
            for name, score in event.scores.items():
                dial = ", ".join(f"{ratio:.3f} at w = {w:g}" for w, ratio in score.at.items())
                err().print(
                    f"{event.steps:,} decisions, {name} weights: "
                    f"[bold]{score.mean:.3f}[/] of the reference's objective ({dial})",
                    soft_wrap=True,
                )
            return
        if event.stage != self._stage:
            from api.cli.progress import Progress

            self._end()
            self._stage, self._shown = event.stage, 0
            self._bar = Progress(event.stage, PERCENT, err())
            self._bar.__enter__()
        assert self._bar is not None
        while self._shown < int(PERCENT * event.done):
            self._shown += 1
            self._bar.step()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
