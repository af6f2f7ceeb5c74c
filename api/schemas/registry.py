"""Answers about registered policies and scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from api.schemas.answer import Answer


class AuditEventOut(Answer):
    """Something that was done to one version of a policy."""

    at: str = Field(description="ISO 8601, UTC.")
    action: str = Field(description="`registered`, `promoted` or `refused`.")
    by: str = Field(description="User of the service's machine.")
    command: str
    forced: bool = Field(description="Promoted in spite of the test, or without one.")
    trial: Mapping[str, Any] | None = Field(description="The paired test that decided.")


class RegisteredPolicyOut(Answer):
    """A registered policy: what it is, how it was made, and what happened to it."""

    name: str = Field(description="Exactly this version: `learned:NAME@DIGEST`.")
    digest: str
    state: Literal["shipped", "candidate", "promoted"]
    active: bool = Field(description="Whether it decides now.")
    fault: str = Field(description="Why it cannot be used; empty if it can.")
    manifest: Mapping[str, Any] | None = Field(
        description="How it was trained; `evaluation` has its objective ÷ the baseline's on "
        "validation workloads, and that of each heuristic. null if the files are damaged."
    )
    history: tuple[AuditEventOut, ...] = Field(description="Oldest first.")


class ScenarioOut(Answer):
    """A scenario that comes with Fulcrum."""

    name: str
    version: int
    digest: str
    description: str


class ScenariosOut(Answer):
    """The scenarios that come with Fulcrum, by name."""

    scenarios: tuple[ScenarioOut, ...]
