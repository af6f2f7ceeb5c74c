from __future__ import annotations

import pytest
import tenacity.nap


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    # tenacity and the streams sleep through the same module.
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    for name in ("FULCRUM_URL", "FULCRUM_TOKEN", "FULCRUM_DATA_DIR", "FULCRUM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
