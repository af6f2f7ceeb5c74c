"""What every `Store` must do, as tests: subclass `StoreContract` and give it a `store` fixture."""

from scheduler.testing.stores.nodes import NodeRecordContract
from scheduler.testing.stores.reading import ReadContract
from scheduler.testing.stores.recording import RecordContract
from scheduler.testing.stores.submitting import SubmitContract
from scheduler.testing.stores.sweeps import SweepContract

__all__ = ["StoreContract"]


class StoreContract(
    SubmitContract, RecordContract, ReadContract, NodeRecordContract, SweepContract
):
    """All obligations of `scheduler.store.base`."""
