"""What pydantic found wrong is told in ordinary English, with what is legal."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, Field, SecretStr, ValidationError

from scheduler.validation import pattern, wrong_fields

_WORDS = pattern(r"^[a-z]+$", "small letters")


class _Colour(Enum):
    RED = "red"
    BLUE = "blue"


class _Item(BaseModel):
    number: Annotated[int, Field(ge=1)] = 1


class _Every(BaseModel, extra="forbid"):
    count: Annotated[int, Field(ge=1, le=9)] = 1
    ratio: Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)] = 0.1
    flag: bool = True
    text: Annotated[str, Field(min_length=2, max_length=4)] = "abc"
    words: Annotated[str, Field(pattern=_WORDS)] = "abc"
    undescribed: Annotated[str, Field(pattern="^x")] = "x"
    secret: Annotated[SecretStr, Field(min_length=1)] = SecretStr("x")
    items: Annotated[tuple[_Item, ...], Field(min_length=1, max_length=2)] = (_Item(),)
    table: dict[str, int] = {}
    mode: Literal["fast", "slow"] = "fast"
    colour: _Colour = _Colour.RED
    when: AwareDatetime | None = None


def _wrong(*, quote: bool = False, **values: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        _Every(**values)
    return wrong_fields(caught.value.errors(include_url=False), _Every, quote=quote)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("count", 0, "should be at least 1"),
        ("count", 10, "should be at most 9"),
        ("count", "x", "should be a whole number"),
        ("count", 1.5, "should be a whole number"),
        ("ratio", 0, "should be more than 0"),
        ("ratio", 3, "should be less than 0.5"),
        ("ratio", float("inf"), "should be a finite number"),
        ("ratio", "x", "should be a number"),
        ("flag", "perhaps", "should be true or false"),
        ("text", 3, "should be text"),
        ("text", "a", "should have at least 2 characters, not 1"),
        ("text", "abcde", "should have at most 4 characters, not 5"),
        ("words", "A B", "should be small letters"),
        ("undescribed", "y", "should be text that matches ^x"),
        ("secret", "", "should not be empty"),
        ("items", (), "should not be empty"),
        ("items", [{}] * 3, "should have at most 2 items, not 3"),
        ("items", 3, "should be a list"),
        ("table", 3, "should be a table"),
        ("mode", "fest", "unknown value 'fest'; did you mean 'fast'? legal: fast, slow"),
        ("colour", "green", "unknown value 'green'; legal: red, blue"),
        ("when", "2030-01-31T18:00:00",
         "should be a time with its zone, such as 2030-01-31T18:00:00Z"),
        ("when", "soon", "should be an ISO 8601 time, such as 2030-01-31T18:00:00Z"),
        ("modes", "fast", "unknown field; did you mean 'mode'? legal: count, ratio, flag, text, "
         "words, undescribed, secret, items, table, mode, colour, when"),
    ],
)  # fmt: skip
def test_each_error_says_what_is_legal(field: str, value: Any, words: str) -> None:
    assert _wrong(**{field: value}) == {field: words}


def test_in_files_a_message_ends_with_the_value() -> None:
    assert _wrong(quote=True, count=0) == {"count": "should be at least 1, not 0"}


def test_a_list_with_a_wrong_item_is_not_called_empty() -> None:
    assert _wrong(items=[{"number": 0}]) == {"items.0.number": "should be at least 1"}
