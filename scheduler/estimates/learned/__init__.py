"""Runtimes learned from ended jobs: quantiles by what is known when a job is submitted."""

from scheduler.estimates.learned.group_quantiles import GroupQuantiles, Prediction
from scheduler.estimates.learned.job_facts import Group, JobFacts, facts_of
from scheduler.estimates.learned.mixture import (
    INTERVALS,
    LEAST_ENDED,
    LEVELS,
    MEDIAN,
    MEMORY,
    QUANTILES,
)
from scheduler.estimates.learned.runtime_model import RuntimeInterval, RuntimeModel

__all__ = [
    "INTERVALS",
    "LEAST_ENDED",
    "LEVELS",
    "MEDIAN",
    "MEMORY",
    "QUANTILES",
    "Group",
    "GroupQuantiles",
    "JobFacts",
    "Prediction",
    "RuntimeInterval",
    "RuntimeModel",
    "facts_of",
]
