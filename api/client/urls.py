"""Names as parts of the paths of requests: none leads to another path than it should."""

from __future__ import annotations

from urllib.parse import quote

from api.client.errors import InvalidError
from scheduler.text import shown


def part(name: str, field: str = "name") -> str:
    """`name` as one part of a path. Raises `InvalidError`, with `field`, if it cannot be one."""
    if name in ("", ".", "..") or "/" in name:
        raise _refused(name, field, "text without '/', and neither '.' nor '..'")
    return quote(shown(name), safe="@")


def below(name: str, field: str = "name") -> str:
    """`name` as parts of a path below a folder.

    Raises `InvalidError`, with `field`, for an absolute name and one that leaves the folder.
    """
    if any(each in ("", ".", "..") for each in name.split("/")):
        raise _refused(name, field, "a name as listed, without '..', that does not begin with '/'")
    return quote(shown(name))


def _refused(name: str, field: str, legal: str) -> InvalidError:
    return InvalidError(
        f"{name!r} cannot be used as a {field}; legal: {legal}",
        status=422,
        code="invalid",
        fields={field: legal},
    )
