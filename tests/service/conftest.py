from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service_worlds import Failing, World, memory_store, sql_store
from tests.support.thinning import thinned

Build = Callable[..., World]


@pytest.fixture(params=thinned(["memory", "sqlite"]))
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    """Builds a world over the parametrized store; stops its service at the end."""
    worlds: list[World] = []

    def build_one(*arguments: Any, **options: Any) -> World:
        store = memory_store() if request.param == "memory" else sql_store(tmp_path)
        worlds.append(World(tmp_path, store, *arguments, **options))
        return worlds[-1]

    yield build_one
    for world in worlds:
        world.service.live_jobs.validate()
        world.service.stop()


@pytest.fixture
def world(build: Build) -> World:
    """Two CPUs."""
    return build()


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[World, Failing]]:
    """A world over a store that fails when told to."""
    store = Failing(memory_store()())
    world = World(tmp_path, lambda: store)
    yield world, store
    world.service.live_jobs.validate()
    world.service.stop()
