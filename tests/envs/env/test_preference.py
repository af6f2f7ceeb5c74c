from __future__ import annotations

import pytest

from envs.gym.episodes import checked_preference
from scheduler.domain.errors import InputError


@pytest.mark.parametrize(
    ("given", "found"),
    [(None, None), ("random", None), (0, 0.0), (0.3, 0.3), ("fast", 1.0), ("balanced", 0.5)],
)
def test_a_preference_is_a_number_or_a_name(given, found):
    assert checked_preference(given) == found


@pytest.mark.parametrize("given", ["quick", 1.5, -0.1, float("nan"), [0.5]])
def test_another_is_refused_with_what_is_legal(given):
    with pytest.raises(InputError, match="cheap, balanced, fast, or random"):
        checked_preference(given)
