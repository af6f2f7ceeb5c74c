import pytest

from scheduler.compilation import functions


@pytest.fixture(autouse=True)
def entry_points():
    """Entry points that a test declares are forgotten: a warm-up in the same process lacks them."""
    before = list(functions.ENTRY_POINTS)
    yield
    functions.ENTRY_POINTS[:] = before
