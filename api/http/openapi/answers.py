"""Examples of answers, made of the domain's values, so that they cannot fall behind the models."""

from __future__ import annotations

from pydantic import BaseModel

from api.http.openapi.explanations import explanation
from api.schemas import (
    ArtifactOut,
    ArtifactsOut,
    AttemptOut,
    AttemptsOut,
    AuditEventOut,
    CancelledOut,
    ClusterOut,
    CostsOut,
    ErrorOut,
    EstimatesOut,
    EventOut,
    EventPage,
    ForecastOut,
    HealthOut,
    JobBatchOut,
    JobDetail,
    JobMetricsOut,
    JobOut,
    JobPage,
    JobUsageOut,
    MeasurementOut,
    MetricsOut,
    NodeEventOut,
    NodeEventPage,
    NodeOut,
    NodesOut,
    NotificationsOut,
    OutlookOut,
    PendingMessageOut,
    PlanOut,
    PlansOut,
    PoliciesOut,
    PolicyJobDetail,
    PolicyJobOut,
    PolicyJobsOut,
    PolicyOut,
    PolicySummary,
    PreferencesOut,
    ProjectOut,
    ProjectsOut,
    ProofOut,
    PrunedOut,
    PruneOut,
    QuotaOut,
    RegisteredPolicyOut,
    ScenarioOut,
    ScenariosOut,
    SecretOut,
    SecretsOut,
    SessionOut,
    SubmittedOut,
    UsageOut,
)
from api.schemas.fields import instant
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Estimate, Job, JobKind, JobSpec, Profile
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.nodes import Node, NodeEventName, NodeFacts, NodeState
from scheduler.domain.pools import Pool
from scheduler.domain.records import Cost, Measurement
from scheduler.domain.resources import DeviceKind, Request
from scheduler.service.notifications.outbox import PendingMessage
from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation, ReplayVerdict
from scheduler.service.policy_control.views import ActivePolicyView
from scheduler.service.queries.views import (
    ClusterView,
    DeviceView,
    ExpectedEnd,
    JobFigures,
    NodeView,
    Outlook,
    PoolView,
    QueueForecast,
    RunProgress,
    WaitingJob,
)

_T = 1_767_261_600.0
_SECRET = SecretOut(project="vision", name="HF_TOKEN", set_at=instant(_T), set_by="ada")
_PROJECT = ProjectOut(
    name="vision",
    share=3.0,
    hard=QuotaOut(devices=4, queued=None, dollars_per_day=None, dollars_per_month=100.0),
    soft=QuotaOut(devices=None, queued=None, dollars_per_day=5.0, dollars_per_month=None),
    used=86_400.0,
    ratio=1.4,
    factor=0.38,
    devices=4,
    queued=2,
    dollars_today=5.2,
    dollars_this_month=31.5,
    committed=1.1,
    warnings=("project vision has spent $5.20 today, over its $5.00",),
)
_NODE = Node(
    "gpu-a",
    NodeState.DRAINING,
    1_767_261_600.0,
    "drained by ada: new fans",
    {"a10-x2": 0},
    "ada",
    1_767_261_660.0,
    NodeFacts(
        "gpu-a",
        address="10.0.0.7",
        cpus=("0", "1"),
        gpus=(("GPU-1", "NVIDIA A10", 24 << 30), ("GPU-2", "NVIDIA A10", 24 << 30)),
        memory_bytes=64 << 30,
    ),
)
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
_RUNNING = Job(
    17, _SPEC, JobState.RUNNING, "attempt 1", _T, version=2, attempts=1, started_at=_T + 2.1
)
_PROGRESS = RunProgress(1, 0.43, 13.1, _T + 25.2, 5, 10, 12, 41, 563.0, _T + 12.1)
_FIGURES = JobFigures(0.00025, 343.5, 0.981)
_FAULTS = {"failed": 0, "infeasible": 0, "nan": 0, "slow": 0, "idle": 0}
_POLICY = ActivePolicyView("priority", "easy", 0.5, faults=_FAULTS, nominee="priority")
_FITTED = ActivePolicyView(
    "learned:fulcrum",
    "greedy",
    0.5,
    faults=_FAULTS,
    nominee="learned:fulcrum",
    fit=ReplayEvaluation(
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
            nominee_latency_s=412.0,
            nominee_dollars=0.031,
            rival_latency_s=447.0,
            rival_dollars=0.03,
        ),
    ),
)
_EVENTS = (
    Event(17, EventName.SUBMITTED, _T, "ada", seq=41),
    Event(17, EventName.PLACED, _T + 2, "scheduler", "on cpu × 1", 1, JobState.QUEUED,
          JobState.STARTING, seq=42),
)  # fmt: skip
_SUMMARY = "learned on our-lab, 300,000 decisions, 0.962 of wgc's objective on validation"
_RUN = "/home/ada/.local/share/fulcrum/trainings/3f9a0c1d2e4b/our-lab"
_TRAINING_JOB = Job(
    18,
    JobSpec(
        kind=JobKind.COMMAND,
        work={"argv": ["python", "-m", "fulcrum", "policy", "train", _RUN]},
        profile=Profile("command", 0.0, 0.0),
        name="policy-our-lab",
        user="ada",
        request=Request(("cpu",), 4, 4),
    ),
    JobState.QUEUED,
    "waiting",
    _T,
)

