from __future__ import annotations

from scheduler.domain.errors import InvalidError


def test_an_errors_text_says_what_is_legal() -> None:
    error = InvalidError("no split 'x'", {"split": "train or test"})
    assert str(error) == "no split 'x' (split: train or test)"
    assert error.message == "no split 'x'"


def test_and_says_it_once() -> None:
    assert str(InvalidError("width: at least 1", {"width": "at least 1"})) == "width: at least 1"
