"""What pydantic found wrong: every field's path, with what is wrong and what is legal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from scheduler.text import unknown

_KEY = "[key]"
"""Ends the place of a mapping's wrong name; the name itself stands before it."""
_MARKS = frozenset({"int", "str", "constrained-int", "constrained-str"})
"""Members of a union; pydantic ends a place with the one that it tried."""
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_TABLES = frozenset({"dataclass_type", "model_type", "dict_type"})


def wrong_fields(
    errors: Iterable[ErrorDetails | Mapping[str, Any]],
    model: Any,
    *,
    prefix: Sequence[str] = (),
    what: str = "field",
    quote: bool = False,
    tags: Mapping[str, type[BaseModel]] | None = None,
) -> dict[str, str]:
    """The path of each wrong field, joined by dots, → what is wrong and what is legal.

    `model` is what was validated against: a model or an annotation. `prefix` leads every path.
    `what` is what people call a field. With `quote`, a message ends with the wrong value, as it
    helps in files. `tags` are the tags of discriminated unions with their models; pydantic puts
    them into paths, and they are left out here.
    """
    found: dict[str, str] = {}
    for error in errors:
        parts, legal = _place(error["loc"], model, tags or {})
        path = ".".join((*prefix, *parts))
        message = _message(error, legal, what, quote=quote)
        if path in found and error["loc"] and _is_mark(error["loc"][-1]):
            message = f"{found[path]}, or {message[0].lower()}{message[1:]}"
        found[path] = message
    return found


def summary(fields: Mapping[str, str]) -> str:
    """One sentence for all wrong fields."""
    name, message = next(iter(fields.items()))
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return f"{name}: {message}{more}"


def _place(
    loc: Sequence[int | str], model: Any, tags: Mapping[str, type[BaseModel]]
) -> tuple[list[str], list[str]]:
    """The path that people write, and the legal names beside its last part."""
    parts: list[str] = []
    legal: list[str] = []
    node = _bare(model)
    for part in loc:
        fields = _fields(node)
        if fields is None and part in tags and not _is_container(node):
            node = tags[str(part)]
            continue
        legal = list(fields or ())
        parts.append(str(part))
        if fields is not None:
            node = _bare(fields.get(str(part)))
        else:  # the values of a mapping, the items of a list
            items = [each for each in get_args(node) if each is not Ellipsis]
            node = _bare(items[-1]) if _is_container(node) and items else None
    while parts[-1:] == [_KEY] or (len(parts) > 1 and _is_mark(parts[-1])):
        parts.pop()
    return parts, legal


def _is_mark(part: int | str) -> bool:
    return part in _MARKS or str(part).startswith("function-")


def _message(
    error: ErrorDetails | Mapping[str, Any], legal: Sequence[str], what: str, *, quote: bool
) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind in _UNKNOWN:
        return unknown(what, str(error["loc"][-1]), legal) if legal else f"unknown {what}"
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if not quote:
        return message
    wrong = "should be a table" if kind in _TABLES else message.removeprefix("Input ")
    return f"{wrong}, not {error['input']!r}"


def _fields(node: Any) -> Mapping[str, Any] | None:
    """The fields of a model or dataclass with their annotations; None for anything else."""
    if not isinstance(node, type):
        return None
    if issubclass(node, BaseModel):
        return {name: field.annotation for name, field in node.model_fields.items()}
    return get_type_hints(node) if is_dataclass(node) else None


def _is_container(node: Any) -> bool:
    origin = get_origin(node)
    return isinstance(origin, type) and issubclass(origin, Iterable)


def _bare(node: Any) -> Any:
    """The annotation without its metadata, and without None beside one other type."""
    if get_origin(node) is Annotated:
        return _bare(get_args(node)[0])
    if get_origin(node) in (Union, UnionType):
        kinds = [each for each in get_args(node) if each is not NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else node
    return node
