"""A procedure as a function of loops: what they read, compute and keep, in whatever language.

The loops work on arrays in the element's type and on small arrays in double. A caller has results in the element's
type, and what is kept for the backward pass in double.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.c_names import marked, marked_procedure
from symgrad.render.kernels.layout import Frame
from symgrad.render.kernels.loop_language import Case, Language
from symgrad.render.kernels.loops import Loops

GIVEN, LENGTH, RESULT, KEPT = "given", "length", "result", "kept"
FORWARD, BACKWARD, AT_ONCE = "forward", "backward", "forward_backward"
"""The functions of a kernel; the last gives a loss and its gradients."""


def procedures(plan: KernelPlan) -> dict[str, Procedure]:
    """What a plan's functions compute, by their names."""
    found = {FORWARD: plan.forward, BACKWARD: plan.backward}
    return found | ({AT_ONCE: plan.at_once} if plan.at_once is not None else {})


@dataclass(frozen=True)
class Argument:
    """An argument of a function of loops.

    Attributes:
        name: there.
        type: what it is or points to: "REAL", "ELEMENT" (which may be smaller), "double", "int64_t" (labels) or
            "ptrdiff_t".
        role: "given", "length", "result" (in REAL or ELEMENT) or "kept" (for the backward pass).
        indices: the dimensions of what it points to; None for a number.
        what: the name of the quantity in the plan.
        variable: what holds it in Python.
    """

    name: str
    type: str
    role: str
    indices: Frame | None
    what: str
    variable: str = ""

    @property
    def declaration(self) -> str:
        """As a C parameter."""
        const = "const " if self.role == GIVEN and self.indices is not None else ""
        return f"{const}{self.type} {'*' if self.indices is not None else ''}{self.name}"

    @property
    def code(self) -> str:
        """As a letter of Python's struct module."""
        return "P" if self.indices is not None else {"double": "d", "ptrdiff_t": "n"}[self.type]


@dataclass(frozen=True)
class LoopFunction:
    """A procedure as loops.

    Attributes:
        name: "forward", "backward" or "forward_backward".
        body: the lines of the loops, not yet indented.
        arguments: of the function that others call: what is given, the lengths of the axes, what is computed.
        inner: of the function of the loops, each with all that it writes.
        stored: the names of statements whose values are in memory.
        cases: lengths for which there are loops of their own.
    """

    name: str
    body: tuple[str, ...]
    arguments: tuple[Argument, ...]
    inner: tuple[Argument, ...]
    stored: tuple[str, ...]
    cases: tuple[Case, ...]

    def of(self, role: str) -> tuple[Argument, ...]:
        """The arguments of a role, in order."""
        return tuple(argument for argument in self.arguments if argument.role == role)

    @property
    def names(self) -> tuple[str, ...]:
        """What the inner arguments are called by the function around: own arguments, or room that it makes."""
        have = {(a.what, a.type): a.name for a in self.arguments}
        return tuple(have.get((a.what, a.type), wide(a.name)) for a in self.inner)

    @property
    def rooms(self) -> tuple[Argument, ...]:
        """The inner arguments for which the function around has to make room."""
        have = {(a.what, a.type) for a in self.arguments}
        return tuple(a for a in self.inner if (a.what, a.type) not in have)

    @property
    def rounded(self) -> tuple[tuple[Argument, str], ...]:
        """The results that the loops compute in double, each with the name that holds it."""
        doubles = {a.what for a in self.inner if a.type == "double"}
        have = {a.what: a.name for a in self.arguments if a.type == "double"}
        results = [a for a in self.of(RESULT) if a.what in doubles]
        return tuple((a, have.get(a.what, wide(a.what))) for a in results)


def loop_function(plan: KernelPlan, procedure: Procedure, name: str, language: Language) -> LoopFunction:
    """A procedure as loops, with every name of the plan marked (c_names.py).

    Raises:
        UnsupportedError: they need what no language has yet.
    """
    indices = {marked(n): found for n, found in indices_of(plan, procedure).items()}
    kinds = {marked(n): kind for n, kind in kinds_of(plan, procedure).items()}
    loops = Loops(language, plan.layer, indices, dict(kinds), frozenset(map(marked, cotangents_of(plan))))
    body = loops.write(marked_procedure(procedure))
    code = language.uncommented(body)
    stored = stored_in(procedure, code, marked)
    arguments = arguments_of(plan, procedure, name, Written(indices, kinds, stored, code), marked)
    inner = inner_of(arguments, Written(indices, kinds, stored, code))
    return LoopFunction(name, tuple(body), arguments, inner, tuple(stored), tuple(loops.cases.values()))


