"""Helpers of all readers: texts with their origin, figures out of fields, unusable rows."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.workloads.base import Arrival, Workload
from scheduler.domain.errors import InputError

LARGEST = 1e15
"""Largest figure of a trace: in seconds, that is thirty million years."""
_GZIP = b"\x1f\x8b"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Document:
    """A file's text."""

    name: str
    """File name without its endings."""
    text: str
    source: str = ""
    """File name and digest of its content."""
    digest: str = ""
    """12 hexadecimal digits."""


def open_document(path: Path | str) -> Document:
    """The text of a file, gunzipped if it is gzip, without a byte order mark at its beginning.

    Bytes that are not UTF-8 become U+FFFD.
    Raises `InputError` for a file that cannot be read.
    """
    path = Path(path)
    try:
        data = path.expanduser().read_bytes()
        plain = gzip.decompress(data) if data.startswith(_GZIP) else data
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", {"trace": "a readable file, gzip or plain"}
        ) from None
    digest = hashlib.sha256(plain).hexdigest()[:12]
    name = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    text = plain.decode("utf-8-sig", errors="replace")
    return Document(name, text, f"{path.name} sha256:{digest}", digest)


class Rejects:
    """Rows that cannot be used, named by their line; the first one is an error if `strict`."""

    def __init__(self, document: Document, *, strict: bool) -> None:
        self._document = document
        self._strict = strict
        self.reasons: list[str] = []

    def add(self, line: int, reason: object) -> None:
        """Leave a row out. Raises `InputError` if strict."""
        text = f"line {line}: {reason}"
        if self._strict:
            raise InputError(
                f"{self._document.name}, {text}", {"trace": "only usable rows, or not strict"}
            )
        self.reasons.append(text)


def figure(text: str, name: str) -> float:
    """A finite number; raises `ValueError` that names the field."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} {text[:_SHOWN]!r} is not a number") from None
    if not -LARGEST < value < LARGEST:
        raise ValueError(f"{name} {text[:_SHOWN]!r} is out of range")
    return value


def whole(text: str, name: str) -> int:
    """A whole number; raises `ValueError` that names the field."""
    value = figure(text, name)
    if not value.is_integer():
        raise ValueError(f"{name} {text[:_SHOWN]!r} is not a whole number")
    return int(value)


def records(document: Document, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Line number and the named columns of each row of a CSV text with a header.

    A row that ends early gives empty texts. Raises `InputError` if a column is missing or the
    text is not CSV.
    """
    reader = csv.reader(io.StringIO(document.text, newline=""))
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise InputError(
                f"{document.name} has no column {missing[0]!r}",
                {"trace": f"CSV with the columns {', '.join(columns)}"},
            )
        places = [header.index(name) for name in columns]
        length = max(places) + 1
        for row in reader:
            if not row:
                continue
            if len(row) < length:
                row.extend([""] * (length - len(row)))
            yield reader.line_num, [row[place].strip() for place in places]
    except csv.Error as error:
        raise InputError(
            f"{document.name}, line {reader.line_num}: {error}", {"trace": "CSV with a header"}
        ) from None


def parsed(
    document: Document,
    columns: Sequence[str],
    job: Callable[..., tuple[float, dict[str, Any]]],
    *,
    strict: bool,
) -> Workload:
    """The workload of a CSV text with a header; `job` makes a row for `workload` of its columns.

    A row for which `job` raises `ValueError` is left out. Raises `InputError` if no job is left,
    or with `strict` for the first bad row.
    """
    rejects = Rejects(document, strict=strict)
    rows: list[tuple[float, dict[str, Any]]] = []
    for line, fields in records(document, columns):
        try:
            rows.append(job(*fields))
        except ValueError as error:
            rejects.add(line, error)
    return workload(document, rows, rejects)


def workload(
    document: Document, rows: Iterable[tuple[float, Mapping[str, Any]]], rejects: Rejects
) -> Workload:
    """The workload of rows (submission in seconds, other fields of an `Arrival`), in order.

    Times count from the first submission; equal ones keep the file's order. Raises
    `InputError` if there is no row.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    if not ordered:
        why = f"; first: {rejects.reasons[0]}" if rejects.reasons else ""
        raise InputError(
            f"{document.name} holds no job ({len(rejects.reasons)} rows cannot be used{why})",
            {"trace": "at least one usable row"},
        )
    origin = ordered[0][0]
    jobs = tuple(
        Arrival(id=number, submitted_at=submitted - origin, **fields)
        for number, (submitted, fields) in enumerate(ordered, 1)
    )
    return Workload(document.name, jobs, document.source, tuple(rejects.reasons))
