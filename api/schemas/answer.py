"""The base of all answers, and how an answer is made of the service's own values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Self, get_args, get_origin

from pydantic import AwareDatetime, BaseModel, ConfigDict

from api.schemas.fields import instant

Convert = Callable[[Any], Any]


class Answer(BaseModel):
    """Base of all answers: unknown fields are ignored, so that older clients read newer ones."""

    model_config = ConfigDict(frozen=True, from_attributes=True, defer_build=True)

    @classmethod
    def of(cls, value: Any, /) -> Self:
        """From the service's value, whose attributes have the names of the fields."""
        return cls.from_values(value)

    @classmethod
    def from_values(cls, *values: object, **given: Any) -> Self:
        """Each field from `given`, else from the first of `values` that has such an attribute.

        Nothing is validated: the service checked its values when they came in, and text that
        older services stored must still be shown. Times become datetimes, values of other answers
        become these answers, and optional numbers that are not finite become None.
        """
        plain, converted = _sources(cls, tuple(map(type, values)), tuple(given))
        for name, at in plain:
            given[name] = getattr(values[at], name)
        for name, at, convert in converted:
            given[name] = convert(getattr(values[at], name))
        return cls.model_construct(**given)


@cache
def _sources(
    model: type[Answer], kinds: tuple[type, ...], given: tuple[str, ...]
) -> tuple[list[tuple[str, int]], list[tuple[str, int, Convert]]]:
    """Fields that are not given, with the position of the value that has each.

    First those that are taken as they are, then those that are converted, each with its conversion.
    """
    plain, converted = [], []
    for name, field in model.model_fields.items():
        if name in given:
            continue
        at = next((at for at, kind in enumerate(kinds) if hasattr(kind, name)), None)
        if at is None:
            raise TypeError(f"{model.__name__}.{name} is in none of {kinds}")
        convert = _conversion(field.annotation)
        if convert is None:
            plain.append((name, at))
        else:
            converted.append((name, at, convert))
    return plain, converted


def _conversion(annotation: Any) -> Convert | None:
    """None: the value is taken as it is."""
    arguments = get_args(annotation)
    if NoneType in arguments:
        return _optional(next(one for one in arguments if one is not NoneType))
    if get_origin(annotation) is tuple:
        each = _conversion(arguments[0])
        return tuple if each is None else lambda values: tuple(map(each, values))
    if isinstance(annotation, type) and issubclass(annotation, Answer):
        return annotation.of
    return _PLAIN.get(annotation)


def _optional(annotation: Any) -> Convert | None:
    convert = _conversion(annotation)
    if convert is None:
        return None
    numeric = annotation in _PLAIN
    return lambda value: (
        None if value is None or (numeric and not math.isfinite(value)) else convert(value)
    )


_PLAIN: Mapping[Any, Convert] = {AwareDatetime: instant, float: float}
