"""A sweep of a service, as Python sees it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from api.client.errors import ClientError
from api.client.job import JobHandle
from api.client.transport import Transport

if TYPE_CHECKING:
    from api.schemas.groups.sweep_answers import SweepDetail, SweepOut, TrialOut

POLL_S = 1.0
"""Seconds between two looks of `wait`."""


class SweepFailed(ClientError):  # noqa: N818
    """A sweep that was waited for ended without a completed trial."""


class SweepTimeoutError(ClientError, TimeoutError):
    """A sweep did not end within the time given; it goes on."""

    def __init__(self, sweep: SweepHandle, timeout: float) -> None:
        super().__init__(f"sweep {sweep.id} is still {sweep.state} after {timeout:g} s")
        self.sweep = sweep


class SweepHandle:
    """One sweep; what it tells is as new as the last call."""

    def __init__(self, transport: Transport, info: SweepOut) -> None:
        self._transport = transport
        self.info = info
        """As the service told it last."""

    def __repr__(self) -> str:
        return f"<SweepHandle {self.id} {self.state}>"

    @property
    def id(self) -> int:
        """Its number."""
        return self.info.id

    @property
    def state(self) -> str:
        """RUNNING, CANCELLING, SUCCEEDED, FAILED or CANCELLED."""
        return self.info.state.value

    @property
    def succeeded(self) -> bool:
        """Whether it has ended, and a trial completed."""
        return self.state == "SUCCEEDED"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its jobs will probably not meet, as said when it was submitted."""
        return getattr(self.info, "warnings", ())

    @property
    def trials(self) -> tuple[TrialOut, ...]:
        """Its trials, the best first, read now."""
        return self.detail().listing

    @property
    def best(self) -> JobHandle | None:
        """The job of the best completed trial, read now; None before any has completed."""
        from api.schemas import JobDetail

        number = self.detail().best_job
        if number is None:
            return None
        answer = self._transport.get(f"/v1/jobs/{number}")
        return JobHandle(self._transport, JobDetail.model_validate(answer))

    def detail(self, *, curves: bool = False) -> SweepDetail:
        """The sweep with its trials, costs and what pruning saved, read now.

        `curves`: each trial has its `curve`, too, the epochs with their values of the metric.
        """
        from api.schemas.groups.sweep_answers import SweepDetail

        found = SweepDetail.model_validate(self._transport.get(self._path(), curves=curves or None))
        self.info = found
        return found

    def wait(self, timeout: float | None = None, *, check: bool = False) -> SweepHandle:
        """Return when it has ended; returns itself.

        Raises `SweepTimeoutError` after `timeout` seconds (the sweep goes on), and with `check`
        `SweepFailed` unless it succeeded.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.detail().final:
            left = POLL_S if end is None else end - time.monotonic()
            if left <= 0:
                raise SweepTimeoutError(self, timeout or 0.0)
            time.sleep(min(left, POLL_S))
        if check and not self.succeeded:
            raise SweepFailed(f"sweep {self.id} ended {self.state.lower()}: {self.info.reason}")
        return self

    def cancel(self, reason: str = "") -> SweepHandle:
        """Make no further trials and cancel the live ones; returns itself.

        Raises `ConflictError` if it has ended.
        """
        from api.schemas.groups.sweep_answers import SweepOut

        answer = self._transport.json(
            "POST", f"{self._path()}/cancel", json={"reason": reason}, safe=True
        )
        self.info = SweepOut.model_validate(answer)
        return self

    def _path(self) -> str:
        return f"/v1/sweeps/{self.id}"
