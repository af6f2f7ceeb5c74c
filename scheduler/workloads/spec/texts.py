"""Texts in the parameters of a job."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from scheduler.text import storable

Text = Annotated[
    str, AfterValidator(storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
"""Any text that can be stored."""
PathText = Annotated[Text, Field(min_length=1, max_length=4096)]
