from __future__ import annotations

from pathlib import Path

import pytest

from api.client.files import FileError, read


def write(folder: Path, text: str) -> Path:
    file = folder / "job.yaml"
    file.write_text(text)
    return file


def test_one_job(tmp_path):
    file = write(tmp_path, "kind: command\nwork: {argv: [true]}\n")
    assert read(file) == [{"kind": "command", "work": {"argv": [True]}}]


def test_defaults_are_merged_table_by_table(tmp_path):
    text = """
defaults: {kind: cnn-train, project: p, work: {epochs: 2, model: resnet18}}
jobs:
  - {name: a, work: {epochs: 5}}
  - {name: b, project: q}
"""
    first, second = read(write(tmp_path, text))
    assert first["work"] == {"epochs": 5, "model": "resnet18"}
    assert (first["project"], second["project"]) == ("p", "q")
    assert second["work"]["epochs"] == 2


def test_paths_are_meant_from_the_files_folder_and_sets_from_here(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    file = write(tmp_path, "{kind: cnn-train, work: {dataset: 'folder:photos', weights: w.pt}}")
    assert read(file)[0]["work"] == {
        "dataset": f"folder:{tmp_path}/photos",
        "weights": f"{tmp_path}/w.pt",
    }
    changed = read(file, ["work.dataset=folder:other"])[0]["work"]
    assert changed["dataset"] == f"folder:{here}/other"


def test_names_of_jobs_in_the_file_stay_names(tmp_path):
    text = """
- {kind: cnn-train, name: net}
- {kind: cnn-infer, work: {models: net}}
- {kind: cnn-infer, work: {models: [net, 17, old, new]}}
"""
    (tmp_path / "old").mkdir()
    jobs = read(write(tmp_path, text))
    assert jobs[1]["work"]["models"] == ["net"]
    assert jobs[2]["work"]["models"] == ["net", 17, f"{tmp_path}/old", "new"]


def test_sets_reach_all_jobs_or_one_and_are_yaml(tmp_path):
    file = write(tmp_path, "[{kind: cnn-train}, {kind: cnn-train, width: 3}]")
    first, second = read(file, ["width=1..2", "jobs.1.work.epochs=7", "retry.max_attempts=2"])
    assert (first["width"], second["width"]) == ("1..2", "1..2")
    assert "work" not in first
    assert second["work"] == {"epochs": 7}
    assert first["retry"] == {"max_attempts": 2}


@pytest.mark.parametrize(
    ("text", "sets", "message"),
    [
        ("kind: [", (), "not YAML"),
        ("[]", (), "holds no job"),
        ("- 3", (), "table of fields"),
        ("", (), "table of fields"),
        ("{jobs: [{kind: x}], more: 1}", (), "only `defaults`"),
        ("{kind: x}", ("epochs",), "PATH=VALUE"),
        ("[{kind: x}]", ("jobs.4.width=1",), "jobs.0"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, sets, message):
    with pytest.raises(FileError, match=message):
        read(write(tmp_path, text), sets)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        read(tmp_path / "none.yaml")
