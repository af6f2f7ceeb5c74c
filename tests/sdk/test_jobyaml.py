"""Job files say what JSON can say, and nothing twice."""

from __future__ import annotations

import pytest

from api.client import FileError, files, jobyaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("2030-01-31", "2030-01-31"),
        ("2030-01-31T18:00:00Z", "2030-01-31T18:00:00Z"),
        ("90", 90),
        ("1_000", 1000),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("-3", -3),
        ("0x1F", 31),
        ("true", True),
        ("null", None),
    ],
)
def test_scalars_are_what_they_look_like(text: str, value: object) -> None:
    found = jobyaml.load(f"x: {text}")["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: command\nname: a\nkind: cnn-train", "'kind' stands in line 1 and in line 3"),
        ("work: {argv: [a], argv: [b]}", "'argv' stands in line 1"),
        ("[" * 3000, "nested too deeply"),
        ("x: !!binary aGk=", "JSON cannot say"),
        ("x: !!python/object:os.system {}", "could not determine a constructor"),
        ("x: [1", "line"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, problem: str, tmp_path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(FileError, match="is not YAML of a job") as caught:
        files.read(file)
    assert problem in str(caught.value)


def test_a_merged_table_may_be_overridden() -> None:
    text = "base: &base {epochs: 1, seed: 2}\nwork:\n  <<: *base\n  epochs: 3\n"
    assert jobyaml.load(text)["work"] == {"epochs": 3, "seed": 2}
