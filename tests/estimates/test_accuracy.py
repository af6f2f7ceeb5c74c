import pytest

from scheduler.estimates import errors, kind
from tests.support.estimate_worlds import CPU, measured, train


def known(estimated, true, source, key="cnn-train:x"):
    return measured(train(key), CPU, 1, true, estimated_s=estimated, source=source)


def test_errors_by_source_with_a_row_for_all():
    rows = errors(
        [known(90, 100, "history"), known(110, 100, "history"), known(130, 100, "history"),
         known(300, 100, "flops"), known(0, 100, "flops")]
    )  # fmt: skip
    history, flops, every = rows
    assert (history.group, history.count) == ("history", 3)
    assert history.median_error == pytest.approx(0.1)
    assert history.p90_error == pytest.approx(0.26)
    assert history.bias == pytest.approx(0.1)
    assert (flops.group, flops.count, flops.bias) == ("flops", 1, pytest.approx(2))
    assert (every.group, every.count) == ("all", 4)


def test_errors_by_kind_and_without_measurements():
    rows = errors([known(1, 1, "flops"), known(1, 1, "history", "command:a:b")], by=kind)
    assert [row.group for row in rows] == ["cnn-train", "command", "all"]
    assert errors([]) == []
