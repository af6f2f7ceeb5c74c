"""What the settings say about attempts reaches the executor."""

from __future__ import annotations

import pytest

from scheduler import bootstrap, settings
from scheduler.testing.executors import FakeExecutor


@pytest.mark.parametrize(("quota", "pin"), [(None, True), (2.0, False)])
def test_the_executor_obeys_the_settings_and_pins_only_without_a_quota(
    quota, pin, tmp_path, monkeypatch
) -> None:
    given = {}

    def executor(_folder, **options):
        given.update(options)
        return FakeExecutor()

    monkeypatch.setattr("scheduler.node.executor.LocalExecutor", executor)
    monkeypatch.setattr("scheduler.node.executor.cpu_quota", lambda: quota)
    own = {"grace_s": 20, "pass_env": ["AWS_*"], "max_log_bytes": "2MiB", "linger_s": 1}
    service = bootstrap.build(
        settings.load(overrides={"data_dir": tmp_path, "executor": own, "policy": "priority"})
    )
    service.start(threaded=False)
    service.stop()
    assert given == {
        "light": "scheduler.workloads.run:preload_for_commands",
        "spares": 2,
        "linger_s": 1.0,
        "grace_s": 20.0,
        "log_bytes": 2 * 2**20,
        "pin": pin,
        "pass_env": ("AWS_*",),
    }
