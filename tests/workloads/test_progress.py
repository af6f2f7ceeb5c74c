"""How far a training says that it is, inside an epoch and over a resume."""

from __future__ import annotations

import signal
from itertools import pairwise
from pathlib import Path

import pytest

from scheduler.service.running.work_reports import newest_report
from scheduler.workloads import context
from tests.workloads.conftest import Nursery

WORK = {"limit": 400, "epochs": 4, "batch_size": 16, "seed": 2}
BATCHES = 25


def test_a_training_says_which_batch_of_which_epoch_it_works_on(
    nursery: Nursery, tmp_path: Path
) -> None:
    ended = nursery.run(tmp_path, "cnn-train", WORK)
    assert ended.code == 0, ended.log
    reports = ended.lines("progress")
    for one in reports:
        assert (one["epochs"], one["batches"]) == (WORK["epochs"], BATCHES)
        assert 1 <= one["batch"] <= BATCHES
        whole = (one["epoch"] - 1 + one["batch"] / BATCHES) / WORK["epochs"]
        assert one["fraction"] == pytest.approx(whole, abs=1e-3)
    assert reports[-1]["fraction"] == 1
    for before, after in pairwise(reports[:-1]):
        # Throttled by the reporter's own clock; the lines are written a little after it was read.
        assert after["time"] - before["time"] > 0.8 * context._PROGRESS_EVERY_S


def test_the_best_epoch_is_that_of_the_validation(nursery: Nursery, tmp_path: Path) -> None:
    ended = nursery.run(tmp_path, "cnn-train", WORK)
    earlier = ended.lines("epoch")[:-1]  # the last report is made before the last validation
    best = max(earlier, key=lambda one: one["validation_accuracy"])
    report = newest_report(ended.folder / "metrics.jsonl")
    assert report is not None
    assert (report.best_epoch, report.best_accuracy) == (best["epoch"], best["validation_accuracy"])


@pytest.mark.parametrize(
    ("kill", "resumes_at"),
    [(signal.SIGTERM, 2 + 11 / BATCHES), (signal.SIGKILL, 2)],
    ids=["asked to stop", "killed"],
)
def test_progress_goes_on_where_the_checkpoint_was(
    nursery: Nursery, tmp_path: Path, kill: int, resumes_at: float
) -> None:
    hook = {"signal": int(kill), "epoch": 2, "batch": 10}
    nursery.run(tmp_path, "cnn-train", WORK, hook=hook)
    resumed = nursery.run(tmp_path, "cnn-train", WORK, number=2)
    assert resumed.code == 0, resumed.log
    fractions = [one["fraction"] for one in resumed.lines("progress")]
    assert fractions == sorted(fractions)
    assert fractions[0] == pytest.approx((resumes_at + 1 / BATCHES) / WORK["epochs"], abs=1e-3)
    assert resumed.lines("progress")[0]["best_epoch"] in (1, 2)
