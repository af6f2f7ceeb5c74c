"""Field types of requests: each takes the forms that a person writes and keeps one value.

Every message says what is legal, for it ends in a problem document beside the field's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, overload

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StrictInt,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import PREFERENCES
from scheduler.domain.resources import parse_width
from scheduler.domain.units import CENTURY_S, seconds
from scheduler.text import storable
from scheduler.validation import pattern

MAX_ID = 2**63 - 1
"""Greatest job number a store can hold."""
MAX_WIDTH = 65_536
MAX_ARRAY = 1000
"""Jobs of one array."""
MAX_INDEX = 2**31 - 1
MAX_BYTES = 2**60

_INDICES = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10})(?::([1-9][0-9]{0,8}))?)?")
_ARRAY_LEGAL = "indices and ranges, such as 0-9, 1-9:2, 0-3,8, 0-99%4 or [0, 1, 8]"
_NUMBER = re.compile(r"[0-9.]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
_SIZE_LEGAL = "bytes, or a number with a unit: 512MiB, 2GiB, 1.5GB"
_DEADLINE_LEGAL = "an ISO 8601 time with its zone (2030-01-31T18:00:00Z) or from now (+30m, 2h)"
_TIME_LEGAL = "an ISO 8601 time with its zone, such as 2030-01-31T18:00:00Z"
_DATE = re.compile(r"[0-9]{4}-")
LINE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
"""Neither control characters nor those that end a line or turn the direction of writing."""
_ADDRESS = re.compile(r"https?://[^\s/]+\S*|[^\s@/]+@[^\s@/]+")
_ONE_LINE = re.compile(LINE_PATTERN)


def moment(text: str, now: float) -> float:
    """Unix seconds of a deadline as written; relative ones count from `now` (Unix seconds).

    Raises `ValueError` with the legal forms.
    """
    if not _NUMBER.fullmatch(text.strip()):  # a bare number could be a date's Unix seconds
        with suppress(ValueError):
            return now + seconds(text.strip().removeprefix("+"))
    try:
        return _INSTANT.validate_python(_written(text.strip())).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no deadline; legal: {_DEADLINE_LEGAL}") from None


@overload
def instant(time: float) -> datetime: ...
@overload
def instant(time: float | None) -> datetime | None: ...
def instant(time: float | None) -> datetime | None:
    """Unix seconds as a UTC datetime, never later than `time`.

    Rounded down to the microsecond, so that a listing from a job's own moment on finds the job.
    """
    if time is None:
        return None
    whole = math.floor(time)
    part = int((time - whole) * 1e6)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=part)


def _width(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple) and len(value) == 2:
        value = "..".join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("width", "should be a whole number ≥ 1, or LOW..HIGH as text")
    try:
        low, high = parse_width(value)
    except InputError as error:
        raise ValueError(f"{error.message}; legal: {error.fields['width']}") from None
    if high > MAX_WIDTH:
        raise ValueError(f"width {value} is beyond {MAX_WIDTH} devices")
    return low, high


def _dotted(width: tuple[int, int]) -> int | str:
    low, high = width
    return low if low == high else f"{low}..{high}"


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is no size; legal: {_SIZE_LEGAL}")
    number, prefix, binary = match.groups()
    base = 1024 if binary else 1000
    power = " kmgtp".index(prefix.lower()) if prefix else 0
    return int(float(number) * base**power)


def _array(value: Any) -> Any:
    """`0-3,8` or `0-9:2`, as sbatch has them, or a list of indices."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, str):
        return value
    found: list[int] = []
    for part in value.split(","):
        match = _INDICES.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{value!r} names no indices; legal: {_ARRAY_LEGAL}")
        first, last, step = (int(text) if text else None for text in match.groups())
        assert first is not None
        if last is not None and last < first:
            raise ValueError(f"{part!r} ends before it begins; legal: {_ARRAY_LEGAL}")
        indices = range(first, (first if last is None else last) + 1, step or 1)
        if len(indices) > MAX_ARRAY:
            raise ValueError(f"{part!r} is more than {MAX_ARRAY} indices")
        found += indices
    return found


def at_once(job: Any) -> Any:
    """A job with `array: 0-99%4`, as sbatch has it, as one with `array: 0-99` and `parallel: 4`."""
    if not isinstance(job, Mapping) or job.get("parallel") is not None:
        return job
    array = job.get("array")
    indices, percent, most = array.rpartition("%") if isinstance(array, str) else ("", "", "")
    if not percent or not re.fullmatch(r"[1-9][0-9]{0,3}", most.strip()):
        return job
    return {**job, "array": indices, "parallel": int(most)}


def _distinct(values: tuple[int, ...]) -> tuple[int, ...]:
    if not values:
        raise ValueError(f"it names no index; legal: {_ARRAY_LEGAL}")
    if len(set(values)) < len(values):
        raise ValueError("an index stands twice")
    return values


def _duration(value: Any) -> Any:
    return seconds(value) if isinstance(value, str) else value


