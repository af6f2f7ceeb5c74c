"""Writes the parts of docs/results.md between their marks; the rest is written by hand."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.evaluation.provenance import commit
from benchmarks.policy.evaluation import Measuring
from benchmarks.policy.tables import Section

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "docs" / "results.md"
PLOTS = PAGE.parent / "results"
_DIGITS = 7
"""Significant digits of every figure in a file; tables show fewer."""
Found = Mapping[str, Any]
"""JSON of a measurement."""


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One question: it measures plain values, and its report is made from them alone."""

    name: str
    measure: Callable[[Measuring], Found]
    report: Callable[[Found, Path], Section]
    """(measurement, folder for plots) → section of the page."""
    groups: tuple[str, ...] = ()
    """Groups of artifacts that are trained again with `--train`."""
    bare: str = ""
    """Of a measurement, what alone its file holds; empty: all, and how it was made."""


def save(part: ReportPart, found: Found, folder: Path, seconds: float) -> Path:
    """Write a measurement as JSON; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
        "command": f"python -m benchmarks.policy {part.name}",
        "seconds": round(seconds),
    }
    file = folder / f"{part.name}.json"
    values = _rounded(dict(found))
    content = values[part.bare] if part.bare else {"made": made, **values}
    indent = 1 if part.bare else None
    file.write_text(json.dumps(content, ensure_ascii=False, indent=indent) + "\n", "utf-8")
    return file


def read(part: ReportPart, folder: Path = RESULTS) -> Found | None:
    """The last measurement; None if there is none."""
    file = folder / f"{part.name}.json"
    if not file.is_file():
        return None
    content = json.loads(file.read_text("utf-8"))
    return {part.bare: content, "missing": []} if part.bare else content


def write(parts: Mapping[str, ReportPart], page: Path = PAGE, folder: Path = RESULTS) -> list[str]:
    """Write every measured part into the page; names of the others."""
    text, without = page.read_text("utf-8"), []
    for name, part in parts.items():
        found = read(part, folder)
        if found is None:
            without.append(name)
            continue
        text = replaced(text, name, markdown(part.report(found, PLOTS), found))
    page.write_text(text, "utf-8")
    return without


def markdown(section: Section, found: Found) -> str:
    """A section in Markdown."""
    return "\n\n".join(_blocks(section, found))


def replaced(text: str, name: str, content: str) -> str:
    """`text` with `content` between the marks of `name`. Raises `ValueError` without marks."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no marks for {name}: {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", text)


def _blocks(section: Section, found: Found) -> Iterator[str]:
    yield f"## {section.title}"
    yield section.text
    for table in section.tables:
        yield table.markdown()
    for file, title in section.plots:
        yield f"![{title}](results/{file})\n\n*{title}.*"
    if found["missing"]:
        yield "Notes:\n\n" + "\n".join(f"- {one}" for one in found["missing"])
    made = found.get("made")
    if made is not None:
        yield f"Measured {made['at'][:10]}, commit `{made['commit']}`: `{made['command']}`."


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{_DIGITS}g}")
        case dict():
            return {key: _rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
    return value
