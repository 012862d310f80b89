"""torch's own checks of a kernel's derivatives: gradcheck, and gradgradcheck for the second order.

gradcheck holds the backward pass against differences of their own forward pass, so it is right where
a wrong forward pass has its right gradient. gradgradcheck does the same for the backward of the
backward: a wrapper that saves intermediate results (the normalized input, say) as if they were
constants is right at the first order, and silently wrong at the second.
"""

from __future__ import annotations

import warnings
from typing import Any

from symgrad.check.against.cases import Sampler
from symgrad.check.against.loading import quiet, told
from symgrad.check.against.records import Case, KernelFault, Order
from symgrad.check.against.torch_kernel import TorchKernel

REFUSALS = ("once_differentiable", "does not require grad", "not implemented", "is not differentiable")
"""What torch says where a second derivative is refused, which is safe, rather than wrong."""


def orders(kernel: TorchKernel, sampler: Sampler, case: Case, first_is_right: bool) -> tuple[Order, ...]:
    """Both checks on one ordinary case in float64; the second only where the first order is right."""
    import torch

    data = sampler.data(case)
    differentiable = {t.name for t in kernel.layer.differentiable}
    leaves = [
        torch.from_numpy(data.tensors[t.name].copy()).requires_grad_(t.name in differentiable)
        for t in kernel.layer.tensors
    ]

    def call(*tensors: Any) -> Any:
        outputs = kernel.outputs(tensors, dict(data.constants))
        return outputs if len(outputs) > 1 else outputs[0]

    first = _order("gradcheck", torch.autograd.gradcheck, call, leaves, kernel)
    if not first_is_right:
        return first, Order("gradgradcheck", "not run", "the first order is to be right first")
    return first, _order("gradgradcheck", torch.autograd.gradgradcheck, call, leaves, kernel)


def _order(name: str, check: Any, call: Any, leaves: list[Any], kernel: TorchKernel) -> Order:
    import torch

    torch.manual_seed(0)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(call, tuple(leaves), raise_exception=True)
        return Order(name, "holds")
    except KernelFault as fault:
        return Order(name, "refuses", str(fault))
    except Exception as error:
        words = told(error, kernel.path)
        refused = any(words_of in str(error) for words_of in REFUSALS) or not _compares(error)
        return Order(name, "refuses" if refused else "fails", words)


def _compares(error: Exception) -> bool:
    """Whether torch compared two derivatives and found them apart."""
    return type(error).__name__ == "GradcheckError" or "Jacobian mismatch" in str(error)
