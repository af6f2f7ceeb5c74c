"""A node leaves by a command on its machine; jobs there are not overlooked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.cli.support.exit_codes import ExitCode
from api.local_cluster import LocalCluster, local_cluster
from scheduler.domain.errors import StateError
from scheduler.executors.local.records import claim
from scheduler.node import local_nodes

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path_factory.mktemp("cluster"), {"a": "", "b": ""}) as made:
        made.join("a")
        made.join("b")
        yield made


def leave(cluster: LocalCluster, *words: str) -> Result:
    return CliRunner().invoke(app, ["node", "leave", "--cluster", cluster.address, *words])


def names(cluster: LocalCluster) -> list[str]:
    """Of the nodes of this cluster that are here, "" for its head."""
    return [one.name for one in local_nodes.local_nodes() if one.belongs_to(cluster.address)]


@pytest.mark.timeout(600)
def test_nodes_leave_one_by_one_and_the_head_at_last(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(cluster) == ["a", "b", ""]

    refused = leave(cluster)
    assert refused.exit_code == ExitCode.USAGE
    assert "which node?" in refused.stderr
    unknown = leave(cluster, "c")
    assert unknown.exit_code == ExitCode.NOT_FOUND
    assert "a, b" in unknown.stderr
    with pytest.raises(StateError, match=r"node a of .* is here already"):
        cluster.join("a")

    folder = Path("/var/tmp/fulcrum-0/fulcrum-1/a/run/attempts/12.1-abc")
    monkeypatch.setattr(claim, "supervisors", lambda: {folder: 1})
    busy = leave(cluster, "a")
    assert busy.exit_code == ExitCode.CONFLICT
    assert "1 job on a, attempts 12.1" in busy.stderr
    assert "--force" in busy.stderr
    assert names(cluster) == ["a", "b", ""]

    assert json.loads(leave(cluster, "b", "--json").stdout)["left"][0]["node"] == "b"
    assert names(cluster) == ["a", ""]
    assert leave(cluster, "--all").exit_code == ExitCode.CONFLICT
    assert leave(cluster, "a", "--force").exit_code == ExitCode.OK
    cluster.join("a")
    monkeypatch.undo()
    assert "the head has ended" in leave(cluster, "--all").stdout
    assert names(cluster) == []
    assert leave(cluster, "--all").exit_code == ExitCode.NOT_FOUND


def test_a_name_and_all_are_too_much() -> None:
    refused = CliRunner().invoke(app, ["node", "leave", "a", "--all"])
    assert refused.exit_code == ExitCode.USAGE
    assert "none with --all" in refused.stderr