def _preference(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return PREFERENCES[value.casefold()]
    except KeyError:
        names = ", ".join(PREFERENCES)
        raise ValueError(f"{value!r} is none of {names} nor a number from 0 to 1") from None


def _deadline(value: str) -> str:
    moment(value, 0.0)
    return value.strip()


def _listed(value: Any) -> Any:
    """One alone is a list of one."""
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _reference(value: Any) -> int | str:
    """`"17"` is job 17."""
    found = int(value) if isinstance(value, str) and value.isdecimal() else value
    if isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= MAX_ID:
        return found
    if isinstance(found, str) and 1 <= len(found) <= 200:
        return one_line(found)
    raise PydanticCustomError("job", "should be a job's number ≥ 1, or its name")


def _once(values: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return tuple(dict.fromkeys(values))


def _address(text: str) -> str:
    """An address itself. Raises `ValueError` with the legal forms."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            f"{text!r} is no address; legal: https://HOST/PATH of a webhook, or NAME@DOMAIN"
        )
    return text


def _not_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "should be a number, not a boolean")
    return value


def one_line(text: str) -> str:
    """`text` itself; raises `ValueError` for what would break a line or hide part of it."""
    if not _ONE_LINE.fullmatch(storable(text)):
        raise ValueError(f"{text!r} holds control characters; legal: text on one line")
    return text


def _written(value: Any) -> Any:
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError(f"{value!r} is no time; legal: {_TIME_LEGAL}")
    return value


_INSTANT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)

Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
"""ISO 8601 with its zone; a bare number is refused, for it could be seconds or milliseconds."""
Line = Annotated[
    str,
    AfterValidator(one_line),
    Field(max_length=200, json_schema_extra={"pattern": LINE_PATTERN}),
]
"""Short text for people."""
JobNumber = Annotated[StrictInt, Field(ge=1, le=MAX_ID)]
Name = Line
"""A job's own name; need not be unique."""
PROJECT_PATTERN = pattern(
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
    "1 to 63 letters without accents, digits, '.', '_' and '-', a letter or digit first",
)
Project = Annotated[str, Field(pattern=PROJECT_PATTERN)]
VARIABLE_PATTERN = pattern(
    r"^[A-Za-z_][A-Za-z0-9_]{0,99}$",
    "1 to 100 letters without accents, digits and '_', no digit first, such as HF_TOKEN",
)
Variable = Annotated[str, Field(pattern=VARIABLE_PATTERN)]
"""Name of an environment variable, and of a secret."""
Secrets = Annotated[
    Mapping[Variable, Variable],
    Field(max_length=32),
    BeforeValidator(
        lambda value: {each: each for each in value} if isinstance(value, list | tuple) else value,
        json_schema_input_type=list[Variable] | dict[Variable, Variable],
    ),
]
"""Kept as variable → name of the secret."""
Device = Annotated[Line, Field(min_length=1)]
Devices = Annotated[
    tuple[Device, ...],
    Field(min_length=1, max_length=32),
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
"""Kept as a tuple of names."""
Width = Annotated[
    tuple[int, int],
    PlainValidator(_width),
    PlainSerializer(_dotted),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_WIDTH},
                {
                    "type": "string",
                    "pattern": r"^[0-9]+(\.\.[0-9]+)?$",
                },
            ]
        }
    ),
]
"""Kept as (fewest, most) devices."""
Memory = Annotated[
    int,
    Field(ge=0, le=MAX_BYTES),
    BeforeValidator(_bytes),
    BeforeValidator(_not_boolean),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MAX_BYTES},
                {
                    "type": "string",
                    "pattern": r"^[0-9.]+\s*[kKmMgGtTpP]?[iI]?[bB]?$",
                },
            ]
        }
    ),
]
"""Kept as bytes."""
Priority = Annotated[StrictInt, Field(ge=0, le=100)]
Preference = Annotated[
    float,
    Field(ge=0, le=1, allow_inf_nan=False),
    BeforeValidator(_preference),
    BeforeValidator(_not_boolean),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "enum": list(PREFERENCES)},
            ]
        }
    ),
]
"""Kept as a number: 0 cheapest … 1 fastest."""
Deadline = Annotated[str, Field(max_length=64), AfterValidator(_deadline)]
"""Kept as written; `moment` makes Unix seconds of it."""
Dollars = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False), BeforeValidator(_not_boolean)]
Duration = Annotated[
    float,
    Field(gt=0, le=CENTURY_S, allow_inf_nan=False),
    BeforeValidator(_duration),
    BeforeValidator(_not_boolean),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d)?)+$",
                },
            ]
        }
    ),
]
"""Kept as seconds."""
Reference = Annotated[
    int | str,
    PlainValidator(_reference),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_ID},
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                    "pattern": LINE_PATTERN,
                },
            ]
        }
    ),
]
Address = Annotated[
    Line,
    Field(
        min_length=3,
        json_schema_extra={"pattern": r"^(https?://[^\s/]+.*|[^\s@/]+@[^\s@/]+)$"},
    ),
    AfterValidator(_address),
]
"""Of a webhook or a person."""
Addresses = Annotated[
    tuple[Address, ...],
    Field(max_length=20),
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
After = Annotated[
    tuple[Reference, ...],
    Field(max_length=1000),
    AfterValidator(_once),
    BeforeValidator(_listed, json_schema_input_type=int | str | list[int | str]),
]
"""Job numbers, or names."""
Array = Annotated[
    tuple[Annotated[StrictInt, Field(ge=0, le=MAX_INDEX)], ...],
    Field(max_length=MAX_ARRAY),
    AfterValidator(_distinct),
    BeforeValidator(_array),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "pattern": r"^[0-9]+(-[0-9]+(:[1-9][0-9]*)?)?(,.+)?(%[1-9][0-9]*)?$",
                },
                {"type": "integer", "minimum": 0, "maximum": MAX_INDEX},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": MAX_INDEX},
                    "maxItems": MAX_ARRAY,
                },
            ]
        }
    ),
]
"""Kept as indices."""
