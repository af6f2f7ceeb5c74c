"""How the dispatcher's steps go, for health checks and the log."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from scheduler.domain.errors import OutageError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class StepRecord:
    """The present step, and the failures since the last step that did not fail."""

    busy_since: float | None = None
    """Monotonic seconds at which the present step began; None between steps."""
    failures: int = 0
    """Steps that failed in a row."""
    error: str = ""
    """Why the last of these failed."""
    _logged: str = field(default="", init=False)

    def begin(self) -> None:
        """A step begins."""
        self.busy_since = time.monotonic()

    def succeed(self) -> None:
        """The step ended well."""
        self.failures, self.busy_since, self._logged = 0, None, ""

    def fail(self, error: Exception) -> None:
        """The step failed. Log it: an outage in one sentence, and only once while it lasts."""
        if not isinstance(error, OutageError):
            _log.error("a scheduling step failed; it is tried again", exc_info=error)
        elif error.message != self._logged:
            self._logged = error.message
            _log.error("nothing is scheduled: %s", error.message)
        self.failures, self.error = self.failures + 1, f"{type(error).__name__}: {error}"
        self.busy_since = None
