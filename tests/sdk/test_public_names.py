"""The names of the package `fulcrum`."""

import subprocess
import sys

import pytest

import api.client
import fulcrum


def test_the_sdks_names_are_all_there():
    assert fulcrum.__version__[0].isdecimal()
    for name in api.client.__all__:
        assert getattr(fulcrum, name) is getattr(api.client, name)
        assert name in dir(fulcrum)
    with pytest.raises(AttributeError, match="no attribute 'Scheduler'"):
        fulcrum.Scheduler  # noqa: B018


def test_the_former_name_of_a_job_still_works():
    with pytest.warns(DeprecationWarning, match=r"fulcrum\.JobHandle"):
        from api.client import Job
    assert Job is fulcrum.JobHandle


def test_the_sdk_loads_nothing_of_the_service():
    code = (
        "import sys; from fulcrum import Client; "
        "print({'torch', 'numpy', 'fastapi', 'sqlalchemy', 'pydantic', 'yaml'} & {*sys.modules})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "set()\n"
