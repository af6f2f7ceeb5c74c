"""Policies by name, the heuristics' and other distributions'."""

import pytest

from scheduler.domain.errors import MissingError
from scheduler.policies import lookup
from scheduler.policies.heuristics import HEURISTICS


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed distribution that registers the policy `lucky`, and one named like ours."""
    (tmp_path / "lucky_policy.py").write_text(
        "from scheduler.policies.heuristics import Heuristic\n"
        "def make():\n"
        "    return Heuristic('lucky', lambda table: table.job * 1.0, 'highest id first')\n"
    )
    info = tmp_path / "lucky_policy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lucky-policy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{lookup.GROUP}]\nlucky = lucky_policy:make\nfcfs = lucky_policy:make\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", HEURISTICS)
def test_heuristics_by_name(name):
    assert lookup.named(name) is HEURISTICS[name]
    assert lookup.names()[name] == HEURISTICS[name].summary


def test_an_unknown_name_lists_the_legal_ones():
    with pytest.raises(
        MissingError, match="there is no policy 'sfj'; did you mean 'sjf'"
    ) as caught:
        lookup.named("sfj")
    assert all(name in caught.value.fields["policy"] for name in HEURISTICS)


def test_a_policy_of_another_distribution(plugin):
    assert lookup.named("lucky").name == "lucky"
    assert lookup.names()["lucky"] == "from lucky_policy:make"
    with pytest.raises(MissingError) as caught:
        lookup.named("unlucky")
    assert "lucky" in caught.value.fields["policy"]


def test_another_distribution_cannot_replace_a_heuristic(plugin):
    assert lookup.named("fcfs") is HEURISTICS["fcfs"]
    assert lookup.names()["fcfs"] == HEURISTICS["fcfs"].summary
