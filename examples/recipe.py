"""The whole recipe of an image classifier, as real jobs of a service of its own.

    python examples/recipe.py [--images FOLDER] [--picture FILE]

Two networks are trained with Adam and augmentation. A sweep then searches learning rate, batch size
and weight decay, and stops trials that fall behind. The best trial is trained on, three models
vote, and all are tested. FOLDER holds train/ and test/ with one folder for each class; without it
the handwritten digits that are installed are used. Exits 1 unless every job ended as it was meant
to. KEEP=1 keeps the folder with all models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.output import out, table
from api.local_demo import demonstration
from api.local_service import private_service
from fulcrum import Client, JobHandle, SweepHandle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

    from api.schemas.groups.sweep_answers import TrialOut

TIMEOUT_S = 3600.0
AUGMENTATION = {"rotation": 10.0, "scale": 0.1}
MEASURES = ("accuracy", "precision", "recall", "f1")
CLASSES_SHOWN = 12
"""More classes have no room in the confusion matrix."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What depends on the images."""

    work: Mapping[str, Any]
    """Of every training."""
    test: str
    """Labelled images that no training sees."""
    epochs: int
    trials: int
    resnet: Mapping[str, Any]
    """Of the deep network."""

    @classmethod
    def of(cls, images: Path | None) -> Recipe:
        """Photographs, or the digits."""
        if images is None:
            digits = {"dataset": "digits", "augmentation": AUGMENTATION}
            return cls(digits, "digits:test", 8, 12, {"image_size": 32, "epochs": 3})
        work = {
            "dataset": f"folder:{images}",
            "image_size": 48,
            "augmentation": AUGMENTATION | {"random_resized_crop": True, "flip": True},
        }
        return cls(work, f"folder:{images / 'test'}", 8, 8, {"epochs": 4})


@dataclass(frozen=True, slots=True)
class Tested:
    """A model and the test of it."""

    name: str
    training_s: float
    dollars: float
    result: Mapping[str, Any]


def main() -> int:
    """Run the recipe; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, help="a folder with train/ and test/")
    parser.add_argument(
        "--picture", type=Path, default=Path("recipe.png"), help="written at the end"
    )
    asked = parser.parse_args()
    images: Path | None = asked.images
    if images is not None and not ((images / "train").is_dir() and (images / "test").is_dir()):
        print(f"error: {images} is no folder with train/ and test/", file=sys.stderr)
        return 2
    recipe = Recipe.of(images and images.resolve())
    return demonstration("recipe", lambda folder: _show(folder, recipe, asked.picture))


def _show(folder: Path, recipe: Recipe, picture: Path) -> list[str]:
    console = out()
    with private_service(folder / "data") as client:
        console.print(f"service at [bold]{client.connection.url}[/]\n")
        first = [
            client.train(name="cnn", epochs=recipe.epochs, **_train(recipe)),
            client.train(name="resnet18", model="resnet18", **_train(recipe, recipe.resnet)),
        ]
        sweep = client.submit_sweep(
            kind="cnn-train",
            name="searched",
            work={**_train(recipe), "epochs": recipe.epochs},
            sweep={
                "parameters": {
                    "work.learning_rate": {"log": [1e-4, 3e-2]},
                    "work.batch_size": [32, 64, 128],
                    "work.weight_decay": {"log": [1e-6, 1e-2]},
                },
                "method": "tpe",
                "trials": recipe.trials,
                "metric": "validation_accuracy",
                "pruner": {"kind": "median", "startup_trials": 3, "warmup_epochs": 2},
                "seed": 1,
            },
        )
        console.print(
            f"two networks are trained, and sweep {sweep.id} tries {recipe.trials} settings"
        )
        sweep.wait(TIMEOUT_S, check=True)
        best = sweep.best
        assert best is not None
        console.print(_trials(sweep))
        further = _fine_tuned(client, best)
        client.wait([*first, further], TIMEOUT_S)
        tested = _test(client, recipe, [*first, best, further])
        console.print(_results(tested))
        draw(
            picture, {trial.number: _curve(client, trial) for trial in sweep.trials}, sweep, tested
        )
        console.print(f"picture: {escape(str(picture))}", soft_wrap=True)
        jobs = [*first, further]
        return [f"{job.name} {job.state}: {job.reason}" for job in jobs if not job.succeeded]


def _train(recipe: Recipe, further: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The work of a training as it is at the start."""
    return {**recipe.work, "optimizer": "adam", "learning_rate": 1e-3, "seed": 0, **(further or {})}


def _fine_tuned(client: Client, best: JobHandle) -> JobHandle:
    """The best trial, trained on with small steps."""
    work = dict(best.info.work)
    work["learning_rate"] /= 5
    changed = {"schedule": "cosine", "seed": 1, "weights": {"job": best.id}}
    return client.submit(kind="cnn-train", name="fine-tuned", work={**work, **changed})


