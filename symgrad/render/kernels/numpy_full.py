"""Full-size statements for NumPy, or torch on a CPU: one function a line, into buffers that are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.terms import MINUS_ONE, Add, Call, Compare, Delta, Entry, Mul, Place, Pow, Term, Where, mul, power
from symgrad.errors import SymgradError
from symgrad.plan.infix import split_sign
from symgrad.plan.names import describing_name, free_name
from symgrad.render.kernels.buffers import Buffers, reads_of
from symgrad.render.kernels.layout import Frame, flat_items, tuple_text
from symgrad.render.kernels.means import averaged
from symgrad.render.kernels.picked import picked_of
from symgrad.render.kernels.small import PYTHON, Smalls, as_one, centred, fraction_text, split_product
from symgrad.render.kernels.ufuncs import NUMPY, Ufuncs

INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
POWERS = {Fraction(2): "square", Fraction(1, 2): "sqrt", Fraction(-1): "reciprocal"}


State = tuple[int, int, set[str], set[str], dict[str, str], Buffers]


@dataclass(frozen=True)
class Operand:
    """What a ufunc reads: its text, the name of the full-size buffer that it is (if it is one), if it is a number."""

    text: str
    name: str = ""
    is_number: bool = False


@dataclass
class FullWriter:
    """Writes the lines that compute full-size terms.

    Attributes:
        smalls: writes the coefficients.
        buffers: which buffers may be written to.
        lines: what has been written.
        like: the array that new ones are made like, where all arrays have one free shape.
        used: the helper functions that the lines call.
        taken: the names that are in use.
        outs: names of results that are written into arrays which are there already, until that is done.
        work: the dimensions of the buffers that are there already, where there are such.
        count: how many of them are used.
        words: the library's spellings.
        homes: statements on the way to a result, which are to be written into its array already.
        room: the result whose array the statement shall be written into, until it is.
        holders: for each result whose array is taken the name that holds this array.
    """

    smalls: Smalls
    buffers: Buffers
    lines: list[str]
    like: str
    used: set[str]
    taken: set[str]
    outs: set[str] = field(default_factory=set)
    work: Frame | None = None
    count: int = 0
    words: Ufuncs = NUMPY
    homes: Mapping[str, str] = field(default_factory=dict)
    room: str = ""
    holders: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str, frame: Frame) -> None:
        """Note which statement is written; its first array of full size may be that of a result."""
        result = name if name in self.outs else self.homes.get(name, "")
        self.room = result if result in self.outs and frame == self.work else ""

    @property
    def is_right(self) -> bool:
        """Whether each result that shall be written into an array which is there has ended up in it."""
        return all(name == result for result, name in self.holders.items())

    def renamed(self, old: str, new: str) -> None:
        """Note that what a name holds has a new name."""
        self.holders.update({result: new for result, name in self.holders.items() if name == old})

    def _state(self) -> State:
        """What writing changes."""
        buffers = Buffers(Counter(self.buffers.uses), dict(self.buffers.owned), list(self.buffers.free))
        return len(self.lines), self.count, set(self.taken), set(self.outs), dict(self.holders), buffers

    def _restore(self, state: State) -> None:
        """Forget what was written since then."""
        written, self.count, self.taken, self.outs, self.holders, buffers = state
        self.room = ""
        del self.lines[written:]
        self.buffers.uses, self.buffers.owned, self.buffers.free = buffers.uses, buffers.owned, buffers.free

    def assign(self, name: str, term: Term, frame: Frame) -> None:
        """Compute a statement's term into a new name.

        Where the result goes into an array that is there already, its parts do so as well, if it ends up there.
        """
        uses = self.buffers.uses[name]
        before = self._state()
        self.begin(name, frame)
        self.into(name, term, frame, is_target=True)
        if self.room or self.holders.get(name, name) != name:
            self._restore(before)
            self.into(name, term, frame, is_target=True)
        self.buffers.owned[name] = frame
        self.buffers.uses[name] = uses

    def temporary(self, term: Term, frame: Frame) -> Operand:
        """Compute a term that is part of a statement; an entry is there already."""
        if isinstance(term, Entry) and term.free == frozenset(frame):
            self.buffers.read(term.name)
            return Operand(self.smalls.placed(term, frame), term.name)
        constants = {c.name for c in self.smalls.plan.layer.constants}
        name = free_name(describing_name(term, constants, "work"), self.taken)
        name = self.into(name, term, frame, is_target=False)
        return Operand(name, name)

    def held(self, waiting: Operand | None, term: Term, frame: Frame) -> Operand:
        """A temporary that is computed while another operand waits, and must not be overwritten."""
        if waiting is None or not waiting.name:
            return self.temporary(term, frame)
        self.buffers.uses[waiting.name] += 1
        operand = self.temporary(term, frame)
        self.buffers.uses[waiting.name] -= 1
        return operand

    def buffer(self, frame: Frame) -> str:
        """A buffer to write to: the result's own, one that is free, one that is there already; empty: there is none."""
        if self.room and frame == self.work:
            result, self.room = self.room, ""
            self.outs.remove(result)
            self.holders[result] = result
            return result
        found = self.buffers.take(frame)
        if found is None and frame == self.work:
            self.count += 1
            found = f"buffer_{self.count}"
        return found or ""

    def done(self, operand: Operand, frame: Frame) -> None:
        """Release an operand's buffer where nothing reads it any more."""
        if operand.name:
            self.buffers.release(operand.name, frame)

    def is_large(self, frame: Frame) -> Callable[[Term], bool]:
        """Tells the terms that have all indices of a frame."""
        return lambda term: term.free == frozenset(frame)

    def into(self, name: str, term: Term, frame: Frame, is_target: bool) -> str:
        """Compute a term into `name`, or for a part of a statement into a dying buffer's own name."""
        self.taken.add(name)
        write = _Value(self, name, frame, is_target)
        scattered = not any(map(self.is_large(frame), term.children or (term,)))
        if term.free != frozenset(frame) or (scattered and not isinstance(term, (Where, Compare))):
            return write.broadcast(term)
        match term:
            case Entry():
                return write.copy(term)
            case Add():
                return write.sum(term)
            case Mul():
                return write.product(term)
            case Pow(base, exponent):
                return write.power(base, exponent)
            case Call(function, (argument,)):
                return write.call(function, argument)
            case Call(_, (base, to)):
                return write.real_power(base, to)
            case Where():
                return write.where(term)
            case Compare() | Delta():
                return write.expression(term)
        raise SymgradError(f"NumPy kernels have no {type(term).__name__}; add a case to render/kernels/numpy_full.py")


