"""Random well-formed layers: tensors over some axes, and definitions that share what stands before them.

Every formula is smooth and tame on the whole real line: divisors, roots and logarithms are of
1 + u**2 or of u**2 + eps, and exp is taken of tanh only, so that a difference in numbers is an error.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

AXES = ("s", "c", "k")
BOUND = {"s": "a", "c": "b", "k": "m"}
"""A second letter for each axis."""
NUMBERS = ("2", "0.5", "3", "1.25", "1")
FUNCTIONS = ("sigmoid({})", "tanh({})", "exp(tanh({}))", "sin({})", "log(1 + {}**2)", "sqrt({}**2 + eps)",
             "rsqrt({}**2 + eps)", "-{}")  # fmt: skip
LEAVES = ("entry", "entry", "entry", "number", "constant")
NODES = ("sum", "product", "product", "difference", "function", "function", "quotient", "power", "reduction",
         "reduction")  # fmt: skip
Free = dict[str, str]
"""For each free axis, the letter that runs over it."""


def random_layer(seed: int, outputs: int = 1) -> str:
    """The text of a layer with at most so many outputs; the same for the same seed."""
    return _Sketch(random.Random(seed)).text(outputs)


@dataclass
class _Sketch:
    """A layer as far as it is written; `tensors` holds the axes of each name."""

    rng: random.Random
    tensors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    axes: tuple[str, ...] = AXES

    def text(self, outputs: int) -> str:
        self.axes = AXES[: self.rng.randint(1, 3)]
        self.tensors = {"x": self.axes, "t": self.some(), "w": self.some()}
        variadic = self.rng.random() < 0.3
        lines = [
            f"input {self.declared('x', variadic)}",
            f"{self.rng.choice(('target', 'input'))} {self.declared('t', variadic)}",
            f"parameter {self.declared('w', variadic)}",
            "constant eps = 0.5",
            *(self.definition(f"u{number}") for number in range(self.rng.randint(1, 4))),
        ]
        defined = [name for name in self.tensors if name.startswith("u")]
        chosen = {defined[-1], *self.rng.sample(defined, min(len(defined), self.rng.randint(1, outputs)) - 1)}
        return "\n".join([*lines, f"output {', '.join(sorted(chosen))}", ""])

    def some(self) -> tuple[str, ...]:
        return tuple(axis for axis in self.axes if self.rng.random() < 0.6)

    def declared(self, name: str, variadic: bool) -> str:
        return _indexed(name, [f"{i}..." if i == "k" and variadic else i for i in self.tensors[name]])

    def definition(self, name: str) -> str:
        axes = self.some()
        body = self.formula({axis: axis for axis in axes}, 2) + self.rng.choice((" + ", " - ")) + self.covering(axes)
        self.tensors[name] = axes
        return f"{_indexed(name, axes)} = {body}"

    def covering(self, axes: tuple[str, ...]) -> str:
        """The entry of x, reduced to `axes`, so that each index of the left side stands on the right."""
        bound = [axis for axis in self.axes if axis not in axes]
        entry = _indexed("x", self.axes)
        inner = self.rng.choice(("{}", "tanh({})", "{}**2", "({} - 1)*sigmoid({})")).replace("{}", entry)
        return f"{_indexed('mean', bound)}({inner})" if bound else inner

    def formula(self, free: Free, depth: int) -> str:
        kind = self.rng.choice(NODES if depth == 2 or (depth and self.rng.random() < 0.6) else LEAVES)
        return str(getattr(self, f"_{kind}")(free, depth - 1))

    def _entry(self, free: Free, depth: int) -> str:
        fitting = [name for name, axes in self.tensors.items() if set(axes) <= set(free)]
        if not fitting:
            return "eps"
        name = self.rng.choice(fitting)
        return _indexed(name, [free[axis] for axis in self.tensors[name]])

    def _number(self, free: Free, depth: int) -> str:
        return self.rng.choice(NUMBERS)

    def _constant(self, free: Free, depth: int) -> str:
        return "eps"

    def _sum(self, free: Free, depth: int) -> str:
        return f"({self.formula(free, depth)} + {self.formula(free, depth)})"

    def _difference(self, free: Free, depth: int) -> str:
        return f"({self.formula(free, depth)} - {self.formula(free, depth)})"

    def _product(self, free: Free, depth: int) -> str:
        return f"{self.formula(free, depth)}*{self.formula(free, depth)}"

    def _function(self, free: Free, depth: int) -> str:
        return self.rng.choice(FUNCTIONS).format(f"({self.formula(free, depth)})")

    def _quotient(self, free: Free, depth: int) -> str:
        return f"({self.formula(free, depth)})/(({self.formula(free, depth)})**2 + eps)"

    def _power(self, free: Free, depth: int) -> str:
        return f"({self.formula(free, depth)})**{self.rng.choice((2, 3))}"

    def _reduction(self, free: Free, depth: int) -> str:
        """A sum or mean over one axis or two, under the axis' own letter (which hides it) or under another."""
        chosen = self.rng.sample(self.axes, min(len(self.axes), self.rng.randint(1, 2)))
        inner = dict(free)
        for axis in chosen:
            taken = {letter for other, letter in inner.items() if other != axis}
            inner[axis] = self.rng.choice([letter for letter in (axis, BOUND[axis]) if letter not in taken])
        missing = [axis for axis in self.axes if axis not in inner]
        entry = _indexed("x", [inner.get(axis, axis) for axis in self.axes])
        entry = f"mean[{', '.join(missing)}]({entry})" if missing else entry
        body = self.formula(inner, depth) + self.rng.choice(("*", " + ")) + entry
        return f"{_indexed(self.rng.choice(('sum', 'mean')), [inner[axis] for axis in chosen])}({body})"


def _indexed(name: str, letters: list[str] | tuple[str, ...]) -> str:
    return f"{name}[{', '.join(letters)}]" if letters else name
