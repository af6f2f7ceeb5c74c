"""The time in which a service decides in plain Python because its functions are not compiled yet.

Plain Python gives the same decisions, slowly. What began in it also ends in it: a world whose
handle is the object itself is read by plain Python, whatever was compiled meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

USUAL_S: Final = 90.0
"""About so long a machine of today compiles all functions."""


@dataclass(slots=True)
class Interim:
    """Whether functions that are not loaded yet run as plain Python."""

    lasts: bool = False
    began_at: float | None = None
    """Monotonic seconds; None: there has been no such time in this process."""

    def begin(self) -> None:
        """From now on, functions that are not loaded yet run as plain Python."""
        self.lasts, self.began_at = True, time.monotonic()

    def end(self) -> None:
        """Functions are compiled: use them."""
        self.lasts = False

    def sentence(self) -> str:
        """What is going on, and for how long."""
        since = 0.0 if self.began_at is None else time.monotonic() - self.began_at
        return (
            f"decisions are being compiled (since {since:.0f} s; takes about {USUAL_S:.0f} s once)"
        )


INTERIM: Final = Interim()
"""Of this process."""
