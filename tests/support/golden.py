"""Stored logs: what tests print is compared, line by line, with text files in `tests/golden`.

To store new logs, run the tests once with FULCRUM_GOLDEN=write and look at the difference that
git shows. A file is written section by section, so delete it first to drop sections that no test
writes any more.
"""

import os
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "golden"
VARIABLE = "FULCRUM_GOLDEN"
CONTEXT = 3
"""Lines shown before the first difference."""


def check(name: str, lines: Iterable[str], section: str = "", tolerance: float = 0.0) -> None:
    """Compare lines with a section of `tests/golden/NAME.txt`, or write them there.

    `section`: its heading; empty for a file without headings. `tolerance`: the largest absolute
    difference of two numbers that count as equal. Raises `AssertionError` with the first line
    that differs.
    """
    path = FOLDER / f"{name}.txt"
    found = [line.rstrip() for line in lines]
    assert not any(line.startswith("[") for line in found), "'[' begins a heading"
    if os.environ.get(VARIABLE) == "write":
        _write(path, found, section)
        return
    sections = _read(path)
    assert section in sections, f"{path} has no section [{section}]; {VARIABLE}=write stores it"
    first, expected = sections[section]
    for index, (old, new) in enumerate(zip_longest(expected, found)):
        if old is None or new is None or not _equal(old, new, tolerance):
            raise AssertionError(_difference(path, first, index, expected, found))


def sections(name: str) -> set[str]:
    """Headings of `tests/golden/NAME.txt`."""
    return set(_read(FOLDER / f"{name}.txt"))


def _read(path: Path) -> dict[str, tuple[int, list[str]]]:
    """Heading → (number of the section's first line in the file, its lines)."""
    text = path.read_text("utf-8") if path.is_file() else ""
    current: list[str] = []
    read = {"": (1, current)}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            current = []
            read[line[1:-1]] = number + 1, current
        else:
            current.append(line)
    return read if read[""][1] else {heading: read[heading] for heading in read if heading}


def _write(path: Path, lines: list[str], section: str) -> None:
    assert "PYTEST_XDIST_WORKER" not in os.environ, "logs are written by one process: pytest -n 0"
    kept = {heading: old for heading, (_, old) in _read(path).items()} if section else {}
    kept[section] = lines
    text = [
        line
        for heading, body in kept.items()
        for line in ([f"[{heading}]"] if heading else []) + body
    ]
    path.write_text("\n".join(text) + "\n", "utf-8")


def _equal(old: str, new: str, tolerance: float) -> bool:
    if old == new or not tolerance:
        return old == new
    words, others = old.split(), new.split()
    return len(words) == len(others) and all(
        one == other or _near(one, other, tolerance)
        for one, other in zip(words, others, strict=True)
    )


def _near(old: str, new: str, tolerance: float) -> bool:
    try:
        return abs(float(old) - float(new)) <= tolerance
    except ValueError:
        return False


def _difference(path: Path, first: int, index: int, expected: list[str], found: list[str]) -> str:
    before = [f"      {line}" for line in expected[max(0, index - CONTEXT) : index]]
    old, new = (
        repr(lines[index]) if index < len(lines) else "(the log ends here)"
        for lines in (expected, found)
    )
    return "\n".join(
        [
            f"{path.name}, line {first + index}, is the first of {len(expected)} that differs "
            f"({len(found)} lines found)",
            *before,
            f"  expected {old}",
            f"  found    {new}",
            f"If the change is meant, {VARIABLE}=write stores the new log.",
        ]
    )
