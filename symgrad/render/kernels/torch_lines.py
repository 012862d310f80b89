"""The lines of a procedure for PyTorch: an expression a statement, so that a compiler can fuse them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Binder,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Position,
    Pow,
    Reduce,
    Sum,
    Term,
    Where,
    add,
    mul,
    power,
    walk,
)
from symgrad.errors import SymgradError
from symgrad.plan.formula import mean_of
from symgrad.plan.infix import Spelling, infix, split_sign
from symgrad.plan.records import FULL, GATHER, REDUCTION, SCATTER, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction
from symgrad.primitives import POWER, PRIMITIVES
from symgrad.render.kernels.layout import Frame, axes_text, einsum_text, flat_items, is_whole, tuple_text
from symgrad.render.kernels.means import averaged
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
from symgrad.render.kernels.small import (
    OWN,
    PYTHON,
    WIDE,
    Smalls,
    as_one,
    centred,
    fraction_text,
    mean_and_rest,
    raw,
    split_product,
)
from symgrad.render.kernels.wide import widened_names
from symgrad.render.kernels.words import assignment, comment, fitted


def smalls_for(plan: KernelPlan, like: str) -> Smalls:
    """Small expressions as PyTorch writes them; what is made anew lies on the device of `like`."""
    return Smalls(
        plan, "torch", _call, lambda name, order: f"{name}.permute({', '.join(map(str, order))})",
        lambda text: f"{text}.to(dtype)", lambda size: f"torch.eye({size}, dtype=dtype, device={like}.device)",
        lambda size: f"torch.arange({size}, device={like}.device)", "torch.where({0}, {1}, {2})",
        f"torch.where({{0}}, torch.tensor({{1}}, dtype=dtype, device={like}.device), {{2}})",
        f"torch.tensor({{0}}, device={like}.device)", "({0}).to(dtype)",
    )  # fmt: skip


def _call(function: str, arguments: str) -> str:
    if function in ("sqrt", POWER):
        return f"torch.{function}({arguments})"
    return PRIMITIVES[function].torch.format(arguments)


@dataclass(frozen=True)
class Dialect:
    """What differs between libraries whose arrays are alike.

    Attributes:
        smalls: what writes small expressions; the array is one after which others are made.
        powers: the spellings of powers that have a function of their own.
        permute: the method that permutes dimensions.
        extremes: the methods for a largest and a smallest value.
        full: an array of one shape `{0}` and value `{1}`; `{2}` is an array after which it is made.
        expanded: an expression `{0}`, repeated to the shape `{1}`; `{2}` is the expression without brackets.
        copied: an array that must not be the same one as `{0}`.
        held: an expression through which no derivative goes.
        recentres: whether there may be no wider type for means: what is left without them is centred again.
    """

    smalls: Callable[[KernelPlan, str], Smalls]
    powers: Mapping[Fraction, str]
    permute: str
    extremes: Mapping[str, str]
    full: str
    expanded: str
    copied: str
    held: str
    recentres: bool = False


TORCH = Dialect(
    smalls_for,
    {Fraction(1, 2): "torch.sqrt({0})", Fraction(-1, 2): "torch.rsqrt({0})", Fraction(2): "torch.square({0})"},
    "permute", {"max": "amax", "min": "amin"}, "torch.full({0}, {1}, dtype=dtype, device={2}.device)",
    "{0}.expand({1})", "{0}.clone()", "{0}.detach()",
)  # fmt: skip


@dataclass
class TorchLines:
    """Writes one procedure.

    Attributes:
        plan: the plan that the procedure belongs to.
        procedure: what is written.
        kinds: what the names hold that the procedure reads.
        like: a full-size array, after which others are made where all have one free shape.
        used: the helper functions that the lines call.
        dialect: PyTorch's, or that of a library with arrays like its tensors.
        is_forward: whether it is a part of the forward pass, through which nothing is differentiated.
        is_narrow: whether sums of computed values, which lie around 0, stay in the kernel's own dtype.
        kept: axes over which sums of everything run last, so that a compiler adds them up with sums that keep these.
    """

    plan: KernelPlan
    procedure: Procedure
    kinds: Mapping[str, str]
    like: str
    used: set[str]
    dialect: Dialect = TORCH
    is_forward: bool = False
    is_narrow: bool = False
    kept: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.layer = self.plan.layer
        self.smalls = self.dialect.smalls(self.plan, self.like)
        self.smalls.kinds.update(self.kinds)
        self.given = {self.plan.names[tensor.name] for tensor in self.layer.tensors}
        self.wide = widened_names(self.plan)

    def write(self) -> list[str]:
        """All lines."""
        return self._all(self.procedure.statements)

    def _all(self, statements: Iterable[Statement]) -> list[str]:
        """The lines of statements; the mean of a given array and the array minus its mean are computed together.

        Places that several arrays are gathered at are computed once.
        """
        lines: list[str] = []
        places: dict[str, str] = {}
        waiting = list(statements)
        while waiting:
            statement = waiting.pop(0)
            together = self._with_rest(statement, waiting[0]) if waiting else []
            if together:
                waiting.pop(0)
            lines += together or self._lines(statement, places)
        return lines

    def _with_rest(self, mean: Statement, shifted: Statement) -> list[str]:
        """The lines of both statements, where they are a mean and what lies around it; else none."""
        found = mean_and_rest(mean, shifted, self.given)
        if found is None or not self.is_narrow or is_whole(self.layer) or is_full(mean.indices, self.layer):
            return []
        self.used.update(["centred", "centre"])
        self.smalls.kinds.update({mean.name: WIDE, shifted.name: OWN})
        axes = [str(place) for place, index in enumerate(shifted.indices) if index in found[1]]
        line = f"{mean.name}, {shifted.name} = _centred({found[0].name}, {tuple_text(axes)}, wide)"
        return [*comment(mean.formula), *comment(shifted.formula), line]

    def write_as_needed(self, results: Sequence[str] = ()) -> list[str]:
        """All lines, each computed only where one of the gradients `results` is asked for that needs it."""
        results = results or [what for what, _ in self.procedure.results]
        lines = []
        for needed_by, group in groupby(self.procedure.statements, key=lambda statement: statement.needed_by):
            inner = self._all(group)
            if set(needed_by) == set(results):
                lines += inner
            else:
                lines.append(f"if {' or '.join(f'need_{what}' for what in needed_by)}:")
                lines += [f"    {line}" for line in inner]
        return lines

    def written(self, statement: Statement) -> list[str]:
        """The lines of one statement, without its formula."""
        return self._lines(statement)[len(comment(statement.formula)) :]

    def _lines(self, statement: Statement, places: dict[str, str] | None = None) -> list[str]:
        self.smalls.kinds[statement.name] = OWN if is_full(statement.indices, self.layer) else WIDE
        if statement.kind in (GATHER, SCATTER):
            lines = self._placed(statement, {} if places is None else places)
            return [*comment(statement.formula), *(part for line in lines for part in fitted(line))]
        if statement.kind == REDUCTION:
            text = self._reduction(statement)
        elif statement.kind == FULL:
            text = self._full(statement)
        else:
            self.smalls.kinds[statement.name] = self.smalls.kind(statement.term)
            text = self.smalls.text(statement.term, statement.indices)
            number = not statement.term.names and not statement.term.free
            if number or not set(statement.indices) <= statement.term.free:
                text = self._expanded(statement.term, text, statement.indices)
        lines = [part for line in assignment(statement.name, text) for part in fitted(line)]
        return [*comment(statement.formula), *lines]

    def _placed(self, statement: Statement, places: dict[str, str]) -> list[str]:
        """Entries at computed places, or what is added up there."""
        writer = PlaceLines(self.smalls, self.used, places)
        kinds = [self.smalls.kinds.get(node.name) for node in walk(statement.term) if isinstance(node, Entry)]
        self.smalls.kinds[statement.name] = WIDE if WIDE in kinds else OWN
        return writer.gather(statement) if statement.kind == GATHER else writer.scatter(statement)

    def _full(self, statement: Statement) -> str:
        """A full-size statement's right-hand side."""
        term, frame = statement.term, statement.indices
        if isinstance(term, Entry) and term.free == frozenset(frame):
            return self.dialect.copied.format(self.smalls.placed(term, frame))
        text = self.text(term, frame)
        if any(isinstance(n, Entry) and n.free == frozenset(frame) for n in walk(term)):
            return text
        return self._expanded(term, text, frame)

    def _expanded(self, term: Term, text: str, frame: Frame) -> str:
        """An expression with fewer indices than its statement has, repeated along the others."""
        shape = f"{self.like}.shape" if is_whole(self.layer) and frame else tuple_text(flat_items(frame))
        if not term.names or self.smalls.kind(term) == PYTHON:
            return self.dialect.full.format(shape, text, self.like)
        return self.dialect.expanded.format(self._atom(text), shape, text)

    def text(self, term: Term, frame: Frame) -> str:
        """The expression of a full-size term."""
        return infix(self._ready(self.smalls.plain(term), frame), self._spelling(frame))

    def _spelling(self, frame: Frame) -> Spelling:
        return Spelling(
            entry=lambda e: e.name if e.name not in self.smalls.kinds else self.smalls.placed(e, frame),
            size=lambda s: f"n_{s.axis}", call=self.smalls.function, fraction=fraction_text,
            delta=lambda item: self.smalls.identity(item, frame),
            position=lambda item: self.smalls.position(item, frame), where=self.smalls.array_where,
            truth=self.smalls.number,
        )  # fmt: skip

    def _ready(self, term: Term, frame: Frame) -> Term:
        """The term with its small parts, centred parts and powers written out already."""
        if not self._is_large(term, frame):
            return self._coefficient(term, frame)
        found = centred(term, self.smalls.kinds)
        if found is not None:
            return raw(self._centred(*found, frame))
        match term:
            case Entry() | Delta() | Compare() | Position():
                return term
            case Where(condition, then, otherwise):
                return self._where(condition, self._ready(then, frame), self._ready(otherwise, frame))
            case Add(terms):
                return Add(tuple(self._signed(part, frame) for part in terms))
            case Mul():
                return self._product(term, frame)
            case Pow(base, exponent):
                return self._power(base, exponent, frame)
            case Call(function, arguments):
                return Call(function, tuple(self._ready(argument, frame) for argument in arguments))
        raise SymgradError(f"torch kernels have no {type(term).__name__}; add a case to render/kernels/torch_lines.py")

    def _centred(self, array: Entry, statistic: Entry, frame: Frame) -> str:
        """An array minus a wider statistic, or one that should be wider."""
        self.used.add("centre")
        texts = ", ".join(self.smalls.placed(item, frame) for item in (array, statistic))
        bound = averaged(self.plan, array, statistic) if self.dialect.recentres else None
        if bound is None:
            return f"_centre({texts})"
        self.used.add("deviations")
        return f"_deviations({texts}, {axes_text(frame, bound) or None})"

    def _where(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """A choice; of two numbers, in the kernel's dtype."""
        numbers = {constant.name for constant in self.plan.layer.constants}
        if (then.names | otherwise.names) - numbers:
            return Where(condition, then, otherwise)
        if then.names or otherwise.names:
            chosen = condition if isinstance(condition, Compare) else Compare("!=", condition, ZERO)
            return add(mul(chosen, then), mul(add(ONE, mul(MINUS_ONE, chosen)), otherwise))
        return add(mul(Compare("!=", condition, ZERO), add(then, mul(MINUS_ONE, otherwise))), otherwise)

    def _signed(self, term: Term, frame: Frame) -> Term:
        sign, size = split_sign(term)
        ready = self._ready(size, frame)
        return Mul((MINUS_ONE, ready)) if sign < 0 else ready

    def _product(self, term: Mul, frame: Frame) -> Term:
        coefficients, large = split_product(term, lambda factor: self._is_large(factor, frame))
        coefficients = as_one(coefficients, frame)
        ready = tuple(self._ready(factor, frame) for factor in large)
        factors = (*ready[:1], *(self._coefficient(small, frame) for small in coefficients), *ready[1:])
        return factors[0] if len(factors) == 1 else Mul(factors)

    def _power(self, base: Term, exponent: Fraction, frame: Frame) -> Term:
        inner = self._ready(base, frame)
        if exponent in self.dialect.powers:
            return raw(self.dialect.powers[exponent].format(infix(inner, self._spelling(frame))))
        return Pow(inner, exponent) if exponent != -1 else power(inner, -1)

    def _coefficient(self, term: Term, frame: Frame) -> Term:
        if not term.names:
            return term
        text = self.smalls.coefficient(term, frame)
        return raw(self._atom(text))

    def _is_large(self, term: Term, frame: Frame) -> bool:
        return term.free == frozenset(frame) and bool(frame)

    def _reduction(self, statement: Statement) -> str:
        found = reduction(statement.term)
        assert found is not None
        total, coefficient = found
        result = statement.indices
        if isinstance(total, Reduce):
            inside = self._extreme(total, result)
            if statement.is_shift and not (self.is_forward or self.procedure is self.plan.forward):
                inside = self.dialect.held.format(inside)
            self.smalls.kinds[statement.name] = OWN
        elif isinstance(total, Sum) and is_contraction(total, result, self.layer):
            inside = self._contraction(total, result)
            self.smalls.kinds[statement.name] = OWN
        else:
            mean = mean_of(statement.term)
            in_wide = not self.is_narrow or (isinstance(total.body, Entry) and total.body.name in self.given)
            inside = self._sum(total, result, "mean" if mean else "sum", ("dtype=wide",) if in_wide else ())
            if not in_wide and statement.name in self.wide:
                inside += ".to(wide)"
            elif not in_wide:
                self.smalls.kinds[statement.name] = OWN
            coefficient = mul(*mean[1]) if mean is not None else coefficient
        return self.smalls.text(scaled(raw(inside), coefficient), ())

    def _sum(self, total: Binder, result: Frame, method: str, more: tuple[str, ...] = ()) -> str:
        """A sum over some dimensions."""
        frame = frame_of(total, result)
        first = tuple(index for index in total.indices if index.axis not in self.kept)
        if not result and first and len(first) < len(total.indices):
            arguments = [axes_text(frame, first), *more]
            return f"{self._body(total, frame)}.{method}({', '.join(arguments)}).{method}()"
        axes = axes_text(frame, total.indices)
        arguments = [*([axes] if axes else []), *more]
        return self._in_order(f"{self._body(total, frame)}.{method}({', '.join(arguments)})", frame, total, result)

    def _body(self, total: Binder, frame: Frame) -> str:
        """What is reduced, as large as the loop nest, in brackets where it needs them."""
        text = self.text(total.body, frame)
        if not any(node.free == frozenset(frame) for node in walk(total.body)):
            text = self._expanded(total.body, text, frame)
        return self._atom(text)

    def _atom(self, text: str) -> str:
        """The expression, in brackets where a method cannot be called on it as it stands."""
        return text if _is_atom(text) else f"({text})"

    def _in_order(self, text: str, frame: Frame, total: Binder, result: Frame) -> str:
        """A reduced tensor with its dimensions in the order of its statement."""
        left = tuple(index for index in frame if index not in total.indices)
        return transposed(text, tuple(left.index(index) for index in result), self.dialect.permute, "mT")

    def _extreme(self, total: Reduce, result: Frame) -> str:
        """The expression of a largest or smallest value, or of a product."""
        others = product_of_others(total)
        if others is not None:
            self.used.add("others")
            factor, position = others
            return f"_others({self.text(factor, result)}, {result.index(position)})"
        frame = frame_of(total, result)
        if total.operation != "prod":
            return self._sum(total, result, self.dialect.extremes[total.operation])
        text = self._body(total, frame)
        for axis in reversed([n for n, index in enumerate(frame) if index in total.indices]):
            text += f".prod({axis})"
        return self._in_order(text, frame, total, result)

    def _contraction(self, total: Sum, result: Frame) -> str:
        """A sum of products of tensors with different dimensions: a matrix product where it is one."""
        frame = frame_of(total, result)
        groups = grouped(total.body)
        if len(groups) == 1:
            return self._sum(total, result, "sum")
        operands = [self._operand(group, frame) for group in groups]
        texts, frames = [text for text, _ in operands], [indices for _, indices in operands]
        found = matrix_product(frames, result)
        if found is None or found.result != tuple(range(len(found.result))):
            return f'{self.smalls.library}.einsum("{einsum_text(frames, result)}", {", ".join(texts)})'
        texts = [self._atom(text) for text in texts]
        left, right = (
            transposed(texts[n], order, self.dialect.permute, "mT")
            for n, order in zip((found.left, 1 - found.left), found.orders, strict=True)
        )
        return f"{left} @ {right}"

    def _operand(self, factor: Term, frame: Frame) -> tuple[str, Frame]:
        """An operand in the kernel's own dtype, and its dimensions."""
        if isinstance(factor, Entry):
            wide = self.smalls.kinds.get(factor.name) == WIDE
            return self.smalls.cast(factor.name) if wide else factor.name, factor.indices
        own: tuple[Index, ...] = own_frame(factor, frame)
        return self.text(factor, own), own


def _is_atom(text: str) -> bool:
    """Whether an expression binds as tightly as a name: a name, a number, or calls and subscripts of one."""
    depth = 0
    for character in text:
        depth += character in "(["
        if not depth and not (character.isalnum() or character in "_.()[]"):
            return False
        depth -= character in ")]"
    return True


def frame_of(total: Binder, result: Frame) -> Frame:
    """The indices of a sum's body, in the order of its first array that has them all."""
    for node in walk(total.body):
        if isinstance(node, Entry) and node.free == total.body.free and len(node.indices) == len(node.free):
            return node.indices
    return (*result, *(index for index in total.indices if index not in result))
