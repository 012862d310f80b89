"""What a check of somebody's own kernel passes around: cases, data, runs, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from symgrad.algebra.terms import Entry, Term
from symgrad.check.samples import Lengths
from symgrad.errors import SymgradError

Array = Any
Arrays = Mapping[str, Array]

ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The largest relative error of rounding one number, by dtype."""


class KernelFault(SymgradError):  # noqa: N818 - an answer of the kernel, not a fault of symgrad
    """The kernel raised, or what it returned is not what a layer returns.

    Args:
        message: what happened, with the place in the person's own file where there is one.
        refusal: whether it raised, rather than return something wrong.
        on_purpose: whether its forward pass raised what a person raises to refuse a case: a ValueError, a
            NotImplementedError or a failed assertion.
        backward: whether it was the backward pass, after a forward pass that took the case.
    """

    def __init__(self, message: str, refusal: bool = False, on_purpose: bool = False, backward: bool = False) -> None:
        super().__init__(message)
        self.refusal, self.on_purpose, self.backward = refusal, on_purpose, backward


ON_PURPOSE = (ValueError, NotImplementedError, AssertionError)


@dataclass(frozen=True)
class Case:
    """One set of circumstances; every field but `lengths` has a plain value.

    Attributes:
        lengths: the dimensions of each axis.
        dtype: of all arrays.
        layout: how arrays lie in memory.
        data: the style of the numbers.
        upstream: "random", or "ones" as from `.sum().backward()`: one number with strides of 0.
        constants: "default" or "other".
        wanted: the only tensor that asks for a gradient; "" where all do.
        seed: of the random numbers.
    """

    lengths: Lengths
    dtype: str = "float64"
    layout: str = "contiguous"
    data: str = "ordinary"
    upstream: str = "random"
    constants: str = "default"
    wanted: str = ""
    seed: int = 0

    @property
    def plain(self) -> bool:
        """Whether it tells about the mathematics only: float64, ordinary numbers, nothing unusual in memory."""
        return (self.dtype, self.layout, self.data, self.upstream, self.wanted) == (
            "float64", "contiguous", "ordinary", "random", "",
        )  # fmt: skip


@dataclass(frozen=True)
class Data:
    """The numbers of a case, in float64, but exactly as its dtype holds them.

    Attributes:
        case: the circumstances.
        tensors: by name.
        cotangents: the upstream gradients, by name of the output.
        constants: by name; whole ones are ints.
    """

    case: Case
    tensors: Arrays
    cotangents: Arrays
    constants: Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """What a kernel returned, in float64.

    Attributes:
        outputs: by name.
        gradients: by the name of the tensor; None where it returned none.
        conduct: what it did that a kernel must not do, in words (changed an input).
        remarks: what a person may want to know, and is not wrong.
    """

    outputs: Arrays
    gradients: Arrays
    conduct: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Kernel(Protocol):
    """Somebody's own kernel, ready to be run.

    Attributes:
        what: in words: "the autograd.Function BatchNorm of kernel.py".
        dtypes: those that are tried.
        fixed: names of constants that it does not take.
        remarks: what was noticed without running it.
    """

    what: str
    dtypes: tuple[str, ...]
    fixed: tuple[str, ...]
    remarks: tuple[str, ...]

    def run(self, data: Data) -> Run:
        """Forward and backward; raises `KernelFault`."""


@dataclass(frozen=True)
class Outcome:
    """One result of one case against its reference.

    Attributes:
        what: "y", or "d_x".
        case: where.
        error: the worst absolute difference.
        limit: the largest that rounding explains.
        scale: the largest value expected.
        place: the index of the worst difference.
        theirs: the value there.
        derived: the value that it should be.
        own: in float32, the worst difference of symgrad's own kernel of that dtype; else NaN.
    """

    what: str
    case: Case
    error: float
    limit: float
    scale: float
    place: tuple[int, ...]
    theirs: float
    derived: float
    own: float = float("nan")

    @property
    def passed(self) -> bool:
        """Whether rounding explains the difference; NaN it does not."""
        return self.error <= self.limit

    @property
    def relative(self) -> float:
        """The difference relative to the largest value expected."""
        return self.error / self.scale if self.scale else float("inf")


@dataclass(frozen=True)
class Explanation:
    """A mistaken formula whose numbers are theirs.

    Attributes:
        mistake: in words.
        entry: what the formulas are about: d_x itself, or an intermediate gradient that it is made of.
        right: the derived form.
        wrong: the same with the mistake.
        cases: at how many sizes and data the numbers agree.
        sizes: how many different sizes are among them.
        agreement: the worst relative difference between their numbers and the mistaken formula's.
        refuted: whether the prover, too, refutes the mistaken formula as a claim.
    """

    mistake: str
    entry: Entry
    right: Term
    wrong: Term
    cases: int
    sizes: int
    agreement: float
    refuted: bool


@dataclass(frozen=True)
class Finding:
    """One result that is wrong.

    Attributes:
        what: "y", or "d_x".
        kind: "mathematics", "precision", "memory layout", … : what it is about.
        where: in which cases, in words.
        worst: the case that shows it best.
        failed: number of cases in which it is wrong.
        cases: number of cases in which it was compared.
        explanation: the mistake, where one was found.
        tried: how many mistaken formulas were tried.
    """

    what: str
    kind: str
    where: str
    worst: Outcome
    failed: int
    cases: int
    explanation: Explanation | None = None
    tried: int = 0


@dataclass(frozen=True)
class Order:
    """What torch's own checks of a derivative say.

    Attributes:
        name: "gradcheck" or "gradgradcheck".
        verdict: "holds", "fails", "refuses" (an error instead of a number) or "not run".
        words: what torch said, or why it was not run.
    """

    name: str
    verdict: str
    words: str = ""


@dataclass(frozen=True)
class Verdict:
    """Everything about one kernel.

    Attributes:
        layer: the layer's name.
        kernel: what was run, in words.
        outcomes: every comparison.
        cases: how many cases it was run in.
        findings: what is wrong, the forward pass first.
        faults: cases in which it raised or returned something else, in words, and how many times each.
        conduct: what it did that it must not do, in words.
        conventions: results that differ only where the layer has no derivative.
        orders: torch's own checks, where it is torch that was run.
        own_forward: where the forward pass is another layer's, whether the gradients are that layer's; else "".
        remarks: what was noticed, and is not wrong.
    """

    layer: str
    kernel: str
    outcomes: tuple[Outcome, ...]
    cases: int
    findings: tuple[Finding, ...]
    faults: tuple[str, ...]
    conduct: tuple[str, ...]
    conventions: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    own_forward: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything holds, and something was compared."""
        wrong = self.findings or self.faults or self.conduct or any(o.verdict == "fails" for o in self.orders)
        return bool(self.outcomes) and not wrong
