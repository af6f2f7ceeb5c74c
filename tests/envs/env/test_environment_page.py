"""The page about the environment names what there is."""

from pathlib import Path

import pytest

from envs.gym.episodes import ENDS
from envs.gym.rewards import REWARDS
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.kernel.queue.features import GAIN, TOP

PAGE = (Path(__file__).parents[3] / "docs" / "environment.md").read_text()


@pytest.mark.parametrize(
    "name",
    [*(column.name for column in ROW_COLUMNS), *REWARDS]
    + [column.name for column in GLOBAL_COLUMNS if "_free_" not in column.name],
)
def test_everything_is_named(name):
    assert f"`{name}`" in PAGE


def test_figures():
    assert f"{GAIN:g} · ln(1 + x / unit), at most {TOP:g}" in PAGE
    assert ENDS == 0.2
