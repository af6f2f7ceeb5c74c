"""The problem document of every error (RFC 9457)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One wrong field."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Path of the field, header or parameter: `work.epochs`.")
    message: str = Field(description="What is wrong with it, and what is legal.")


class Problem(BaseModel):
    """What went wrong, for programs (`code`, `errors`) and for people (`title`, `detail`)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="URI reference of the kind of problem.")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable name of the kind of problem.")
    errors: tuple[FieldError, ...] = Field((), description="Every wrong field.")
    id: str | None = Field(None, description="Of the log entry, with status 500 only.")
