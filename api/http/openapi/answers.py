"""Examples of answers, made of the domain's values, so that they cannot fall behind the models."""

from __future__ import annotations

from pydantic import BaseModel

from api.http.openapi.examples import (
    ATTEMPT,
    DONE,
    EVENTS,
    FIGURES,
    FITTED,
    MESSAGE,
    NODE,
    PLAN,
    POLICY,
    POOL,
    PROGRESS,
    PROJECT,
    QUEUED,
    RUN,
    RUNNING,
    SECRET,
    SPEC,
    SUMMARY,
    TIME,
    TRAINING_JOB,
    WARNING,
)
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
    PendingMessageOut,
    PlansOut,
    PoliciesOut,
    PolicyJobDetail,
    PolicyJobOut,
    PolicyJobsOut,
    PolicyOut,
    PolicySummary,
    PreferencesOut,
    ProjectsOut,
    ProofOut,
    PrunedOut,
    PruneOut,
    RegisteredPolicyOut,
    ScenarioOut,
    ScenariosOut,
    SecretsOut,
    SessionOut,
    SubmittedOut,
    UsageOut,
)
from api.schemas.fields import instant
from scheduler.domain.jobs import JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.domain.nodes import NodeEventName
from scheduler.domain.records import Cost, Measurement
from scheduler.service.notifications.outbox import PendingMessage
from scheduler.service.queries.views import (
    ClusterView,
    DeviceView,
    ExpectedEnd,
    JobFigures,
    NodeView,
    PoolView,
    QueueForecast,
    WaitingJob,
)

ANSWERS: dict[str, BaseModel] = {
    "job": JobOut.of(QUEUED),
    "submitted": SubmittedOut.submitted(QUEUED, (WARNING,)),
    "batch": JobBatchOut(jobs=(SubmittedOut.submitted(QUEUED, ()),)),
    "page": JobPage(
        jobs=(JobOut.of(RUNNING, JobFigures(0.00011, 150.0, 0.952, 4, PROGRESS)),),
        next_cursor="am9iOjE3",
    ),
    "detail": JobDetail.with_attempts(DONE, [ATTEMPT], FIGURES),
    "cancelled": CancelledOut(count=2, jobs=(18, 17), passed_over=()),
    "events": EventPage(events=tuple(map(EventOut.of, EVENTS)), next_after=42),
    "plan": PLAN,
    "plans": PlansOut(plans=(PLAN,)),
    "explanation": explanation(QUEUED, TIME),
    "metrics": JobMetricsOut(
        attempts=(
            MetricsOut(
                attempt=1,
                lines=({"time": TIME + 5, "kind": "epoch", "epoch": 1, "train_loss": 0.61},),
            ),
        )
    ),
    "artifacts": ArtifactsOut(
        artifacts=(
            ArtifactOut(
                name="model.pt",
                size=204_800,
                modified_at=instant(TIME + 24),
                media_type="application/octet-stream",
            ),
        )
    ),
    "cluster": ClusterOut.of(
        ClusterView(
            TIME,
            (PoolView(POOL, (DeviceView(0, "0", 17), DeviceView(1, "1", None)), 0),),
            queued=3,
            active=1,
            policy=POLICY,
        )
    ),
    "nodes": NodesOut(nodes=(NodeOut.of(NodeView(NODE, (17,))),)),
    "node-events": NodeEventPage(
        events=(
            NodeEventOut(
                seq=3,
                node="gpu-a",
                name=NodeEventName.DRAINING,
                time=instant(TIME),
                actor="ada",
                reason="drained by ada: new fans",
                data={},
            ),
        ),
        next_after=3,
    ),
    "projects": ProjectsOut(projects=(PROJECT,)),
    "project": PROJECT,
    "notifications": NotificationsOut(
        pending=(
            PendingMessageOut.of(PendingMessage("ada@example.org", MESSAGE, TIME, 1, TIME + 5)),
        )
    ),
    "secret": SECRET,
    "secrets": SecretsOut(secrets=(SECRET,)),
    "preferences": PreferencesOut(cluster=0.5, projects={"vision": 1.0}),
    "fit": PolicyOut.of(FITTED),
    "policies": PoliciesOut(
        active=PolicyOut.of(POLICY),
        policies=(
            PolicySummary(name="fcfs", summary="First come, first served.", active=False),
            PolicySummary(name="priority", summary="Greater priority first.", active=True),
            PolicySummary(
                name="learned:our-lab@3f9a0c1d2e4b",
                summary=SUMMARY,
                active=False,
                state="promoted",
            ),
        ),
    ),
    "policy": PolicyOut.of(POLICY),
    "schedule": PolicySummary.tuned("our-lab"),
    "imported": PolicySummary(
        name="learned:our-lab@3f9a0c1d2e4b", summary=SUMMARY, active=False, state="candidate"
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
    "training": JobOut.of(TRAINING_JOB),
    "policy-jobs": PolicyJobsOut(
        jobs=(
            PolicyJobOut(
                task="training", name="our-lab", folder=RUN, every_s=None,
                job=JobOut.of(TRAINING_JOB),
            ),
        )
    ),
    "policy-job": PolicyJobDetail(
        task="training",
        name="our-lab",
        folder=RUN,
        every_s=None,
        job=JobOut.of(TRAINING_JOB),
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
                    17, 1, TIME + 25, SPEC.profile.key, "cpu", POOL.model, 1, 12930.0, 22.9, 1.1,
                    24.0, "history",
                )
            ),
        ),
    ),
    "forecast": ForecastOut.of(
        QueueForecast(
            TIME, 2, [ExpectedEnd(17, 1, "cpu", (0,), TIME - 9, TIME + 25, 0.0003)],
            [WaitingJob(18, 1, TIME + 25, TIME + 60, "cpu", 1, 0.0003)],
            {19: "waits for job 18"}, "",
        )
    ),
    "attempts": AttemptsOut(attempts=(AttemptOut.of(ATTEMPT),)),
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
