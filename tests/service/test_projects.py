"""Projects in a service: fair share, quotas and secrets."""

import pytest

from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.groups.projects import QuotaError
from tests.support.service_worlds import CPU, dollars, train, wide


def job(project, **changes):
    return train(project=project, request=wide(1), **changes)


def set_up(world, name, **changes):
    view = world.service.projects.change(name, **changes, actor="ann")
    world.step()
    return view


def test_the_project_that_used_least_of_its_share_goes_first(world):
    world.submit(job("vision"), job("vision"))
    world.settle()
    world.submit(job("vision"), job("speech"))
    found = world.service.queries.explain(3)
    assert (
        "project vision used 2.0 × its share lately, counting the next hour of its jobs"
        in found.text
    )
    assert "so its jobs count 0.25 ×; speech (1 ×) goes first" in found.text
    world.after(100.0)
    world.finish("1.1")
    assert (world.state(3), world.state(4)) == ("QUEUED", "RUNNING")


def test_with_one_project_nothing_is_said_of_shares(world):
    world.submit(*[job("vision")] * 3)
    world.settle()
    assert "share" not in world.service.queries.explain(3).text


def test_usage_is_remembered_over_a_restart(world):
    world.submit(job("vision"))
    world.settle()
    world.after(1000.0)
    world.finish("1.1")
    before = world.service.projects.view("vision").standing
    world.restart()
    after = world.service.projects.view("vision").standing
    assert before.used == pytest.approx(1000.0, rel=0.01)
    assert after.used == pytest.approx(before.used, rel=0.05)


def test_a_hard_limit_of_devices_lets_jobs_wait(world):
    set_up(world, "vision", hard={"devices": 1})
    world.submit(job("vision"), job("vision"))
    world.settle()
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")
    found = world.service.queries.explain(2)
    assert (found.cause, found.text) == ("quota", "project vision uses 1 of its 1 device")
    set_up(world, "vision", hard={"devices": None})
    assert world.state(2) == "STARTING"


def test_a_job_wider_than_its_project_may_be_is_refused(world):
    set_up(world, "vision", hard={"devices": 1})
    with pytest.raises(QuotaError, match="needs 2 devices, and project vision may hold 1 at once"):
        world.submit(train(project="vision", request=wide(2)))


def test_a_hard_limit_of_waiting_jobs_refuses_with_the_numbers(world):
    set_up(world, "vision", hard={"queued": 2})
    world.submit(*[train(request=wide(2))] * 2)
    world.settle()
    world.submit(job("vision"), job("vision"))
    with pytest.raises(QuotaError, match="has 2 of its 2 waiting jobs, and 1 more would be 3"):
        world.submit(job("vision"))
    world.submit(job("speech"))


def test_dollars_of_a_day_hold_jobs_until_the_next(world):
    cost = dollars(job("vision"), CPU)
    set_up(world, "vision", hard={"dollars_per_day": 1.5 * cost})
    world.submit(job("vision"), job("vision"))
    world.settle()
    assert (world.state(1), world.state(2)) == ("RUNNING", "QUEUED")
    found = world.service.queries.explain(2)
    assert found.cause == "quota"
    assert "a day, until" in found.text
    world.after(3600.0 * cost / CPU.dollars_per_device_hour)
    world.finish("1.1")
    assert world.state(2) == "QUEUED"
    with pytest.raises(QuotaError, match=r"has spent .* today, and the job costs at least"):
        world.submit(job("vision"))
    world.after(found.start - world.clock.now() + 1.0)
    assert world.state(2) in ("STARTING", "RUNNING")


def test_a_soft_limit_only_warns(world):
    set_up(world, "vision", soft={"devices": 1, "queued": 0})
    world.submit(*[job("vision")] * 3)
    world.settle()
    assert world.state(2) == "RUNNING"
    assert world.service.projects.view("vision").warnings == (
        "project vision uses 2 devices, over its 1",
        "project vision has 1 waiting job, over its 0",
    )


def test_projects_are_set_up_in_the_settings_and_changed_while_it_runs(build):
    world = build(projects={"vision": {"share": 3, "hard": {"devices": 1}}})
    assert world.service.projects.view("vision").project.share == 3.0
    set_up(world, "vision", share=2.0)
    world.restart(projects={"vision": {"share": 3, "hard": {"devices": 1}}})
    project = world.service.projects.view("vision").project
    assert (project.share, project.hard.devices) == (2.0, 1)
    with pytest.raises(MissingError, match="there is no project 'nlp'"):
        world.service.projects.view("nlp")
    with pytest.raises(InputError, match="share 0 is out of range"):
        set_up(world, "vision", share=0.0)


def test_a_secret_goes_with_the_launch_and_nowhere_else(world):
    vault = world.service.secrets
    vault.set("vision", "TOKEN", "hunter2-secret", actor="ann")
    world.submit(job("vision", secrets={"HF": "TOKEN"}))
    world.settle()
    spec = world.executor.specs["1.1"]
    assert spec.secrets == {"HF": "hunter2-secret"}
    assert "hunter2" not in repr(spec)
    assert "hunter2" not in str(world.store.setting("secrets"))
    assert world.job(1).spec.secrets == {"HF": "TOKEN"}
    assert [entry.name for entry in vault.entries("vision")] == ["TOKEN"]
    key = world.folder / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_job_may_name_only_secrets_of_its_project(world):
    world.service.secrets.set("vision", "TOKEN", "value", actor="ann")
    with pytest.raises(InputError, match="project speech has no secret TOKEN"):
        world.submit(job("speech", secrets={"HF": "TOKEN"}))


def test_a_secret_that_is_gone_lets_the_attempt_fail_with_the_reason(world):
    world.service.secrets.set("vision", "TOKEN", "value", actor="ann")
    world.submit(*[train(request=wide(2))], job("vision", secrets={"HF": "TOKEN"}))
    world.settle()
    world.service.secrets.remove("vision", "TOKEN")
    world.finish("1.1")
    world.settle()  # what the launcher says of it
    assert world.state(2) == "FAILED"
    assert "has no secret TOKEN" in world.job(2).reason
