"""Real trainings: a sweep stops the bad one, and its best trial's model classifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.local_service import private_service


@pytest.mark.slow
def test_a_sweep_of_real_trainings_stops_the_bad_one_and_leaves_a_model(tmp_path: Path) -> None:
    variables = {"FULCRUM_POLICY": "wgc", "FULCRUM_FIT": "false"}
    with private_service(tmp_path / "data", variables) as client:
        sweep = client.submit_sweep(
            kind="cnn-train",
            work={"epochs": 12, "limit": 400},
            sweep={
                "parameters": {"work.learning_rate": [0.005, 1e-7]},
                "method": "grid",
                "parallel": 1,
                "pruner": {"kind": "median", "startup_trials": 1},
            },
        ).wait(check=True)
        found = sweep.detail()
        good, bad = found.listing
        assert (good.state, good.epoch, found.best) == ("COMPLETED", 12, 1)
        assert (bad.state, bad.epochs) == ("PRUNED", 12)
        assert client.job(bad.job or 0).reason == bad.reason
        assert "pruned at epoch" in bad.reason
        assert sweep.best is not None
        vote = client.infer(models=[sweep.best], data="digits:test").wait(check=True)
        assert vote.result is not None
