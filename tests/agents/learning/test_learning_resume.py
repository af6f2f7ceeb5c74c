"""Trainings that are interrupted: what they take over, and what is final."""

import json
from dataclasses import replace
from itertools import count

import pytest

from agents.serving.artifact import BEST, load
from agents.training.config import RENAMED
from agents.training.environments.baseline import BaselineTrajectories
from agents.training.imitation import collect
from agents.training.progress import CHECKPOINT, DEMONSTRATIONS
from agents.training.scores import Score
from agents.training.trainer import resume, train
from agents.training.validation import Validation
from scheduler.domain.errors import InputError, StateError
from tests.support.learning_world import TINY


class KilledError(Exception):
    pass


def killed(config, run, stage, at):
    """Let a training end as the stage's share `at` is reached."""

    def kill(event):
        if event.stage == stage and event.done >= at:
            raise KilledError

    with pytest.raises(KilledError):
        train(config, run, "begun", tell=kill)


def test_a_training_that_was_killed_goes_on(tmp_path):
    run = tmp_path / "run"
    killed(TINY, run, "learning", 0.2)
    assert (run / CHECKPOINT).is_dir()
    events = []
    progress = resume(run, "resumed", events.append)
    assert next(event.done for event in events if event.stage == "learning") == pytest.approx(1 / 3)
    assert progress.rollouts == TINY.rollouts
    assert progress.command == "begun && resumed"
    assert [point["steps"] for point in progress.curve] == [0, 64, 96]
    assert resume(run).rollouts == TINY.rollouts  # nothing left to do


def test_episodes_of_a_training_that_goes_on_are_new(tmp_path, monkeypatch):
    played = []

    def watched(trajectories, policy, workload, w):
        played.append(w)
        return of(trajectories, policy, workload, w)

    of = BaselineTrajectories.of
    monkeypatch.setattr(BaselineTrajectories, "of", watched)
    run = tmp_path / "run"
    killed(replace(TINY, expert=None), run, "learning", 0.2)
    before, played[:] = {*played} - {0.0, 1.0}, []
    resume(run)
    after = {*played} - {0.0, 1.0}
    assert before
    assert after
    assert not before & after


def test_what_was_kept_last_is_known_to_who_goes_on(tmp_path, monkeypatch):
    scores = iter([0.9, 0.5, 0.6, 0.8, 0.7, 0.8, 0.7])
    monkeypatch.setattr(Validation, "evaluate", lambda *_: Score(next(scores), {0.5: 1.0}))
    run = tmp_path / "run"
    config = replace(TINY, expert=None, validate_every=1, checkpoint_every=100)
    killed(config, run, "learning", 0.2)
    assert load(run / BEST).manifest.evaluation["policy"]["mean"] == 0.5
    resume(run)
    assert load(run / BEST).manifest.evaluation["policy"]["mean"] == 0.5


@pytest.mark.slow
def test_a_training_that_was_killed_in_its_lessons_takes_over_what_was_finished(
    tmp_path, monkeypatch
):
    config = replace(TINY, dagger_steps=30)
    train(config, tmp_path / "whole")
    run = tmp_path / "run"
    killed(config, run, "demonstrations", 0.8)
    assert [file.name for file in sorted((run / DEMONSTRATIONS).glob("*.npz"))] == ["0.npz"]
    with pytest.raises(StateError, match="holds a training"):
        train(config, run)
    killed(config, tmp_path / "early", "demonstrations", 0.0)
    assert not [*(tmp_path / "early" / DEMONSTRATIONS).glob("*.npz")]

    collected = []

    def watched(pool, count, *rest):
        collected.append(count)
        return collect(pool, count, *rest)

    monkeypatch.setattr("agents.training.imitation.collect", watched)
    events = []
    progress = resume(run, "resumed", events.append)
    assert collected == [15, 15]
    # What is taken over is no progress of this time.
    assert (events[0].stage, events[0].done) == ("demonstrations", pytest.approx(60 / 90))
    assert progress.command == "begun && resumed"
    assert not (run / DEMONSTRATIONS).exists()
    shas = {load(each / BEST).manifest.sha256 for each in (run, tmp_path / "whole")}
    assert len(shas) == 1


def test_a_training_that_was_killed_while_its_checkpoint_was_replaced_goes_on(tmp_path):
    run = tmp_path / "run"
    killed(TINY, run, "learning", 0.2)
    (run / CHECKPOINT).rename(run / f"{CHECKPOINT}.old")
    assert [point["steps"] for point in resume(run).curve] == [0, 64, 96]


def test_an_early_stop_is_final(tmp_path, monkeypatch):
    worse = count(1.0, 0.1)
    monkeypatch.setattr(Validation, "evaluate", lambda *_: Score(next(worse), {}))
    run = tmp_path / "run"
    config = replace(TINY, patience=1, validate_every=1, checkpoint_every=100)
    progress = train(config, run)
    assert (progress.rollouts, progress.stale) == (1, 1)
    again = resume(run)
    assert (again.rollouts, again.curve) == (1, progress.curve)


def test_nobody_else_trains_in_the_folder_meanwhile(tmp_path):
    run = tmp_path / "run"

    def meddle(event):
        for begin in (lambda: train(TINY, run), lambda: resume(run)):
            with pytest.raises(StateError, match="under way"):
                begin()
        raise KilledError

    with pytest.raises(KilledError):
        train(TINY, run, tell=meddle)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no readable config\.json"):
        resume(tmp_path)


def test_a_run_of_an_earlier_release_goes_on(tmp_path):
    run = tmp_path / "run"
    killed(TINY, run, "demonstrations", 1.0)
    (run / DEMONSTRATIONS).rename(run / "lessons")
    config = json.loads((run / "config.json").read_text())
    names = {new: old for old, new in RENAMED.items()}
    old = {names.get(name, name): value for name, value in config.items()}
    (run / "config.json").write_text(json.dumps(old))
    assert [point["steps"] for point in resume(run).curve] == [0, 64, 96]
