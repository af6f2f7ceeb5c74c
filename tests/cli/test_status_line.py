"""The last line of a followed log on a terminal."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from api.cli.views import status_line
from api.cli.views.run_progress import brief, sentence
from api.cli.views.status_line import StatusLine
from api.client import ClientError
from api.schemas import RunProgressOut
from tests.support.waiting import PATIENCE_S

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = {
    "attempt": 1,
    "fraction": 0.4399,
    "left_s": 80.0,
    "end": T,
    "epoch": 3,
    "epochs": 10,
    "batch": 12,
    "batches": 40,
    "samples_per_s": 1234.5,
    "reported_at": T,
}
NOTHING = dict.fromkeys(("fraction", "epoch", "epochs", "batch", "batches", "reported_at"))


class AskedJob:
    """Says the answers one after the other, then the last one again."""

    id = 7

    def __init__(self, *answers):
        self.answers = list(answers)
        self.exhausted = threading.Event()

    def progress(self):
        answer = self.answers[0]
        if len(self.answers) > 1:
            self.answers.pop(0)
        else:
            self.exhausted.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def console(*, terminal):
    return Console(file=StringIO(), force_terminal=terminal, width=80, highlight=False)


def test_it_stands_below_the_lines_and_survives_a_lost_answer(monkeypatch):
    monkeypatch.setattr(status_line, "EVERY_S", 0.0)
    job = AskedJob(None, ClientError("gone"), RunProgressOut(**RUN))
    where = console(terminal=True)
    with StatusLine(job, where) as status:
        status.print("first [b]line[/b]")
        assert job.exhausted.wait(PATIENCE_S)
    shown = where.file.getvalue()
    assert "first [b]line[/b]" in shown
    assert "job 7: 43 %, 1 min 20 s left, epoch 3/10, batch 12/40" in shown


def test_a_file_gets_the_lines_alone():
    job = AskedJob(AssertionError("it must not be asked"))
    where = console(terminal=False)
    with StatusLine(job, where) as status:
        status.print("a\x1b[1mb")
    assert where.file.getvalue() == "a\x1b[1mb\n"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "43 %, 1 min 20 s left, epoch 3/10, batch 12/40"),
        (NOTHING, "about 1 min 20 s left"),
        ({"fraction": 1.0, "left_s": 2.4}, "100 %, finishing, epoch 3/10, batch 12/40"),
        ({"fraction": 0.9999, "epochs": None}, "99 %, 1 min 20 s left, epoch 3, batch 12/40"),
        ({"epoch": None, "batch": 0}, "43 %, 1 min 20 s left, batch 0/40"),
    ],
)
def test_what_is_not_known_is_left_out(changes, text):
    assert brief(RunProgressOut(**RUN | changes)) == text


def test_a_sentence_says_where_the_end_comes_from():
    assert "1,234 samples/s" in sentence(RunProgressOut(**RUN))
    silent = RunProgressOut(**RUN | NOTHING)
    assert "reported nothing yet" in sentence(silent)
    assert sentence(silent, 300.0).endswith("its runtime is unknown, 5 min 00 s assumed")
    assert "ends about" not in sentence(RunProgressOut(**RUN | {"fraction": 1.0}))


def test_a_line_of_the_log_lets_it_ask_again_at_once(monkeypatch):
    monkeypatch.setattr(status_line, "EVERY_S", PATIENCE_S)
    monkeypatch.setattr(status_line, "LEAST_S", 0.0)
    job = AskedJob(RunProgressOut(**RUN), RunProgressOut(**RUN | {"epoch": 4}))
    where = console(terminal=True)
    with StatusLine(job, where) as status:
        status.print("epoch 4")
        while not job.exhausted.wait(0.01):  # without lines it would ask after minutes
            status.print("epoch 4")
