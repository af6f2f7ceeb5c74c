"""The settings of a training: their fields, and how they are read."""

from agents.training.config.training import (
    FILE,
    Algorithm,
    Criterion,
    Training,
)
from agents.training.config.values import (
    RENAMED,
    current_names,
    of,
    parse_option,
    parse_preference,
    read,
    read_file,
)

__all__ = [
    "FILE",
    "RENAMED",
    "Algorithm",
    "Criterion",
    "Training",
    "current_names",
    "of",
    "parse_option",
    "parse_preference",
    "read",
    "read_file",
]
