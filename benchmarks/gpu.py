"""How fast the emitted Triton kernels are on a GPU, beside PyTorch, torch.compile and Liger-Kernel.

One process, all contestants interleaved, medians over rounds, the L2 cache written over before each; the error
against float64 beside each time, and the share of the card's bandwidth (measured by a copy in the same run) that
the least traffic of a step would need. Without a GPU it says so and ends with status 2.

usage: python benchmarks/gpu.py [--works NAME ...] [--rounds N] [--json FILE]
       python benchmarks/gpu.py --dry     (tiny sizes on the CPU under Triton's interpreter: that it runs, not how fast)
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

Step = Callable[[], tuple[Any, ...]]
"""A forward and a backward pass: outputs and gradients."""


@dataclass(frozen=True)
class Work:
    """A layer, its sizes by axis, and its shape with the axes that stand for several dimensions taken apart."""

    name: str
    layer: str
    shape: tuple[int, ...]
    tiny: tuple[int, ...]


WORKS = (
    Work("softmax", "softmax", (8192, 4096), (3, 5)),
    Work("layer_norm", "layer_norm", (8192, 4096), (3, 5)),
    Work("rms_norm", "rms_norm", (8192, 4096), (3, 5)),
    Work("cross entropy, 32k labels", "cross_entropy_labels", (8192, 32768), (3, 5)),
    Work("cross entropy, 128k labels", "cross_entropy_labels", (2048, 131072), (4, 6)),
    Work("swiglu", "swiglu", (8192, 11008), (3, 5)),
    Work("batch_norm", "batch_norm", (64, 128, 56, 56), (2, 3, 2, 2)),
    Work("the article's network", "batch_norm_sigmoid_mse", (64, 128, 56, 56), (2, 3, 2, 2)),
)
DTYPES = ("float32", "bfloat16")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--works", nargs="+", choices=[work.name for work in WORKS], metavar="NAME", help="these only")
    parser.add_argument("--rounds", type=int, default=30, help="how often each contestant is timed")
    parser.add_argument("--json", type=Path, help="write the result")
    parser.add_argument("--dry", action="store_true", help="tiny sizes on the CPU, under Triton's interpreter")
    return parser.parse_args(arguments)


def emitted(layer: str, folder: Path) -> tuple[ModuleType, tuple[tuple[str, ...], ...]]:
    """The emitted file as a module, and the axes of the arrays that any step must move."""
    from symgrad import pipeline
    from symgrad.notation.library import load
    from symgrad.plan.cost import least

    study = pipeline.derive(load(layer))
    (file,) = pipeline.emit(study, ["triton"])
    path = folder / f"{layer}.py"
    path.write_text(file.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"triton_{layer}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plan = pipeline.plan(study)
    return module, (*least(plan, plan.forward).every, *least(plan, plan.backward).every)


def arguments_of(work: Work, shape: tuple[int, ...], dtype: Any, device: str) -> list[Any]:
    """A layer's tensors: parameters in float32, as in training with mixed precision."""
    import torch

    generator = torch.Generator(device).manual_seed(0)

    def random(*sizes: int, kind: Any = dtype) -> Any:
        return torch.randn(*sizes, generator=generator, device=device, dtype=torch.float32).to(kind).requires_grad_()

    if work.layer == "softmax":
        return [random(*shape)]
    if work.layer in ("layer_norm", "rms_norm"):
        return [random(*shape), *(random(shape[-1], kind=torch.float32) for _ in range(1 + (work.layer[0] == "l")))]
    if work.layer == "cross_entropy_labels":
        return [random(*shape), torch.randint(0, shape[1], shape[:1], generator=generator, device=device)]
    if work.layer == "swiglu":
        return [random(*shape), random(*shape)]
    x = [random(*shape), *(random(shape[1], kind=torch.float32) for _ in range(2))]
    return [*x, random(*shape).detach()] if work.layer == "batch_norm_sigmoid_mse" else x


