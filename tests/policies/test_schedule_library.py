"""Schedules that people registered: by name, from the data folder alone."""

import pytest

from scheduler.domain.errors import InputError, MissingError
from scheduler.policies.schedules.library import MOST_CHARACTERS, Library
from tests.policies.test_schedules import TEXT


def test_a_registered_schedule_is_had_by_name_also_later(tmp_path):
    assert Library(tmp_path).add("ours", TEXT) == "wgc:ours"
    library = Library(tmp_path)
    assert library.names() == ("ours",)
    policy = library.policy("ours")
    assert policy.name == "wgc:ours"
    assert policy.constants.points[0][1].congestion == 0.5
    library.add("ours", TEXT.replace("congestion = 0.5", "congestion = 0.7"))
    assert library.policy("ours").constants.points[0][1].congestion == 0.7
    assert library.policy("congestion=.5").constants.congestion == 0.5
    assert library.policy("random").name == "wgc:random"


@pytest.mark.parametrize("name", ["../x", "", "A", "x/y", "random", "a.toml", "x" * 61, "a=1"])
def test_names_are_checked(tmp_path, name):
    with pytest.raises(InputError) as caught:
        Library(tmp_path / "data").add(name, TEXT)
    assert set(caught.value.fields) == {"name"}
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["", "x", "[[at]]\nw = 2\nconstants = {}", "#" * MOST_CHARACTERS])
def test_what_is_no_schedule_is_refused(tmp_path, text):
    with pytest.raises(InputError):
        Library(tmp_path).add("ours", text + "\n")
    assert Library(tmp_path).names() == ()


def test_no_path_is_opened(tmp_path):
    file = tmp_path / "ours.toml"
    file.write_text(TEXT)
    library = Library(tmp_path / "data")
    with pytest.raises(MissingError, match="opens no file"):
        library.policy(str(file))
    with pytest.raises(MissingError):
        library.policy("unknown")


def test_the_settings_may_name_a_file(tmp_path):
    file = tmp_path / "Ours.toml"
    file.write_text(TEXT)
    library = Library(tmp_path / "data")
    assert library.taken(f"wgc:{file}") == "wgc:ours"
    assert library.taken("wgc:ours") == "wgc:ours"
    assert library.taken("sjf") == "sjf"
    with pytest.raises(MissingError, match="cannot be read"):
        library.taken("wgc:./none.toml")
