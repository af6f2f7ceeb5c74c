import gzip

import pytest

from envs.workloads.base import WorkloadRun
from envs.workloads.traces import documents, formats, gavel, muri, openb, philly, swf
from envs.workloads.traces.documents import Document
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from tests.support.traces import trace


def document(text: str) -> Document:
    return Document("tiny", text)


SWF = """\
; Version: 2.2
; MaxProcs: 8
1 100 -1 60 4 -1 -1 -1 -1 -1 1 7 3 2 -1 -1 -1 -1
2 90 5 30.5 4 -1 -1 2 120 -1 1 -1 -1 -1 -1 -1 -1 -1

3 110 -1 -1 4 -1 -1 2 120 -1 1 7 3 2 -1 -1 -1 -1
4 110 -1 -7 4 -1 -1 2 120 -1 1 7 3 2 -1 -1 -1 -1
5 110 -1 10 4 -1 -1 9 120 -1 1 7 3 2 -1 -1 -1 -1
6 110 -1 10 0 -1 -1 -1 120 -1 1 7 3 2 -1 -1 -1 -1
7 110 -1 10 4
8 soon -1 10 4 -1 -1 2 120 -1 1 7 3 2 -1 -1 -1 -1
9 110 -1 nan 4 -1 -1 2 120 -1 1 7 3 2 -1 -1 -1 -1
"""


def test_swf():
    log = swf.parse(document(SWF))
    second, first = log.jobs[1], log.jobs[0]
    assert (first.id, first.submitted_at, first.runs) == (1, 0.0, (WorkloadRun("any", 2, 30.5),))
    assert (first.requested_s, first.user, first.project) == (120.0, "user", "default")
    # Unknown requests: the allocated processors, the run time.
    assert (second.submitted_at, second.runs) == (10.0, (WorkloadRun("any", 4, 60.0),))
    assert (second.requested_s, second.user, second.project) == (60.0, "user 7", "group 3")
    assert second.kind == "application 2 of user 7"
    assert log.skipped == (
        "line 6: unknown runtime",
        "line 7: negative runtime",
        "line 8: 9 processors, the machine has 8",
        "line 9: unknown number of processors",
        "line 10: 5 columns, not 18",
        "line 11: submit time 'soon' is not a number",
        "line 12: runtime 'nan' is out of range",
    )


def test_swf_machine_size_is_the_argument_then_the_processors_then_the_nodes():
    assert len(swf.parse(document(SWF), processors=2).jobs) == 1
    assert swf.machine_size(document("; MaxNodes: 4\n; MaxProcs: 8\n")) == 8
    assert swf.machine_size(document("; MaxNodes: 4\n; MaxProcs: -1\n")) == 4
    assert swf.machine_size(document("; MaxJobs: 4\n")) is None
    assert swf.machine_size(document("; MaxProcs: 1,024\n")) == 1024
    assert swf.machine_size(document("; MaxProcs: 1,163,648 (cores)\n")) == 1_163_648
    assert swf.machine_size(document("; MaxProcs: 1,02\n")) is None


def test_strict_refuses_the_first_bad_row():
    with pytest.raises(InputError, match="tiny, line 6: unknown runtime"):
        swf.parse(document(SWF), strict=True)


def test_a_trace_without_a_usable_row_is_refused():
    with pytest.raises(InputError, match=r"1 rows cannot be used; first: line 1: 3 columns"):
        swf.parse(document("1 2 3\n"))


def test_philly():
    log = philly.parse(
        document(
            "timestamp,duration,num_gpus,gpu_time,cluster\n"
            "2017-10-09 07:01:55,66.0,1,66.0,11cb48\n"
            "2017-10-08 07:01:55,50.0,8,400.0,6214e9\n"
            ",,,,\n"
            "2017-10-09 07:01:55,66.0,0,66.0,11cb48\n"
        )
    )
    assert [(job.submitted_at, job.runs[0], job.project) for job in log.jobs] == [
        (0.0, WorkloadRun("cuda", 8, 50.0), "6214e9"),
        (86_400.0, WorkloadRun("cuda", 1, 66.0), "11cb48"),
    ]
    assert log.skipped == ("line 4: timestamp '' is not a date and time", "line 5: asks for no GPU")


