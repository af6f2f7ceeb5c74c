"""A job may put anything in place of its metrics; the dispatcher reads on."""

import json
import os
from pathlib import Path

import pytest

from scheduler.service.running.work_reports import newest_report


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
