"""Parameters of listings."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Query

from api.schemas.fields import MAX_ID
from scheduler.domain.errors import InputError
from scheduler.validation import pattern
from scheduler.workloads.spec.texts import Text

E = TypeVar("E", bound=StrEnum)

Part = Annotated[Text | None, Query(max_length=200)]
"""Text to look for."""
Group = Annotated[int | None, Query(ge=1, le=MAX_ID, examples=[17])]
"""Number of an array or a sweep."""
Cursor = Annotated[
    str | None,
    Query(
        max_length=100,
        pattern=pattern("^[A-Za-z0-9_-]+$", "the `next_cursor` of an earlier page"),
        description="`next_cursor` of the page before.",
    ),
]


def cursor_of(job_id: int) -> str:
    """An opaque text for the place behind a job."""
    return base64.urlsafe_b64encode(f"job:{job_id}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> int | None:
    """The job behind which the next page begins. Raises `InputError`."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        number = int(text.removeprefix("job:"))
    except (ValueError, binascii.Error):
        number = 0
    if not 1 <= number <= MAX_ID or cursor_of(number) != cursor:
        raise InputError(
            "the cursor is not one of this service",
            {"cursor": "next_cursor of an earlier page, unchanged"},
        )
    return number


def some_of(values: Iterable[str], legal: type[E], name: str) -> list[E]:
    """`["queued,RUNNING"]` → two states. Raises `InputError` with the legal values."""
    found: list[E] = []
    by_name = {member.value.lower(): member for member in legal}
    for text in values:
        for part in text.split(","):
            member = by_name.get(part.strip().lower())
            if member is None:
                names = ", ".join(legal)
                raise InputError(f"{part!r} is no {name}", {name: f"some of: {names}"})
            found.append(member)
    return found


def unix(time: datetime | None) -> float | None:
    """Unix seconds."""
    return None if time is None else time.timestamp()
