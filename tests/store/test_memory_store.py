import pytest

from scheduler.store.memory import MemoryStore
from scheduler.testing.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
