"""Run by test_triton.py in a process of its own, because Triton is interpreted or compiled from its import on.

usage: python triton_run.py numbers|rules|compile FOLDER NAME ...
Reads the emitted files FOLDER/NAME.py, prints one line of JSON for each check.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

if sys.argv[1] != "compile":
    os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
import triton
import triton.language as tl

SMALL = {"IN_REGISTERS": 4, "IN_TILE": 16, "PROGRAMS": 3}
"""Limits at which small arrays already need several blocks, programs and parts."""
LIBRARY: dict[str, Callable[..., Any]] = {
    "pow": np.power, "atan": np.arctan, "asin": np.arcsin, "acos": np.arccos, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "erfc": np.vectorize(math.erfc), "lgamma": np.vectorize(math.lgamma),
}  # fmt: skip


class Libdevice:
    """NumPy's functions in the place of libdevice's, which the interpreter does not have."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        from triton.runtime.interpreter import TensorHandle

        function = LIBRARY.get(name) or getattr(np, name)

        def applied(*arguments: Any) -> Any:
            first = arguments[0].handle
            values = function(*np.broadcast_arrays(*(a.handle.data for a in arguments))).astype(first.data.dtype)
            return tl.tensor(TensorHandle(values, first.dtype), arguments[0].type)

        return applied


def loaded(folder: Path, name: str, limits: dict[str, int] | None = None) -> ModuleType:
    """An emitted file, with other limits."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if os.environ.get("TRITON_INTERPRET") == "1" and hasattr(module, "libdevice"):
        module.libdevice = Libdevice()
    for limit, value in (limits or {}).items():
        assert hasattr(module, limit)
        setattr(module, limit, value)
    return module


def gradients(function: Any, tensors: list[torch.Tensor], seeds: list[torch.Tensor]) -> Any:
    """Outputs, and gradients of what wants one."""
    found = function(*tensors)
    outputs = found if isinstance(found, tuple) else (found,)
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    return list(outputs), list(torch.autograd.grad(outputs, wanted, seeds))


def error(ours: torch.Tensor, right: np.ndarray) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    values = ours.detach().double().numpy()
    assert values.shape == np.shape(right), (values.shape, np.shape(right))
    return float(np.max(np.abs(values - right), initial=0.0) / max(1.0, float(np.max(np.abs(right), initial=0.0))))


def problems(
    name: str, start: int, seed: int
) -> tuple[list[tuple[str, np.ndarray]], list[np.ndarray], list[np.ndarray]]:
    """Tensors with their roles, upstream gradients, and what the NumPy kernel makes of them in float64."""
    from symgrad import pipeline
    from symgrad.check.kernels import argument_of, array_of, load_kernel, sizes_of
    from symgrad.check.samples import sensible_point
    from symgrad.notation.library import load

    layer = load(name)
    point = sensible_point(layer, sizes_of(layer, start), seed)
    given = [(tensor.role, argument_of(point, tensor)) for tensor in layer.tensors]
    seeds = [np.asarray(array_of(point, layer.entry(o).indices, f"d_{o}")) for o in layer.outputs]
    kernel = load_kernel(pipeline.emit(pipeline.derive(layer), ["numpy"])[0])
    with np.errstate(all="ignore"):
        wanted, saved = kernel.forward(*(array for _, array in given))
        right = [*(wanted if len(layer.outputs) > 1 else [wanted]), *kernel.backward(saved, *seeds)]
    return given, seeds, right


def tensor_of(role: str, array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """An argument."""
    if role == "label":
        return torch.tensor(array)
    return torch.tensor(array, dtype=dtype, requires_grad=role in ("input", "parameter"))


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, every second one of a larger tensor whose dimensions lie in another order."""
    turned = tensor.detach().permute(*reversed(range(tensor.ndim)))
    room = torch.full([2 * n for n in turned.shape], math.nan if tensor.is_floating_point() else -7).to(tensor.dtype)
    view = room[tuple(slice(None, None, 2) for _ in turned.shape)]
    view.copy_(turned)
    return view.permute(*reversed(range(tensor.ndim))).requires_grad_(tensor.requires_grad)


