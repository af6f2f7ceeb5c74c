"""Folders of jobs and attempts, made before any node hears of a launch."""

from __future__ import annotations

import logging
import time

from scheduler.executors.base import Exited, LaunchSpec
from scheduler.logs import of_attempt
from scheduler.ownership import fences, marks

_log = logging.getLogger(__name__)


def take(spec: LaunchSpec) -> Exited | None:
    """Make the attempt the owner of its job's folder; how it ended if a newer one is."""
    try:
        marks.claim(spec.shared, spec.job_nonce)
        if len(spec.parts) > 1:  # before its nodes do it at the same moment
            marks.claim(spec.folder, spec.nonce)
        fences.take(spec.shared, spec.attempt, spec.nonce)
    except fences.SupersededError as error:
        now = time.time()
        return Exited(spec.attempt, now, f"lost: {error}", success=False, lost=True)
    except OSError as error:  # its nodes meet the same, and say so
        _log.warning(
            "attempt %s cannot be marked as the newest yet: %s",
            spec.attempt,
            error,
            extra=of_attempt(spec.attempt),
        )
    return None
