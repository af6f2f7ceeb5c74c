"""A service's part in a store that it may share with others."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.service.queries.views import LeaderView
from scheduler.service.sharing.arrivals import JobArrivals
from scheduler.service.sharing.follower_requests import FollowerRequests
from scheduler.store.sharing import SharedStore


class Sharing:
    """Hears followers while the service leads, and says who leads."""

    def __init__(
        self, store: SharedStore | None, arrivals: JobArrivals, post: Callable[..., None]
    ) -> None:
        """`store`: None if the service has its store to itself; then nothing here has an effect."""
        self._store = store
        self._requests = None if store is None else FollowerRequests(store, arrivals, post)

    def start(self) -> None:
        """Begin to hear followers."""
        if self._requests is not None:
            self._requests.start()

    def stop(self) -> None:
        """Leave what followers ask from now on to the next leader."""
        if self._requests is not None:
            self._requests.stop()

    def leader(self) -> LeaderView | None:
        """Who leads; None if there is no choice, or nobody has led yet. Raises `OutageError`."""
        found = None if self._store is None else self._store.leader()
        if self._store is None or found is None:
            return None
        return LeaderView(
            found.holder,
            found.address,
            found.epoch,
            follows=self._store.epoch != found.epoch,
            present=found.left_s > 0,
        )

    def announce(self, address: str) -> None:
        """Tell this service's URL to the others."""
        if self._store is not None:
            self._store.announce(address)

    def when_deposed(self, act: Callable[[str], None]) -> None:
        """Call `act` with a sentence if another service takes over from this one."""
        if self._store is not None:
            self._store.when_deposed(act)
