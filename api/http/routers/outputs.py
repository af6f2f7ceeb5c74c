"""What a job's work has written: logs, metrics, artifacts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO

import anyio.to_thread
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from api.http import artifacts, log_stream, log_tail
from api.http.context import JobId, Route, answer, context_of
from api.http.openapi import responses
from api.http.routers.queries import Part
from api.schemas import ArtifactsOut, JobMetricsOut
from api.schemas.fields import instant
from scheduler import json_values, jsonlines
from scheduler.domain.errors import MissingError
from scheduler.domain.jobs import Job
from scheduler.files import regular
from scheduler.service.maintenance.disk_usage import MODELS, Kind
from scheduler.service.paths import Paths
from scheduler.store import codec
from scheduler.text import shown

AttemptNumber = Annotated[
    int | None, Query(ge=1, le=10**9, description="Of the job; default: the newest.")
]

router = APIRouter(route_class=Route, prefix="/v1", tags=["outputs"])


@router.get(
    "/jobs/{job_id:int}/logs",
    response_class=Response,
    responses=responses.logs(401, 404, 422, 503),
)
async def read_logs(
    request: Request,
    job_id: JobId,
    attempt: AttemptNumber = None,
    tail: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="The last lines only.")
    ] = None,
    follow: Annotated[
        bool, Query(description="Server-sent events: also `Accept: text/event-stream`.")
    ] = False,
    last_event_id: Annotated[
        str | None, Header(description="Take a broken stream up behind this event.")
    ] = None,
) -> Response:
    """Read the log of an attempt, or follow it.

    Followed, each line is a server-sent event with the id `ATTEMPT:BYTE`, the place behind it;
    the stream goes on over later attempts and closes with an `end` event once the job is final.
    """
    context = context_of(request)
    follow = follow or "text/event-stream" in request.headers.get("accept", "")
    job = await anyio.to_thread.run_sync(context.service.store.job, job_id)
    number = _attempt(job, attempt)
    path = context.service.folders.attempt(job_id, number) / "log.txt"
    await anyio.to_thread.run_sync(context.service.retention.require, job, Kind.LOGS, path)
    if not follow:
        return await anyio.to_thread.run_sync(_text, path, tail, number)
    if last_event_id:
        place = log_stream.Place.parse(last_event_id)
    else:
        offset = await anyio.to_thread.run_sync(log_stream.tail_place, path, tail) if tail else 0
        place = log_stream.Place(number, offset)
    stream = log_stream.Follow(
        place,
        lambda: context.service.store.job(job_id),
        lambda number: context.service.folders.attempt(job_id, number) / "log.txt",
        context.closing,
        context.waiting,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream.events(), headers=headers, media_type="text/event-stream")


@router.get(
    "/jobs/{job_id:int}/metrics",
    response_model=JobMetricsOut,
    responses=responses.of("metrics", 401, 404, 422, 503),
)
def read_metrics(
    request: Request,
    job_id: JobId,
    attempt: Annotated[
        int | None, Query(ge=1, le=10**9, description="Of the job; default: all.")
    ] = None,
    kind: Annotated[Part, Query(description="Lines with this `kind`.", examples=["epoch"])] = None,
    tail: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="The last lines of each attempt only.")
    ] = None,
) -> Response:
    """Read what the work has measured so far: loss, accuracy, images per second."""
    context = context_of(request)
    job = context.service.store.job(job_id)
    numbers = range(1, job.attempts + 1) if attempt is None else [_attempt(job, attempt)]
    if numbers:
        newest = context.service.folders.attempt(job_id, numbers[-1])
        context.service.retention.require(job, Kind.LOGS, newest / "metrics.jsonl")
    content = log_tail.blocks(_metrics(context.service.folders, job_id, numbers, kind, tail))
    return StreamingResponse(content, media_type="application/json")


@router.get(
    "/jobs/{job_id:int}/artifacts",
    response_model=ArtifactsOut,
    responses=responses.of("artifacts", 401, 404, 422, 503),
)
def list_artifacts(request: Request, job_id: JobId) -> Response:
    """List the files that a job left."""
    context = context_of(request)
    job = context.service.store.job(job_id)
    folder = context.service.folders.artifacts(job_id)
    kinds = (Kind.ARTIFACTS, Kind.MODELS)
    times = [time for kind in kinds if (time := context.service.retention.pruned(job, kind))]
    return answer(
        ArtifactsOut(
            artifacts=tuple(artifacts.list_files(folder)),
            pruned_at=instant(max(times, default=None)),
        )
    )


@router.get(
    "/jobs/{job_id:int}/artifacts/{name:path}",
    response_class=FileResponse,
    responses=responses.file(401, 404, 422, 503),
)
def fetch_artifact(
    request: Request,
    job_id: JobId,
    name: Annotated[str, Path(description="As listed.", examples=["model.pt"])],
) -> Response:
    """Fetch a file that a job left; parts of it with `Range`."""
    context = context_of(request)
    job = context.service.store.job(job_id)
    folder = context.service.folders.artifacts(job_id)
    kind = Kind.MODELS if name in MODELS else Kind.ARTIFACTS
    if artifacts.stays_below(name):
        context.service.outputs.bring(job_id, name)
        context.service.retention.require(job, kind, folder / name)
    path, figures, media_type = artifacts.find(folder, name)
    headers = {"X-Content-Type-Options": "nosniff"}
    return FileResponse(
        path, stat_result=figures, media_type=media_type, filename=shown(path.name), headers=headers
    )


def _attempt(job: Job, wanted: int | None) -> int:
    """The attempt meant; raises `MissingError`. A job that has none yet will begin with 1."""
    if wanted is None:
        return max(job.attempts, 1)
    if wanted > max(job.attempts, 1):
        raise MissingError(
            f"job {job.id} has no attempt {wanted}",
            {"attempt": f"1 … {job.attempts}" if job.attempts else "none has begun yet"},
        )
    return wanted


def _text(path: FilePath, tail: int | None, attempt: int) -> Response:
    """The file as it is now; one that grows meanwhile is told up to here."""
    headers = {"X-Content-Type-Options": "nosniff", "Fulcrum-Attempt": str(attempt)}
    try:
        with regular(path) as file:
            figures = os.fstat(file.fileno())
    except FileNotFoundError:
        return Response(b"", 200, headers, "text/plain; charset=utf-8")
    whole = [log_tail.Piece(0, figures.st_size)]
    pieces = whole if tail is None else log_tail.tail(path, tail)
    return StreamingResponse(
        log_tail.read(path, pieces), 200, headers, media_type="text/plain; charset=utf-8"
    )


def _metrics(
    folders: Paths, job_id: int, numbers: Sequence[int], kind: str | None, tail: int | None
) -> Iterator[bytes]:
    """The answer of `read_metrics`, piece by piece: no answer is held as a whole."""
    yield b'{"attempts":['
    for position, number in enumerate(numbers):
        yield b'%s{"attempt":%d,"lines":[' % (b"," if position else b"", number)
        path = folders.attempt(job_id, number) / "metrics.jsonl"
        with suppress(OSError), regular(path) as file:
            yield from _lines(file, kind, tail)
        yield b"]}"
    yield b"]}"


def _lines(file: BinaryIO, kind: str | None, tail: int | None) -> Iterator[bytes]:
    end = file.seek(0, 2)
    file.seek(_first(file, end, kind, tail) if tail else 0)
    comma = b""
    for line in jsonlines.lines(file):
        value = _measured(line, kind)
        if value is not None:
            yield comma + codec.dumps(json_values.plain(value)).encode()
            comma = b","
        if file.tell() >= end:
            return  # what was written since is for the next request


def _first(file: BinaryIO, end: int, kind: str | None, tail: int) -> int:
    """Bytes before the last `tail` lines of that kind."""
    start, found, stop = end, 0, end
    for start in log_tail.starts(file, end):
        length = stop - start
        if length <= jsonlines.MOST_BYTES:
            file.seek(start)
            found += _measured(file.read(length), kind) is not None
        if found == tail:
            break
        stop = start
    return start


def _measured(line: bytes, kind: str | None) -> dict[str, Any] | None:
    value = jsonlines.record(line)
    return value if value is not None and kind in (None, value.get("kind")) else None
