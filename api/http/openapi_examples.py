"""Examples in the OpenAPI document: made of real values, so they cannot fall behind the models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from api.http.errors.problems import MEDIA_TYPE, STATUS, TITLES
from api.schemas import (
    ArtifactOut,
    ArtifactsOut,
    CancelledOut,
    ClusterOut,
    CostsOut,
    ErrorOut,
    EstimatesOut,
    EventOut,
    EventPage,
    ExplanationOut,
    HealthOut,
    JobBatchOut,
    JobDetail,
    JobMetricsOut,
    JobOut,
    JobPage,
    JobUsageOut,
    MeasurementOut,
    MetricsOut,
    OutlookOut,
    PlanOut,
    PoliciesOut,
    PolicyOut,
    PolicySummary,
    PreferencesOut,
    ProofOut,
    PrunedOut,
    PruneOut,
    UsageOut,
)
from api.schemas.fields import instant
from scheduler.decisions.rounds.explanation import Alternative
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Estimate, Job, JobKind, JobSpec, Profile
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.pools import Pool
from scheduler.domain.records import Cost, Decision, Measurement, Row
from scheduler.domain.resources import DeviceKind, Request
from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation, ReplayVerdict
from scheduler.service.policy_control.views import ActivePolicyView
from scheduler.service.queries.views import ClusterView, DeviceView, Explanation, Outlook, PoolView

Responses = dict[int | str, dict[str, Any]]

_T = 1_767_261_600.0
_POOL = Pool("cpu", DeviceKind.CPU, "AMD EPYC 7B13", 2, dollars_per_device_hour=0.04)
_SPEC = JobSpec(
    kind=JobKind.CNN_TRAIN,
    work={"model": "simple-cnn", "dataset": "digits", "epochs": 10},
    profile=Profile("cnn-train:simple-cnn:8:32:digits", 12930.0, 3.6e6),
    name="digits",
    user="ada",
    project="vision",
    request=Request(("cpu", "cuda"), 1, 2),
    deadline=_T + 3600,
)
_ESTIMATE = Estimate(runtime_s=24.0, dollars=0.00027, joules=360.0, source="history")
_ATTEMPT = Attempt(
    job=17,
    number=1,
    state=AttemptState.SUCCEEDED,
    pool="cpu",
    devices=(0,),
    estimate=_ESTIMATE,
    memory_bytes=0,
    placed_at=_T + 2,
    started_at=_T + 2.1,
    finished_at=_T + 25,
    pid=4711,
    exit_reason="exit code 0",
    dollars=0.00025,
    joules=343.5,
    result={"accuracy": 0.981},
)
_QUEUED = Job(17, _SPEC, JobState.QUEUED, "waiting", _T)
_DONE = Job(
    17,
    _SPEC,
    JobState.SUCCEEDED,
    "exit code 0",
    _T,
    version=3,
    attempts=1,
    started_at=_T + 2.1,
    finished_at=_T + 25,
)
_FAULTS = {"failed": 0, "infeasible": 0, "nan": 0, "slow": 0, "idle": 0}
_POLICY = ActivePolicyView("priority", "easy", 0.5, faults=_FAULTS, nominee="priority")
_FITTED = ActivePolicyView(
    "learned:fulcrum",
    "greedy",
    0.5,
    faults=_FAULTS,
    nominee="learned:fulcrum",
    evaluation=ReplayEvaluation(
        state="done",
        why="start",
        nominee="learned:fulcrum",
        rival="wgc",
        preference=0.5,
        pools="3f9a0c1d2e4b",
        time=_T,
        better="learned:fulcrum",
        ahead="learned:fulcrum",
        verdict=ReplayVerdict(
            "history",
            "812 jobs of this cluster",
            8,
            808,
            1.92,
            2.04,
            -0.059,
            -0.08,
            -0.036,
            median=-0.055,
            won=7,
            lost=1,
            shown=True,
            utilisation=0.81,
            queue_mean=6.4,
            queue_max=41.0,
            waiting=0.38,
            seconds=41.0,
        ),
    ),
)
_ROW = Row(17, "cpu", 1, 50.0, {"runtime": 24.0, "dollars": 0.00027, "preference": 0.5})
_DECISION = Decision(
    _T + 2, 17, 1, "priority", "start", 2, _ROW, (), "priority: best of 1 job, starts on cpu × 1"
)
_EVENTS = (
    Event(17, EventName.SUBMITTED, _T, "ada", seq=41),
    Event(17, EventName.PLACED, _T + 2, "scheduler", "on cpu × 1", 1, JobState.QUEUED,
          JobState.STARTING, seq=42),
)  # fmt: skip

ANSWERS: dict[str, BaseModel] = {
    "job": JobOut.of(_QUEUED),
    "batch": JobBatchOut(jobs=(JobOut.of(_QUEUED),)),
    "page": JobPage(jobs=(JobOut.of(_QUEUED),), next_cursor="am9iOjE3"),
    "detail": JobDetail.with_attempts(_DONE, [_ATTEMPT]),
    "cancelled": CancelledOut(count=2, jobs=(18, 17), passed_over=()),
    "events": EventPage(events=tuple(map(EventOut.of, _EVENTS)), next_after=42),
    "plan": PlanOut(
        outlooks=(
            OutlookOut.of(Outlook("fast", "cpu", 2, 0.0, 14.0, 3.1e-4, 420.0, "history", True)),
            OutlookOut.of(Outlook("balanced", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
            OutlookOut.of(Outlook("cheap", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
        )
    ),
    "explanation": ExplanationOut.of(
        Explanation(
            _QUEUED,
            "devices",
            "waits for 1 of 2 cpu devices, 0 free; job 16 ends in about 40 s",
            position=1,
            depth=3,
            start=_T + 40,
            end=_T + 64,
            pool="cpu",
            width=1,
            dollars=0.00027,
            blockers=(16,),
            alternatives=(Alternative("cpu", 2, 80.0, 14.0, 0.00031, 0.58),),
            decisions=(_DECISION,),
        )
    ),
    "metrics": JobMetricsOut(
        attempts=(
            MetricsOut(
                attempt=1,
                lines=({"time": _T + 5, "kind": "epoch", "epoch": 1, "train_loss": 0.61},),
            ),
        )
    ),
    "artifacts": ArtifactsOut(
        artifacts=(
            ArtifactOut(
                name="model.pt",
                size=204_800,
                modified_at=instant(_T + 24),
                media_type="application/octet-stream",
            ),
        )
    ),
    "cluster": ClusterOut.of(
        ClusterView(
            _T,
            (PoolView(_POOL, (DeviceView(0, "0", 17), DeviceView(1, "1", None)), 0),),
            queued=3,
            active=1,
            policy=_POLICY,
        )
    ),
    "preferences": PreferencesOut(cluster=0.5, projects={"vision": 1.0}),
    "fit": PolicyOut.of(_FITTED),
    "policies": PoliciesOut(
        active=PolicyOut.of(_POLICY),
        policies=(
            PolicySummary(name="fcfs", summary="First come, first served.", active=False),
            PolicySummary(name="priority", summary="Greater priority first.", active=True),
            PolicySummary(
                name="learned:our-lab@3f9a0c1d2e4b",
                summary="learned on our-lab, 300,000 decisions, 0.962 of wgc's objective on "
                "validation",
                active=False,
                state="promoted",
            ),
        ),
    ),
    "policy": PolicyOut.of(_POLICY),
    "schedule": PolicySummary.tuned("our-lab"),
    "costs": CostsOut.of("user", [Cost("ada", 12, 14, 5400.0, 0.06, 81_000.0)]),
    "estimates": EstimatesOut(
        by="source",
        errors=(ErrorOut(group="all", count=12, median_error=0.07, p90_error=0.21, bias=0.02),),
        measurements=(
            MeasurementOut.of(
                Measurement(
                    17, 1, _T + 25, _SPEC.profile.key, "cpu", _POOL.model, 1, 12930.0, 22.9, 1.1,
                    24.0, "history",
                )
            ),
        ),
    ),
    "proof": ProofOut(proof="9c" * 32),
    "health": HealthOut(status="ok"),
    "usage": UsageOut(
        bytes=3_400_000_000,
        free=812_000_000_000,
        kinds={
            "logs": 200_000_000, "checkpoints": 3_000_000_000, "artifacts": 0,
            "models": 190_000_000, "other": 1_000_000, "database": 9_000_000,
        },
        users={"ada": 3_391_000_000},
        projects={"vision": 3_391_000_000},
        jobs=(
            JobUsageOut(
                job=17, kind=JobKind.CNN_TRAIN, name="digits", user="ada", project="vision",
                state=JobState.FAILED, bytes=3_000_400_000,
                kinds={"checkpoints": 3_000_000_000, "logs": 400_000},
            ),
        ),
    ),
    "prune": PruneOut(
        dry_run=True,
        bytes=3_000_000_000,
        count=1,
        items=(PrunedOut(job=17, kind="checkpoints", bytes=3_000_000_000),),
        failed=(),
        more=False,
    ),
}  # fmt: skip

JOBS: dict[str, Any] = {
    "train": {
        "summary": "Train on the handwritten digits",
        "value": {
            "kind": "cnn-train",
            "name": "digits",
            "work": {"model": "simple-cnn", "dataset": "digits", "epochs": 10},
            "width": "1..2",
            "deadline": "+30m",
            "preference": "balanced",
        },
    },
    "infer": {
        "summary": "Classify a folder with the model of job 17",
        "value": {"kind": "cnn-infer", "work": {"models": [17], "data": "folder:/data/inbox"}},
    },
    "command": {
        "summary": "Run any program",
        "value": {
            "kind": "command",
            "work": {"argv": ["python", "train.py", "--epochs", "3"], "cwd": "/home/ada/project"},
            "devices": ["cuda"],
            "memory": "4GiB",
            "max_duration": "2h",
            "retry": {"max_attempts": 3},
        },
    },
}
BATCHES: dict[str, Any] = {
    "train-and-infer": {
        "summary": "Train, then classify with the result",
        "value": {
            "jobs": [
                {"kind": "cnn-train", "name": "digits", "work": {"epochs": 10}},
                {"kind": "cnn-infer", "work": {"models": ["digits"], "data": "digits:test"}},
            ]
        },
    }
}
UPDATES: dict[str, Any] = {
    "urgent": {"value": {"priority": 90, "preference": "fast", "deadline": "+2h"}}
}
CANCELS: dict[str, Any] = {"reason": {"value": {"reason": "wrong learning rate"}}}
CANCEL_JOBS: dict[str, Any] = {
    "queued": {"summary": "What waits of a project",
               "value": {"state": ["QUEUED"], "project": "vision", "reason": "wrong data"}},
    "everything": {"summary": "All live jobs", "value": {"everything": True, "dry_run": True}},
}  # fmt: skip
PREFERENCES: dict[str, Any] = {
    "both": {"value": {"cluster": "cheap", "projects": {"vision": "fast", "nlp": None}}}
}
PRUNES: dict[str, Any] = {
    "dry": {"value": {"what": ["logs", "checkpoints"], "older_than": "30d", "dry_run": True}},
    "size": {"value": {"keep_bytes": "50GiB"}},
}
SCHEDULES: dict[str, Any] = {
    "one-point": {"value": {"text": "[[at]]\nw = 0.5\nconstants = { congestion = 0.5 }\n"}}
}
FITS: dict[str, Any] = {"learned": {"value": {"name": "learned:fulcrum"}}}
POLICIES: dict[str, Any] = {"sjf": {"value": {"name": "sjf", "mode": "easy"}}}

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ERRORS = {
    400: ("malformed-json", "the body is not JSON at character 12: Expecting value", {}),
    401: ("unauthorized", "the token is missing", {"Authorization": "Bearer TOKEN"}),
    403: ("forbidden", "job 17 belongs to ada", {}),
    404: ("not-found", "there is no job 17", {}),
    408: ("too-slow", "the body did not arrive within 60 s", {}),
    409: ("conflict", "the key 'k' was used for another request",
          {"Idempotency-Key": "a new key, or the same request again"}),
    413: ("too-large", "the body is larger than 4194304 bytes", {"body": "at most 4194304 bytes"}),
    415: ("unsupported-media-type", "the body must be sent as application/json",
          {"Content-Type": "application/json, not text/plain"}),
    422: ("invalid", "work.epochs: Input should be greater than or equal to 1",
          {"work.epochs": "Input should be greater than or equal to 1"}),
    500: ("internal", "unexpected error; the service's log has it as 5f1f2c3e8a1b4b53", {}),
    503: ("unavailable", "the service is stopping; submit again later", {}),
}  # fmt: skip


def responses(name: str, *errors: int, created: bool = False) -> Responses:
    """The answer called `name`, and the problems with these statuses."""
    found: Responses = {
        201 if created else 200: {"content": {"application/json": {"example": name}}}
    }
    if created:
        found[201]["headers"] = {
            "Location": _header("Where the job is."),
            "Idempotency-Replayed": _header("`true` if an earlier request had made it."),
        }
    if name == "page":
        found[200]["headers"] = {"Link": _header("The next page, `rel=next`; absent on the last.")}
    return found | _problems(errors)


def complete(document: dict[str, Any]) -> None:
    """Put the answers where their names stand: FastAPI would drop every null in them."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json")
                if content is not None:
                    content["example"] = ANSWERS[content["example"]].model_dump(mode="json")


