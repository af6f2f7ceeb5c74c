"""Calls about sweeps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.client.sweeps.handle import SweepHandle
from api.client.transport import Transport, new_key

if TYPE_CHECKING:
    from api.schemas.groups.sweep_answers import SweepOut

_PAGE = 100


class SweepCalls:
    """The part of `Client` that is about sweeps."""

    _transport: Transport

    def submit_sweep(
        self,
        job: Mapping[str, Any] | str | Path | None = None,
        *,
        key: str | None = None,
        **fields: Any,
    ) -> SweepHandle:
        """Submit a sweep: a job file with `sweep:`, a mapping, or its fields.

        `client.submit_sweep(kind="cnn-train", work={"epochs": 5}, sweep={"parameters":
        {"work.learning_rate": {"log": [1e-4, 0.1]}}, "trials": 20})`. `key` as for `submit`.
        A deadline that cannot be met is in the sweep's `warnings`. Raises `InvalidError` naming
        each wrong field.
        """
        from api.schemas.groups.sweep_answers import SubmittedSweepOut

        body = self._body(job, fields)
        answer = self._transport.json("POST", "/v1/sweeps", json=body, key=key or new_key())
        return SweepHandle(self._transport, SubmittedSweepOut.model_validate(answer))

    def sweep(self, number: int) -> SweepHandle:
        """A sweep by its number. Raises `NotFoundError`."""
        from api.schemas.groups.sweep_answers import SweepDetail

        answer = self._transport.get(f"/v1/sweeps/{int(number)}")
        return SweepHandle(self._transport, SweepDetail.model_validate(answer))

    def sweeps(
        self,
        *,
        state: str | Sequence[str] = (),
        user: str | None = None,
        project: str | None = None,
        limit: int | None = None,
    ) -> Iterator[SweepHandle]:
        """Sweeps that match, newest first; pages are fetched as they are needed."""
        states = [state] if isinstance(state, str) else list(state)
        found = self._sweep_pages({"state": states, "user": user, "project": project})
        return itertools.islice((SweepHandle(self._transport, one) for one in found), limit)

    def _sweep_pages(self, filters: Mapping[str, Any]) -> Iterator[SweepOut]:
        from api.schemas.groups.sweep_answers import SweepPage

        cursor = None
        while True:
            answer = self._transport.get("/v1/sweeps", **filters, limit=_PAGE, cursor=cursor)
            page = SweepPage.model_validate(answer)
            yield from page.sweeps
            cursor = page.next_cursor
            if cursor is None:
                return

    def _body(self, job: Mapping[str, Any] | str | Path | None, fields: Mapping[str, Any]) -> Any:
        """The JSON of one job; see `Client`."""
        raise NotImplementedError
