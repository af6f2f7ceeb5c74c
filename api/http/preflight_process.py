"""Checks of work on policies, each in another process: the service loads no simulator."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.policy_jobs import Task
from scheduler.domain.errors import (
    FulcrumError,
    InfeasibleError,
    InputError,
    MissingError,
    OutageError,
    StateError,
)

LIMIT_S = 240.0
AT_ONCE = 2
"""Checks that run at the same time."""
WAIT_S = 20.0
"""A further check waits so long and is then refused: waiting requests must not use all threads."""
_ERRORS: Mapping[str, type[FulcrumError]] = {
    kind.code: kind for kind in (InputError, InfeasibleError, MissingError, StateError, OutageError)
}


@dataclass(slots=True)
class Preflight:
    """Asks `python -m api.preflight`."""

    _slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))
    _scenarios: Sequence[Mapping[str, Any]] | None = None

    def command(self, task: Task, asked: Mapping[str, Any], **about: str) -> list[str]:
        """The words of the command that does what is asked; raises what it would refuse at once.

        `about` names the policy, or the folder in which the work leaves its files.
        """
        words: list[str] = self._ask(task.value, asked=asked, **about)
        return words

    def scenarios(self) -> Sequence[Mapping[str, Any]]:
        """The scenarios that come with Fulcrum; they are asked for once."""
        if self._scenarios is None:
            self._scenarios = self._ask("scenarios")
        return self._scenarios

    def _ask(self, question: str, **arguments: Any) -> Any:
        if not self._slots.acquire(timeout=WAIT_S):
            raise OutageError("other requests about policies are being checked; try again later")
        try:
            process = subprocess.run(
                [sys.executable, "-P", "-m", "api.preflight"],
                input=json.dumps({"question": question, **arguments}),
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
                start_new_session=True,  # Ctrl-C is for the service
            )
        except subprocess.TimeoutExpired:
            raise OutageError(f"the check took over {LIMIT_S:.0f} s") from None
        finally:
            self._slots.release()
        if process.returncode:
            lines = process.stderr.strip().splitlines()
            raise OutageError(f"the check failed: {lines[-1] if lines else 'no reason given'}")
        told = json.loads(process.stdout)
        if "error" in told:
            error = told["error"]
            raise _ERRORS.get(error["code"], InputError)(error["message"], error["fields"])
        return told["answer"]