def logs(*errors: int) -> Responses:
    """A log as text, or followed."""
    stream = 'data: epoch 1: loss 0.61\nid: 1:21\n\nevent: end\ndata: {"state": "SUCCEEDED"}\n\n'
    text = {"type": "string"}
    event = {"type": "object", "properties": {"data": text, "id": text, "event": text}}
    content = {
        "text/plain": {"schema": text, "example": "epoch 1: loss 0.61\n"},
        "text/event-stream": {"itemSchema": event, "example": stream},
    }
    return {200: {"description": "The log.", "content": content}} | _problems(errors)


def file(*errors: int) -> Responses:
    """Any file, or a part of one."""
    schema = {"type": "string", "format": "binary"}
    content = {"*/*": {"schema": schema, "example": "(bytes)"}}
    found: Responses = {
        200: {"description": "The file, by its own media type.", "content": content},
        206: {"description": "The part that `Range` asks for.", "content": content},
    }
    return found | _problems(errors)


def prometheus(*errors: int) -> Responses:
    """Prometheus' text format."""
    content = {"text/plain": {"schema": {"type": "string"}, "example": "fulcrum_queue_depth 3.0\n"}}
    return {200: {"description": "All figures.", "content": content}} | _problems(errors)


def _problems(statuses: tuple[int, ...]) -> Responses:
    slow = (408,) if 413 in statuses else ()  # whatever takes a body
    # An unknown parameter is invalid everywhere.
    return {status: _problem(status) for status in (*statuses, *slow, 422, 500)}


def _problem(status: int) -> dict[str, Any]:
    code, detail, fields = _ERRORS[status]
    example = {
        "type": f"/problems/{code}",
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"field": name, "message": text} for name, text in fields.items()],
    }
    codes = ", ".join(f"`{name}`" for name, number in STATUS.items() if number == status)
    return {
        "description": f"{TITLES[code]} ({codes})",
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "example": example}},
    }


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}
