"""Trainings side by side: what differs, which is best, and their curves."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from api.cli.views.run_comparison import sparkline
from api.client import Client


def lines(accuracies, *, first=1):
    return [
        {
            "kind": "epoch",
            "time": 5.0,
            "epoch": epoch,
            "epochs": 9,
            "train_loss": 1 / epoch,
            "train_accuracy": accuracy + 0.01,
            "validation_loss": 1.5 / epoch,
            "validation_accuracy": accuracy,
            "validation_f1": accuracy - 0.01,
        }
        for epoch, accuracy in enumerate(accuracies, first)
    ]


@pytest.fixture
def trained(world):
    """(rate, accuracies of the epochs, accuracy of the test) → a training that has ended so."""

    def make(rate, accuracies, tested):
        work = {"epochs": 9, "learning_rate": rate, "augmentation": {"rotation": 5.0}}
        number = world.running(kind="cnn-train", name=f"rate {rate:g}", work=work)
        folder = world.service.folders.attempt(number, 1)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in lines(accuracies))
        (folder / "metrics.jsonl").write_text(text)
        if tested is None:
            world.executor.fail(f"{number}.1", "exit code 1")
            world.until(number, "FAILED")
        else:
            metrics = {"accuracy": tested, "f1": tested - 0.01}
            world.executor.finish(f"{number}.1", result={"metrics": metrics})
            world.until(number, "SUCCEEDED")
        return str(number)

    return make


def test_what_differs_and_which_is_best(fulcrum, trained):
    slow = trained(0.001, [0.5, 0.7, 0.6], 0.65)
    fast = trained(0.01, [0.6, 0.8, 0.9, 0.85], 0.88)
    found = fulcrum.json("compare-runs", slow, fast)
    assert found["differences"] == ["learning_rate"]
    assert found["best"] == int(fast)
    first, second = found["runs"]
    assert [run["best_epoch"] for run in (first, second)] == [2, 3]
    assert (first["epochs"], second["epochs"]) == (3, 4)
    assert second["best"]["validation_f1"] == pytest.approx(0.89)
    assert second["curves"]["validation_accuracy"] == {"1": 0.6, "2": 0.8, "3": 0.9, "4": 0.85}
    table = fulcrum("compare-runs", slow, fast).stdout
    assert "learning_rate" in table
    assert "rotation" not in table  # it is the same in both
    assert f"job {fast} is best: 88.0 % on its test" in table
    assert "2/3" in table
    assert "88.0 %" in table
    assert "87.0 %" in table


def test_a_run_without_a_test_is_judged_by_its_validation(fulcrum, trained):
    failed = trained(0.001, [0.5, 0.95], None)
    whole = trained(0.01, [0.6, 0.8], 0.99)
    table = fulcrum("compare-runs", failed, whole).stdout
    assert f"job {failed} is best: 95.0 % after epoch 2" in table


def test_curves_fit_the_terminal_and_rise_with_the_figure(fulcrum, trained):
    number = trained(0.001, [0.1, 0.2, 0.4, 0.8], 0.8)
    shown = fulcrum("compare-runs", number, "-m", "validation_accuracy", COLUMNS="80").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "validation accuracy: 0.1 to 0.8" in shown
    assert "▁▂▄█" in shown


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_curves_are_drawn_into_a_file(fulcrum, trained, tmp_path, ending):
    numbers = [trained(0.001, [0.5, 0.7], 0.7), trained(0.01, [0.6], 0.6)]
    file = tmp_path / f"curves.{ending}"
    result = fulcrum("compare-runs", *numbers, "--plot", str(file))
    assert result.exit_code == 0, result.output
    assert file.stat().st_size > 5_000
    if ending == "svg":
        text = file.read_text()
        assert "rate 0.01" in text
        assert "validation loss" in text


def test_what_cannot_be_shown_is_refused(fulcrum, trained, tmp_path):
    number = trained(0.001, [0.5], 0.5)
    wrong = fulcrum("compare-runs", number, "-m", "vibes")
    assert wrong.exit_code == 2
    assert "validation_accuracy" in wrong.output
    assert fulcrum("compare-runs", number, "--plot", str(tmp_path / "x.gif")).exit_code == 2
    assert fulcrum("compare-runs", number, "999").exit_code == 3


def test_a_resumed_training_is_one_curve(fulcrum, world, trained):
    number = trained(0.001, [0.5, 0.6, 0.7], 0.9)
    folder = world.service.folders.attempt(int(number), 1)
    again = "".join(json.dumps(line) + "\n" for line in lines([0.8, 0.9], first=3))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(again)
    with Client(world.url, world.token) as client:
        (run,) = client.compare_runs([int(number)]).runs
    assert run.curves["validation_accuracy"] == {1: 0.5, 2: 0.6, 3: 0.8, 4: 0.9}
    assert (run.best_epoch, run.accuracy) == (4, 0.9)


def test_a_command_that_measures_nothing_is_shown_too(fulcrum, world):
    number = world.running()
    world.finish(number)
    result = fulcrum("compare-runs", str(number))
    assert result.exit_code == 0, result.output
    assert "succeeded" in result.stdout


def test_a_sparkline_has_a_space_where_nothing_was_measured():
    line = sparkline({1: 0.0, 4: 1.0}, last=4, points=4)
    assert line == "▁  █"
    rising = sparkline({epoch: epoch / 100 for epoch in range(1, 101)}, last=100, points=20)
    assert len(rising) == 20
    assert all(before <= after for before, after in pairwise(rising))
