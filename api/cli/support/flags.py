"""Flags for the fields of a job, as data: one entry per field."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True, slots=True)
class Flag:
    """One field of a job as an option."""

    path: str
    """Dotted path in the job: `priority`, `work.epochs`."""
    kind: Any
    help: str
    names: tuple[str, ...] = ()
    """Spellings; default: the last part of the path."""
    metavar: str | None = None

    @property
    def parameter(self) -> str:
        """Name of the Python parameter."""
        return self.path.replace(".", "__")

    @property
    def spellings(self) -> tuple[str, ...]:
        """`--batch-size`."""
        name = "--" + self.path.rpartition(".")[2].replace("_", "-")
        # A switch needs no opposite: what is not given keeps the field's default.
        return self.names or (name,)


JOB = (
    Flag("name", str, "For people, and for finding it again.", ("--name", "-n")),
    Flag("project", str, "Groups jobs for costs and preferences."),
    Flag(
        "devices",
        list[str],
        "any, cpu, cuda or a device model; repeat for several.",
        ("--device", "-d"),
        "DEVICE",
    ),
    Flag(
        "width", str, "Devices per attempt: 2, or a range 1..4.", ("--width", "-w"), "N|LOW..HIGH"
    ),
    Flag("memory", str, "Of the whole attempt, such as 2GiB.", metavar="SIZE"),
    Flag("priority", int, "0 (whenever) … 100 (first).", ("--priority", "-p")),
    Flag("preference", str, "cheap, balanced, fast, or 0 … 1.", metavar="PREFERENCE"),
    Flag("deadline", str, "When it should have ended: +30m, 2h or ISO 8601.", metavar="TIME"),
    Flag("budget", float, "Dollars it may cost at most.", metavar="DOLLARS"),
    Flag("after", list[int], "Start after this job succeeded; repeatable.", metavar="JOB"),
    Flag("retry.max_attempts", int, "Attempts in all, the first included."),
    Flag("retry.backoff_s", float, "Seconds before the second attempt.", ("--backoff",), "SECONDS"),
    Flag(
        "max_duration",
        str,
        "Stop an attempt after this: 90 (s), 30m, 2h.",
        metavar="DURATION",
    ),
)
TRAIN = (
    Flag(
        "work.model", str, "simple-cnn, or a torchvision model such as resnet18.", ("--model", "-m")
    ),
    Flag("work.dataset", str, "digits, folder:PATH, or one of torchvision's by name."),
    Flag("work.epochs", int, "Times through the training images.", ("--epochs", "-e")),
    Flag("work.batch_size", int, "Images per optimizer step.", ("--batch-size", "-b")),
    Flag("work.learning_rate", float, "Of the optimizer.", ("--learning-rate", "--lr")),
    Flag("work.optimizer", str, "adam or sgd."),
    Flag("work.momentum", float, "Of sgd."),
    Flag("work.weight_decay", float, "Pull of the weights to zero."),
    Flag("work.schedule", str, "none, step or cosine."),
    Flag("work.step_size", int, "Epochs between two steps of `step`."),
    Flag("work.gamma", float, "Factor of each step of `step`."),
    Flag("work.image_size", int, "Edge in px to which images are resized."),
    Flag("work.max_image_pixels", int, "Leave out images with more pixels than this."),
    Flag("work.normalise", str, "imagenet, half or none."),
    Flag("work.weights", str, "Start from these: a file, or imagenet."),
    Flag("work.freeze", bool, "Train the head only."),
    Flag("work.augmentation.flip", bool, "Mirror half of the images."),
    Flag("work.augmentation.rotation", float, "Rotate by up to so many degrees."),
    Flag("work.augmentation.random_resized_crop", bool, "Cut a random part out."),
    Flag("work.early_stopping", int, "Stop after so many epochs without progress."),
    Flag("work.validation_fraction", float, "Share that measures each epoch."),
    Flag("work.test_fraction", float, "Share kept for the test."),
    Flag("work.limit", int, "Use at most so many training images."),
    Flag("work.mixed_precision", bool, "On CUDA."),
    Flag("work.loader_workers", int, "Extra processes that prepare images."),
    Flag("work.seed", int, "Of all random choices."),
)
INFER = (
    Flag("work.data", str, "digits:test, folder:PATH, …"),
    Flag("work.weights", list[str], "A file of weights; repeat for an ensemble.", metavar="FILE"),
    Flag("work.model", str, "Architecture of such weights.", ("--model", "-m")),
    Flag("work.classes", list[str], "Names of their classes, in order.", ("--class",), "NAME"),
    Flag("work.batch_size", int, "Images at a time.", ("--batch-size", "-b")),
    Flag("work.image_size", int, "Edge in px; default: as trained."),
    Flag("work.max_image_pixels", int, "Leave out images with more pixels than this."),
    Flag("work.limit", int, "Classify at most so many images."),
)
COMMAND = (
    Flag("work.env", list[str], "NAME=VALUE; repeatable.", ("--env", "-E"), "NAME=VALUE"),
    Flag("work.cwd", str, "Working directory; default: here.", ("--cwd",), "FOLDER"),
)


def takes(
    *flags: Flag,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options; it gets the given ones nested as a job in `job`."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "job"]
        options = [_parameter(flag) for flag in flags]

        def command(**arguments: Any) -> None:
            given = {flag.path: arguments.pop(flag.parameter) for flag in flags}
            function(**arguments, job=nested(given.items()))

        command.__name__ = function.__name__
        command.__doc__ = function.__doc__
        parameters = [*own, *options]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


def nested(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Dotted paths as nested tables, without what was not given."""
    job: dict[str, Any] = {}
    for path, value in given:
        if value is None or value == []:
            continue
        *tables, last = path.split(".")
        place: Any = job
        for name in tables:
            place = place.setdefault(name, {})
        place[last] = value
    return job


def pairs(items: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` texts, given with `option`, as a mapping. Raises `typer.BadParameter`."""
    result = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint=option)
        result[name] = value
    return result


def _parameter(flag: Flag) -> inspect.Parameter:
    option = typer.Option(*flag.spellings, help=flag.help, metavar=flag.metavar, show_default=False)
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[flag.kind | None, option],
    )
