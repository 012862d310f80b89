"""The lines of a procedure for NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.algebra.terms import ONE, Entry, Index, Mul, Pow, Sum, Term, mul, walk
from symgrad.plan.formula import mean_of
from symgrad.plan.infix import Spelling, infix
from symgrad.plan.records import FULL, REDUCTION, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction
from symgrad.primitives import PRIMITIVES
from symgrad.render.kernels.buffers import Buffers, reads_of
from symgrad.render.kernels.layout import Frame, axes_text, einsum_text, is_whole
from symgrad.render.kernels.numpy_full import FullWriter, Operand
from symgrad.render.kernels.small import OWN, PYTHON, WIDE, Smalls, fraction_text, raw
from symgrad.render.kernels.words import comment


def smalls_for(plan: KernelPlan) -> Smalls:
    """Small expressions as NumPy writes them."""
    return Smalls(
        plan, _call, lambda name, order: f"{name}.transpose({', '.join(map(str, order))})",
        lambda text: f"{text}.astype(dtype)", lambda size: f"np.eye({size}, dtype=dtype)",
    )  # fmt: skip


def _call(function: str, arguments: str) -> str:
    if function == "sqrt":
        return f"np.sqrt({arguments})"
    return PRIMITIVES[function].numpy.format(arguments)


@dataclass
class NumpyLines:
    """Writes one procedure.

    Attributes:
        plan: the plan that the procedure belongs to.
        procedure: what is written.
        kept: names that outlive it: what is returned or saved.
        like: the array that new ones are made like, where nothing is merged.
        used: the helper functions that the lines call.
        lines: what has been written.
    """

    plan: KernelPlan
    procedure: Procedure
    kept: tuple[str, ...]
    like: str
    used: set[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layer = self.plan.layer
        self.smalls = smalls_for(self.plan)
        self.buffers = Buffers.of(self.procedure, self.kept)
        self.full = FullWriter(
            self.smalls, self.buffers, self.lines, self.like if is_whole(self.layer) else "", self.used, set()
        )
        self.full.taken.update(s.name for s in self.procedure.statements)
        self.full.taken.update(self.procedure.reads)

    def write(self, kinds: dict[str, str]) -> list[str]:
        """All lines; `kinds` says what the names hold that the procedure reads."""
        self.smalls.kinds.update(kinds)
        for statement in self.procedure.statements:
            self.lines.extend(comment(statement.formula))
            self._statement(statement)
        return self.lines

    def _statement(self, statement: Statement) -> None:
        self.smalls.kinds[statement.name] = OWN if is_full(statement.indices, self.layer) else WIDE
        if statement.kind == REDUCTION:
            self._reduction(statement)
        elif statement.kind == FULL:
            self.full.assign(statement.name, statement.term, statement.indices)
        else:
            self.smalls.kinds[statement.name] = self.smalls.kind(statement.term)
            self.lines.append(f"{statement.name} = {self.smalls.text(statement.term, statement.indices)}")
            for name in reads_of(statement.term):
                self.buffers.read(name)

    def _reduction(self, statement: Statement) -> None:
        found = reduction(statement.term)
        assert found is not None
        total, coefficient = found
        mean = mean_of(statement.term)
        inside, is_method = self._total(total, statement.indices, "mean" if mean else "sum")
        if mean is not None and is_method:
            coefficient = mul(*mean[1])
        self.lines.append(f"{statement.name} = {_scaled(inside, coefficient)}")
        if statement.kind == REDUCTION and is_full(statement.indices, self.layer):
            self.buffers.owned[statement.name] = statement.indices

    def _total(self, total: Sum, result: Frame, method: str) -> tuple[str, bool]:
        """The expression of a sum, and whether it is a method that can take the mean as well."""
        factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
        frame = self._frame(total, result)
        simple = len(factors) == 1 and not _is_square(factors[0])
        if simple or is_whole(self.layer):
            operand = self.full.temporary(total.body, frame)
            self.full.done(operand, frame)
            axes = axes_text(frame, total.indices)
            arguments = [f"axis={axes}"] if axes else []
            if not is_full(result, self.layer):
                arguments.append("dtype=np.float64")
            return f"{operand.text}.{method}({', '.join(arguments)})", True
        return self._contraction(factors, frame, result), False

    def _frame(self, total: Sum, result: Frame) -> Frame:
        """The indices of a sum's body, in the order of its first array that has them all."""
        for node in walk(total.body):
            if isinstance(node, Entry) and node.free == total.body.free and len(node.indices) == len(node.free):
                return node.indices
        return (*result, *(i for i in total.indices if i not in result))

    def _contraction(self, factors: tuple[Term, ...], frame: Frame, result: Frame) -> str:
        """A sum of products, without the array of the products."""
        operands: list[tuple[Operand, tuple[Index, ...]]] = []
        for factor in factors:
            base, times = (factor.base, 2) if _is_square(factor) and isinstance(factor, Pow) else (factor, 1)
            operands.extend([self._operand(base, frame)] * times)
        subscripts = einsum_text([indices for _, indices in operands], result)
        texts = ", ".join(operand.text for operand, _ in operands)
        for operand, indices in operands:
            self.full.done(operand, indices)
        wide = not is_full(result, self.layer)
        return f'np.einsum("{subscripts}", {texts}{", dtype=np.float64" if wide else ", optimize=True"})'

    def _operand(self, factor: Term, frame: Frame) -> tuple[Operand, tuple[Index, ...]]:
        if isinstance(factor, Entry):
            self.buffers.read(factor.name)
            return Operand(factor.name, factor.name), factor.indices
        own = tuple(index for index in frame if index in factor.free)
        return self.full.temporary(factor, own), own


def _is_square(term: Term) -> bool:
    return isinstance(term, Pow) and term.exponent == 2


def _scaled(text: str, coefficient: Term) -> str:
    """A sum's expression times numbers and sizes."""
    if coefficient == ONE:
        return text
    spelling = Spelling(
        entry=lambda e: e.name, size=lambda s: f"n_{s.axis}", call=_call, fraction=fraction_text, delta=str
    )
    factors = coefficient.factors if isinstance(coefficient, Mul) else (coefficient,)
    return infix(mul(*factors, raw(text)), spelling)


def kinds_of(plan: KernelPlan) -> dict[str, str]:
    """What the names of the layer hold."""
    layer, kinds = plan.layer, {}
    for tensor in layer.tensors:
        kinds[plan.names[tensor.name]] = OWN
    for constant in layer.constants:
        kinds[plan.names[constant.name]] = PYTHON
    for definition in layer.definitions:
        name = plan.names[definition.name]
        kinds[name] = OWN if is_full(definition.indices, layer) else WIDE
    return kinds
