"""Settings of a wrong type are refused with their name, whatever interface they came through."""

import pytest

from agents.training.config import of
from scheduler.domain.errors import InputError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", "x"),
        ("learning_rate", None),
        ("steps", [1]),
        ("steps", True),
        ("steps", 1.5),
        ("alternatives", "sjf"),
        ("expert", 3),
        ("algo", 4),
        ("tensorboard", 1),
    ],
)
def test_a_wrong_type_is_refused_by_name(name, value):
    with pytest.raises(InputError, match=name) as caught:
        of({name: value})
    assert list(caught.value.fields) == [name]


def test_lists_from_json_are_tuples():
    assert of({"alternatives": ["sjf"], "preference": None}).alternatives == ("sjf",)
