"""Replays for a running service, each in a process of its own. Loads no simulator itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from agents.serving.learned_policy import SCHEME
from scheduler.domain.errors import OutageError
from scheduler.service.policy_control.replay_evaluation import Question, ReplayVerdict

GRACE_S = 300.0
"""Beyond the question's limit, for the workload that had been begun."""


class ReplayProcess:
    """`scheduler.service.policy_control.replay.Replay` by `python -m agents.evaluation.replay`."""

    def __init__(self, data_dir: Path, database: str | None) -> None:
        """`database`: URL of the store whose jobs are replayed; None: jobs are made up."""
        self._data_dir = data_dir
        self._database = database
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False

    def concerns(self, policy: str) -> bool:
        """Learned policies: what suits the clusters of their training may not suit this one."""
        return policy.partition(":")[0] == SCHEME

    def run(self, question: Question) -> ReplayVerdict:
        """See `Replay.run`."""
        asked = {
            "data_dir": str(self._data_dir),
            "database": self._database,
            "question": question.json(),
        }
        with self._lock:
            self._cancelled = False
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", "-m", "agents.evaluation.replay"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for the service, which cancels
            )
        try:
            told, wrong = process.communicate(json.dumps(asked), question.limit_s + GRACE_S)
        except subprocess.TimeoutExpired:
            raise OutageError(f"the replay took over {question.limit_s:.0f} s") from None
        finally:
            with self._lock:
                process.kill()
                process.wait()
                self._process = None
        if self._cancelled:
            raise OutageError("the replay was cancelled")
        if process.returncode:
            lines = wrong.strip().splitlines()
            raise OutageError(f"the replay failed: {lines[-1] if lines else 'no reason given'}")
        return ReplayVerdict.of(json.loads(told))

    def cancel(self) -> None:
        """See `Replay.cancel`."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()
