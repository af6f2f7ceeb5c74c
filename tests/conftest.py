"""What every test of this project shares."""

import numpy as np
from hypothesis import HealthCheck, settings

from scheduler.decisions.state import blocks

# Memory that copies of a world do not set must not matter. Here it is NaN as a float, and far out
# of range as an index.
blocks.unset = lambda memory: np.full(memory.size // 8, 0x7FF8DEAD7FF8DEAD).view(np.uint8)

settings.register_profile(
    "fulcrum",
    derandomize=True,
    deadline=None,
    print_blob=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fulcrum")
