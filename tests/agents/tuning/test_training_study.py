"""fulcrum policy tune: trials, pruning, going on, and the configuration that comes of it."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from agents.training import config as configs
from agents.training.config import Training
from agents.training.progress import TrainingEvent, TrainingProgress
from agents.training.scores import Score
from agents.tuning import hyperparameters
from api.cli.main import app
from scheduler.domain.errors import StateError

BASE = Training(steps=100, jobs=8)


@pytest.fixture
def trainings(monkeypatch):
    """Trainings made up: the closer the learning rate to 1e-3, the better."""
    seen = []

    def train(config, run, command, tell, workers):
        seen.append(config)
        run.mkdir(parents=True)
        best = abs(config.learning_rate - 1e-3) * 1e3 + 0.5
        for part in range(4):
            tell(TrainingEvent("validated", part / 4, {"raw": Score(best + 1 - part / 4, {})}))
        return TrainingProgress(best=best)

    monkeypatch.setattr(hyperparameters, "train", train)
    return seen


def test_the_base_comes_first_and_the_best_is_written(trainings, tmp_path):
    heard = []
    found = hyperparameters.search(tmp_path, BASE, 8, done=heard.append)
    assert len(found) == len(heard) == 8
    assert trainings[0] == BASE
    best = min((one for one in found if one.state == "complete"), key=lambda one: one.score)
    written = json.loads((tmp_path / hyperparameters.BEST).read_text())
    assert written["learning_rate"] == best.parameters["learning_rate"]
    assert any(one.state == "pruned" for one in found)
    assert all(replace(each, **found[0].parameters) == BASE for each in trainings)


def test_a_base_beyond_what_is_searched_is_tried_all_the_same(trainings, tmp_path):
    base = replace(BASE, hidden=48, batch_size=100, learning_rate=0.01, n_epochs=20)
    hyperparameters.search(tmp_path, base, 1)
    assert trainings == [base]


def test_nobody_else_searches_in_the_folder_meanwhile(trainings, tmp_path):
    def meddle(_):
        with pytest.raises(StateError, match="a study that is under way"):
            hyperparameters.search(tmp_path, BASE, 2)

    assert len(hyperparameters.search(tmp_path, BASE, 1, done=meddle)) == 1


def test_a_study_goes_on_and_begins_anew_what_was_interrupted(trainings, tmp_path, monkeypatch):
    hyperparameters.search(tmp_path, BASE, 2)
    whole = hyperparameters.train

    def interrupted(*_, workers):
        raise KeyboardInterrupt

    monkeypatch.setattr(hyperparameters, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hyperparameters.search(tmp_path, BASE, 3)
    monkeypatch.setattr(hyperparameters, "train", whole)
    found = hyperparameters.search(tmp_path, BASE, 4)
    states = [one.state for one in found]
    assert states.count("fail") == 1
    assert len(states) == 5
    failed = next(one for one in found if one.state == "fail")
    assert [one.parameters for one in found].count(failed.parameters) == 2
    assert hyperparameters.search(tmp_path, BASE, 4) == found
    with pytest.raises(StateError):
        hyperparameters.search(tmp_path, replace(BASE, steps=7), 5)


def test_the_command_tells_the_trials_and_training_takes_the_file(trainings, tmp_path, monkeypatch):
    words = ["policy", "tune", str(tmp_path / "study"), "--trials", "2", "--steps", "50"]
    done = CliRunner().invoke(app, [*words, "--set", "jobs=8"])
    assert done.exit_code == 0, done.output
    assert "best.json" in done.stdout
    told = CliRunner().invoke(app, [*words, "--set", "jobs=8", "--json"])
    assert [one["number"] for one in json.loads(told.stdout)] == [0, 1]

    seen = []

    def train(config, *_, workers):
        seen.append(config)
        raise StateError("enough")

    monkeypatch.setattr("agents.training.trainer.train", train)
    file = tmp_path / "study" / "best.json"
    more = ["--config", str(file), "--steps", "70", "--set", "gamma=0.9"]
    CliRunner().invoke(app, ["policy", "train", str(tmp_path / "run"), *more])
    (config,) = seen
    assert (config.steps, config.gamma, config.jobs) == (70, 0.9, 8)
    assert config.learning_rate == json.loads(file.read_text())["learning_rate"]


def test_the_command_takes_the_algorithm(trainings, tmp_path):
    for algo, steps in (("ars", 200_000), ("cmaes", 2_000_000), ("search", 6000)):
        words = ["policy", "tune", str(tmp_path / algo), "--trials", "1", "--algo", algo]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert (trainings[-1].algo, trainings[-1].steps) == (algo, steps)


def test_every_space_lies_within_what_is_legal():
    for algo, space in hyperparameters.SPACES.items():
        base = configs.of({"algo": algo})
        for name, each in space.items():
            assert each._contains(each.to_internal_repr(getattr(base, name))), name
            for value in getattr(each, "choices", None) or (each.low, each.high):
                assert getattr(replace(base, **{name: value}), name) == value
