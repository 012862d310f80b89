"""The benchmark of Triton kernels, as far as it goes without a GPU."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

GPU = Path(__file__).resolve().parent.parent / "benchmarks" / "gpu.py"
torch = pytest.importorskip("torch", reason="the benchmark measures torch functions: pip install 'symgrad[torch]'")


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_benchmark", GPU)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_benchmark"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU: run python benchmarks/gpu.py")
def test_without_a_gpu_it_says_so():
    done = subprocess.run([sys.executable, str(GPU)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no GPU" in done.stderr or "symgrad[triton]" in done.stderr
    assert done.stdout == ""


def test_the_least_traffic_counts_each_large_array_once(gpu):
    axes = (("b", "v"), ("b", "v"), ("b", "v"))
    assert gpu.least_bytes(axes, "softmax", [torch.ones(2, 3, 5)]) == 3 * 30 * 4
    assert gpu.least_bytes(axes, "softmax", [torch.ones(2, 3, 5, dtype=torch.bfloat16)]) == 3 * 30 * 2
    x = torch.ones(2, 3, 4, 5)
    assert gpu.least_bytes((("c", "k", "s"),), "batch_norm", [x, torch.ones(3), torch.ones(3)]) == 120 * 4


def test_errors_are_relative_to_the_largest_value(gpu):
    right = [torch.tensor([4.0, 0.0], dtype=torch.float64)]
    assert gpu.errors_of([torch.tensor([4.0, 0.5])], right) == 0.125


@pytest.mark.parametrize("work", range(8))
def test_rivals_compute_what_the_layer_says(gpu, work):
    from symgrad import pipeline
    from symgrad.check.kernels import load_kernel
    from symgrad.notation.library import load

    each = gpu.WORKS[work]
    tensors = gpu.arguments_of(each, each.tiny, torch.float64, "cpu")
    tensors = [t.detach().double() if t.is_floating_point() else t for t in tensors]
    (file,) = pipeline.emit(pipeline.derive(load(each.layer)), ["torch"])
    ours = getattr(load_kernel(file), each.layer)(*tensors)
    assert torch.allclose(ours, gpu.eager(each.layer)(*tensors), rtol=1e-10, atol=1e-10)


def test_a_result_is_shown_with_its_reasons(gpu):
    rows = {"a": {"seconds": 2e-3, "share": 0.5, "error": 1e-7}, "b": {"skipped": "ImportError: none"}}
    lines = gpu.shown({"work": "softmax", "dtype": "float32", "bytes": 10**6, "contestants": rows})
    assert lines[0] == "softmax, float32 (at least 1.0 MB)"
    assert "2.000 ms" in lines[1]
    assert "50.0% of a copy" in lines[1]
    assert "ImportError: none" in lines[2]
