"""The client's calls about policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import ConflictError
from api.client.files import FileError
from tests.support.answers import Service, job, problem

SUMMARY = {"name": "learned:ours@3f9a0c1d2e4b", "summary": "", "active": False}


def made(**changes: Any) -> httpx.Response:
    return httpx.Response(201, json=job(**changes))


def test_a_training_is_a_job_with_an_idempotency_key(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    service = Service([made(id=18), made(id=18)])
    trained = service.client().train_policy(
        "ours", scenario="ours.toml", steps=64, options={"gamma": 0.9}, job={"width": 2}
    )
    assert trained.id == 18
    (request,) = service.requests
    assert (request.method, request.url.path) == ("POST", "/v1/policies/trainings")
    assert request.headers["Idempotency-Key"]
    assert service.bodies[-1] == {
        "name": "ours",
        "scenario": str(tmp_path / "ours.toml"),
        "steps": 64,
        "options": {"gamma": 0.9},
        "job": {"width": 2},
    }
    service.client().train_policy("ours", scenario="lab", key="k")
    assert service.requests[-1].headers["Idempotency-Key"] == "k"
    assert service.bodies[-1]["scenario"] == "lab"


def test_tunings_and_promotions_are_jobs() -> None:
    service = Service([made(), made(), made()])
    client = service.client()
    client.tune_heuristic("our-lab", scenario="lab", trials=3)
    client.tune_hyperparameters("first", scenario="lab", trials=2)
    client.promote_policy("learned:ours@3f9a", use=True)
    paths = [request.url.path for request in service.requests]
    assert paths == [
        "/v1/policies/tunings",
        "/v1/policies/studies",
        "/v1/policies/ours@3f9a:promote",
    ]
    assert service.bodies[-1] == {"use": True}


def test_a_refusal_is_an_exception_with_the_sentence() -> None:
    service = Service([problem(409, "conflict", "fulcrum is the name of a shipped policy")])
    with pytest.raises(ConflictError, match="the name of a shipped policy"):
        service.client().train_policy("fulcrum")


def test_a_file_is_imported_under_its_own_name(tmp_path: Path) -> None:
    service = Service([httpx.Response(200, json=SUMMARY), httpx.Response(200, json=SUMMARY)])
    file = tmp_path / "Ours.onnx"
    file.write_bytes(b"weights")
    assert service.client().import_policy(file).name == SUMMARY["name"]
    request = service.requests[-1]
    assert (request.method, request.url.path) == ("PUT", "/v1/policies/ours/file")
    assert request.content == b"weights"
    assert request.headers["Content-Type"] == "application/octet-stream"
    (tmp_path / "lab.toml").write_text("[[at]]\n")
    service.client().import_policy(tmp_path / "lab.toml", "our-lab")
    assert service.requests[-1].url.path == "/v1/policies/schedules/our-lab"
    with pytest.raises(FileError, match="cannot be read"):
        service.client().import_policy(tmp_path / "none.onnx")


def test_a_policy_is_exported_into_a_file(tmp_path: Path) -> None:
    service = Service([httpx.Response(200, content=b"weights")])
    assert service.client().export_policy("learned:ours@3f9a", tmp_path) == tmp_path / "ours.onnx"
    assert (tmp_path / "ours.onnx").read_bytes() == b"weights"
    assert service.requests[-1].url.path == "/v1/policies/ours@3f9a/file"
