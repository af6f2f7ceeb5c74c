import pytest

from scheduler.domain.groups.sweeps import Dimension, Direction, EpochReport, SweepTrial, TrialState


@pytest.mark.parametrize(
    ("dimension", "grid"),
    [
        (Dimension(choices=("a", None, 2)), ("a", None, 2)),
        (Dimension(low=2, high=5, whole=True), (2, 3, 4, 5)),
        (Dimension(low=2, high=9, whole=True, step=3), (2, 5, 8)),
        (Dimension(low=0, high=0.3, step=0.1), (0.0, 0.1, 0.2, 0.3)),
        (Dimension(low=1e-4, high=0.1, log=True, points=4), (1e-4, 1e-3, 1e-2, 0.1)),
        (Dimension(low=8, high=32, log=True, whole=True, points=3), (8, 16, 32)),
        (Dimension(low=1, high=3, whole=True, points=9), (1, 2, 3)),
        (Dimension(low=0, high=1, points=1), (0.0,)),
        (Dimension(low=0, high=1), ()),
        (Dimension(low=8, high=32, log=True, whole=True), ()),
    ],
)
def test_a_grid_takes_the_values_that_the_range_names(dimension, grid):
    assert dimension.grid() == grid


def test_the_best_value_ranks_first_and_no_value_last():
    values = [0.5, None, 0.9]
    assert sorted(values, key=Direction.MAXIMIZE.rank) == [0.9, 0.5, None]
    assert sorted(values, key=Direction.MINIMIZE.rank) == [0.5, 0.9, None]


def test_a_pruned_trial_saved_the_rest_of_its_epochs():
    reports = (EpochReport(1, 0.1, 2.0), EpochReport(2, 0.2), EpochReport(3, 0.2, 4.0))
    pruned = SweepTrial(1, 1, {}, TrialState.PRUNED, reports=reports, epochs=10)
    assert (pruned.epoch_s, pruned.saved_s) == (3.0, 21.0)
    untold = SweepTrial(1, 1, {}, TrialState.PRUNED, reports=reports[1:2], epochs=10)
    assert untold.saved_s is None
    assert SweepTrial(1, 1, {}, TrialState.COMPLETED, reports=reports, epochs=10).saved_s is None
    assert SweepTrial(1, 1, {}, TrialState.PRUNED).saved_s is None
