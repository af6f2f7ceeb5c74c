"""Reads any trace, by the name of its format or by its first line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from envs.workloads.base import Workload
from envs.workloads.throughputs import Throughputs
from envs.workloads.traces import gavel, muri, native, openb, philly, swf
from envs.workloads.traces.documents import Document, open_document
from scheduler.domain.errors import InputError

READERS: Mapping[str, Callable[..., Workload]] = {
    "swf": swf.parse,
    "philly": philly.parse,
    "muri": muri.parse,
    "openb": openb.parse,
    "fulcrum": native.parse,
}
"""Format name → parser of a document."""
GAVEL = "gavel"
FORMATS = (*READERS, GAVEL)


def read(
    path: Path | str,
    format_name: str | None = None,
    *,
    strict: bool = False,
    processors: int | None = None,
) -> Workload:
    """The jobs of a trace of any format; `format_name` None: the one it looks like.

    Raises `InputError` for an unknown format, a file that cannot be read or holds no job, or
    with `strict` for the first bad row.
    """
    document = open_document(path)
    name = format_name or guess(document)
    if name not in READERS:
        raise InputError(
            f"{name!r} is not a format of traces with jobs",
            {"format": f"one of {', '.join(READERS)}"},
        )
    return READERS[name](document, strict=strict, processors=processors)


def read_any(
    path: Path | str,
    format_name: str | None = None,
    *,
    strict: bool = False,
    processors: int | None = None,
) -> tuple[str, Workload | Throughputs]:
    """The format and the content of a trace or a throughput table. Raises as `read` does."""
    document = open_document(path)
    name = format_name or guess(document)
    if name == GAVEL:
        return name, gavel.parse(document)
    if name not in READERS:
        raise InputError(f"no format {name!r}", {"format": f"one of {', '.join(FORMATS)}"})
    return name, READERS[name](document, strict=strict, processors=processors)


def guess(document: Document) -> str:
    """The format a text looks like, by its first line. Raises `InputError` if none."""
    first = next((line for line in document.text.split("\n") if line.strip()), "").strip()
    columns = {name.strip() for name in first.lstrip("\ufeff").split(",")}
    if first.startswith('{"') and '"runs"' in first:
        return "fulcrum"
    if first.startswith("{"):
        return GAVEL
    for name, reader in (("philly", philly.COLUMNS), ("muri", muri.COLUMNS), ("openb", openb.PODS)):
        if columns >= set(reader):
            return name
    if first.startswith(";") or len(first.split()) == swf.COLUMNS:
        return "swf"
    raise InputError(
        f"{document.name} looks like no known format",
        {"format": f"name it: one of {', '.join(FORMATS)}"},
    )
