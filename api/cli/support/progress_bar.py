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
"""Lines when the output is no terminal, beside one after each `QUIET_S` seconds without a line."""
QUIET_S = 30.0
FEWEST = 10
"""The time left is told after so many steps: the first ones take longer, as workers start."""
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
        self._begun = self._told = time.monotonic()
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
        now = time.monotonic()
        tenth = STEPS * done // self._total > STEPS * before // self._total
        if before == self._already or tenth or now - self._told >= QUIET_S:
            self._told = now
            self._console.print(f"{self._what}: {done} of {self._total}{self._times(now)}")

    def _times(self, now: float) -> str:
        """How long it took, and how long the rest will take."""
        took, steps = now - self._begun, self._done - self._already
        text = f" after {text_format.seconds(took)}"
        if self._done >= self._total or steps < min(FEWEST, self._total / STEPS):
            return text
        rest = took / steps * (self._total - self._done)
        return f"{text}, {text_format.seconds(rest)} left"
