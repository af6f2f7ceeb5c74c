from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.cli.views.doctor import checks
from api.cli.views.doctor.findings import CheckResult, Finding
from api.cli.views.doctor.service_checks import nodes
from api.http.auth import create_token
from api.schemas import NodeOut
from scheduler import problems, settings
from scheduler.compilation import warmup
from scheduler.compilation.warmup import CacheReport, CacheState
from scheduler.node import engine, head_address
from scheduler.service.maintenance import health


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it takes seconds, and is tested by every training."""
    monkeypatch.setattr(checks, "torch", lambda: iter([Finding("torch", CheckResult.OK, "2")]))
    # The tests' own folders are packages named as Fulcrum's.
    monkeypatch.setattr(checks, "packages", lambda: iter(()))


def lines(fulcrum, world, *args):
    findings = {}
    result = fulcrum("--data", str(world.folder), "doctor", *args)
    for line in result.stdout.splitlines():
        if not line.startswith(" "):
            verdict, name = line[:4].strip(), line[6:18].strip()
            findings[name] = verdict
    return result.exit_code, findings


def test_a_healthy_machine(fulcrum, world):
    code, found = lines(fulcrum, world)
    assert code == 0
    for name in ("python", "settings", "data folder", "token file", "service", "clock", "token"):
        assert found[name] == "ok"
    assert {"nvml", "/dev/shm", "disk", "database", "ready"} <= set(found)


def test_json(fulcrum, world):
    found = fulcrum.json("--data", str(world.folder), "doctor")
    assert {"name": "torch", "verdict": "ok", "text": "2", "advice": ""} in found


@pytest.mark.parametrize(
    ("state", "verdict", "text", "advice"),
    [
        (CacheState.WARM, "ok", "Numba 1.2 for the CPU zen4, cache is warm in /lib", ""),
        (CacheState.STALE, "warn", "cache is stale", "compiles 3 functions now"),
        (CacheState.COLD, "warn", "cache is cold", "NUMBA_CPU_NAME=generic"),
        (CacheState.PLAIN, "warn", "plain Python, which is slow", "install numba"),
    ],
)
def test_what_is_compiled(monkeypatch, state, verdict, text, advice):
    missing = 0 if state is CacheState.WARM else 3
    found = CacheReport(state, "Numba is not installed", "1.2", "zen4", (Path("/lib"),), missing)
    monkeypatch.setattr(warmup, "report", lambda: found)
    (finding,) = checks.compilation()
    assert (finding.name, finding.verdict) == ("compilation", verdict)
    assert text in finding.text
    assert advice in finding.advice


def test_variables_of_the_compiler_that_mean_nothing(monkeypatch, tmp_path):
    pytest.importorskip("llvmlite")
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (folder,) = checks.compilation()
    assert folder.text.endswith("file/cache, which cannot be written")
    assert "unset NUMBA_CACHE_DIR" in folder.advice
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("NUMBA_CPU_NAME", "nonsense")
    (cpu,) = checks.compilation()
    assert cpu.text == "NUMBA_CPU_NAME is 'nonsense', which is no CPU that LLVM knows"
    assert "generic" in cpu.advice


def test_many_folders_are_one_place(monkeypatch):
    folders = (Path("/lib/a/__pycache__"), Path("/lib/b/__pycache__"))
    found = CacheReport(CacheState.WARM, "", "1.2", "zen4", folders, 0)
    monkeypatch.setattr(warmup, "report", lambda: found)
    (finding,) = checks.compilation()
    assert finding.text.endswith("cache is warm in /lib (2 folders)")


def test_a_damaged_database_and_an_open_folder(fulcrum, world):
    (world.folder / "fulcrum.sqlite").write_bytes(b"no database" * 500)
    world.folder.chmod(0o755)
    code, found = lines(fulcrum, world)
    assert code == 1
    assert found["database"] == "fail"
    assert found["data folder"] == "warn"


def test_a_row_that_refers_to_nothing(fulcrum, world):
    with sqlite3.connect(world.folder / "fulcrum.sqlite") as connection:
        connection.execute("create table a (id integer primary key)")
        connection.execute("create table b (a references a(id))")
        connection.execute("insert into b values (3)")
    connection.close()
    assert lines(fulcrum, world)[1]["database"] == "fail"


@pytest.mark.parametrize("shadow", ["folder", "distribution", None])
def test_packages_that_stand_in_for_fulcrums_are_found(tmp_path, shadow):
    """In a process of its own: what is imported from where is the process's."""
    if shadow:
        (tmp_path / "agents").mkdir()
        (tmp_path / "agents" / "__init__.py").write_text("")
    if shadow == "distribution":
        info = tmp_path / "openai_agents-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: openai-agents\nVersion: 1.0\n")
        (info / "top_level.txt").write_text("agents\n")
    code = (
        "from api.cli.views.doctor import checks; "
        "print([(f.verdict.value, f.text) for f in checks.packages()])"
    )
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
    found = subprocess.run(
        [sys.executable, "-P", "-c", first + code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ("('fail', " in found) == (shadow is not None)
    assert (f"agents is imported from {tmp_path}" in found) == (shadow is not None)
    assert ("also installed by openai-agents" in found) == (shadow == "distribution")


def test_what_readyz_tells_the_doctor_tells(fulcrum, world, monkeypatch):
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    monkeypatch.setattr(world.executor, "health", lambda: ("the fork server hangs",))
    code, found = lines(fulcrum, world)
    assert code == 1
    assert (found["ready"], found["executor"]) == ("fail", "fail")
    told = fulcrum("--data", str(world.folder), "doctor").stdout
    assert "the fork server hangs" in told


def test_agents_of_other_services_are_a_warning(fulcrum, world, monkeypatch):
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    text = "gpu-a: agents of another service, fulcrum-old, are there too"
    warning = problems.HealthProblem("nodes", text, "give each service nodes", fatal=False)
    world.service.checkup.node_warnings = lambda: [warning]
    found = fulcrum.json("--data", str(world.folder), "doctor")
    told = {"name": "nodes", "verdict": "warn", "text": text, "advice": "give each service nodes"}
    assert told in found


def test_a_disk_that_is_nearly_full_fails(fulcrum, world, monkeypatch):
    monkeypatch.setattr(problems, "LEAST_SHARE", 1.0)
    monkeypatch.setenv("FULCRUM_MIN_FREE", "900PiB")
    code, found = lines(fulcrum, world)
    assert (code, found["disk"]) == (1, "fail")


def test_other_people_who_may_submit_are_a_warning(fulcrum, world, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    create_token(world.folder, "vera", "viewer")
    assert lines(fulcrum, world)[1]["isolation"] == "ok"
    create_token(world.folder, "ben", "user")
    assert lines(fulcrum, world)[1]["isolation"] == "warn"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (world.folder / "tokens.json").unlink()
    assert lines(fulcrum, world)[1]["isolation"] == "warn"


def test_wrong_settings_end_the_examination(fulcrum, world, monkeypatch):
    monkeypatch.setenv("FULCRUM_PORT", "many")
    code, found = lines(fulcrum, world)
    assert code == 1
    assert found["settings"] == "fail"
    assert "service" not in found


def test_nobody_there_is_a_warning(fulcrum, world):
    fulcrum.world.url = "http://127.0.0.1:9"
    code, found = lines(fulcrum, world)
    assert (code, found["service"]) == (0, "warn")


def test_a_wrong_token_fails(fulcrum, world):
    fulcrum.world.token = "wrong-token-of-some-length"
    assert lines(fulcrum, world)[1]["token"] == "fail"


def test_tokens_are_made_and_revoked(fulcrum, world):
    data = ("--data", str(world.folder))
    made = fulcrum.json(*data, "token", "create", "ada", "--role", "viewer")
    assert fulcrum("ls", FULCRUM_TOKEN=made["token"]).exit_code == 0
    assert fulcrum("run", "--", "true", FULCRUM_TOKEN=made["token"]).exit_code == 4
    assert fulcrum.json(*data, "token", "ls")[0]["user"] == "ada"
    assert made["token"] not in fulcrum(*data, "token", "ls").stdout
    assert fulcrum(*data, "token", "revoke", made["id"]).exit_code == 0
    assert fulcrum("ls", FULCRUM_TOKEN=made["token"]).exit_code == 4
    assert fulcrum(*data, "token", "revoke", "none").exit_code == 3
    assert fulcrum(*data, "token", "create", "x", "--role", "god").exit_code == 2
    plain = fulcrum(*data, "token", "create", "bob").stdout
    assert len(plain.split()) == 1


def on_ray(folder, address):
    given = {"data_dir": folder, "executor.kind": "ray", "ray.address": address}
    return settings.load(overrides=given)


def test_a_cluster_on_ray_needs_a_private_token(tmp_path, monkeypatch):
    chosen = on_ray(tmp_path, "127.0.0.2:6379")
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    missing = [(one.name, one.verdict) for one in checks.ray(chosen)]
    assert missing == [("Ray", CheckResult.FAIL), ("Ray's token", CheckResult.WARN)]
    monkeypatch.setattr(checks, "find_spec", lambda _: True)
    token = engine.token_file(tmp_path)
    assert [one.verdict for one in checks.ray(chosen)] == [CheckResult.OK]
    token.chmod(0o644)
    assert [one.verdict for one in checks.ray(chosen)] == [CheckResult.WARN]
    plain = settings.load(overrides={"data_dir": tmp_path})
    assert not list(checks.ray(plain))
    head_address.keep(tmp_path, "127.0.0.2:6379")  # `fulcrum serve --ray` was the last start
    assert [one.verdict for one in checks.ray(plain)] == [CheckResult.WARN]


@pytest.mark.parametrize("address", ["10.0.0.5:6379", "auto", "127.0.0.1:6379"])
def test_without_a_token_a_cluster_that_others_reach_is_refused(tmp_path, monkeypatch, address):
    monkeypatch.setattr(checks, "find_spec", lambda _: True)
    (finding,) = checks.ray(on_ray(tmp_path, address))
    assert finding.verdict is CheckResult.FAIL
    assert "is missing, and other machines may reach the cluster" in finding.text
    assert "fulcrum serve --ray" in finding.advice


def test_the_token_of_a_cluster_that_exists_already_is_in_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda _: True)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    (finding,) = checks.ray(on_ray(tmp_path, "10.0.0.5:6379"))
    assert (finding.verdict, finding.text) == (CheckResult.OK, "of this environment")


def test_nodes_that_take_no_jobs_and_clocks_that_differ_are_found():
    def node(name, state="up", offset_s=0.0, reason=""):
        now = datetime.now(UTC)
        return NodeOut(
            name=name,
            state=state,
            since=now,
            reason=reason,
            pools={},
            drained_by="",
            seen_at=now,
            clock_offset_s=offset_s,
            jobs=(),
        )

    good = [node("a"), node("b", "off", 0.4)]
    assert [(one.verdict, one.text) for one in nodes(good)] == [
        (CheckResult.OK, "2 nodes, jobs start on each")
    ]
    bad = [*good, node("c", "draining", -90.0, "it does not see /shared")]
    assert [(one.verdict, one.text) for one in nodes(bad)] == [
        (CheckResult.WARN, "c is draining: it does not see /shared"),
        (CheckResult.WARN, "the clock of c is 1 min 30 s behind the service's"),
    ]
