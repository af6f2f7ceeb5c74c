"""Synthetic workloads of CNN trainings and inferences: parameters, and how jobs are drawn."""

from envs.workloads.synthetic.generator import draw
from envs.workloads.synthetic.parameters import Phase, Synthetic
from envs.workloads.synthetic.people import People
from envs.workloads.synthetic.sweeps import Sweeps
from envs.workloads.synthetic.values import Counts, Range, Share, ascending

__all__ = [
    "Counts",
    "People",
    "Phase",
    "Range",
    "Share",
    "Sweeps",
    "Synthetic",
    "ascending",
    "draw",
]
