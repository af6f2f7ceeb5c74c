"""What an encoding says of a placement that does not change while its job waits."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import (
    Columns,
)


@compiled
def describe(w: Columns, slot: int) -> None:
    """Write the columns of the rows of a job that has entered."""