@dataclass
class _Value:
    """One term on its way into one name."""

    writer: FullWriter
    name: str
    frame: Frame
    is_target: bool

    def broadcast(self, term: Term) -> str:
        """A term in which nothing is full-size: computed as it stands, into a new array."""
        text = self.writer.smalls.text(term, self.frame)
        for name in reads_of(term):
            self.writer.buffers.read(name)
        shape = f"{self.writer.like}.shape" if self.writer.like else tuple_text(flat_items(self.frame))
        if term.free:
            self._line(f"{self.name} = {self.writer.words.empty.format(shape)}")
            self._line(f"{self.name}[...] = {text}")
        else:
            self._line(f"{self.name} = {self.writer.words.full.format(shape, text)}")
        return self._owned(self.name)

    def copy(self, term: Entry) -> str:
        """An entry under a new name."""
        operand = self.writer.temporary(term, self.frame)
        if self.writer.buffers.is_dying(operand.name, self.frame):
            self._line(f"{self.name} = {operand.text}")
            self.writer.buffers.give(operand.name)
            self.writer.renamed(operand.name, self.name)
        else:
            self._line(f"{self.name} = {operand.text}.{self.writer.words.copy}()")
        return self._owned(self.name)

    def sum(self, term: Add) -> str:
        """Summands, one after the other, from the first full-size one."""
        found = centred(term, self.writer.smalls.kinds)
        if found is not None and found[0].free == frozenset(self.frame):
            return self._centred(*found)
        large = self.writer.is_large(self.frame)
        terms = [t for t in term.terms if large(t)]
        smalls = [t for t in term.terms if not large(t)]
        if len(smalls) == 1 and len(terms) == 1 and split_sign(terms[0])[0] < 0:
            operand = self.writer.temporary(split_sign(terms[0])[1], self.frame)
            return self._apply("subtract", self._small(smalls[0]), operand)
        picked = picked_of(terms, self.frame)
        terms = [t for t in terms if t not in picked]
        order = [*terms, *smalls]
        current = self._first(order[0])
        for part in order[1:]:
            sign, size = split_sign(part)
            other = self._small(size) if part in smalls else self._while_held(current, size)
            current = self._named(self._apply("subtract" if sign < 0 else "add", current, other))
        for entry, values in picked.values():
            self._add_at(current.name, entry, values)
        return self._finish(current)

    def _add_at(self, name: str, delta: Delta, values: Term) -> None:
        """Add values at the places that labels pick, instead of a number to each element."""
        assert isinstance(delta.right, Place)
        self.writer.used.add("add_at")
        axis = self.frame.index(delta.left)
        places = self.writer.smalls.text(delta.right.value, (*self.frame[:axis], *self.frame[axis + 1 :]))
        text = self.writer.smalls.coefficient(values, self.frame)
        for read in (*reads_of(delta.right.value), *reads_of(values)):
            self.writer.buffers.read(read)
        self._line(f"_add_at({name}, {axis}, {places}, {text})")

    def _centred(self, array: Entry, statistic: Entry) -> str:
        """An array minus its mean, where the mean is split so that nothing of it is lost."""
        is_mean = averaged(self.writer.smalls.plan, array, statistic) is not None
        how = "around" if is_mean and self.writer.words.recentres else "centre"
        self.writer.used.add(how)
        operand = self.writer.temporary(array, self.frame)
        self.writer.buffers.read(statistic.name)
        shift = self.writer.smalls.placed(statistic, self.frame)
        return self._function(f"_{how}({{0}}{{1}})", f"{operand.text}, {shift}", operand)

    def product(self, term: Mul) -> str:
        """Factors, one after the other; the coefficients early."""
        coefficients, large = split_product(term, self.writer.is_large(self.frame))
        coefficients = as_one(coefficients, self.frame)
        above = self._in_order([factor for factor in large if not _is_below(factor)])
        below = [power(f.base, -f.exponent) for f in large if isinstance(f, Pow) and _is_below(f)]
        current = self._first(above.pop(0)) if above else self._small(mul(*coefficients))
        for coefficient in coefficients if current.name else []:
            if coefficient == MINUS_ONE:
                current = self._named(self._function(self._template("negative"), current.text, current))
                continue
            current = self._named(self._apply("multiply", current, self._small(coefficient)))
        for operation, factors in (("multiply", above), ("divide", below)):
            for factor in factors:
                other = self._while_held(current, factor)
                current = self._named(self._apply(operation, current, other))
        return self._finish(current)

    def _in_order(self, factors: list[Term]) -> list[Term]:
        """The factor first whose buffer the product can go on in: a dying one, else one to be computed."""
        uses, owned = self.writer.buffers.uses, self.writer.buffers.owned
        entries = [f for f in factors if isinstance(f, Entry)]
        dying: list[Term] = [f for f in entries if uses[f.name] == 1 and owned.get(f.name) == self.frame]
        first = (dying or [factor for factor in factors if not isinstance(factor, Entry)] or factors)[:1]
        rest = list(factors)
        for factor in first:
            rest.remove(factor)
        return first + rest

    def _first(self, term: Term) -> Operand:
        """The term that the value starts from, under the value's own name if it is computed."""
        if isinstance(term, Entry):
            return self.writer.temporary(term, self.frame)
        return self._named(self.writer.into(self.name, term, self.frame, self.is_target))

    def power(self, base: Term, exponent: Fraction) -> str:
        """A power of a full-size term."""
        operand = self.writer.temporary(base, self.frame)
        if exponent == Fraction(-1, 2):
            operand = self._named(self._function(self._template("sqrt"), operand.text, operand))
            exponent = Fraction(-1)
        if exponent in POWERS:
            return self._function(self._template(POWERS[exponent]), operand.text, operand)
        return self._function(self._template("power"), f"{operand.text}, {fraction_text(exponent)}", operand)

    def real_power(self, base: Term, exponent: Term) -> str:
        """A power with an exponent that is no number."""
        large = self.writer.is_large(self.frame)
        left = self.writer.temporary(base, self.frame) if large(base) else self._small(base)
        right = self._while_held(left, exponent) if large(exponent) else self._small(exponent)
        return self._apply("power", left, right)

    def call(self, function: str, argument: Term) -> str:
        """A scalar function of each element."""
        operand = self.writer.temporary(argument, self.frame)
        template = self.writer.words.function(function)
        if "{1}" in template:
            return self._function(template, operand.text, operand)
        self._line(f"{self.name} = {template.format(operand.text)}")
        return self._moved(self.name, "", [operand])

    def where(self, term: Where) -> str:
        """One of two values by a condition."""
        operands = [self._branch(part) for part in (term.then, term.otherwise)]
        mask = self.writer.smalls.condition(term.condition, self.frame)
        for name in reads_of(term.condition):
            self.writer.buffers.read(name)
        text = self.writer.smalls.where(term, mask, *(operand.text for operand in operands))
        self._line(f"{self.name} = {text}")
        return self._moved(self.name, "", operands)

    def _branch(self, term: Term) -> Operand:
        """A value to choose: computed where it is full-size."""
        if self.writer.is_large(self.frame)(term) and not isinstance(term, (Compare, Delta)):
            return self.writer.temporary(term, self.frame)
        return self._small(term)

    def expression(self, term: Term) -> str:
        """A full-size term that is written as it stands."""
        text = self.writer.smalls.text(term, self.frame)
        for name in reads_of(term):
            self.writer.buffers.read(name)
        self._line(f"{self.name} = {text}")
        return self._owned(self.name)

    def _while_held(self, held: Operand | None, term: Term) -> Operand:
        """A temporary that is computed while another operand waits, and must not be overwritten."""
        return self.writer.held(held, term, self.frame)

    def _small(self, term: Term) -> Operand:
        for name in reads_of(term):
            self.writer.buffers.read(name)
        is_number = not term.free and self.writer.smalls.kind(term) == PYTHON
        return Operand(self.writer.smalls.coefficient(term, self.frame), is_number=is_number)

    def _template(self, operation: str) -> str:
        """A unary operation with its argument and the place to write to."""
        return self.writer.words.names[operation] + "({0}{1})"

    def _function(self, template: str, arguments: str, operand: Operand) -> str:
        """A unary function of an operand, into a dying, a free or a new buffer."""
        name, target = self._target([operand])
        where = f", out={target}" if target else self._new()
        self._line(f"{name} = " + template.format(arguments, where))
        return self._moved(name, target, [operand])

    def _apply(self, operation: str, left: Operand, right: Operand) -> str:
        """A binary ufunc, into a dying, a free or a new buffer."""
        scaled = operation in ("multiply", "divide") and not right.name
        name, target = self._target([left, right], keep=scaled)
        if target and target == name == left.name:
            self._line(f"{name} {INFIX[operation]}= {right.text}")
        elif target or self.writer.like:
            where = f", out={target}" if target else self._new()
            first = self.writer.words.number.format(left.text) if left.is_number else left.text
            self._line(f"{name} = {self.writer.words.names[operation]}({first}, {right.text}{where})")
        else:
            self._line(f"{name} = {left.text} {INFIX[operation]} {as_operand(right.text)}")
        return self._moved(name, target, [left, right])

    def _target(self, operands: list[Operand], keep: bool = False) -> tuple[str, str]:
        """The name of the result, and the name of the buffer it goes to (empty: a new one)."""
        if self.is_target and self.name in self.writer.outs and all(o.name != self.name for o in operands):
            self.writer.outs.remove(self.name)
            self.writer.room = ""
            return self.name, self.name
        dying = [o.name for o in operands if o.name and self.writer.buffers.is_dying(o.name, self.frame)]
        dying.sort(key=lambda name: name not in self.writer.holders.values())
        if dying:
            return (dying[0] if keep and not self.is_target else self.name), dying[0]
        return self.name, self.writer.buffer(self.frame)

    def _moved(self, name: str, target: str, operands: list[Operand]) -> str:
        """Note what became of the buffers."""
        if target in self.writer.buffers.owned:
            self.writer.buffers.give(target)
        if target:
            self.writer.renamed(target, name)
        self._owned(name)
        for operand in operands:
            if operand.name not in (name, target):
                self.writer.done(operand, self.frame)
        return name

    def _owned(self, name: str) -> str:
        if name == self.writer.room:  # the name is a new array's now: the one that is there has none any more
            self.writer.room = ""
        self.writer.buffers.owned[name] = self.frame
        self.writer.buffers.uses[name] = 0
        return name

    def _named(self, name: str) -> Operand:
        return Operand(name, name)

    def _finish(self, current: Operand) -> str:
        """The result under the wanted name."""
        if current.name == self.name or not self.is_target:
            return current.name
        self._line(f"{self.name} = {current.name}")
        self.writer.buffers.give(current.name)
        self.writer.renamed(current.name, self.name)
        return self._owned(self.name)

    def _new(self) -> str:
        return f", out=np.empty_like({self.writer.like})" if self.writer.like else ""

    def _line(self, text: str) -> None:
        self.writer.lines.append(text)


def _is_below(factor: Term) -> bool:
    """Whether a factor stands below the fraction bar."""
    return isinstance(factor, Pow) and factor.exponent < 0


def as_operand(text: str) -> str:
    """A right operand; in brackets where it is an expression of its own."""
    return f"({text})" if any(f" {sign} " in _outside_brackets(text) for sign in "+-*/") else text


def _outside_brackets(text: str) -> str:
    depth, kept = 0, ""
    for character in text:
        depth += character in "(["
        kept += character if depth == 0 else ""
        depth -= character in ")]"
    return kept
