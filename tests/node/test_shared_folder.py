"""A node sees the service's data folder, or says what is wrong."""

from __future__ import annotations

import shutil

from scheduler.node import shared_folder


def test_the_mark_stays_and_is_seen(tmp_path):
    mark = shared_folder.mark(tmp_path)
    assert mark
    assert shared_folder.mark(tmp_path) == mark
    assert shared_folder.problem(tmp_path, mark) == ""
    assert sorted(path.name for path in (tmp_path / "ray").iterdir()) == ["shared"]


def test_a_folder_that_is_not_there(tmp_path):
    assert "mount it there" in shared_folder.problem(tmp_path / "missing", "mark")


def test_another_folder_at_the_same_path(tmp_path):
    mark = shared_folder.mark(tmp_path / "service")
    shared_folder.mark(tmp_path / "node")
    assert "another folder" in shared_folder.problem(tmp_path / "node", mark)


def test_a_folder_that_takes_no_files(tmp_path):
    mark = shared_folder.mark(tmp_path)
    shutil.move(tmp_path / "ray" / "shared", tmp_path / "shared")
    (tmp_path / "ray").rmdir()
    (tmp_path / "ray").write_text("a file")
    assert "cannot use" in shared_folder.problem(tmp_path, mark)
