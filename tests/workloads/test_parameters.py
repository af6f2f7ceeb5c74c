import pytest

from scheduler.domain.errors import InputError
from scheduler.workloads.spec.parameters import filled, with_placeholders

WORK = {
    "argv": ["python", "train.py", "--lr={lr}", "{lr}/{size}"],
    "env": {"SIZE": "{size}"},
    "augmentation": None,
    "count": 3,
}


def test_fields_items_and_placeholders_take_their_values():
    found = filled(
        WORK,
        {"work.count": 5, "work.argv.1": "other.py", "work.augmentation.flip": True, "lr": 0.01,
         "size": 32},
    )  # fmt: skip
    assert found == {
        "argv": ["python", "other.py", "--lr=0.01", "0.01/32"],
        "env": {"SIZE": "32"},
        "augmentation": {"flip": True},
        "count": 5,
    }
    assert WORK["count"] == 3
    assert WORK["augmentation"] is None


@pytest.mark.parametrize("name", ["work.count.x", "work.argv.9", "work.argv.x", "rate"])
def test_what_has_no_place_is_named(name):
    with pytest.raises(InputError) as caught:
        filled(WORK, {name: 1})
    assert list(caught.value.fields) == [name]


def test_placeholders_that_stand_nowhere_are_told():
    found, unused = with_placeholders({"argv": ["{index}", "x"]}, {"index": 4, "lr": 1})
    assert (found, unused) == ({"argv": ["4", "x"]}, {"lr"})