def numbers(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Errors against the NumPy kernel: in registers, in small blocks, with odd strides, in half precision."""
    cases = [("registers", torch.float64, 2, None), ("blocks", torch.float64, 3, SMALL),
             ("strides", torch.float32, 2, None), ("half", torch.bfloat16, 2, None)]  # fmt: skip
    for what, dtype, start, limits in cases:
        given, seeds, right = problems(name, start, seed=start)
        module = loaded(folder, name, limits)
        full = max(array.ndim for _, array in given)
        tensors = []
        for role, array in given:
            own = torch.float32 if dtype == torch.bfloat16 and role == "parameter" and array.ndim < full else dtype
            tensor = tensor_of(role, array, own)
            tensors.append(strided(tensor) if what == "strides" else tensor)
        upstream = [torch.tensor(seed, dtype=dtype) for seed in seeds]
        outputs, found = gradients(getattr(module, name), tensors, upstream)
        wanted = [tensor for tensor in tensors if tensor.requires_grad]
        assert [g.dtype for g in found] == [t.dtype for t in wanted]
        errors = [error(one, other) for one, other in zip([*outputs, *found], right, strict=True)]
        yield {"name": name, "what": what, "error": max(errors)}


def rules(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """What holds beside the numbers of a first derivative."""
    checks = {"layer_norm": normed, "batch_norm_sigmoid_mse": network, "cross_entropy_labels": labelled}
    yield from checks[name](loaded(folder, name, SMALL))


def normed(module: ModuleType) -> Iterator[dict[str, Any]]:
    """Of layer normalization."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, dtype=torch.float64, generator=random, requires_grad=True)
    w, beta = (torch.randn(3, dtype=torch.float64, generator=random, requires_grad=True) for _ in range(2))
    second = torch.autograd.gradgradcheck(module.layer_norm, (x, w, beta))
    yield {"what": "second order", "value": second and torch.autograd.gradcheck(module.layer_norm, (x, w, beta))}

    far = torch.randn(4, 50, generator=random) + 1e4
    tensors = [far.requires_grad_(), *(torch.rand(50, generator=random).requires_grad_() for _ in range(2))]
    seed = torch.randn(4, 50, generator=random)
    exact = [tensor.detach().double().requires_grad_() for tensor in tensors]
    right = gradients(module.layer_norm, exact, [seed.double()])
    errors = [error(one, other.detach().numpy())
              for pair in zip(gradients(module.layer_norm, tensors, [seed]), right, strict=True)
              for one, other in zip(*pair, strict=True)]  # fmt: skip
    yield {"what": "a large mean", "value": max(errors) <= 2e-6}

    d_x = torch.autograd.grad(module.layer_norm(x, w, beta).sum(), x)[0]  # the upstream gradient has strides of 0
    yield {"what": "expanded", "value": bool(d_x.isfinite().all()) and d_x.stride() == x.stride()}
    try:
        module.layer_norm(x[:0], w, beta)
        yield {"what": "empty", "value": False}
    except ValueError as refusal:
        yield {"what": "empty", "value": "is empty" in str(refusal)}


def network(module: ModuleType) -> Iterator[dict[str, Any]]:
    """Of the article's network."""
    random = torch.Generator().manual_seed(1)
    x, t = (torch.rand(5, 3, 7, generator=random) for _ in range(2))
    tensors = [x.requires_grad_(), *(torch.rand(3, generator=random).requires_grad_() for _ in range(2)), t]
    found = [gradients(module.batch_norm_sigmoid_mse, tensors, [torch.tensor(1.0)]) for _ in range(2)]
    same = [torch.equal(a, b) for pair in zip(*found, strict=True) for a, b in zip(*pair, strict=True)]
    yield {"what": "the same bits", "value": all(same)}


def labelled(module: ModuleType) -> Iterator[dict[str, Any]]:
    """Of cross entropy against labels."""
    loss = module.cross_entropy_labels(torch.rand(3, 4), torch.tensor([0, 4, 1]))
    yield {"what": "a label outside", "value": bool(loss.isnan())}


TYPES = {torch.float32: "fp32", torch.float64: "fp64", torch.bfloat16: "bf16", torch.int64: "i64"}


class Recorder:
    """A kernel that notes the arguments with which it is launched."""

    def __init__(self, kernel: Any, calls: list[Any]) -> None:
        self.kernel, self.calls = kernel, calls

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*arguments: Any, num_warps: int = 4, **more: Any) -> None:
            given = {**dict(zip(self.kernel.arg_names, arguments, strict=False)), **more}
            self.calls.append((self.kernel, given, num_warps))

        return launch