def eager(layer: str) -> Callable[..., Any]:
    """The layer as PyTorch's own functions."""
    import torch
    import torch.nn.functional as f

    def batch_norm(x: Any, w: Any, beta: Any) -> Any:
        return f.batch_norm(x, None, None, w.to(x.dtype), beta.to(x.dtype), True, 0.0, 1e-5)

    table: dict[str, Callable[..., Any]] = {
        "softmax": lambda x: torch.softmax(x, -1),
        "layer_norm": lambda x, w, b: f.layer_norm(x, x.shape[-1:], w.to(x.dtype), b.to(x.dtype), 1e-5),
        "rms_norm": lambda x, w: f.rms_norm(x, x.shape[-1:], w.to(x.dtype), 1e-6),
        "cross_entropy_labels": lambda x, t: f.cross_entropy(x, t),
        "swiglu": lambda g, x: f.silu(g) * x,
        "batch_norm": batch_norm,
        "batch_norm_sigmoid_mse": lambda x, w, b, t: f.mse_loss(torch.sigmoid(batch_norm(x, w, b)), t),
    }
    return table[layer]


def liger(layer: str) -> Callable[..., Any]:
    """The layer of Liger-Kernel; ImportError or KeyError where it has none."""
    from liger_kernel.ops.cross_entropy import LigerCrossEntropyFunction
    from liger_kernel.ops.layer_norm import LigerLayerNormFunction
    from liger_kernel.ops.rms_norm import LigerRMSNormFunction
    from liger_kernel.ops.swiglu import LigerSiLUMulFunction

    table: dict[str, Callable[..., Any]] = {
        "layer_norm": lambda x, w, b: LigerLayerNormFunction.apply(x, w.to(x.dtype), b.to(x.dtype), 1e-5),
        "rms_norm": lambda x, w: LigerRMSNormFunction.apply(x, w.to(x.dtype), 1e-6, 0.0, "llama", False),
        "cross_entropy_labels": lambda x, t: LigerCrossEntropyFunction.apply(x * 1, t, None)[0],  # it writes over x
        "swiglu": lambda g, x: LigerSiLUMulFunction.apply(g, x),
    }
    return table[layer]


def step_of(function: Callable[..., Any], tensors: Sequence[Any], upstream: Any) -> Step:
    """A step with this upstream gradient; a loss has 1."""
    import torch

    wanted = [tensor for tensor in tensors if tensor.requires_grad]

    def step() -> tuple[Any, ...]:
        output = function(*tensors)
        return (output, *torch.autograd.grad(output, wanted, upstream if output.ndim else None))

    return step


def errors_of(found: Sequence[Any], right: Sequence[Any]) -> float:
    """The largest difference relative to the largest value."""
    worst = 0.0
    for one, other in zip(found, right, strict=True):
        scale = max(float(other.abs().max()), 1e-30)
        worst = max(worst, float((one.double() - other).abs().max()) / scale)
    return worst


class Clock:
    """Times a step: by events on a GPU, after its L2 cache has been written over."""

    def __init__(self, device: str) -> None:
        import torch

        self.torch, self.device = torch, device
        self.rubbish = torch.empty(256 * 2**20 if device == "cuda" else 1, dtype=torch.int8, device=device)

    def seconds(self, step: Callable[[], Any]) -> float:
        """The time of one step."""
        if self.device == "cpu":
            start = time.perf_counter()
            step()
            return time.perf_counter() - start
        self.rubbish.zero_()
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def bandwidth(self) -> float:
        """Bytes a second that a copy of 1 GiB reads and writes."""
        size = 2**30 if self.device == "cuda" else 2**20
        source, target = (self.torch.empty(size, dtype=self.torch.int8, device=self.device) for _ in range(2))
        times = [self.seconds(lambda: target.copy_(source)) for _ in range(20)]
        return 2 * size / statistics.median(times[5:])


def least_bytes(axes: Sequence[Sequence[str]], layer: str, tensors: Sequence[Any]) -> int:
    """What any step must move: each large array once."""
    from symgrad.notation.library import load

    found = load(layer)
    lengths: dict[str, int] = {}
    for tensor, declared in zip(tensors, found.tensors, strict=True):
        letters = [index.axis for index in declared.indices]
        more = tensor.ndim - len(letters)
        place = 0
        for axis in letters:
            many = 1 + more if found.axis(axis).variadic else 1
            lengths[axis] = math.prod(tensor.shape[place : place + many])
            place += many
    return sum(math.prod(lengths[axis] for axis in array) for array in axes) * tensors[0].element_size()