@dataclass(frozen=True)
class Written:
    """What has been written of a procedure.

    Attributes:
        indices: the dimensions of everything that it reads or computes.
        kinds: what the names hold.
        stored: the names of statements whose values are in memory.
        code: the loops, without comments.
    """

    indices: Mapping[str, tuple[Index, ...]]
    kinds: Mapping[str, str]
    stored: Sequence[str]
    code: str

    def has(self, name: str) -> bool:
        """Whether the loops use a name."""
        return re.search(rf"\b{name}\b", self.code) is not None


def arguments_of(
    plan: KernelPlan, procedure: Procedure, name: str, found: Written, spelled: Callable[[str], str] = str
) -> tuple[Argument, ...]:
    """The arguments of the function that others call; `spelled` gives the names that were written."""
    indices, kinds, stored = found.indices, found.kinds, found.stored
    given = [Argument(n, "double", GIVEN, None, n) if kinds[n] == "number"
             else Argument(n, type_of(kinds[n]), GIVEN, indices[n], n)
             for n in map(spelled, procedure.reads) if found.has(n)]  # fmt: skip
    outputs = {plan.names[output] for output in plan.layer.outputs}
    returned = [result for _, result in procedure.results if name != FORWARD or result in outputs]
    results = [n for n in dict.fromkeys(map(spelled, returned)) if n in stored]
    made = [Argument(n, "ELEMENT" if kinds[n] == "element" else "REAL", RESULT, indices[n], n) for n in results]
    saved = set(map(spelled, plan.saved)) if name == FORWARD else set()
    made += [
        Argument(wide(n) if n in results else n, type_of(kinds[n]), KEPT, indices[n], n)
        for n in stored
        if n in saved and not (n in results and kinds[n] in ("real", "element"))
    ]
    text = f"{found.code} {' '.join(count(indices[n]) for n in stored)}"
    lengths = [Argument(n, "ptrdiff_t", LENGTH, None, n) for n in (f"n_{axis.name}" for axis in plan.layer.axes)]
    return (*given, *(a for a in lengths if re.search(rf"\b{a.name}\b", text)), *made)


def inner_of(arguments: Sequence[Argument], found: Written) -> tuple[Argument, ...]:
    """The arguments of the function of the loops: what it reads, then all that it writes."""
    made = (Argument(n, type_of(found.kinds[n]), KEPT, found.indices[n], n) for n in found.stored)
    return (*(a for a in arguments if a.role in (GIVEN, LENGTH) and found.has(a.name)), *made)


def stored_in(procedure: Procedure, code: str, spelled: Callable[[str], str] = str) -> list[str]:
    """The names of statements whose values are in memory."""
    return [n for n in (spelled(s.name) for s in procedure.statements) if re.search(rf"\b{n}\[", code)]


def wide(name: str) -> str:
    """A small result before it is rounded to the element's type; names that end so are kept for emitted code."""
    return f"{name}_wide_"


def count(indices: Frame) -> str:
    """How many elements an array has."""
    return " * ".join(f"n_{index.axis}" for index in indices) or "1"


def indices_of(plan: KernelPlan, procedure: Procedure) -> dict[str, tuple[Index, ...]]:
    """The dimensions of everything that a procedure reads or computes."""
    found = {name: plan.indices(name) for name in plan.names.values()}
    found |= dict(plan.ahead)
    found |= {f"d_{plan.names[name]}": plan.layer.entry(name).indices for name in plan.layer.outputs}
    return found | {statement.name: statement.indices for statement in procedure.statements}


def cotangents_of(plan: KernelPlan) -> frozenset[str]:
    """The names of the gradients that a backward pass is given."""
    return frozenset(f"d_{plan.names[name]}" for name in plan.layer.outputs)


def kinds_of(plan: KernelPlan, procedure: Procedure) -> dict[str, str]:
    """What the names hold; scalars that are read are numbers."""
    tensors = {plan.names[tensor.name] for tensor in plan.layer.tensors}
    constants = set(plan.constants)
    labels = {plan.names[name] for name in plan.layer.labels}
    indices = indices_of(plan, procedure)
    kinds = {}
    for name in procedure.reads:
        is_cotangent = name.startswith("d_")
        if name in labels:
            kinds[name] = "label"
        elif name in constants or (is_cotangent and not indices[name]):
            kinds[name] = "number"
        elif name in tensors or is_cotangent or is_full(indices[name], plan.layer):
            kinds[name] = "real"
        else:
            kinds[name] = "wide"
    for statement in procedure.statements:
        kinds[statement.name] = "real" if statement.kind == "full-size" else "wide"
    return kinds


def type_of(kind: str) -> str:
    """What an array of a kind holds."""
    return {"real": "REAL", "element": "ELEMENT", "label": "int64_t"}.get(kind, "double")
