"""The arithmetic of what was said against what happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from benchmarks.progress.__main__ import Sample, lines, report

T = datetime(2026, 3, 1, tzinfo=UTC)


def test_what_was_said_is_held_against_the_true_runtime() -> None:
    attempt = SimpleNamespace(
        started_at=T,
        finished_at=T + timedelta(seconds=100),
        estimate=SimpleNamespace(runtime_s=40.0),
    )
    job = SimpleNamespace(name="x", attempts=[attempt])
    samples = [Sample(float(at), at / 100, 0.9 * (100 - at)) for at in range(1, 100)]
    found = list(lines(job, samples))  # type: ignore[arg-type]
    assert [(one.share, one.said_share, one.real_left_s) for one in found] == [
        (0.25, 0.25, 75), (0.5, 0.5, 50), (0.75, 0.75, 25),
    ]  # fmt: skip
    assert [one.error for one in found] == pytest.approx([-0.075, -0.05, -0.025])
    assert [one.estimate_error for one in found] == pytest.approx([-0.6, -0.5, -0.25])
    assert "median error at 50%: 5.0%; of the estimate alone 50.0%" in report(found)
