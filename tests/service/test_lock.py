"""A data folder has one service at a time."""

import os

import pytest

from scheduler import bootstrap
from scheduler.domain.errors import InputError, StateError
from scheduler.service.data_folder_lock import FolderLock
from scheduler.settings import Settings


def test_a_second_service_is_refused_naming_folder_and_process(tmp_path):
    settings = Settings(data_dir=tmp_path, policy="priority")
    service = bootstrap.build(settings)
    with pytest.raises(StateError) as caught:
        bootstrap.build(settings)
    assert str(tmp_path) in caught.value.message
    assert f"process {os.getpid()}" in caught.value.message
    assert list(caught.value.fields) == ["data_dir"]
    service.stop()
    bootstrap.build(settings).stop()


def test_a_service_that_could_not_be_built_holds_nothing(tmp_path):
    with pytest.raises(InputError):
        bootstrap.build(Settings(data_dir=tmp_path, policy="priority", database_url="nonsense://"))
    FolderLock(tmp_path).release()


def test_releasing_twice_has_no_effect(tmp_path):
    lock = FolderLock(tmp_path)
    lock.release()
    other = FolderLock(tmp_path)
    lock.release()
    with pytest.raises(StateError):
        FolderLock(tmp_path)
    other.release()
