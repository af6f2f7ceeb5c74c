"""How far a long command is, and how long it will still take, where there is no terminal."""

from io import StringIO

import pytest
from rich.console import Console

from agents.training.progress import TrainingEvent
from api.cli.support import progress_bar
from api.cli.support.progress_bar import ProgressBar
from api.cli.views import training_progress
from api.cli.views.training_progress import TrainingBar


@pytest.fixture
def clock(monkeypatch):
    """Stands still; set what it shows."""
    now = [0.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def console():
    return Console(file=StringIO(), width=100)


def test_what_was_there_before_takes_no_time(clock, console):
    with ProgressBar("work", 100, console, already=50) as bar:
        clock[0] = 10.0
        bar.reach(60)
        bar.reach(60)
        clock[0] = 20.0
        bar.step()
        bar.reach(70)
    assert console.file.getvalue().splitlines() == [
        "work: 50 of 100 are there already",
        "work: 60 of 100 after 10 s, 40 s left",
        "work: 70 of 100 after 20 s, 30 s left",
    ]


def test_a_training_that_was_gone_on_with_tells_the_time_that_is_left(clock, console, monkeypatch):
    monkeypatch.setattr(training_progress, "err", lambda: console)
    with TrainingBar() as bar:
        bar.tell(TrainingEvent("heuristics", 0.0))
        clock[0] = 5.0
        bar.tell(TrainingEvent("heuristics", 1.0))
        bar.tell(TrainingEvent("learning", 0.2))
        clock[0] = 65.0
        bar.tell(TrainingEvent("learning", 0.4))
    assert console.file.getvalue().splitlines() == [
        "heuristics: 100 of 100 after 5.0 s",
        "learning: 20 of 100 are there already",
        "learning: 40 of 100 after 1 min 00 s, 3 min 00 s left",
    ]
