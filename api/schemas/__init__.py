"""The requests and answers of the HTTP interface as pydantic models, imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.schemas.answers import (
        AttemptOut,
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
        ErrorOut,
        EstimatesOut,
        FitOut,
        HealthOut,
        JobMetricsOut,
        MeasurementOut,
        MetricsOut,
        PoliciesOut,
        PolicyOut,
        PolicySummary,
        PoolOut,
        PreferencesOut,
        ProblemOut,
        ProofOut,
        ShadowOut,
    )
    from api.schemas.explanations import (
        AlternativeOut,
        DecisionOut,
        ExplanationOut,
        OutlookOut,
        PlanOut,
        RowOut,
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
        PreferencesIn,
        RetryIn,
        ScheduleIn,
        ShadowIn,
    )
    from api.schemas.problem import FieldError, Problem
    from api.schemas.storage import JobUsageOut, PrunedOut, PruneIn, PruneOut, UsageOut

__all__ = [
    "JOB",
    "AlternativeOut",
    "AnyJob",
    "ArtifactOut",
    "ArtifactsOut",
    "AttemptOut",
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
    "ErrorOut",
    "EstimateOut",
    "EstimatesOut",
    "EventOut",
    "EventPage",
    "ExplanationOut",
    "FieldError",
    "FitIn",
    "FitOut",
    "HealthOut",
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
    "MeasurementOut",
    "MetricsOut",
    "OutlookOut",
    "PlanOut",
    "PoliciesOut",
    "PolicyIn",
    "PolicyOut",
    "PolicySummary",
    "PoolOut",
    "PreferencesIn",
    "PreferencesOut",
    "Problem",
    "ProblemOut",
    "ProofOut",
    "PruneIn",
    "PruneOut",
    "PrunedOut",
    "RequestOut",
    "RetryIn",
    "RetryOut",
    "RowOut",
    "ScheduleIn",
    "ShadowIn",
    "ShadowOut",
    "UsageOut",
]


_MODULES = ("answers", "jobs", "cluster", "explanations", "storage", "problem")


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            for module in _MODULES:
                found = import_module(f"api.schemas.{module}")
                if name in vars(found):
                    return getattr(found, name)
        raise AttributeError(f"module 'api.schemas' has no attribute {name!r}")
