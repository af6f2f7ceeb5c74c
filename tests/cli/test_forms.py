"""Forms in which people type times, users and names."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Fulcrum


def test_costs_since_a_span_or_a_day(fulcrum: Fulcrum) -> None:
    number = fulcrum.world.running()
    fulcrum.world.finish(number)
    for since, jobs in (("1h", 1), ("2020-01-01", 1), ("2999-01-01T00:00:00", 0)):
        assert fulcrum.json("cost", "--since", since)["total"]["jobs"] == jobs
    refused = fulcrum("cost", "--since", "bogus")
    assert (refused.exit_code, "so long ago" in refused.stderr) == (2, True)


def test_a_user_with_one_token_names_it(fulcrum: Fulcrum, tmp_path: object) -> None:
    folder = {"FULCRUM_DATA_DIR": str(tmp_path)}
    for user in ("eve", "ada", "ada"):
        fulcrum("token", "create", user, **folder)
    assert "of eve is revoked" in fulcrum("token", "revoke", "eve", **folder).stdout
    assert fulcrum("token", "revoke", "eve", **folder).exit_code == 3
    assert fulcrum("token", "revoke", "ada", **folder).exit_code == 6


@pytest.mark.parametrize("name", ["123", "{index}"])
def test_a_name_is_no_number(fulcrum: Fulcrum, name: str) -> None:
    result = fulcrum("run", "--name", name, "--", "true")
    assert (result.exit_code, "should hold more than digits" in result.stderr) == (4, True)


def test_a_folder_as_data_and_a_command_of_another_tool_are_explained(fulcrum: Fulcrum) -> None:
    assert "a folder is written `folder:flat`" in fulcrum("train", "--dataset", "flat").stderr
    assert "fulcrum ls lists jobs" in fulcrum("jobs").stderr


def test_a_job_that_succeeded_is_done(fulcrum: Fulcrum) -> None:
    number = fulcrum.world.running()
    fulcrum.world.finish(number)
    assert fulcrum.json("show", str(number))["progress"] == 1.0