def test_philly_times_with_offsets_are_the_moments_they_name():
    log = philly.parse(
        document(
            "timestamp,duration,num_gpus,cluster\n"
            "2017-11-05 01:30:00-07:00,9,1,a\n"
            "2017-11-05 01:10:00-08:00,9,2,a\n"  # the clocks went back between the two
            "2017-11-05 08:00:00,9,3,a\n"
        )
    )
    assert [(job.submitted_at, job.runs[0].width) for job in log.jobs] == [
        (0.0, 3), (1800.0, 1), (4200.0, 2),
    ]  # fmt: skip


def test_muri_is_in_milliseconds():
    log = muri.parse(
        document(
            "job_id,num_gpu,submit_time,iterations,model_name,batch_size,duration,priority\n"
            "0,4,2500,10,vgg16,16,90000,1\n"
        )
    )
    assert log.jobs[0].runs == (WorkloadRun("cuda", 4, 90.0),)
    assert log.jobs[0].kind == "vgg16:16 × 4"


PODS = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
a,12000,16384,1,1000,,LS,Running,0,500,100
b,6000,12288,1,460,V100M16|V100M32,BE,Running,10,110,10
c,1500,1024,0,0,,Guaranteed,Running,20,120,20
d,1500,1024,2,1000,,Burstable,Running,30,120,30
e,1500,1024,2,1000,,Burstable,Pending,30,120,
"""


def test_openb_whole_devices():
    log = openb.parse(document(PODS))
    a, b, c, d = log.jobs
    assert a.runs == (WorkloadRun("cuda", 1, 400.0),)
    assert (a.memory_bytes, a.priority) == (16 << 30, 75.0)
    assert b.runs == (WorkloadRun("V100M16", 1, 100.0), WorkloadRun("V100M32", 1, 100.0))
    assert c.runs == (WorkloadRun("cpu", 2, 100.0),)
    assert d.runs == (WorkloadRun("cuda", 2, 90.0),)
    assert log.skipped == ("line 6: never scheduled",)


def test_openb_slices_of_a_device():
    a, b, c, d = openb.parse(document(PODS), slices=10).jobs
    assert [job.runs[0].width for job in (a, b, c, d)] == [10, 5, 2, 20]


def test_openb_pools(tmp_path):
    nodes = tmp_path / "nodes.csv"
    nodes.write_text(
        "sn,cpu_milli,memory_mib,gpu,model\n"
        "n0,64000,262144,2,P100\nn1,64000,262144,2,P100\nn2,32000,131072,0,\n"
    )
    cpu, gpu = openb.pools(nodes)
    assert (cpu.kind, cpu.devices_per_node, cpu.nodes) == (DeviceKind.CPU, 32, 1)
    assert (gpu.model, gpu.devices_per_node, gpu.nodes) == ("P100", 2, 2)
    assert gpu.memory_per_node == 256 << 30
    _, sliced = openb.pools(nodes, slices=10)
    assert (sliced.devices_per_node, sliced.nodes) == (10, 4)
    assert sliced.dollars_per_device_hour == pytest.approx(gpu.dollars_per_device_hour / 10)


GAVEL = """{"k80": {"('ResNet-18 (batch size 16)', 1)": {"null": 4.0,
    "('LM (batch size 5)', 1)": [2.5, 3.0]},
  "('ResNet-18 (batch size 16)', 4)": {"null": 12.0},
  "('LM (batch size 5)', 1)": {"null": 0.0}}}"""


def test_gavel():
    table = gavel.parse(document(GAVEL))
    resnet, lm = "ResNet-18 (batch size 16)", "LM (batch size 5)"
    assert table.kinds == {resnet: JobKind.CNN_TRAIN, lm: JobKind.COMMAND}
    assert table.rate(resnet, "NVIDIA Tesla K80") == 4.0
    assert table.rate(resnet, "NVIDIA Tesla K80", 4) == 12.0
    assert table.rate(resnet, "k80", 2) == pytest.approx(4.0 * 1.7)
    assert table.rate(lm, "k80") is None
    assert table.rate(resnet, "NVIDIA A100") is None
    assert table.paired["k80", (resnet, 1), (lm, 1)] == (2.5, 3.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "not JSON"),
        ("[]", "devices: not an object"),
        ('{"k80": 1}', "k80: not an object"),
        ('{"k80": {"x": {"null": 1}}}', "is not"),
        ("""{"k80": {"('x', 1)": {"null": -1}}}""", "not a rate"),
        ("""{"k80": {"('x', 1)": {"null": true}}}""", "not a rate"),
        ("""{"k80": {"('x', 1)": {"('y', 1)": [1]}}}""", "not two rates"),
        ("{}", "no task runs alone"),
    ],
)
def test_gavel_names_the_place_of_what_is_wrong(text, reason):
    with pytest.raises(InputError, match=reason):
        gavel.parse(document(text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("swf", SWF),
        ("openb", PODS),
        ("gavel", GAVEL),
        ("philly", "timestamp,duration,num_gpus,gpu_time,cluster\n"),
        ("muri", "job_id,num_gpu,submit_time,iterations,model_name,batch_size,duration\n"),
        ("fulcrum", '{"submitted_at": 0, "runs": [["any", 1, 2]]}\n'),
    ],
)
def test_formats_are_told_by_their_looks(name, text):
    assert formats.guess(document(text)) == name


def test_unknown_formats_and_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="looks like no known format"):
        formats.guess(document("hello"))
    with pytest.raises(InputError, match="cannot be read"):
        formats.read(tmp_path / "none.swf")
    damaged = tmp_path / "damaged.swf.gz"
    damaged.write_bytes(gzip.compress(SWF.encode())[:40])
    with pytest.raises(InputError, match="cannot be read"):
        formats.read(damaged)
    damaged.write_bytes(gzip.compress(SWF.encode()))
    with pytest.raises(InputError, match="not a format"):
        formats.read(damaged, "gavel")
    assert formats.read(damaged).name == "damaged"


@pytest.mark.parametrize(
    ("name", "text"),
    [("log.swf", SWF), ("jobs.jsonl", '{"submitted_at": 1, "runs": [["cpu", 1, 2]]}\n')],
)
def test_a_byte_order_mark_hides_neither_header_nor_row(tmp_path, name, text):
    plain, marked = tmp_path / name, tmp_path / f"marked-{name}"
    plain.write_text(text)
    marked.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = formats.read(marked)
    assert (found.jobs, found.skipped) == (formats.read(plain).jobs, formats.read(plain).skipped)


def test_bytes_that_are_not_text_do_not_hide_the_rows(tmp_path):
    file = tmp_path / "old.swf"
    file.write_bytes(b"; Installation: K\xf8benhavn\n" + SWF.encode())
    assert len(swf.read(file).jobs) == 2
    assert documents.open_document(file).source.startswith("old.swf sha256:")


def test_kth_sp2():
    log = swf.read(trace("swf/KTH-SP2.swf.gz"))
    assert (len(log.jobs), len(log.skipped)) == (28_481, 0)
    assert max(job.runs[0].width for job in log.jobs) == 100
    assert len({job.user for job in log.jobs}) == 214


def test_lublin_1():
    log = swf.read(trace("swf/lublin_256.swf.gz"))
    assert (len(log.jobs), len(log.skipped)) == (10_000, 0)
    assert all(job.requested_s == job.runs[0].runtime_s for job in log.jobs)
    assert swf.machine_size(documents.open_document(trace("swf/lublin_256.swf.gz"))) == 256


def test_philly_log():
    log = philly.read(trace("philly/philly.csv.gz"))
    assert len(log.jobs) == 82_247
    assert max(job.runs[0].width for job in log.jobs) == 128


@pytest.mark.parametrize(("name", "jobs"), [("trace1", 1494), ("trace2_pr", 5755)])
def test_muri_traces(name, jobs):
    log = muri.read(trace(f"muri/{name}.csv"))
    assert (len(log.jobs), len(log.skipped)) == (jobs, 0)
    assert (log.jobs[-1].submitted_at == 0) == name.endswith("_pr")


def test_openb_pods_and_nodes():
    log = openb.read(trace("openb/openb_pod_list_default.csv.gz"))
    assert len(log.jobs) + len(log.skipped) == 8152
    assert all(row.endswith("never scheduled") for row in log.skipped)
    pools = openb.pools(trace("openb/openb_node_list_all_node.csv.gz"))
    assert sum(pool.nodes for pool in pools) == 1523
    assert sum(pool.count for pool in pools if pool.kind is DeviceKind.CUDA) == 6212


def test_gavel_table():
    table = gavel.read(trace("gavel/simulation_throughputs.json.gz"))
    assert len(table.rates) == 26
    assert table.rate("ResNet-50 (batch size 64)", "NVIDIA Tesla V100") == pytest.approx(4.394775)
