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
    parser: Callable[[str], Any] | None = None
    """Reads one value; raises `typer.BadParameter`."""

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
    Flag("name", str, "Name of the job; need not be unique.", ("--name", "-n")),
    Flag("project", str, "Project, which groups jobs for costs and preferences."),
    Flag(
        "devices",
        list[str],
        "Accepted device: any, cpu, cuda, a device model or a pool; repeatable.",
        ("--device", "-d"),
        "DEVICE",
    ),
    Flag(
        "width", str, "Devices per attempt: 2, or a range 1..4.", ("--width", "-w"), "N|LOW..HIGH"
    ),
    Flag("memory", str, "Memory of the whole attempt, such as 2GiB.", metavar="SIZE"),
    Flag("priority", int, "Priority from 0 (last) to 100 (first).", ("--priority", "-p")),
    Flag(
        "preference", str, "cheap, balanced, fast, or a number from 0 to 1.", metavar="PREFERENCE"
    ),
    Flag("deadline", str, "Time by which it should end: +30m, 2h or ISO 8601.", metavar="TIME"),
    Flag("budget", float, "Most dollars that it may cost.", metavar="DOLLARS"),
    Flag("after", list[str], "Start after this job succeeded; repeatable.", (), "JOB"),
    Flag("retry.max_attempts", int, "Number of attempts, including the first."),
    Flag("retry.backoff_s", float, "Seconds before the second attempt.", ("--backoff",), "SECONDS"),
    Flag(
        "secrets",
        list[str],
        "Secret of the project that it gets as a variable; repeatable.",
        ("--secret",),
        "NAME",
    ),
    Flag(
        "max_duration",
        str,
        "Stop an attempt after this: 90 (s), 30m, 2h.",
        metavar="DURATION",
    ),
    Flag(
        "array",
        str,
        "Make a job of each index, as 0-9, 1-9:2 or 0-99%4 (4 at the same time); {index} stands "
        "for it.",
        metavar="INDICES",
    ),
    Flag("parallel", int, "Jobs of the array that run at the same time, at most.", metavar="N"),
    Flag(
        "notify.to",
        list[str],
        "Webhook or mail address that hears of it; repeatable.",
        ("--notify",),
        "ADDRESS",
    ),
    Flag(
        "notify.on",
        list[str],
        "Of what: succeeded, failed, cancelled, lost, budget; repeatable; default: all.",
        ("--notify-on",),
        "OCCASION",
    ),
)
TRAIN = (
    Flag(
        "work.model", str, "simple-cnn, or a torchvision model such as resnet18.", ("--model", "-m")
    ),
    Flag("work.dataset", str, "digits, folder:PATH, or one of torchvision's by name."),
    Flag("work.epochs", int, "Number of passes over the training images.", ("--epochs", "-e")),
    Flag("work.batch_size", int, "Images per optimizer step.", ("--batch-size", "-b")),
    Flag(
        "work.learning_rate", float, "Learning rate of the optimizer.", ("--learning-rate", "--lr")
    ),
    Flag("work.optimizer", str, "Optimizer: adam, adamw, sgd or rmsprop."),
    Flag("work.momentum", float, "Momentum of sgd or rmsprop."),
    Flag("work.weight_decay", float, "Weight decay of the optimizer."),
    Flag("work.label_smoothing", float, "Share of each label spread over all classes."),
    Flag("work.schedule", str, "Schedule of the learning rate: none, step or cosine."),
    Flag("work.step_size", int, "Epochs between two steps of the schedule `step`."),
    Flag("work.gamma", float, "Factor of each step of the schedule `step`."),
    Flag("work.image_size", int, "Edge in pixels to which images are resized."),
    Flag("work.max_image_pixels", int, "Leave out images with more pixels than this."),
    Flag("work.normalise", str, "Normalisation: imagenet, half or none."),
    Flag(
        "work.weights",
        str,
        "Weights to start from: a file, imagenet, or job:NUMBER or job:NAME of a training.",
        metavar="FILE|imagenet|job:JOB",
    ),
    Flag("work.freeze", bool, "Train the head only."),
    Flag("work.augmentation.flip", bool, "Mirror half of the images."),
    Flag("work.augmentation.rotation", float, "Rotate images by up to this many degrees."),
    Flag("work.augmentation.scale", float, "Scale images by a factor of up to 1 ± this."),
    Flag("work.augmentation.random_resized_crop", bool, "Crop a random part of each image."),
    Flag("work.augmentation.brightness", float, "Change the brightness by up to this share."),
    Flag("work.augmentation.contrast", float, "Change the contrast by up to this share."),
    Flag("work.augmentation.saturation", float, "Change the saturation by up to this share."),
    Flag("work.augmentation.hue", float, "Turn the hue by up to this share of the colour circle."),
    Flag("work.augmentation.rand_augment", int, "RandAugment: operations for each image."),
    Flag("work.augmentation.rand_augment_magnitude", int, "RandAugment: strength, 0 to 30."),
    Flag("work.keep", str, "Epoch to keep and test: best-loss, best-accuracy or last."),
    Flag("work.early_stopping", int, "Stop after this many epochs without progress."),
    Flag("work.validation_fraction", float, "Share of the images for validation after each epoch."),
    Flag("work.test_fraction", float, "Share of the images for the test."),
    Flag("work.limit", int, "Use at most this many training images."),
    Flag("work.mixed_precision", bool, "Use mixed precision; on CUDA only."),
    Flag("work.loader_workers", int, "Extra processes that prepare images."),
    Flag("work.seed", int, "Seed of all random choices."),
)
INFER = (
    Flag("work.data", str, "Images: digits:test, folder:PATH, …"),
    Flag("work.weights", list[str], "A file of weights; repeat for an ensemble.", metavar="FILE"),
    Flag("work.model", str, "Architecture of the weights in --weights.", ("--model", "-m")),
    Flag(
        "work.classes",
        list[str],
        "Names of the classes of these weights, in order.",
        ("--class",),
        "NAME",
    ),
    Flag("work.batch_size", int, "Images per batch.", ("--batch-size", "-b")),
    Flag("work.image_size", int, "Edge in pixels; default: as in training."),
    Flag("work.max_image_pixels", int, "Leave out images with more pixels than this."),
    Flag("work.limit", int, "Classify at most this many images."),
)
COMMAND = (
    Flag("work.env", list[str], "Environment variable; repeatable.", ("--env", "-E"), "NAME=VALUE"),
    Flag("work.cwd", str, "Working directory; default: the current one.", ("--cwd",), "FOLDER"),
    Flag("work.resumable", bool, "It goes on where it was, so it may be preempted."),
)


def takes(
    *flags: Flag,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add these options to a command; it receives the given ones as a nested job in `job`."""

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
    """Return dotted paths as nested tables, without those that were not given."""
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
    option = typer.Option(
        *flag.spellings,
        help=flag.help,
        metavar=flag.metavar,
        parser=flag.parser,
        show_default=False,
    )
    return inspect.Parameter(
        flag.parameter,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[flag.kind | None, option],
    )
