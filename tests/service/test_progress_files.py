"""A job may put anything in place of its metrics; the dispatcher reads on."""

import json
import os
from pathlib import Path

import pytest

from scheduler.service.running.work_reports import WorkReport, newest_report


def test_a_pipe_a_link_and_a_folder_are_no_metrics(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link", ".", "missing"):
        assert newest_report(tmp_path / name) is None


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "progress", "fraction": NaN, "time": 1}',
        '{"kind": "progress", "fraction": 0.5, "time": 1e999}',
        '{"kind": "progress", "fraction": 1%s, "time": 1}' % ("0" * 400),
        "[" * 4000,
    ],
    ids=["nan", "infinite", "huge", "deep"],
)
def test_numbers_that_nobody_can_count_with_are_passed_over(tmp_path: Path, line: str) -> None:
    good = json.dumps({"kind": "progress", "fraction": 0.25, "time": 5.0})
    (tmp_path / "metrics.jsonl").write_text(f"{good}\n{line}\n")
    found = newest_report(tmp_path / "metrics.jsonl")
    assert found is not None
    assert (found.fraction, found.time) == (0.25, 5.0)


def test_a_program_that_tells_no_best_accuracy_has_that_of_its_epochs(tmp_path: Path) -> None:
    lines = [
        {"kind": "epoch", "epoch": 1, "accuracy": 0.7},
        {"kind": "epoch", "epoch": 2, "accuracy": 0.9, "validation_accuracy": 0.8},
        {"kind": "epoch", "epoch": 3, "accuracy": float("nan")},
        {"kind": "progress", "fraction": 0.5, "time": 5.0, "epoch": 4, "epochs": 8.0, "batch": "x"},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert newest_report(tmp_path / "metrics.jsonl") == WorkReport(
        0.5, 5.0, epoch=4, epochs=8, best_accuracy=0.8, best_epoch=2
    )
