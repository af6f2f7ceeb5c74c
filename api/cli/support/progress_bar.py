"""Progress of a long command: a bar on a terminal, else a line for each tenth."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from api.cli.support import text_format

STEPS = 10
"""Lines in all when the output is no terminal."""
PERIOD_S = 3600
"""The time left is estimated from the steps in this many last seconds; one may take minutes."""


class ProgressBar:
    """Counts steps of about equal length; use it as a context."""

    def __init__(self, what: str, total: int, console: Console, *, already: int = 0) -> None:
        """`total`: number of steps; 0 if `reach` tells it later."""
        self._what = what
        self._total = total
        self._already = already
        self._done = already
        self._console = console
        self._begun = time.monotonic()
        self._bar: Bar | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._already:
            self._console.print(
                f"[dim]{self._what}: {self._already} of {self._total} are there already[/]"
            )
        if self._console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
                speed_estimate_period=PERIOD_S,
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self._what, total=self._total or None, completed=self._already
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self) -> None:
        """Count one more step."""
        self.reach(self._done + 1)

    def reach(self, done: int, total: int = 0) -> None:
        """Set the number of steps done; a lower number has no effect. `total`: 0 if it is known."""
        if total and total != self._total:
            self._total = total
            if self._bar is not None:
                self._bar.update(self._task, total=total)
        before = self._done
        if done <= before:
            return
        self._done = done
        if self._bar is not None:
            self._bar.advance(self._task, done - before)
            return
        # The first tells how long it will take.
        first = before == self._already
        if first or STEPS * done // self._total > STEPS * before // self._total:
            took = time.monotonic() - self._begun
            rest = took / (self._done - self._already) * (self._total - self._done)
            left = f", {text_format.seconds(rest)} left" if self._done < self._total else ""
            self._console.print(
                f"{self._what}: {self._done} of {self._total} "
                f"after {text_format.seconds(took)}{left}"
            )
