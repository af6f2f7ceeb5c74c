"""Policies of other distributions."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from scheduler.domain.errors import InputError
from scheduler.policies import lookup


@pytest.mark.parametrize(
    ("value", "problem"),
    [("no_such_module_here:Policy", "ModuleNotFoundError"), ("json:nothing", "AttributeError")],
)
def test_one_that_does_not_load_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    entry = EntryPoint("theirs", value, lookup.GROUP)
    monkeypatch.setattr(lookup, "entry_points", lambda group: (entry,))
    with pytest.raises(InputError, match=problem) as caught:
        lookup.named("theirs")
    assert value in caught.value.message
