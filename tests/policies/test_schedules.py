"""wgc by name: tuned schedules, files, constants."""

from dataclasses import replace

import pytest

from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import lookup, schedules
from scheduler.policies.constants import Constants, Schedule

TEXT = """
scenario = "ours"
[[at]]
w = 0.5
constants = { preference = 0.4, congestion = 0.5, patience = 0.1, dollars = "exchange" }
"""


def test_constants_in_the_name():
    policy = lookup.named("wgc:congestion=.5,patience=2,dollars=exchange")
    assert policy.name == "wgc:congestion=.5,patience=2,dollars=exchange"
    assert policy.constants == Constants(congestion=0.5, patience=2.0, dollars="exchange")


@pytest.mark.parametrize("name", schedules.names())
def test_shipped_schedules_are_read(name):
    policy = lookup.named(f"wgc:{name}")
    assert isinstance(policy.constants, Schedule)
    assert next(w for w, _ in policy.constants.points) == 0.0


def test_a_scenario_with_constants_of_ones_own():
    names = ("wgc:mixed-cloud,patience=3", "wgc:mixed-cloud")
    changed, tuned = (lookup.named(name).constants for name in names)
    assert [w for w, _ in changed.points] == [w for w, _ in tuned.points]
    for (_, one), (_, other) in zip(changed.points, tuned.points, strict=True):
        assert one == replace(other, patience=3.0)


def test_a_file(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text(TEXT)
    policy = schedules.anywhere(str(path))
    assert policy.constants.points[0][1].congestion == 0.5


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wgc:congestion=-1", "a number ≥ 0"),
        ("wgc:patience=soon", "a number ≥ 0"),
        ("wgc:dollars=0", "dollars > 0"),
        ("wgc:colour=1", "congestion"),
        ("wgc:preference=2", "0 … 1"),
    ],
)
def test_illegal_constants_are_refused(name, said):
    with pytest.raises(InputError) as refused:
        lookup.named(name)
    assert said in str(refused.value.fields)


def test_what_is_not_there_and_what_is_broken(tmp_path):
    with pytest.raises(MissingError):
        lookup.named("wgc:moon")
    with pytest.raises(MissingError):
        schedules.anywhere(f"{tmp_path}/none.toml")
    for text in ("", "at = 3", "at = [{ w = 0.5 }]", "[[at", TEXT.replace("0.5\n", "1.5\n")):
        path = tmp_path / "broken.toml"
        path.write_text(text)
        with pytest.raises(InputError):
            schedules.anywhere(str(path))
