"""A torch kernel: an `autograd.Function`, a differentiable function, or a module without parameters of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.check.against.calling import bind
from symgrad.check.against.layouts import torch_layout
from symgrad.check.against.loading import quiet, told
from symgrad.check.against.records import ON_PURPOSE, Case, Data, KernelFault, Run
from symgrad.check.samples import shape_of
from symgrad.notation.layer import Layer

Tensor = Any


class TorchKernel:
    """Something that torch differentiates, run under autograd; see `Kernel`.

    Args:
        layer: what it is to compute.
        call: takes the tensors and constants.
        signature: the function whose parameters tell in which order.
        skip: how many of these are not for them (`ctx`).
        keywords: whether `call` takes keyword arguments.
        what: in words.
        path: of the person's file.
    """

    dtypes: tuple[str, ...] = ("float64", "float32", "bfloat16", "float16")

    def __init__(
        self,
        layer: Layer,
        call: Callable[..., Any],
        signature: Callable[..., Any],
        what: str,
        path: Path,
        skip: int = 0,
        keywords: bool = True,
    ) -> None:
        self.layer, self.call, self.what, self.path = layer, call, what, path
        self.binding = bind(signature, layer, what, skip, keywords)
        self.fixed, self.remarks = self.binding.fixed, self.binding.remarks(layer)

    def outputs(self, tensors: Sequence[Tensor], constants: dict[str, float]) -> tuple[Tensor, ...]:
        """The outputs for tensors in the layer's order; what lies beyond them is left out."""
        import torch

        named = dict(zip((t.name for t in self.layer.tensors), tensors, strict=True))
        plain, keywords = self.binding.arguments({**named, **constants})
        try:
            with quiet():
                returned = self.call(*plain, **keywords)
        except Exception as error:
            words = f"the forward pass raises {told(error, self.path)}"
            raise KernelFault(words, refusal=True, on_purpose=isinstance(error, ON_PURPOSE)) from error
        parts = returned if isinstance(returned, (tuple, list)) else (returned,)
        names = self.layer.outputs
        if len(parts) != len(names) or not all(isinstance(p, torch.Tensor) for p in parts):
            given = ", ".join(type(part).__name__ for part in parts)
            raise KernelFault(f"the forward pass returns {given} instead of {len(names)} tensors ({', '.join(names)})")
        return tuple(parts)

    def run(self, data: Data) -> Run:
        """The outputs, and their gradients under autograd, twice."""
        import torch

        case = data.case
        dtype = getattr(torch, case.dtype)
        labels = self.layer.labels
        given = {n: torch.from_numpy(a.copy()) for n, a in data.tensors.items()}
        leaves = {n: torch_layout(a if n in labels else a.to(dtype), case.layout) for n, a in given.items()}
        wanted = [t.name for t in self.layer.differentiable if case.wanted in ("", t.name)]
        leaves = {n: leaf.detach().requires_grad_(n in wanted) for n, leaf in leaves.items()}
        before = {n: leaf.detach().clone() for n, leaf in leaves.items()}
        outputs = self.outputs(list(leaves.values()), dict(data.constants))
        self._check(outputs, data, dtype)
        seeds = [_upstream(data.cotangents[n], dtype, case) for n in self.layer.outputs]
        inputs = [leaves[name] for name in wanted]
        results = [output.detach().clone() for output in outputs]
        gradients = self._gradients(outputs, inputs, seeds)
        first = [None if g is None else g.detach().clone() for g in gradients]
        again = self._gradients(outputs, inputs, seeds)
        conduct = [f"it changes its input {n}" for n, leaf in leaves.items() if not _same(leaf, before[n])]
        conduct += [
            f"a second call of backward returns another d_{n}: it changes what was saved"
            for n, one, other in zip(wanted, first, again, strict=True)
            if one is not None and not _same(one, other)
        ]
        return Run(
            {n: _numbers(v) for n, v in zip(self.layer.outputs, results, strict=True)},
            {n: None if g is None else _numbers(g) for n, g in zip(wanted, first, strict=True)},
            tuple(conduct),
        )

    def _gradients(self, outputs: Sequence[Tensor], inputs: list[Tensor], seeds: list[Tensor]) -> Sequence[Tensor]:
        import torch

        try:
            with quiet():
                found: Sequence[Tensor] = torch.autograd.grad(
                    outputs, inputs, seeds, retain_graph=True, allow_unused=True
                )
                return found
        except Exception as error:
            words = f"the backward pass raises {told(error, self.path)}"
            raise KernelFault(words, refusal=True, backward=True) from error

    def _check(self, outputs: Sequence[Tensor], data: Data, dtype: Any) -> None:
        """Raise unless the outputs are what the layer returns, and can be differentiated."""
        for name, output in zip(self.layer.outputs, outputs, strict=True):
            shape = shape_of(self.layer.entry(name).indices, data.case.lengths)
            if tuple(output.shape) != shape:
                raise KernelFault(f"the forward pass returns {name} with the shape {tuple(output.shape)}, not {shape}")
            if not output.dtype.is_floating_point:
                raise KernelFault(f"the forward pass returns {name} as {output.dtype} for {dtype}")
            if not output.requires_grad:
                raise KernelFault(
                    f"{name} cannot be differentiated: it does not depend on the inputs as far as autograd knows"
                )


def torch_kernel(layer: Layer, found: Any, name: str, path: Path) -> TorchKernel:
    """The kernel that a name of a person's file stands for."""
    import torch

    kind: Any = found
    if isinstance(found, type) and issubclass(kind, torch.autograd.Function):
        apart = kind.setup_context is not torch.autograd.Function.setup_context
        what = f"{name}, an autograd.Function of {path.name}"
        return TorchKernel(layer, kind.apply, kind.forward, what, path, skip=0 if apart else 1, keywords=False)
    if isinstance(found, torch.nn.Module):
        module = found.double() if any(True for _ in found.parameters()) else found
        return TorchKernel(layer, module, module.forward, f"{name}, a module of {path.name}", path)
    return TorchKernel(layer, found, found, f"{name}, a torch function of {path.name}", path)


def _numbers(tensor: Tensor) -> Any:
    import torch

    return np.asarray(tensor.detach().to(torch.float64).numpy())


def _upstream(array: Any, dtype: Any, case: Case) -> Tensor:
    """The upstream gradient; that of `.sum()` is one number, expanded."""
    import torch

    tensor = torch.from_numpy(np.asarray(array).copy()).to(dtype)
    if case.upstream == "ones":
        return torch.ones((), dtype=dtype).expand(tensor.shape)
    return torch_layout(tensor, case.layout)


def _same(one: Tensor, other: Tensor) -> bool:
    import torch

    return bool(torch.equal(torch.nan_to_num(one.detach()), torch.nan_to_num(other.detach())))