def _test(client: Client, recipe: Recipe, trained: Sequence[JobHandle]) -> list[Tested]:
    """Each model on the test images, and a vote of the best three."""
    single = [
        client.infer(name=f"test-{job.name}", models=[job], data=recipe.test) for job in trained
    ]
    client.wait(single, TIMEOUT_S, check=True)
    tested = [
        Tested(job.name, job.detail().ran_s, job.detail().dollars, test.result or {})
        for job, test in zip(trained, single, strict=True)
    ]
    order = sorted(range(len(trained)), key=lambda at: -_accuracy(tested[at]))[:3]
    vote = client.infer(name="vote", models=[trained[at] for at in order], data=recipe.test)
    vote.wait(TIMEOUT_S, check=True)
    names = " + ".join(trained[at].name for at in order)
    seconds = sum(tested[at].training_s for at in order)
    dollars = sum(tested[at].dollars for at in order)
    return [*tested, Tested(f"vote of {names}", seconds, dollars, vote.result or {})]


def _accuracy(tested: Tested) -> float:
    return float(tested.result["metrics"]["accuracy"])


def _curve(client: Client, trial: TrialOut) -> list[float]:
    """Validation accuracy of each epoch."""
    if trial.job is None:
        return []
    lines = [line for part in client.job(trial.job).metrics() for line in part.lines]
    return [line["validation_accuracy"] for line in lines if "validation_accuracy" in line]


def _trials(sweep: SweepHandle) -> Table:
    """The trials, the best first, and what pruning saved."""
    found = sweep.detail()
    result = table(">TRIAL", "STATE", ">RATE", ">BATCH", ">DECAY", ">EPOCHS", ">ACCURACY", ">TIME")
    for trial in found.listing:
        work = {name.removeprefix("work."): value for name, value in trial.parameters.items()}
        result.add_row(
            str(trial.number),
            trial.state.lower(),
            f"{work['learning_rate']:.2g}",
            str(work["batch_size"]),
            f"{work['weight_decay']:.2g}",
            f"{trial.epoch or 0}/{trial.epochs or '?'}",
            "–" if trial.value is None else text_format.share(trial.value),
            text_format.seconds(trial.device_s),
        )
    used, saved = found.device_s, found.saved_device_s
    share = saved / (used + saved) if used + saved else 0.0
    result.caption = (
        f"{text_format.seconds(used)} of device time; stopping trials saved "
        f"{text_format.seconds(saved)} ({share:.0%})"
    )
    return result


def _results(tested: Sequence[Tested]) -> Table:
    """One line a model."""
    result = table("MODEL", ">ACCURACY", ">PRECISION", ">RECALL", ">F1", ">TRAINING", ">COST")
    best = max(map(_accuracy, tested))
    for one in tested:
        metrics = one.result["metrics"]
        result.add_row(
            escape(one.name),
            *(text_format.share(metrics[name]) for name in MEASURES),
            text_format.seconds(one.training_s),
            text_format.dollars(one.dollars),
            style="bold" if metrics["accuracy"] == best else "",
        )
    return result


def draw(
    path: Path, curves: Mapping[int, Sequence[float]], sweep: SweepHandle, tested: Sequence[Tested]
) -> None:
    """The sweep's curves, the models' figures, and the confusion of the vote."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    stopped = {trial.number for trial in sweep.trials if trial.state == "PRUNED"}
    best = sweep.detail().best
    for number, curve in curves.items():
        colour = "tab:orange" if number == best else "tab:red" if number in stopped else "tab:gray"
        epochs = range(1, len(curve) + 1)
        left.plot(epochs, curve, color=colour, linewidth=2.5 if number == best else 1, marker=".")
        if number in stopped and curve:
            left.plot(len(curve), curve[-1], "x", color=colour, markersize=9)
    left.set(title="Sweep: ×: stopped, orange: best", xlabel="epoch", ylabel="validation accuracy")
    names = [one.name if "vote" not in one.name else "vote of three" for one in tested]
    for at, measure in enumerate(MEASURES):
        places = [row + (at - 1.5) * 0.15 for row in range(len(names))]
        values = [one.result["metrics"][measure] for one in tested]
        middle.plot(values, places, "osD^"[at], label=measure)
    least = min(one.result["metrics"][name] for one in tested for name in MEASURES)
    middle.set(title="Test", xlim=(max(0.0, least - 0.02), 1.0), yticks=range(len(names)))
    middle.set_yticklabels(names)
    middle.invert_yaxis()
    middle.grid(axis="x", alpha=0.3)
    middle.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=4, frameon=False)
    _confusion(right, tested[-1].result)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _confusion(axes: Axes, result: Mapping[str, Any]) -> None:
    matrix, classes = result["confusion"]["counts"], result["confusion"]["classes"]
    axes.imshow(matrix, cmap="Blues")
    axes.set(title="Confusion of the vote", xlabel="said", ylabel="true")
    if len(classes) > CLASSES_SHOWN:
        return
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    most = max(map(max, matrix))
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            colour = "white" if count > most / 2 else "black"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)


if __name__ == "__main__":
    sys.exit(main())