def source(kernel: Any, given: dict[str, Any]) -> Any:
    """What is compiled: the kernel with types, constants and divisibilities as at a launch."""
    signature, constants, attributes = {}, {}, {}
    for place, parameter in enumerate(kernel.params):
        value = given[parameter.name]
        if parameter.is_constexpr or (isinstance(value, int) and value == 1):
            signature[parameter.name], constants[(place,)] = "constexpr", value
        elif isinstance(value, torch.Tensor):
            signature[parameter.name] = f"*{TYPES[value.dtype]}"
            attributes[(place,)] = [["tt.divisibility", 16]]
        elif isinstance(value, float):
            signature[parameter.name] = "fp64"
            assert parameter.annotation_type == "fp64", parameter.name
        else:
            signature[parameter.name] = "i32"
            attributes |= {(place,): [["tt.divisibility", 16]]} if value % 16 == 0 else {}
    return triton.compiler.ASTSource(kernel, signature, constexprs=constants, attrs=attributes)


def stack_of(cubin: bytes) -> int:
    """The bytes of stack that a kernel uses: registers that were spilled."""
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tools / "cuobjdump"), "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:\d+ STACK:(\d+)", text)
    assert found is not None, text
    return int(found[1])


SHAPES: dict[str, list[list[tuple[int, ...]]]] = {
    "layer_norm": [[(32, 8192), (8192,), (8192,)], [(8, 20000), (20000,), (20000,)]],
    "rms_norm": [[(32, 4096), (4096,)]],
    "cross_entropy_labels": [[(32, 8192), ()]],
    "batch_norm_sigmoid_mse": [[(4, 32, 14, 14), (32,), (32,), (4, 32, 14, 14)]],
    "gelu_tanh": [[(64, 100)]],
}


def compiled(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Every kernel that a step launches, compiled for three cards."""
    from triton.backends.compiler import GPUTarget

    for shapes in SHAPES[name]:
        module, calls = loaded(folder, name), []
        module._device_of = lambda tensor: contextlib.nullcontext()
        for key, value in list(vars(module).items()):
            if isinstance(value, triton.runtime.jit.JITFunction) and not key.startswith("_"):
                setattr(module, key, Recorder(value, calls))
        tensors = [torch.ones(s, dtype=torch.bfloat16 if len(s) > 1 else torch.float32).requires_grad_() if s
                   else torch.zeros(shapes[0][0], dtype=torch.int64) for s in shapes]  # fmt: skip
        output = getattr(module, name)(*tensors)
        torch.autograd.backward(output, torch.ones_like(output))
        assert len(calls) >= 2
        for kernel, given, warps in calls:
            for capability in (80, 90, 100):
                target = GPUTarget("cuda", capability, 32)
                made = triton.compile(source(kernel, given), target=target, options={"num_warps": warps})
                assert made.asm["ptx"]
                assert made.asm["cubin"]
                stack = stack_of(made.asm["cubin"])
                yield {"name": name, "kernel": kernel.__name__, "capability": capability, "stack": stack}


if __name__ == "__main__":
    for each in sys.argv[3:]:
        for line in {"numbers": numbers, "rules": rules, "compile": compiled}[sys.argv[1]](Path(sys.argv[2]), each):
            print(json.dumps(line), flush=True)
