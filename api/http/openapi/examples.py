"""The values of which the examples of answers are made."""

from __future__ import annotations

from api.schemas import (
    OutlookOut,
    PlanOut,
    ProjectOut,
    QuotaOut,
    SecretOut,
)
from api.schemas.fields import instant
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Estimate, Job, JobKind, JobSpec, Profile
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.domain.nodes import Node, NodeFacts, NodeState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind, Request
from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation, ReplayVerdict
from scheduler.service.policy_control.views import ActivePolicyView
from scheduler.service.queries.views import (
    JobFigures,
    Outlook,
    RunProgress,
)

TIME = 1_767_261_600.0
SECRET = SecretOut(project="vision", name="HF_TOKEN", set_at=instant(TIME), set_by="ada")
PROJECT = ProjectOut(
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
NODE = Node(
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
POOL = Pool("cpu", DeviceKind.CPU, "AMD EPYC 7B13", 2, dollars_per_device_hour=0.04)
SPEC = JobSpec(
    kind=JobKind.CNN_TRAIN,
    work={"model": "simple-cnn", "dataset": "digits", "epochs": 10},
    profile=Profile("cnn-train:simple-cnn:8:32:digits", 12930.0, 3.6e6),
    name="digits",
    user="ada",
    project="vision",
    request=Request(("cpu", "cuda"), 1, 2),
    deadline=TIME + 3600,
)
ESTIMATE = Estimate(runtime_s=24.0, dollars=0.00027, joules=360.0, source="history")
ATTEMPT = Attempt(
    job=17,
    number=1,
    state=AttemptState.SUCCEEDED,
    pool="cpu",
    devices=(0,),
    estimate=ESTIMATE,
    memory_bytes=0,
    placed_at=TIME + 2,
    started_at=TIME + 2.1,
    finished_at=TIME + 25,
    pid=4711,
    exit_reason="exit code 0",
    dollars=0.00025,
    joules=343.5,
    result={"accuracy": 0.981},
)
QUEUED = Job(17, SPEC, JobState.QUEUED, "waiting", TIME)
DONE = Job(
    17,
    SPEC,
    JobState.SUCCEEDED,
    "exit code 0",
    TIME,
    version=3,
    attempts=1,
    started_at=TIME + 2.1,
    finished_at=TIME + 25,
)
RUNNING = Job(
    17, SPEC, JobState.RUNNING, "attempt 1", TIME, version=2, attempts=1, started_at=TIME + 2.1
)
PROGRESS = RunProgress(1, 0.43, 13.1, TIME + 25.2, 5, 10, 12, 41, 563.0, TIME + 12.1)
FIGURES = JobFigures(0.00025, 343.5, 0.981)
FAULTS = {"failed": 0, "infeasible": 0, "nan": 0, "slow": 0, "idle": 0}
POLICY = ActivePolicyView("priority", "easy", 0.5, faults=FAULTS, nominee="priority")
FITTED = ActivePolicyView(
    "learned:fulcrum",
    "greedy",
    0.5,
    faults=FAULTS,
    nominee="learned:fulcrum",
    fit=ReplayEvaluation(
        state="done",
        why="start",
        nominee="learned:fulcrum",
        rival="wgc",
        preference=0.5,
        pools="3f9a0c1d2e4b",
        time=TIME,
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
EVENTS = (
    Event(17, EventName.SUBMITTED, TIME, "ada", seq=41),
    Event(17, EventName.PLACED, TIME + 2, "scheduler", "on cpu × 1", 1, JobState.QUEUED,
          JobState.STARTING, seq=42),
)  # fmt: skip
SUMMARY = "learned on our-lab, 300,000 decisions, 0.962 of wgc's objective on validation"
RUN = "/home/ada/.local/share/fulcrum/trainings/3f9a0c1d2e4b/our-lab"
TRAINING_JOB = Job(
    18,
    JobSpec(
        kind=JobKind.COMMAND,
        work={"argv": ["python", "-m", "fulcrum", "policy", "train", RUN]},
        profile=Profile("command", 0.0, 0.0),
        name="policy-our-lab",
        user="ada",
        request=Request(("cpu",), 4, 4),
    ),
    JobState.QUEUED,
    "waiting",
    TIME,
)

WARNING = "its deadline cannot be met: the earliest expected end is 2026-01-31 18:12:40 UTC"
MESSAGE = {"event": "job.failed", "text": "job 17 (digits) failed: exit code 1"}
PLAN = PlanOut(
    outlooks=(
        OutlookOut.of(Outlook("fast", "cpu", 2, 0.0, 14.0, 3.1e-4, 420.0, "history", True)),
        OutlookOut.of(Outlook("balanced", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
        OutlookOut.of(Outlook("cheap", "cpu", 1, 0.0, 24.0, 2.7e-4, 360.0, "history", True)),
    )
)
