"""Secrets of projects, without their values."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from api.schemas.answer import Answer


class SecretIn(BaseModel):
    """The value of a secret. Nothing ever answers with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Annotated[SecretStr, Field(min_length=1, max_length=16_384)]


class SecretOut(Answer):
    """A secret without its value, which nothing tells."""

    project: str
    name: str
    set_at: AwareDatetime
    set_by: str


class SecretsOut(Answer):
    """The secrets of one project or of all."""

    secrets: tuple[SecretOut, ...]
