"""Agreement with figures that others have published, on traces that are not part of the project."""

import pytest

from benchmarks import kth, muri, rlscheduler

needs_lublin = pytest.mark.skipif(
    not rlscheduler.TRACE.exists(), reason=f"needs {rlscheduler.TRACE.name}"
)
needs_kth = pytest.mark.skipif(not kth.TRACE.exists(), reason=f"needs {kth.TRACE.name}")
needs_muri = pytest.mark.skipif(not muri.TRACES.exists(), reason="needs Muri's traces")


def cell(figure):
    return f"{figure.policy}{'-backfilling' * figure.backfilling}"


@needs_lublin
def test_rlscheduler_shortest_job_first():
    figure = rlscheduler.FIGURES[1]
    assert rlscheduler.slowdown(figure) == pytest.approx(figure.published, rel=figure.tolerance)


@pytest.mark.slow
@needs_lublin
@pytest.mark.parametrize("figure", rlscheduler.FIGURES, ids=cell)
def test_rlscheduler(figure):
    assert rlscheduler.slowdown(figure) == pytest.approx(figure.published, rel=figure.tolerance)


@pytest.mark.slow
@needs_kth
@pytest.mark.parametrize(
    "row", [row for row in kth.ROWS if row.published], ids=lambda row: row.title
)
def test_kth(row):
    assert kth.slowdown(row)[0] == pytest.approx(row.published, abs=row.tolerance)


@pytest.mark.slow
@needs_muri
@pytest.mark.parametrize("policy", ["srtf", "srsf"])
def test_muri(policy):
    """Charged at every event, as in Muri's simulator, the figures are the same within 1 %."""
    mean = muri.mean_jct("trace1", policy, 2)
    assert mean == pytest.approx(muri.PUBLISHED["trace1", policy], rel=0.01)
