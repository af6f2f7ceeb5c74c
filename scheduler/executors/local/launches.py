"""Launches: the spec is written to a file, and the fork server is told."""

from __future__ import annotations

import contextlib
import logging
import time

from scheduler.executors.base import LaunchSpec
from scheduler.executors.local import attempt_records
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord
from scheduler.executors.local.supervision.link import Link
from scheduler.executors.local.supervision.links import Links
from scheduler.executors.local.system import process
from scheduler.executors.local.watch import Watch
from scheduler.executors.silence import SilenceLimit
from scheduler.files import is_disk_full
from scheduler.logs import of_attempt
from scheduler.ownership.fences import SupersededError

_OFFER_AGAIN_S = 5.0
"""A launch that left no trace for so long is sent again."""
_FORGOTTEN = "lost: the service ended before the attempt had its secrets"
_log = logging.getLogger(__name__)


class Launches:
    """Begins attempts by way of `links`; what hangs for `patience_s` in their way is ended."""

    def __init__(self, links: Links, patience_s: float) -> None:
        self._links = links
        self._patience_s = patience_s

    def prepare(self, watch: Watch) -> ExitRecord | None:
        """Write the spec into its folder; the end of an attempt whose spec cannot be written.

        On a full disk `watch.spec` stays, to be tried again.
        """
        if watch.spec is None:
            return None
        try:
            attempt_records.prepare(watch.folder, watch.spec)
        except (OSError, TypeError) as error:
            if isinstance(error, OSError) and is_disk_full(error):
                watch.trouble = f"it cannot start yet: {error.strerror}"
                return None
            return ExitRecord(time.time(), f"could not start: {error}")
        except SupersededError as error:
            return ExitRecord(time.time(), f"lost: {error}", lost=True)
        watch.spec, watch.written, watch.trouble = None, watch.spec, ""
        return None

    def link(self, watch: Watch) -> Link:
        """The fork server that launches it."""
        spec = _written(watch)
        return self._links.main if spec is None else self._links.of(spec)

    def offer(self, watch: Watch) -> bool:
        """Whether the launch is in the hands of the fork server; sent now unless it was lately.

        Raises `OSError` if the claim cannot be written.
        """
        now = time.monotonic()
        if watch.offered_at is not None and now - watch.offered_at < _OFFER_AGAIN_S:
            return True
        link = self.link(watch)
        if not link.ready.is_set():
            return False
        ticket = claim.offer(watch.folder)
        if ticket is None:
            self._free(watch)
            return False
        watch.unclaimed = None
        if _lacks_secrets(watch):
            claim.settle(watch.folder, ExitRecord(time.time(), _FORGOTTEN, lost=True))
            return False
        message = {
            "launch": watch.attempt,
            "folder": str(watch.folder),
            "ticket": ticket,
            "secrets": dict(watch.secrets),
        }
        if not link.send(message):
            return False
        watch.offered_at = now
        return True

    def _free(self, watch: Watch) -> None:
        """End a supervisor that hangs between taking the attempt and saying so."""
        if files.ran(watch.folder):
            return
        watch.unclaimed = watch.unclaimed or SilenceLimit(self._patience_s)
        if watch.unclaimed.exhausted():
            watch.unclaimed = None
            pids = process.holders(watch.folder / claim.CLAIM)
            _log.error(
                "processes %s hang over attempt %s",
                pids,
                watch.attempt,
                extra=of_attempt(watch.attempt),
            )
            process.kill(pids)


def _lacks_secrets(watch: Watch) -> bool:
    """Whether an earlier service had the secrets of the spec, which no file holds."""
    spec = _written(watch)
    return not watch.secrets and spec is not None and bool(spec.secrets)


def _written(watch: Watch) -> LaunchSpec | None:
    """The spec as its file says; None if it is damaged: the worker fails with it and says so."""
    if watch.written is None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            watch.written = files.read_spec(watch.folder)
    return watch.written


def give_up(watch: Watch, error: str) -> bool:
    """End an attempt that the fork server cannot start; False if that is not possible now."""
    try:
        return claim.settle(watch.folder, ExitRecord(time.time(), f"could not start: {error}"))
    except OSError:  # a full disk or damage: it is offered or ended later
        return False
