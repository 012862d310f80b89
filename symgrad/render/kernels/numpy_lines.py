"""The lines of a procedure for NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.algebra.terms import ONE, Binder, Entry, Index, Mul, Pow, Reduce, Sum, Term, mul, walk
from symgrad.plan.formula import mean_of
from symgrad.plan.records import FULL, GATHER, REDUCTION, SCATTER, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction
from symgrad.render.kernels.buffers import Buffers, reads_of
from symgrad.render.kernels.layout import Frame, axes_text, einsum_text, flat_items, is_whole, tuple_text
from symgrad.render.kernels.numpy_full import FullWriter, Operand
from symgrad.render.kernels.numpy_smalls import smalls_for
from symgrad.render.kernels.numpy_weighted import weighted_line
from symgrad.render.kernels.places import PlaceLines
from symgrad.render.kernels.products import (
    grouped,
    is_contraction,
    matrix_product,
    own_frame,
    product_of_others,
    scaled,
    transposed,
)
from symgrad.render.kernels.small import OWN, WIDE, mean_and_rest, raw
from symgrad.render.kernels.wide import wide_names
from symgrad.render.kernels.words import comment, fitted


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
        self.given = {self.plan.names[tensor.name] for tensor in self.layer.tensors}
        self.wide = wide_names(self.plan)
        self.buffers = Buffers.of(self.procedure, self.kept)
        self.full = FullWriter(
            self.smalls, self.buffers, self.lines, self.like if is_whole(self.layer) else "", self.used, set()
        )
        self.full.taken.update(s.name for s in self.procedure.statements)
        self.full.taken.update(self.procedure.reads)

    def write(self, kinds: dict[str, str]) -> list[str]:
        """All lines; `kinds` says what the names hold that the procedure reads."""
        self.smalls.kinds.update(kinds)
        waiting = list(self.procedure.statements)
        while waiting:
            statement = waiting.pop(0)
            self.lines.extend(comment(statement.formula))
            if waiting and self._centred(statement, waiting[0]):
                waiting.pop(0)
            else:
                self._statement(statement)
        return [part for line in self.lines for part in fitted(line)]

    def _statement(self, statement: Statement) -> None:
        self.smalls.kinds[statement.name] = OWN if is_full(statement.indices, self.layer) else WIDE
        if statement.kind in (GATHER, SCATTER):
            self._placed(statement)
        elif line := weighted_line(statement, self.full.work, self.full):
            self.lines.append(line)
        elif statement.kind == REDUCTION:
            self._reduction(statement)
        elif statement.kind == FULL:
            self.full.assign(statement.name, statement.term, statement.indices)
        else:
            self.smalls.kinds[statement.name] = self.smalls.kind(statement.term)
            text = self.smalls.text(statement.term, statement.indices)
            if statement.term.names and not set(statement.indices) <= statement.term.free:
                text = f"np.broadcast_to({text}, {tuple_text(flat_items(statement.indices))}).astype(np.float64)"
                self.smalls.kinds[statement.name] = WIDE
            self.lines.append(f"{statement.name} = {text}")
            for name in reads_of(statement.term):
                self.buffers.read(name)

    def _centred(self, mean: Statement, shifted: Statement) -> bool:
        """Write the mean of a given array and the array minus its mean together, where two statements are that."""
        found = mean_and_rest(mean, shifted, self.given)
        if found is None or is_whole(self.layer) or is_full(mean.indices, self.layer):
            return False
        array, bound = found
        frame = shifted.indices
        self.lines.extend(comment(shifted.formula))
        self.smalls.kinds.update({mean.name: WIDE, shifted.name: OWN})
        for name in (array.name, array.name, mean.name):
            self.buffers.read(name)
        self.full.begin(shifted.name, frame)
        target = self.full.buffer(frame)
        self.full.renamed(target, shifted.name)
        out = f", out={target}" if target else ""
        self.used.update(["centred", "sum"])
        axes = axes_text(frame, bound) or "None"
        self.lines.append(f"{mean.name}, {shifted.name} = _centred({array.name}, {axes}{out})")
        self.buffers.own(shifted.name, frame)
        return True

    def _placed(self, statement: Statement) -> None:
        """Entries at computed places, or what is added up there."""
        writer = PlaceLines(self.smalls, self.used)
        self.lines += writer.gather(statement) if statement.kind == GATHER else writer.scatter(statement)
        kinds = [self.smalls.kinds.get(node.name) for node in walk(statement.term) if isinstance(node, Entry)]
        self.smalls.kinds[statement.name] = WIDE if WIDE in kinds else OWN
        for name in reads_of(statement.term):
            self.buffers.read(name)
        if is_full(statement.indices, self.layer):
            self.buffers.owned[statement.name] = statement.indices

    def _reduction(self, statement: Statement) -> None:
        found, result = reduction(statement.term), statement.indices
        assert found is not None
        total, coefficient = found
        if isinstance(total, Reduce):
            inside = self._extreme(total, result)
            self.smalls.kinds[statement.name] = OWN
        elif isinstance(total, Sum) and is_contraction(total, result, self.layer):
            inside = self._contraction(total, result)
            self.smalls.kinds[statement.name] = OWN
        else:
            mean = mean_of(statement.term)
            inside, is_method = self._total(statement.name, total, result, "mean" if mean else "sum")
            coefficient = mul(*mean[1]) if mean is not None and is_method else coefficient
        self.lines.append(f"{statement.name} = {self._scaled(inside, coefficient)}")
        if is_full(result, self.layer):
            self.buffers.owned[statement.name] = result

    def _extreme(self, total: Reduce, result: Frame) -> str:
        """The expression of a largest or smallest value, or of a product."""
        frame = self._frame(total, result)
        others = product_of_others(total)
        if others is not None:
            return self._others(*others, result)
        operand = self.full.temporary(total.body, frame)
        self.full.done(operand, frame)
        axes = axes_text(frame, total.indices)
        text = f"{operand.text}.{total.operation}({f'axis={axes}' if axes else ''})"
        return self._in_order(text, frame, total, result)

    def _others(self, factor: Term, position: Index, result: Frame) -> str:
        """The products of all other factors along an axis."""
        operand = self.full.temporary(factor, result)
        self.full.done(operand, result)
        self.used.add("others")
        return f"_others({operand.text}, {result.index(position)})"

    def _in_order(self, text: str, frame: Frame, total: Binder, result: Frame) -> str:
        """A reduced array with its dimensions in the order of its statement."""
        left = [index for index in frame if index not in total.indices]
        return transposed(text, tuple(map(left.index, result)), "transpose", "swapaxes(-1, -2)")

    def _total(self, name: str, total: Binder, result: Frame, method: str) -> tuple[str, bool]:
        """The expression of a sum, and whether it is a method that can take the mean as well."""
        factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
        frame = self._frame(total, result)
        simple = len(factors) == 1 and not _is_square(factors[0])
        if is_whole(self.layer) or (is_full(result, self.layer) and simple):
            return self._sum(total, frame, result, method), True
        if is_full(result, self.layer):
            return self._statistic(factors, frame, result), False
        if name in self.wide and not simple:
            return self._statistic(factors, frame, result), False
        if simple and (name in self.wide or (isinstance(total.body, Entry) and total.body.name in self.given)):
            return self._sum(total, frame, result, method), True
        return self._in_order(self._rows(total.body, factors, frame, total), frame, total, result), False

    def _sum(self, total: Binder, frame: Frame, result: Frame, method: str) -> str:
        """A sum along axes of one array."""
        operand = self.full.temporary(total.body, frame)
        self.full.done(operand, frame)
        axes = axes_text(frame, total.indices)
        arguments = [f"axis={axes}"] if axes else []
        if not is_full(result, self.layer):
            arguments.append("dtype=np.float64")
        return self._in_order(f"{operand.text}.{method}({', '.join(arguments)})", frame, total, result)

    def _rows(self, body: Term, factors: tuple[Term, ...], frame: Frame, total: Binder) -> str:
        """A sum of computed values, of which NumPy adds up rows in their own type: they lie around 0."""
        axes = axes_text(frame, total.indices) or "None"
        pair = self._pair(factors, frame)
        self.used.add("sum" if pair is None else "dot")
        if pair is None:
            operand = self.full.temporary(body, frame)
            self.full.done(operand, frame)
            return f"_sum({operand.text}, {axes})"
        for operand in pair:
            self.full.done(operand, frame)
        return f"_dot({pair[0].text}, {pair[1].text}, {axes})"

    def _pair(self, factors: tuple[Term, ...], frame: Frame) -> tuple[Operand, Operand] | None:
        """Two operands whose product a sum adds up, or None where it adds up one array."""
        large = [factor for factor in factors if factor.free == frozenset(frame)]
        small = [factor for factor in factors if factor.free != frozenset(frame)]
        if len(factors) == 1 and _is_square(factors[0]) and isinstance(factors[0], Pow) and large:
            operand = self.full.temporary(factors[0].base, frame)
            return operand, operand
        if len(large) == 1 and len(small) == 1 and small[0].free:
            for name in reads_of(small[0]):
                self.buffers.read(name)
            return self.full.temporary(large[0], frame), Operand(self.smalls.coefficient(small[0], frame))
        if len(large) < 2:
            return None
        entries = [factor for factor in large if isinstance(factor, Entry)]
        last = entries[-1] if entries else large[-1]
        rest = list(factors)
        rest.remove(last)
        first = self.full.temporary(mul(*rest), frame)
        return first, self.full.held(first, last, frame)

    def _frame(self, total: Binder, result: Frame) -> Frame:
        """The indices of a sum's body, in the order of its first array that has them all."""
        for node in walk(total.body):
            if isinstance(node, Entry) and node.free == total.body.free and len(node.indices) == len(node.free):
                return node.indices
        return (*result, *(i for i in total.indices if i not in result))

    def _statistic(self, factors: tuple[Term, ...], frame: Frame, result: Frame) -> str:
        """A sum of products in the wider type, without the array of the products."""
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

    def _contraction(self, total: Sum, result: Frame) -> str:
        """A sum of products of arrays with different dimensions: a matrix product where it is one."""
        frame = self._frame(total, result)
        groups = grouped(total.body)
        if len(groups) == 1:
            return self._sum(total, frame, result, "sum")
        operands = [self._cast_operand(group, frame) for group in groups]
        for operand, indices in operands:
            self.full.done(operand, indices)
        texts, frames = [operand.text for operand, _ in operands], [indices for _, indices in operands]
        found = matrix_product(frames, result)
        if found is None:
            return f'np.einsum("{einsum_text(frames, result)}", {", ".join(texts)}, optimize=True)'
        left, right = (
            transposed(texts[n], order, "transpose", "swapaxes(-1, -2)")
            for n, order in zip((found.left, 1 - found.left), found.orders, strict=True)
        )
        plain = found.result == tuple(range(len(found.result)))
        product = f"{left} @ {right}"
        return product if plain else transposed(f"({product})", found.result, "transpose", "swapaxes(-1, -2)")

    def _cast_operand(self, factor: Term, frame: Frame) -> tuple[Operand, tuple[Index, ...]]:
        """An operand in the kernel's own dtype."""
        operand, indices = self._operand(factor, frame)
        if isinstance(factor, Entry) and self.smalls.kinds[factor.name] == WIDE:
            return Operand(f"{operand.text}.astype(dtype)", operand.name), indices
        return operand, indices

    def _operand(self, factor: Term, frame: Frame) -> tuple[Operand, tuple[Index, ...]]:
        if isinstance(factor, Entry):
            self.buffers.read(factor.name)
            return Operand(factor.name, factor.name), factor.indices
        own = own_frame(factor, frame)
        return self.full.temporary(factor, own), own

    def _scaled(self, text: str, coefficient: Term) -> str:
        """A reduction's expression times numbers and sizes."""
        if coefficient == ONE:
            return text
        return self.smalls.text(scaled(raw(text), coefficient), ())


def _is_square(term: Term) -> bool:
    return isinstance(term, Pow) and term.exponent == 2
