"""Saved by the forward pass, or computed again by the backward pass: a choice by cost, unless it is made for us.

What an output or a reduction holds is there, or would take a pass over memory to compute again. Anything else
costs its operations when it is computed again, and when it is saved the time to write and to read it: on
today's processors and cards, and for numbers of 4 bytes, as long as about 64 additions take. Saving also
takes memory between the passes, which is what large networks run out of.

The gradients of a scalar output are saved too, by backends that can compute them with it (at_once.py): `d_x` among
the names to be computed again leaves them to the backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.algebra.terms import Add, Call, Mul, Num, Pow, Term, walk
from symgrad.errors import InputError
from symgrad.notation.layer import Definition, Layer
from symgrad.notation.names import did_you_mean

WORTH = 64
"""Additions that can be done in the time in which a number is written and read."""
COSTS = {Add: 1, Mul: 1, Pow: 5, Call: 12}


@dataclass(frozen=True)
class Saving:
    """What a person wants saved or computed again; the cost decides on the rest.

    Attributes:
        save: names of definitions, or of gradients of inputs.
        recompute: the same.
    """

    save: frozenset[str] = frozenset()
    recompute: frozenset[str] = frozenset()

    def of(self, layer: Layer, names: Mapping[str, str]) -> Saving:
        """The choice by the definitions' own names, also where the names that kernels give them were used.

        Args:
            layer: whose definitions they are.
            names: the kernels' names of everything in it.

        Raises:
            InputError: what is wrong with a name.
        """
        known = {f"d_{name}": f"d_{t.name}" for t in layer.differentiable for name in (t.name, names[t.name])}
        known |= {names[d.name]: d.name for d in layer.definitions} | {d.name: d.name for d in layer.definitions}
        for name in sorted(self.save | self.recompute):
            if name not in known:
                problem = f"{layer.name} does not define {name}, which was to be saved or computed again."
                hint = did_you_mean(name, known) or f"It defines {', '.join(d.name for d in layer.definitions)}."
                raise InputError(problem, hint=hint)
        save, recompute = (frozenset(known[name] for name in each) for each in (self.save, self.recompute))
        for name in sorted(save & recompute):
            raise InputError(f"{name} cannot be both saved and computed again.", hint="Leave one of the two out.")
        return Saving(save, recompute)

    def keeps_gradients(self, layer: Layer) -> bool:
        """Whether the forward pass may compute the gradients of a scalar output."""
        return not any(f"d_{tensor.name}" in self.recompute for tensor in layer.differentiable)

    def keeps(self, definition: Definition, layer: Layer) -> bool:
        """Whether the backward pass may read a definition, instead of computing it again."""
        if definition.name in self.recompute:
            return False
        is_there = definition.name in layer.outputs or definition.body.binds
        return definition.name in self.save or is_there or operations_of(definition, layer) > WORTH


def operations_of(definition: Definition, layer: Layer) -> int:
    """What it costs to compute a definition again for one element, in additions, from reductions and inputs."""
    known = {d.name: d for d in layer.definitions if not d.body.binds and d.name not in layer.outputs}
    needed, waiting = {definition.name}, [definition]
    total = 0
    while waiting:
        body = waiting.pop().body
        total += _cost(body)
        for name in sorted(body.names - needed):
            if name in known:
                needed.add(name)
                waiting.append(known[name])
    return total


def _cost(term: Term) -> int:
    """The operations of a term: of sums and products one less than they have parts."""
    total = 0
    for node in walk(term):
        parts = len([part for part in node.children if not (isinstance(part, Num) and part.value == -1)])
        total += COSTS.get(type(node), 0) * (parts - 1 if isinstance(node, (Add, Mul)) else 1)
    return total