_WARNING = "its deadline cannot be met: the earliest expected end is 2026-01-31 18:12:40 UTC"
_MESSAGE = {"event": "job.failed", "text": "job 17 (digits) failed: exit code 1"}
_PLAN = PlanOut(
    outlooks=(
        OutlookOut.of(Outlook("fast", "cpu", 2, 0.0, 14.0, 3.1e-4, 420.0, "history", True)),
        OutlookOut.of(Outlook("balanced", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
        OutlookOut.of(Outlook("cheap", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
    )
)
ANSWERS: dict[str, BaseModel] = {
    "job": JobOut.of(_QUEUED),
    "submitted": SubmittedOut.submitted(_QUEUED, _WARNING),
    "batch": JobBatchOut(jobs=(SubmittedOut.submitted(_QUEUED, ""),)),
    "page": JobPage(
        jobs=(JobOut.of(_RUNNING, JobFigures(0.00011, 150.0, 0.952, 4, _PROGRESS)),),
        next_cursor="am9iOjE3",
    ),
    "detail": JobDetail.with_attempts(_DONE, [_ATTEMPT], _FIGURES),
    "cancelled": CancelledOut(count=2, jobs=(18, 17), passed_over=()),
    "events": EventPage(events=tuple(map(EventOut.of, _EVENTS)), next_after=42),
    "plan": _PLAN,
    "plans": PlansOut(plans=(_PLAN,)),
    "explanation": explanation(_QUEUED, _T),
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
    "nodes": NodesOut(nodes=(NodeOut.of(NodeView(_NODE, (17,))),)),
    "node-events": NodeEventPage(
        events=(
            NodeEventOut(
                seq=3,
                node="gpu-a",
                name=NodeEventName.DRAINING,
                time=instant(_T),
                actor="ada",
                reason="drained by ada: new fans",
                data={},
            ),
        ),
        next_after=3,
    ),
    "projects": ProjectsOut(projects=(_PROJECT,)),
    "project": _PROJECT,
    "notifications": NotificationsOut(
        pending=(PendingMessageOut.of(PendingMessage("ada@example.org", _MESSAGE, _T, 1, _T + 5)),)
    ),
    "secret": _SECRET,
    "secrets": SecretsOut(secrets=(_SECRET,)),
    "preferences": PreferencesOut(cluster=0.5, projects={"vision": 1.0}),
    "fit": PolicyOut.of(_FITTED),
    "policies": PoliciesOut(
        active=PolicyOut.of(_POLICY),
        policies=(
            PolicySummary(name="fcfs", summary="First come, first served.", active=False),
            PolicySummary(name="priority", summary="Greater priority first.", active=True),
            PolicySummary(
                name="learned:our-lab@3f9a0c1d2e4b",
                summary=_SUMMARY,
                active=False,
                state="promoted",
            ),
        ),
    ),
    "policy": PolicyOut.of(_POLICY),
    "schedule": PolicySummary.tuned("our-lab"),
    "imported": PolicySummary(
        name="learned:our-lab@3f9a0c1d2e4b", summary=_SUMMARY, active=False, state="candidate"
    ),
    "registered": RegisteredPolicyOut(
        name="learned:our-lab@3f9a0c1d2e4b",
        digest="3f9a0c1d2e4b",
        state="candidate",
        active=False,
        fault="",
        manifest={
            "scenario": "our-lab",
            "steps": 300_000,
            "evaluation": {"policy": {"mean": 0.962, "at": {"0.5": 0.958}}},
        },
        history=(
            AuditEventOut(
                at="2026-01-01T10:00:00+00:00", action="registered", by="ada",
                command="fulcrum policy train runs/our-lab --name our-lab", forced=False,
                trial=None,
            ),
        ),
    ),
    "training": JobOut.of(_TRAINING_JOB),
    "policy-jobs": PolicyJobsOut(
        jobs=(
            PolicyJobOut(
                task="training", name="our-lab", folder=_RUN, every_s=None,
                job=JobOut.of(_TRAINING_JOB),
            ),
        )
    ),
    "policy-job": PolicyJobDetail(
        task="training",
        name="our-lab",
        folder=_RUN,
        every_s=None,
        job=JobOut.of(_TRAINING_JOB),
        progress=0.41,
        validation={"steps": 120_000, "raw": 0.988, "averaged": 0.981},
        policy=None,
        promoted=None,
        test=None,
    ),
    "scenarios": ScenariosOut(
        scenarios=(
            ScenarioOut(
                name="lab", version=1, digest="3f9a0c1d2e4b", description="A laboratory's GPUs."
            ),
        )
    ),
    "costs": CostsOut.of_groups("user", [Cost("ada", 12, 14, 5400.0, 0.06, 81_000.0)]),
    "estimates": EstimatesOut(
        by="source",
        errors=(
            ErrorOut(
                group="all", count=12, median_error=0.07, p90_error=0.21, bias=0.02, coverage=0.83
            ),
        ),
        measurements=(
            MeasurementOut.of(
                Measurement(
                    17, 1, _T + 25, _SPEC.profile.key, "cpu", _POOL.model, 1, 12930.0, 22.9, 1.1,
                    24.0, "history",
                )
            ),
        ),
    ),
    "forecast": ForecastOut.of(
        QueueForecast(
            _T, 2, [ExpectedEnd(17, 1, "cpu", (0,), _T - 9, _T + 25, 0.0003)],
            [WaitingJob(18, 1, _T + 25, _T + 60, "cpu", 1, 0.0003)], {19: "waits for job 18"}, "",
        )
    ),
    "attempts": AttemptsOut(attempts=(AttemptOut.of(_ATTEMPT),)),
    "session": SessionOut(user="ada", role="user"),
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
