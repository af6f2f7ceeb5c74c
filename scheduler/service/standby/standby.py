"""A service that follows until the leader ends, and leads from then on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from scheduler.service.holder import ServiceHolder
from scheduler.service.service import Service
from scheduler.service.standby.follower import FollowerService
from scheduler.store.sharing import SharedStore

LOOK_S = 0.2
"""Seconds between two looks whether the leader is still there."""
RETRY_S = 5.0
"""Pause after a take-over that failed, so that another service can try."""
_log = logging.getLogger(__name__)


class Standby(ServiceHolder):
    """Follows, takes over, and leads; requests are answered all the time.

    The follower answers while the leader's parts are built and reconciled, then the new service
    does. `build` makes that service, which is not started yet, over the follower's store.
    """

    def __init__(
        self, follower: FollowerService, store: SharedStore, build: Callable[[], Service]
    ) -> None:
        super().__init__(follower)
        self._follower = follower
        self._store = store
        self._build = build
        self._leads = False
        self._act: Callable[[], None] | None = None
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether the current service decides and launches."""
        return self._leads

    @property
    def compiling(self) -> bool:
        """Whether a thread compiles functions; it goes on after `stop`."""
        return self._follower.compiling or self.current.compiling

    def start(self) -> None:
        """Follow; if no service leads, this one does when `start` returns."""
        self._follower.start()
        if self._store.lead():
            self._take_over()
        else:
            self._thread.start()

    def stop(self) -> None:
        """Stop; if it leads, a follower takes over at once."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._follower.stop()
        if self._leads:
            self.current.stop()

    def when_leading(self, act: Callable[[], None]) -> None:
        """See `ServiceHolder.when_leading`."""
        with self._changing:
            if not self._leads:
                self._act = act
                return
        act()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                if self._store.lead():
                    self._take_over()
                    return
            except Exception:
                _log.exception("this service could not take over, it goes on following")
                self._store.resign()
                self._stopping.wait(RETRY_S)

    def _take_over(self) -> None:
        begun = time.monotonic()
        service = self._build()
        service.start()
        with self._changing:
            self.current, self._leads = service, True
            act = self._act
        self._follower.hand_over(service)
        if act is not None:
            act()
        _log.warning(
            "this service leads in epoch %s, ready after %.2f s",
            self._store.epoch,
            time.monotonic() - begun,
        )
