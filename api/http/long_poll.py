"""Requests that wait for a job to change."""

from __future__ import annotations

import anyio
import anyio.to_thread

from api.http.context import AppContext

MOST_WAIT_S = 30.0
SLICE_S = 0.5
"""A waiting request looks this often whether the server stops."""


async def changed(context: AppContext, job_id: int, version: int | None, wait_s: float) -> None:
    """Return when the job has changed or ended, the time is over, or the server stops."""
    if version is None:
        job = await anyio.to_thread.run_sync(context.service.store.job, job_id)
        version = job.version
    until = anyio.current_time() + wait_s
    while (left := until - anyio.current_time()) > 0 and not context.closing.is_set():
        if not context.waiting.available_tokens:
            return  # too many wait: the client asks again, which only costs more
        job = await anyio.to_thread.run_sync(
            context.service.wait_for_change,
            job_id,
            version,
            min(left, SLICE_S),
            limiter=context.waiting,
        )
        if job.version > version or job.state.final:
            return
