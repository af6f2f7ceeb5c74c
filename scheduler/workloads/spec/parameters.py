"""Values that are filled into the work of a job: of a sweep's parameters, of an array's index."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from scheduler.domain.errors import InputError

PREFIX = "work."
"""Begins the name of a parameter that is a field; any other is a `{placeholder}`."""


def filled(work: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The work with the value of each parameter in its place; not validated.

    `work.learning_rate` is a field, `work.augmentation.rotation` one inside it, `work.argv.3` an
    item of a list. Any other name stands for `{name}` in the text of the work. Raises `InputError`
    naming a parameter that has no place.
    """
    result = copy.deepcopy(dict(work))
    texts = {}
    for name, value in parameters.items():
        if name.startswith(PREFIX):
            _set(result, name, value)
        else:
            texts[name] = value
    result, unused = with_placeholders(result, texts)
    for name in unused:
        problem = (
            f"is neither a field of the work (`work.…`) nor a placeholder: {{{name}}} stands "
            "nowhere in it"
        )
        raise InputError(f"parameter {name!r} {problem}", {name: problem})
    return result


def with_placeholders(
    work: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """The work with `{name}` in its texts replaced by the value of that name.

    Also the names whose placeholder stands nowhere.
    """
    unused = set(values)

    def replaced(value: Any) -> Any:
        if isinstance(value, str):
            for name, text in values.items():
                if f"{{{name}}}" in value:
                    unused.discard(name)
                    value = value.replace(f"{{{name}}}", _text(text))
            return value
        if isinstance(value, Mapping):
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [replaced(item) for item in value]
        return value

    return {key: replaced(item) for key, item in work.items()}, unused


def _set(work: dict[str, Any], name: str, value: Any) -> None:
    *tables, last = name.removeprefix(PREFIX).split(".")
    place: Any = work
    for part in tables:
        if isinstance(place, dict) and place.get(part) is None:
            place[part] = {}
        place = place[_key(place, part, name)]
    if not isinstance(place, dict | list):
        raise _unplaced(name)
    place[_key(place, last, name)] = value


def _key(place: Any, part: str, name: str) -> Any:
    if isinstance(place, dict):
        return part
    if isinstance(place, list) and part.isdecimal() and int(part) < len(place):
        return int(part)
    raise _unplaced(name)


def _unplaced(name: str) -> InputError:
    problem = "is no field of this work"
    return InputError(f"{name} {problem}", {name: problem})


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