def contestants(module: ModuleType, work: Work, dry: bool) -> dict[str, Callable[[], Callable[..., Any]]]:
    """Who takes part, each made when it is its turn, so that one that cannot be made stops no other."""
    import torch

    found: dict[str, Callable[[], Callable[..., Any]]] = {
        "symgrad triton": lambda: getattr(module, work.layer),
        "torch eager": lambda: eager(work.layer),
    }
    if not dry:
        found["torch.compile"] = lambda: torch.compile(eager(work.layer), fullgraph=True, dynamic=False)
        found["Liger-Kernel"] = lambda: liger(work.layer)
    return found


def measured(work: Work, dtype: str, folder: Path, clock: Clock, bandwidth: float, rounds: int) -> dict[str, Any]:
    """One work in one dtype: for each contestant the median time of a step, its error and its share of bandwidth."""
    import torch

    dry = clock.device == "cpu"
    module, axes = emitted(work.layer, folder)
    tensors = arguments_of(work, work.tiny if dry else work.shape, getattr(torch, dtype), clock.device)
    exact = [t.detach().double().requires_grad_(t.requires_grad) if t.is_floating_point() else t for t in tensors]
    upstream = torch.randn(exact[0].shape, device=clock.device, dtype=getattr(torch, dtype))
    right = [value.detach() for value in step_of(eager(work.layer), exact, upstream.double())()]
    del exact
    moved = least_bytes(axes, work.layer, tensors)
    steps: dict[str, Step] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, make in contestants(module, work, dry).items():
        try:
            step = step_of(make(), tensors, upstream)
            rows[name] = {"error": errors_of([value.detach() for value in step()], right)}
            steps[name] = step
        except Exception as failure:  # whatever stops a contestant is its reason
            rows[name] = {"skipped": f"{type(failure).__name__}: {str(failure)[:200]}"}
    del right
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 3):
        for name, step in steps.items():
            seconds = clock.seconds(step)
            if number >= 3:
                times[name].append(seconds)
    for name, found in times.items():
        median = statistics.median(found)
        rows[name] |= {"seconds": median, "share": moved / median / bandwidth}
    return {"work": work.name, "dtype": dtype, "bytes": moved, "contestants": rows}


def shown(result: dict[str, Any]) -> list[str]:
    """One work as lines of text."""
    lines = [f"{result['work']}, {result['dtype']} (at least {result['bytes'] / 1e6:.1f} MB)"]
    for name, row in result["contestants"].items():
        if "skipped" in row:
            lines.append(f"    {name:16} {row['skipped']}")
        else:
            figures = f"{row['seconds'] * 1e3:9.3f} ms   {row['share']:6.1%} of a copy   error {row['error']:.1e}"
            lines.append(f"    {name:16} {figures}")
    return lines


def main(arguments: Sequence[str]) -> int:
    chosen = options(arguments)
    if chosen.dry:
        os.environ["TRITON_INTERPRET"] = "1"
    try:
        import torch
        import triton
    except ImportError as missing:
        print(f"{missing}: pip install 'symgrad[triton]'", file=sys.stderr)
        return 2
    if not chosen.dry and not torch.cuda.is_available():
        print(
            "There is no GPU here that PyTorch can use: nothing was measured (--dry runs without one).", file=sys.stderr
        )
        return 2
    clock = Clock("cpu" if chosen.dry else "cuda")
    bandwidth = clock.bandwidth()
    card = "the interpreter" if chosen.dry else torch.cuda.get_device_name()
    print(f"{card}: a copy moves {bandwidth / 1e9:.0f} GB/s; torch {torch.__version__}, triton {triton.__version__}")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for work in WORKS:
            if chosen.works and work.name not in chosen.works:
                continue
            for dtype in DTYPES:
                result = measured(work, dtype, Path(folder), clock, bandwidth, 1 if chosen.dry else chosen.rounds)
                results.append(result)
                print("\n".join(shown(result)), flush=True)
    if chosen.json:
        report = {"card": card, "copy bytes a second": bandwidth, "torch": torch.__version__, "results": results}
        chosen.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
