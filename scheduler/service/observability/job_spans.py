"""The way of each job as an OpenTelemetry trace, by the extra `otel`.

    job ─┬─ wait      submitted (or queued again) → placed; its event `decided` says who chose it
         ├─ attempt ─┬─ start   placed → started
         │           └─ run     started → ended
         └─ wait, attempt …     of later attempts

A trace is sent when its job ends, made of the whole history of the job, so a restart of the service
loses no part of it. The variables of OpenTelemetry configure it: OTEL_EXPORTER_OTLP_ENDPOINT and
the others that its SDK knows. Without an endpoint nothing is imported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.store.base import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""One of these variables says where traces go."""
_ENDS_ATTEMPT = frozenset(
    {
        EventName.SUCCEEDED,
        EventName.FAILED,
        EventName.RETRIED,
        EventName.LOST,
        EventName.PREEMPTED,
        EventName.CANCELLED,
    }
)
_log = logging.getLogger(__name__)


def configured(environment: Mapping[str, str] = os.environ) -> TracerProvider | None:
    """Where traces are sent, by the variables of OpenTelemetry; None: nowhere."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or not any(environment.get(name) for name in ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        _log.warning(
            "%s is set, but no trace is sent: install fulcrum-scheduler[otel]",
            next(name for name in ENDPOINTS if environment.get(name)),
        )
        return None
    name = environment.get("OTEL_SERVICE_NAME", "fulcrum")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class JobSpans:
    """Sends the trace of each job that ends."""

    def __init__(self, store: Store, provider: TracerProvider) -> None:
        self._store, self._provider = store, provider
        self._tracer = provider.get_tracer("fulcrum")

    def told(self, event: Event, job: Job, attempt: Attempt | None) -> None:
        """Send the trace if the job has ended."""
        if not event.after.final:
            return
        history = self._store.events(job.id)
        attempts = {one.number: one for one in self._store.attempts(job.id)}
        self._send(job, history, attempts)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _send(self, job: Job, history: Sequence[Event], attempts: Mapping[int, Attempt]) -> None:
        # Somebody may have set the clock: no span ends before it begins.
        root = self._span("job", history[0].time, None, _of_job(job))
        queued_at = history[0].time
        placed: Event | None = None
        started_at: float | None = None
        for event in history:
            if event.name is EventName.PLACED:
                wait = self._span("wait", queued_at, root, {})
                wait.add_event("decided", {"reason": event.reason}, _ns(event.time))
                wait.end(_ns(max(event.time, queued_at)))
                placed, started_at = event, None
            elif event.name is EventName.STARTED:
                started_at = event.time
            elif event.name in _ENDS_ATTEMPT and placed is not None:
                attempt = attempts.get(placed.attempt or 0)
                self._attempt(root, attempt, placed.time, started_at, event)
                placed, queued_at = None, event.time
            else:
                said = {"actor": event.actor, "reason": event.reason}
                root.add_event(event.name.value, said, _ns(event.time))
        if placed is None and not job.attempts:
            self._span("wait", queued_at, root, {}).end(_ns(max(history[-1].time, queued_at)))
        _judge(root, failed=job.state is JobState.FAILED, reason=job.reason)
        root.end(_ns(max(history[-1].time, history[0].time)))

    def _attempt(
        self,
        root: Span,
        attempt: Attempt | None,
        placed_at: float,
        started_at: float | None,
        end: Event,
    ) -> None:
        ended_at = max(end.time, placed_at)
        span = self._span("attempt", placed_at, root, {} if attempt is None else _of(attempt))
        begun = ended_at if started_at is None else min(max(started_at, placed_at), ended_at)
        self._span("start", placed_at, span, {}).end(_ns(begun))
        if started_at is not None:
            self._span("run", begun, span, {}).end(_ns(ended_at))
        good = end.name in (EventName.SUCCEEDED, EventName.CANCELLED, EventName.PREEMPTED)
        _judge(span, failed=not good, reason=end.reason)
        span.set_attribute("fulcrum.attempt.end", end.name.value)
        span.end(_ns(ended_at))

    def _span(
        self, name: str, start: float, parent: Span | None, values: Mapping[str, AttributeValue]
    ) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = Context() if parent is None else set_span_in_context(parent, Context())
        return self._tracer.start_span(name, context, attributes=values, start_time=_ns(start))


def _of_job(job: Job) -> dict[str, AttributeValue]:
    return {
        "fulcrum.job.id": job.id,
        "fulcrum.job.name": job.spec.name,
        "fulcrum.job.kind": job.spec.kind.value,
        "fulcrum.job.user": job.spec.user,
        "fulcrum.job.project": job.spec.project,
        "fulcrum.job.priority": job.spec.priority,
        "fulcrum.job.state": job.state.value,
        "fulcrum.job.attempts": job.attempts,
    }


def _of(attempt: Attempt) -> dict[str, AttributeValue]:
    return {
        "fulcrum.attempt.number": attempt.number,
        "fulcrum.attempt.pool": attempt.pool,
        "fulcrum.attempt.devices": len(attempt.devices),
        "fulcrum.attempt.nodes": tuple(attempt.nodes),
        "fulcrum.attempt.estimated_s": attempt.estimate.runtime_s,
        "fulcrum.attempt.dollars": attempt.dollars,
        "fulcrum.attempt.joules": attempt.joules,
    }


def _judge(span: Span, *, failed: bool, reason: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, reason) if failed else Status(StatusCode.OK))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
