"""What pydantic found wrong: every field's path, with what is wrong and what is legal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from scheduler.domain.units import counted
from scheduler.text import unknown

_KEY = "[key]"
"""Ends the place of a mapping's wrong name; the name itself stands before it."""
_MARKS = frozenset({"int", "str", "constrained-int", "constrained-str"})
"""Members of a union; pydantic ends a place with the one that it tried."""
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_SHOULD_BE: Mapping[str, str] = {
    **dict.fromkeys(("dataclass_type", "model_type", "model_attributes_type"), "a table"),
    **dict.fromkeys(("dict_type", "mapping_type"), "a table"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "a list"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    "int_parsing_size": "a smaller whole number",
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    "finite_number": "a finite number",
    **dict.fromkeys(("string_type", "string_unicode"), "text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), "a date"),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
        "an ISO 8601 time, such as 2030-01-31T18:00:00Z",
    ),
    **dict.fromkeys(("byte_size", "byte_size_unit"), "a size, such as 512MiB or 2GB"),
    "timezone_aware": "a time with its zone, such as 2030-01-31T18:00:00Z",
}
"""Kinds of pydantic's errors, with what the value should be."""
_BOUNDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SIZES = frozenset({"too_short", "too_long", "string_too_short", "string_too_long"})
_patterns: dict[str, str] = {}


def pattern(regex: str, legal: str) -> str:
    """`regex`, for a field's `pattern`. Messages about the field say `legal` in its place."""
    _patterns[regex] = legal
    return regex


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
    every = list(errors)
    places = [error["loc"] for error in every]
    for error in every:
        if error["type"] == "too_short" and _has_wrong_item(error["loc"], places):
            continue  # pydantic counts only the items that are right
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


def _has_wrong_item(loc: Sequence[int | str], places: Iterable[Sequence[int | str]]) -> bool:
    return any(len(each) > len(loc) and each[: len(loc)] == loc for each in places)


def _message(
    error: ErrorDetails | Mapping[str, Any], legal: Sequence[str], what: str, *, quote: bool
) -> str:
    kind, given = error["type"], error.get("input")
    if kind in _UNKNOWN:
        return unknown(what, str(error["loc"][-1]), legal) if legal else f"unknown {what}"
    if kind == "missing":
        return "is required"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    context = error.get("ctx") or {}
    if kind in _SIZES:
        return _wrong_size(context, given)
    if kind in ("literal_error", "enum"):
        return _unknown_value(str(context["expected"]), given)
    wrong = _wrong_value(kind, str(error["msg"]), context)
    return f"{wrong}, not {given!r}" if quote else wrong


def _wrong_value(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What the value should be."""
    if kind in _SHOULD_BE:
        return f"should be {_SHOULD_BE[kind]}"
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        bound = context[name]
        return f"should be {words} {f'{bound:g}' if isinstance(bound, float) else bound}"
    if kind == "string_pattern_mismatch":
        regex = str(context["pattern"])
        return f"should be {_patterns.get(regex) or f'text that matches {regex}'}"
    return message.removeprefix("Input ")


def _wrong_size(context: Mapping[str, Any], given: Any) -> str:
    """How many items or characters there are, and how many there may be."""
    least, most = context.get("min_length"), context.get("max_length")
    actual = context.get("actual_length")
    if actual is None and isinstance(given, str | bytes):
        actual = len(given)
    if least == 1:
        return "should not be empty"
    unit = "character" if isinstance(given, str) else "item"
    bound = f"at least {counted(least, unit)}" if least else f"at most {counted(most or 0, unit)}"
    return f"should have {bound}, not {actual}" if actual is not None else f"should have {bound}"


def _unknown_value(expected: str, given: Any) -> str:
    names = re.findall(r"'([^']*)'", expected)
    if not isinstance(given, str) or not names:
        return f"should be {expected}"
    return unknown(f"value {given!r}", given, names)


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
