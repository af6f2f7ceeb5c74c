import pytest

from scheduler.domain.resources import DeviceKind
from scheduler.hardware import figures_for
from scheduler.hardware.cpus import detect_cpus
from scheduler.hardware.figures import core_rate
from scheduler.hardware.gpus import detect_gpus
from tests.support.machines import ARM, XEON, Board, Nvml, write


def test_cpu_model_and_rate(tmp_path):
    cpus = detect_cpus(write(tmp_path, {"proc/cpuinfo": XEON}))
    assert cpus.model == "Intel Xeon Platinum 8375C CPU"
    # 3 GHz × 48 operations × 40 %, shared by two hardware threads.
    assert cpus.flops == pytest.approx(3e9 * 48 * 0.4 / 2)
    assert cpus.numbers
    assert cpus.memory_bytes > 0


@pytest.mark.parametrize("text", [ARM, "", "nonsense without colon\n", "cpu MHz: fast\n"])
def test_odd_cpuinfo_still_gives_a_cpu(tmp_path, text):
    cpus = detect_cpus(write(tmp_path, {"proc/cpuinfo": text}))
    assert cpus.model
    assert cpus.flops >= 1e9


def test_no_proc_at_all(tmp_path):
    assert detect_cpus(tmp_path).numbers


def test_wider_vector_units_are_faster():
    rates = [core_rate(2500, flags) for flags in ((), ("sse2",), ("avx",), ("avx", "avx2"))]
    assert rates == sorted(rates)
    assert core_rate(2500, ("avx2", "avx512f")) > rates[-1]
    assert core_rate(None, ("asimd",)) > rates[0]


def test_gpus_as_nvml_tells():
    nvml = Nvml(
        Board("NVIDIA A100-SXM4-80GB", "GPU-1", 80 * 2**30, 400_000),
        Board(b"Tesla  K80", b"GPU-2", 12 * 2**30),
    )
    first, second = detect_gpus(nvml, visible=None)
    assert (first.model, first.uuid, first.watts) == ("NVIDIA A100-SXM4-80GB", "GPU-1", 400)
    assert (second.model, second.uuid, second.watts) == ("Tesla K80", "GPU-2", None)
    assert nvml.open == 0


def test_no_driver_means_no_gpus_without_noise(capfd, recwarn):
    assert detect_gpus(Nvml(Board("x", "y"), driver=False)) == ()
    detect_gpus()  # whatever this machine has
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


def test_a_lost_gpu_and_a_silent_one_do_not_hide_the_others():
    nvml = Nvml(Board("A", "GPU-1", broken=True), Board("", "GPU-2", None), Board("B", "GPU-3"))
    assert [gpu.model for gpu in detect_gpus(nvml)] == ["unknown GPU", "B"]
    assert detect_gpus(nvml)[0].memory_bytes == 0


def test_instances_of_a_partitioned_gpu_stand_for_it():
    slice_ = Board("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "MIG-1", 5 * 2**30)
    nvml = Nvml(Board("NVIDIA A100-SXM4-40GB", "GPU-1", instances=[slice_, None]))
    assert [gpu.uuid for gpu in detect_gpus(nvml)] == ["MIG-1"]
    whole = figures_for(DeviceKind.CUDA, "NVIDIA A100-SXM4-40GB")
    part = figures_for(DeviceKind.CUDA, slice_.name)
    assert part.flops == pytest.approx(whole.flops / 7)
    assert part.dollars_per_hour == pytest.approx(whole.dollars_per_hour / 7)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        ("", []),
        ("-1", []),
        ("1", ["GPU-bb"]),
        ("2,0", ["GPU-cc", "GPU-aa"]),
        ("GPU-b", ["GPU-bb"]),
        ("0,7,1", ["GPU-aa"]),
        ("0,0,1", ["GPU-aa"]),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_restricts_them_as_cuda_does(monkeypatch, visible, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    nvml = Nvml(*(Board("T", f"GPU-{letter * 2}") for letter in "abc"))
    assert [gpu.uuid for gpu in detect_gpus(nvml)] == seen


@pytest.mark.parametrize(
    ("name", "dollars", "watts"),
    [
        ("Tesla K80", 0.45, 150),
        ("Tesla P100-PCIE-16GB", 1.46, 250),
        ("Tesla P100-SXM2-16GB", 1.46, 300),
        ("Tesla V100-SXM2-16GB", 2.48, 300),
        ("Tesla T4", 0.35, 70),
        ("NVIDIA A10", 0.75, 150),
        ("NVIDIA A10G", 1.006, 300),
        ("NVIDIA L4", 0.71, 72),
        ("NVIDIA L40S", 1.861, 350),
        ("NVIDIA A100-SXM4-40GB", 3.67, 400),
        ("NVIDIA A100-SXM4-80GB", 5.07, 400),
        ("NVIDIA A100 80GB PCIe", 5.07, 300),
        ("a100 80 GB", 5.07, 400),
        ("NVIDIA H100 80GB HBM3", 2.99, 700),
        ("NVIDIA H100 PCIe", 2.49, 350),
        ("NVIDIA H200", 3.5, 700),
        ("NVIDIA RTX A6000", 0.8, 300),
        ("NVIDIA GeForce RTX 3090", 0.167, 350),
        ("NVIDIA GeForce RTX 4090", 0.189, 450),
        ("rtx4090", 0.189, 450),
        ("Quadro FX 9999", 0.5, 250),
    ],
)
def test_figures_by_the_names_that_nvml_gives(name, dollars, watts):
    found = figures_for(DeviceKind.CUDA, name)
    assert (found.dollars_per_hour, found.watts) == (dollars, watts)
    assert 1e12 < found.flops < 1e14
    assert "2025" in found.source


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("AMD EPYC 7B13", 0.0432),
        ("Intel Xeon Platinum 8375C CPU", 0.048),
        ("AMD Ryzen 7 5800X 8-Core Processor", 0.0031),
        ("12th Gen Intel Core i7-12700", 0.0018),
        ("Neoverse-N1", 0.0385),
        ("who knows", 0.048),
    ],
)
def test_figures_of_cpus(name, dollars):
    found = figures_for(DeviceKind.CPU, name)
    assert found.dollars_per_hour == dollars
    assert 1 < found.watts < 20
    assert 1e9 < found.flops < 1e12
