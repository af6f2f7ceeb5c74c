"""Hashes of placement logs: what is written compares as equal, and any change is told."""

import json

import pytest

from benchmarks.placement_logs.__main__ import main
from benchmarks.placement_logs.cells import JOBS, POLICIES, SCENARIOS, LogCell, cells, modes_of
from benchmarks.placement_logs.clocks import CLOCKS, NotSupportedError, by_simpy
from benchmarks.placement_logs.files import MACHINE, check, machine
from tests.support import golden

STORED = golden.FOLDER / "stress.json"
"""`python -m benchmarks.placement_logs --scenarios stress --seeds 6-7 --write` writes it."""
SMALL = ["--policies", "sjf,srtf", "--modes", "easy,own", "--scenarios", "stress", "--seeds", "1-2"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "logs.json"
    assert main(["--write", str(path), *SMALL, "--jobs", "12"]) == 0
    return path


def test_what_is_written_compares_as_equal(file, capsys):
    assert main(["--check", str(file), *SMALL]) == 0
    assert capsys.readouterr().out == "4 of 4 simulations by simpy are equal\n"


@pytest.mark.parametrize(("part", "kind"), [(1, "placements"), (2, "nodes"), (3, "results")])
def test_a_difference_is_told_by_kind(file, part, kind, capsys):
    document = json.loads(file.read_text())
    digest = document["cells"]["sjf easy stress"][1].split()
    digest[part] = "0" * 16
    document["cells"]["sjf easy stress"][1] = " ".join(digest)
    file.write_text(json.dumps(document))
    assert main(["--check", str(file), *SMALL, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["compared"], found["equal"]) == (4, 3)
    assert found[kind] == [[["sjf", "easy", "stress"], 2]]
    assert main(["--check", str(file), *SMALL]) == 1
    shown = "--policies sjf --modes easy --scenarios stress --seeds 2"
    assert shown in capsys.readouterr().out


def test_what_the_file_lacks_is_counted(file):
    found = check(
        file, [LogCell("sjf", "easy", "stress"), LogCell("sjf", "none", "lab")], "simpy", [2, 3]
    )
    assert (found.compared, found.equal, found.not_run) == (1, 1, {"not in the file": 3})


def test_a_file_is_continued_with_equal_settings_only(file, capsys):
    before = json.loads(file.read_text())
    more = ["--resume", "--write", str(file), "--policies", "fcfs", "--modes", "none"]
    same = ["--scenarios", "stress", "--seeds", "1-2"]
    with pytest.raises(SystemExit):
        main([*more, *same, "--jobs", "13"])
    assert "another jobs" in capsys.readouterr().err
    assert main([*more, *same, "--jobs", "12"]) == 0
    after = json.loads(file.read_text())
    assert after["cells"].keys() == before["cells"].keys() | {"fcfs none stress"}
    assert {name: after[name] for name in MACHINE} == {name: machine()[name] for name in MACHINE}


def test_a_log_has_every_attempt_with_all_digits(capsys):
    assert main(["--print", "--policies", "sjf", "--modes", "easy", *SMALL[4:]]) == 0
    first, *lines = capsys.readouterr().out.split("[sjf easy stress 2]")[0].splitlines()
    assert first == "[sjf easy stress 1]"
    placements = [line.split() for line in lines[: lines.index("")]]
    jobs = [int(job) for job, *_ in placements]
    assert set(jobs) == set(range(1, JOBS + 1))
    assert len(jobs) > JOBS, "attempts that were cut short"
    for _, _, width, nodes, start, end, action in placements:
        assert int(width) == sum(int(part.split(":")[1]) for part in nodes.split(","))
        assert repr(float(start)) == start
        assert float(start) < float(end)
        assert action in ("start", "backfill")


def test_policies_made_for_one_mode_run_in_that_one():
    assert list(modes_of("learned:fulcrum")) == ["greedy"]
    assert list(modes_of("srtf")) == ["own"]
    assert list(modes_of("easy++")) == ["easy"]
    assert len(modes_of("sjf@fgd")) == len(modes_of("wgc")) == 6
    assert len(list(cells(["fcfs", "drf"], ["easy", "own"]))) == 2 * len(SCENARIOS)


def test_an_unknown_policy_is_refused_with_the_legal_ones(capsys):
    with pytest.raises(SystemExit):
        main(["--print", "--policies", "magic"])
    assert "magic" in capsys.readouterr().err


@pytest.mark.parametrize("clock", ["compiled", "service"])
def test_every_clock_places_as_simpy(clock):
    for policy, mode in [("fcfs", "easy"), ("wgc", "greedy"), ("sjf", "commit+easy")]:
        cell = LogCell(policy, mode, "hpc-lublin")
        assert CLOCKS[clock](cell, 3, JOBS) == by_simpy(cell, 3, JOBS)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (LogCell("drf", "own", "lab"), "does not run this policy"),
        (LogCell("srtf", "own", "lab"), "running jobs"),
        (LogCell("sjf", "easy", "mixed-cloud"), "nodes come and go"),
        (LogCell("sjf@fgd", "easy", "hpc-lublin"), "placement rule fgd"),
    ],
)
def test_snapshots_refuse_what_the_service_cannot_do(cell, reason):
    with pytest.raises(NotSupportedError, match=reason):
        CLOCKS["service"](cell, 0, JOBS)


def test_every_cell_is_stored():
    stored = json.loads(STORED.read_text("utf-8"))["cells"]
    assert stored.keys() == {" ".join(cell) for cell in cells(scenarios=["stress"])}


@pytest.mark.parametrize("policy", POLICIES)
def test_stored_logs_are_unchanged(policy):
    document = json.loads(STORED.read_text("utf-8"))
    here = machine()
    other = [name for name in MACHINE if here[name] != document[name]]
    if other:
        pytest.skip(f"digits may depend on another {', '.join(other)} than that of the stored logs")
    chosen = list(cells([policy], scenarios=["stress"]))
    found = check(STORED, chosen, "simpy", document["seeds"])
    assert found.compared == len(chosen) * len(document["seeds"])
    different = [*found.placements, *found.nodes, *found.results]
    assert not different, "python -m benchmarks.placement_logs --print shows these logs"
