"""What a check of `fulcrum doctor` finds, and what is checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class CheckResult(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works, but not as well as it could."""
    FAIL = "fail"
    """Something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    name: str
    verdict: CheckResult
    text: str
    advice: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    url: str | None
    data: Path | None
