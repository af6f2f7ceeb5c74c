"""The requests and answers of the HTTP interface as pydantic models, imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.schemas.answers import (
        AttemptOut,
        AttemptsOut,
        CancelledOut,
        EstimateOut,
        EventOut,
        EventPage,
        JobBatchOut,
        JobDetail,
        JobOut,
        JobPage,
        RequestOut,
        RetryOut,
    )
    from api.schemas.cluster import (
        ArtifactOut,
        ArtifactsOut,
        ClusterOut,
        CostOut,
        CostsOut,
        DeviceOut,
        DrainIn,
        ErrorOut,
        EstimatesOut,
        HealthOut,
        IdleCostOut,
        JobMetricsOut,
        LeaderOut,
        MeasurementOut,
        MetricsOut,
        NodeEventOut,
        NodeEventPage,
        NodeOut,
        NodesOut,
        PoolOut,
        ProblemOut,
        ProofOut,
        SessionIn,
        SessionOut,
    )
    from api.schemas.explanations import (
        AlternativeOut,
        DecisionOut,
        ExpectedEndOut,
        ExplanationOut,
        ForecastOut,
        OutlookOut,
        PlanOut,
        RowOut,
        WaitingOut,
    )
    from api.schemas.jobs import (
        JOB,
        AnyJob,
        CancelIn,
        CancelJobsIn,
        CnnInferJob,
        CnnTrainJob,
        CommandJob,
        FitIn,
        JobBatchIn,
        JobCommon,
        JobIn,
        JobUpdateIn,
        PolicyIn,
        PreemptIn,
        PreferencesIn,
        RetryIn,
        ScheduleIn,
        ShadowIn,
    )
    from api.schemas.policies import (
        FitOut,
        PoliciesOut,
        PolicyOut,
        PolicySummary,
        PreferencesOut,
        ShadowOut,
    )
    from api.schemas.policy_jobs import (
        PolicyJobDetail,
        PolicyJobOut,
        PolicyJobsOut,
        PromotionIn,
        StudyIn,
        TrainingIn,
        TuningIn,
    )
    from api.schemas.problem import FieldError, Problem
    from api.schemas.registry import (
        AuditEventOut,
        RegisteredPolicyOut,
        ScenarioOut,
        ScenariosOut,
    )
    from api.schemas.sharing.projects import ProjectIn, ProjectOut, ProjectsOut, QuotaIn, QuotaOut
    from api.schemas.sharing.secrets import SecretIn, SecretOut, SecretsOut
    from api.schemas.storage import JobUsageOut, PrunedOut, PruneIn, PruneOut, UsageOut

__all__ = [
    "JOB",
    "AlternativeOut",
    "AnyJob",
    "ArtifactOut",
    "ArtifactsOut",
    "AttemptOut",
    "AttemptsOut",
    "AuditEventOut",
    "CancelIn",
    "CancelJobsIn",
    "CancelledOut",
    "ClusterOut",
    "CnnInferJob",
    "CnnTrainJob",
    "CommandJob",
    "CostOut",
    "CostsOut",
    "DecisionOut",
    "DeviceOut",
    "DrainIn",
    "ErrorOut",
    "EstimateOut",
    "EstimatesOut",
    "EventOut",
    "EventPage",
    "ExpectedEndOut",
    "ExplanationOut",
    "FieldError",
    "FitIn",
    "FitOut",
    "ForecastOut",
    "HealthOut",
    "IdleCostOut",
    "JobBatchIn",
    "JobBatchOut",
    "JobCommon",
    "JobDetail",
    "JobIn",
    "JobMetricsOut",
    "JobOut",
    "JobPage",
    "JobUpdateIn",
    "JobUsageOut",
    "LeaderOut",
    "MeasurementOut",
    "MetricsOut",
    "NodeEventOut",
    "NodeEventPage",
    "NodeOut",
    "NodesOut",
    "OutlookOut",
    "PlanOut",
    "PoliciesOut",
    "PolicyIn",
    "PolicyJobDetail",
    "PolicyJobOut",
    "PolicyJobsOut",
    "PolicyOut",
    "PolicySummary",
    "PoolOut",
    "PreemptIn",
    "PreferencesIn",
    "PreferencesOut",
    "Problem",
    "ProblemOut",
    "ProjectIn",
    "ProjectOut",
    "ProjectsOut",
    "PromotionIn",
    "ProofOut",
    "PruneIn",
    "PruneOut",
    "PrunedOut",
    "QuotaIn",
    "QuotaOut",
    "RegisteredPolicyOut",
    "RequestOut",
    "RetryIn",
    "RetryOut",
    "RowOut",
    "ScenarioOut",
    "ScenariosOut",
    "ScheduleIn",
    "SecretIn",
    "SecretOut",
    "SecretsOut",
    "SessionIn",
    "SessionOut",
    "ShadowIn",
    "ShadowOut",
    "StudyIn",
    "TrainingIn",
    "TuningIn",
    "UsageOut",
    "WaitingOut",
]


_MODULES = (
    *("answers", "jobs", "policies", "cluster", "explanations", "policy_jobs", "registry"),
    *("storage", "problem", "sharing.projects", "sharing.secrets"),
)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for module in _MODULES:
                found = import_module(f"api.schemas.{module}")
                if name in vars(found):
                    return getattr(found, name)
        raise AttributeError(f"module 'api.schemas' has no attribute {name!r}")
