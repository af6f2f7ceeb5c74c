"""Text and pictures of an episode."""

import numpy as np
import pytest

from envs.gym.render_image import WIDTH
from envs.simulator.device_lanes import device_lanes
from scheduler.decisions.rounds.modes import Mode
from tests.support.played import env, whim


def played(mode, steps=25):
    made = env(render_mode=mode)
    observation, _ = made.reset(seed=2)
    for _ in range(steps):
        observation, *_ = made.step(whim(observation, made.action_masks()))
    return made


def test_text_shows_pools_and_every_legal_action():
    made = played("ansi")
    text = made.render()
    assert "cpu" in text
    assert "w = 0.50" in text
    legal = np.flatnonzero(made.action_masks())
    actions = [int(line.split()[0]) for line in text.splitlines() if line[:6].strip().isdigit()]
    assert actions == legal.tolist()


@pytest.mark.parametrize("steps", [0, 25])
def test_the_picture_shows_what_runs(steps):
    made = played("rgb_array", steps)
    image = made.render()
    assert image.dtype == np.uint8
    assert image.shape[1:] == (WIDTH, 3)
    colours = {tuple(colour) for colour in image.reshape(-1, 3)[::7].tolist()}
    assert len(colours) > 5


def test_a_finished_episode_can_still_be_looked_at():
    for mode in ("ansi", "rgb_array"):
        made = env(Mode.EASY, jobs=8, every=5.0, render_mode=mode)
        observation, _ = made.reset(seed=2)
        over = False
        while not over:
            observation, _, over, _, _ = made.step(whim(observation, made.action_masks()))
        assert made.render() is not None
    assert env().render() is None


def test_jobs_never_share_a_lane():
    attempts = [
        (0.0, 10.0, 0, ((0, 3),)),
        (1.0, 4.0, 0, ((0, 1), (1, 2))),
        (2.0, 3.0, 1, ((0, 1),)),
        (4.0, 9.0, 0, ((0, 1),)),
        (5.0, 6.0, 0, ((1, 2), (0, 0))),
        (10.0, 11.0, 0, ((0, 4),)),
    ]
    lanes = list(device_lanes(attempts, (4, 1)))
    assert lanes == [
        [range(3)],
        [range(3, 6)],
        [range(1)],
        [range(3, 4)],
        [range(4, 6)],
        [range(4)],
    ]


def test_lanes_that_are_not_neighbours_stay_apart():
    attempts = [(0.0, 9.0, 0, ((0, 1),)), (1.0, 2.0, 0, ((0, 1),)), (1.0, 9.0, 0, ((0, 1),))]
    attempts += [(3.0, 4.0, 0, ((0, 2),))]
    assert list(device_lanes(attempts, (4,)))[-1] == [range(1, 2), range(3, 4)]
