"""A last line on the terminal that shows how far a job is."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from api.cli.views.log_lines import print_log_line
from api.cli.views.run_progress import brief
from api.client import ClientError

if TYPE_CHECKING:
    from api.client import JobHandle

EVERY_S = 1.0
"""Between two questions while nothing is printed."""
LEAST_S = 0.25
"""Between two questions in any case."""


class StatusLine:
    """Keeps one line below what is printed up to date, while a job runs.

    It asks the service from a thread of its own, once a second and after each line. Without a
    terminal it shows nothing and asks for nothing.
    """

    def __init__(self, job: JobHandle, console: Console) -> None:
        self._job = job
        self._console = console
        self._closed = threading.Event()
        self._printed = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live = self._stack.enter_context(live)
            thread = threading.Thread(target=self._follow, name="status line", daemon=True)
            self._stack.callback(thread.join)
            self._stack.callback(self._printed.set)
            self._stack.callback(self._closed.set)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def print(self, line: str) -> None:
        """Print a line of the log above it, and soon ask again: it may tell of progress."""
        print_log_line(line, self._console)
        self._printed.set()

    def _follow(self) -> None:
        while not self._closed.is_set():
            text = Text("")
            with suppress(ClientError):  # the next look may succeed
                run = self._job.progress()
                if run is not None:
                    text = Text(f"job {self._job.id}: {brief(run)}", style="dim", no_wrap=True)
            self._live.update(text, refresh=True)
            self._closed.wait(LEAST_S)
            self._printed.wait(EVERY_S - LEAST_S)
            self._printed.clear()
