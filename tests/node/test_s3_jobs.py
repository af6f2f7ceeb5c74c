"""A service and a real node of Ray that share a bucket of S3, and no folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.local_cluster import local_cluster
from api.local_service import private_service
from fulcrum import Client
from scheduler.storage.objects import ObjectStorage
from tests.support.waiting import PATIENCE_S

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MODEL = "model.pt"


@pytest.fixture
def client(s3_url: str, tmp_path: Path) -> Iterator[Client]:
    folder = tmp_path / "data"
    own = {"FULCRUM_FIT": "false", "FULCRUM_STORAGE": s3_url}
    with (
        local_cluster(folder, {"a": "cpu"}) as cluster,
        private_service(folder, own | cluster.settings(120.0)) as made,
    ):
        cluster.join("a")
        cluster.wait(made)
        yield made


def test_a_bucket_carries_logs_metrics_and_artifacts(
    client: Client, s3_url: str, tmp_path: Path
) -> None:
    training = client.submit({"kind": "cnn-train", "name": "digits", "work": {"epochs": 2}})
    training.wait(PATIENCE_S, check=True)
    data = tmp_path / "data" / "jobs" / str(training.id)
    assert any("epoch" in line for line in training.logs())
    (measured,) = training.metrics(kind="epoch")
    assert len(measured.lines) == 2
    assert MODEL in [artifact.name for artifact in training.artifacts()]
    assert not (data / "artifacts" / MODEL).exists()
    model = training.download(MODEL, tmp_path / "model.pt")
    stored = ObjectStorage(s3_url).sizes(f"jobs/{training.id}")
    assert model.stat().st_size in [
        size for name, size in stored.items() if name.startswith("artifacts/")
    ]
    assert {name.partition("/")[0] for name in stored} >= {"artifacts", "attempt-1", "checkpoints"}
    inference = client.submit(
        {"kind": "cnn-infer", "work": {"models": ["digits"], "data": "digits:test"}}
    )
    inference.wait(PATIENCE_S, check=True)
    assert inference.result
