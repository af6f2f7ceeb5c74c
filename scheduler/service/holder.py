"""The service that answers now. A standby exchanges it when it takes over."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.service.service import Service


class ServiceHolder:
    """Starts and stops a service, and says which one answers."""

    def __init__(self, service: Service) -> None:
        self.current = service
        """Takes the requests from now on."""

    @property
    def leads(self) -> bool:
        """Whether the current service decides and launches."""
        return True

    @property
    def compiling(self) -> bool:
        """Whether a thread compiles functions; it goes on after `stop`."""
        return self.current.compiling

    def start(self) -> None:
        """Start the service; returns when it answers."""
        self.current.start()

    def stop(self) -> None:
        """Stop the service; attempts run on."""
        self.current.stop()

    def announce(self, address: str) -> None:
        """Tell the service's URL to the others that share its store."""
        self.current.sharing.announce(address)

    def when_leading(self, act: Callable[[], None]) -> None:
        """Call `act` as soon as the current service leads."""
        act()

    def when_deposed(self, act: Callable[[str], None]) -> None:
        """Call `act` with a sentence if another service takes over from this one."""
        self.current.sharing.when_deposed(act)
