from __future__ import annotations

from scheduler.domain.errors import InputError


def test_an_errors_text_says_what_is_legal() -> None:
    error = InputError("no split 'x'", {"split": "train or test"})
    assert str(error) == "no split 'x' (split: train or test)"
    assert error.message == "no split 'x'"


def test_and_says_it_once() -> None:
    assert str(InputError("width: at least 1", {"width": "at least 1"})) == "width: at least 1"
