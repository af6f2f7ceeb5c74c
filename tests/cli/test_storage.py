"""du, prune, and what the other commands say of what is gone."""

from __future__ import annotations

from tests.api.test_storage import ended


def test_du_and_prune(fulcrum, world):
    number = ended(world)
    told = fulcrum("du").stdout
    assert "logs" in told
    assert "SUCCEEDED" in told
    assert fulcrum.json("du")["jobs"][0]["job"] == number
    assert fulcrum("prune").exit_code == 2
    assert "would be removed" in fulcrum("prune", "--keep-bytes", "0B", "--dry-run").stdout
    done = fulcrum.json("prune", "--keep-bytes", "0B", "--what", "logs,artifacts,models")
    assert done["count"] == 3
    gone = fulcrum("logs", str(number))
    assert gone.exit_code == 3
    assert f"the logs of job {number} were pruned on" in gone.stderr
    listed = fulcrum("artifacts", str(number))
    assert listed.exit_code == 0
    assert "artifacts were pruned on" in listed.stderr
    assert fulcrum("prune", "--keep-bytes", "0B", "--what", "cache").exit_code == 4
