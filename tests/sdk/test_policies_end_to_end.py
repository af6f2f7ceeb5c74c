"""A policy trained, exported, imported and refused by a real service, from Python only."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.client import ConflictError, JobFailed
from api.local_service import private_service

TINY = {
    "jobs": 12, "rows": 24, "hidden": 16, "workloads": 2, "demonstrations": 60,
    "imitation_epochs": 2, "envs": 2, "n_steps": 16, "batch_size": 16, "n_epochs": 1,
    "validate_every": 2, "validation_workloads": 1, "validation_preferences": [0.5],
}  # fmt: skip


@pytest.mark.slow
def test_a_policy_is_trained_and_its_promotion_refused(tmp_path: Path) -> None:
    with private_service(
        tmp_path / "data", {"FULCRUM_POLICY": "wgc", "FULCRUM_FIT": "false"}
    ) as client:
        training = client.train_policy("ours", steps=96, options=TINY).wait()
        assert training.succeeded, "\n".join(training.logs())
        trained = client.policy_job(training)
        assert (trained.task, trained.progress) == ("training", 1.0)
        assert trained.validation is not None
        assert trained.policy is not None
        assert trained.policy.startswith("learned:ours@")
        shown = client.registered_policy("ours")
        assert (shown.name, shown.state) == (trained.policy, "candidate")
        assert {"policy", "wgc"} <= set((shown.manifest or {})["evaluation"])

        file = client.export_policy("ours", tmp_path / "ours.onnx")
        assert client.import_policy(file, "theirs").name.startswith("learned:theirs@")

        promotion = client.promote_policy("ours", workloads=6, jobs=6, use=True)
        with pytest.raises(JobFailed, match="exit code 4"):
            promotion.wait(check=True)
        verdict = client.policy_job(promotion)
        assert (verdict.promoted, verdict.policy) == (False, trained.policy)
        assert verdict.test is not None
        assert not verdict.test["passed"]
        actions = [event.action for event in client.registered_policy("ours").history]
        assert actions == ["registered", "refused"]
        assert client.policy().name == "wgc"
        with pytest.raises(ConflictError, match="is the incumbent already"):
            client.promote_policy("fulcrum")
