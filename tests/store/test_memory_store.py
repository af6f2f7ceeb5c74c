import pytest

from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.stores import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()
