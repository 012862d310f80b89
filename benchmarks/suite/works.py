"""What is computed: the layers, their shapes, and the bytes that any algorithm must move."""

from __future__ import annotations

import math
from dataclasses import dataclass

BYTES = {"float32": 4, "float64": 8, "bfloat16": 2}


@dataclass(frozen=True)
class Signature:
    """A layer's tensors.

    Attributes:
        tensors: name and kind of each, in the order of declaration. An "input" or "target" has the
            whole shape, a "parameter" one number for each place of `axis`, "labels" have no such axis.
        axis: the dimension of the parameters, or of the classes.
        scalar: whether the output is a loss, whose upstream gradient is 1.
    """

    tensors: tuple[tuple[str, str], ...]
    axis: int
    scalar: bool

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The tensors that get a gradient."""
        return tuple(name for name, kind in self.tensors if kind in ("input", "parameter"))


NORM = (("x", "input"), ("w", "parameter"), ("beta", "parameter"))
SIGNATURES = {
    "batch_norm_sigmoid_mse": Signature((*NORM, ("t", "target")), axis=1, scalar=True),
    "rms_norm": Signature(NORM[:2], axis=-1, scalar=False),
    "layer_norm": Signature(NORM, axis=-1, scalar=False),
    "cross_entropy_labels": Signature((("x", "input"), ("t", "labels")), axis=1, scalar=True),
}


@dataclass(frozen=True)
class Work:
    """One layer at one size.

    Attributes:
        name: as in tables and in `--works`.
        layer: its gallery name.
        shape: that of its input.
        dtype: that of all its tensors but labels.
        channels_last: whether the input and what has its shape lie in memory with the channels innermost.
        mean: of the input, whose standard deviation is 1.
        timed: whether it is timed; errors are measured always.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    channels_last: bool = False
    mean: float = 0.0
    timed: bool = True

    @property
    def signature(self) -> Signature:
        """The layer's tensors."""
        return SIGNATURES[self.layer]

    @property
    def elements(self) -> int:
        """How many numbers its input has."""
        return math.prod(self.shape)

    def shape_of(self, kind: str) -> tuple[int, ...]:
        """The shape of a tensor of some kind."""
        axis = self.signature.axis % len(self.shape)
        if kind == "parameter":
            return (self.shape[axis],)
        if kind == "labels":
            return self.shape[:axis] + self.shape[axis + 1 :]
        return self.shape


def least_bytes(work: Work, operation: str) -> int:
    """The bytes that any algorithm must move through memory: each array once.

    A step reads what is given (the upstream gradient too, where it is a tensor), and writes the
    output and the gradients; a backward pass does the same but for the output.
    """
    item = BYTES[work.dtype]
    whole = work.elements * item
    moved = 0
    for name, kind in work.signature.tensors:
        count = math.prod(work.shape_of(kind))
        moved += count * (8 if kind == "labels" else item)
        moved += count * item if name in work.signature.differentiable else 0
    if not work.signature.scalar:
        moved += whole
    if operation == "step":
        moved += item if work.signature.scalar else whole
    return moved


NETWORK = "batch_norm_sigmoid_mse"
SMALL, MEDIUM, LARGE = (8, 3, 16, 16), (32, 64, 56, 56), (64, 128, 56, 56)

WORKS = (
    Work("network small", NETWORK, SMALL),
    Work("network medium", NETWORK, MEDIUM),
    Work("network mean 1e4", NETWORK, MEDIUM, mean=1e4, timed=False),
    Work("rms_norm medium", "rms_norm", (4096, 1024)),
    Work("cross_entropy medium", "cross_entropy_labels", (1024, 4096)),
    Work("layer_norm medium", "layer_norm", (4096, 1024)),
    Work("network float64", NETWORK, MEDIUM, dtype="float64"),
    Work("network bfloat16", NETWORK, MEDIUM, dtype="bfloat16"),
    Work("network channels_last", NETWORK, MEDIUM, channels_last=True),
    Work("network large", NETWORK, LARGE),
    Work("rms_norm small", "rms_norm", (8, 768)),
    Work("layer_norm small", "layer_norm", (8, 768)),
    Work("cross_entropy small", "cross_entropy_labels", (6, 1000)),
    Work("layer_norm large", "layer_norm", (8192, 3072)),
    Work("cross_entropy large", "cross_entropy_labels", (768, 32768)),
)
"""6,000 to 25.7 million numbers; cross_entropy is softmax and cross entropy against labels."""

QUICK = ("network small", "network medium")

HUGE_PAGES = (
    "network medium",
    "network large",
    "rms_norm medium",
    "layer_norm medium",
    "cross_entropy medium",
)
"""Measured under huge pages too in a plain run; `--all` measures everything in every configuration."""
