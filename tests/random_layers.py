"""Random well-formed layers: tensors over some axes, and definitions that share what stands before them.

Every formula is smooth and tame on the whole real line: divisors, roots and logarithms are of
1 + u**2 or of u**2 + eps, and exp is taken of tanh only, so that a difference in numbers is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

AXES = ("s", "c", "k")
BOUND = {"s": "a", "c": "b", "k": "m"}
"""A second letter for each axis."""
Draw = st.DrawFn


@dataclass
class Sketch:
    """A layer as far as it is written: the indices of each tensor, and which letters are declared."""

    tensors: dict[str, tuple[str, ...]]
    variadic: bool
    lines: list[str] = field(default_factory=list)

    def declared(self, names: list[str]) -> str:
        return ", ".join(self._entry(name) for name in names)

    def _entry(self, name: str) -> str:
        letters = [f"{i}..." if i == "k" and self.variadic else i for i in self.tensors[name]]
        return f"{name}[{', '.join(letters)}]" if letters else name


@st.composite
def layers(draw: Draw) -> str:
    """The text of a layer."""
    axes = AXES[: draw(st.integers(1, 3))]
    some = st.sets(st.sampled_from(axes)).map(lambda chosen: tuple(axis for axis in axes if axis in chosen))
    sketch = Sketch({"x": axes, "w": draw(some), "t": draw(some)}, draw(st.booleans()))
    head = [f"input {sketch.declared(['x'])}", f"parameter {sketch.declared(['w'])}", "constant eps = 0.5"]
    target = draw(st.booleans())
    head.insert(1, f"{'target' if target else 'input'} {sketch.declared(['t'])}")
    for number in range(draw(st.integers(1, 4))):
        _define(draw, sketch, f"u{number}", draw(some))
    defined = [name for name in sketch.tensors if name.startswith("u")]
    outputs = draw(st.lists(st.sampled_from(defined), min_size=1, max_size=2, unique=True))
    return "\n".join([*head, *sketch.lines, f"output {', '.join(outputs)}", ""])


def _define(draw: Draw, sketch: Sketch, name: str, free: tuple[str, ...]) -> None:
    body = _formula(draw, sketch, {axis: axis for axis in free}, 2)
    body += _covering(draw, sketch, body, free)
    left = f"{name}[{', '.join(free)}]" if free else name
    sketch.lines.append(f"{left} = {body}")
    sketch.tensors[name] = free


def _covering(draw: Draw, sketch: Sketch, body: str, free: tuple[str, ...]) -> str:
    """A term with the entry of x summed down to the free indices, so that each of them stands on the right."""
    bound = [axis for axis in sketch.tensors["x"] if axis not in free]
    entry = f"x[{', '.join(sketch.tensors['x'])}]"
    sign = draw(st.sampled_from((" + ", " - ")))
    return sign + (f"mean[{', '.join(bound)}]({entry})" if bound else entry)


def _formula(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    """A formula over letters `free`, axis to letter."""
    kinds = ["entry", "entry", "number", "constant"]
    if depth > 0:
        kinds += ["sum", "product", "difference", "function", "quotient", "power", "reduction", "reduction"]
    return _KINDS[draw(st.sampled_from(kinds))](draw, sketch, free, depth - 1)


def _entry(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    fitting = [name for name, axes in sketch.tensors.items() if set(axes) <= set(free)]
    if not fitting:
        return "eps"
    name = draw(st.sampled_from(fitting))
    letters = [free[axis] for axis in sketch.tensors[name]]
    return f"{name}[{', '.join(letters)}]" if letters else name


def _number(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    return draw(st.sampled_from(("2", "0.5", "3", "1.25", "1")))


def _two(between: str) -> object:
    def write(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
        return f"({_formula(draw, sketch, free, depth)}{between}{_formula(draw, sketch, free, depth)})"

    return write


def _function(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    shape = draw(st.sampled_from(("sigmoid({})", "tanh({})", "exp(tanh({}))", "sin({})", "log(1 + {}**2)",
                                  "sqrt({}**2 + eps)", "rsqrt({}**2 + eps)", "-{}")))  # fmt: skip
    return shape.format(f"({_formula(draw, sketch, free, depth)})")


def _quotient(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    return f"{_formula(draw, sketch, free, depth)}/(({_formula(draw, sketch, free, depth)})**2 + eps)"


def _power(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    return f"({_formula(draw, sketch, free, depth)})**{draw(st.sampled_from((2, 3)))}"


def _reduction(draw: Draw, sketch: Sketch, free: dict[str, str], depth: int) -> str:
    """A sum or mean over one axis or two, under the axis' own letter (which hides it) or under another."""
    chosen = draw(st.lists(st.sampled_from(sketch.tensors["x"]), min_size=1, max_size=2, unique=True))
    inner = dict(free)
    for axis in chosen:
        taken = {letter for other, letter in inner.items() if other != axis}
        inner[axis] = draw(st.sampled_from([letter for letter in (axis, BOUND[axis]) if letter not in taken]))
    entry = f"x[{', '.join(inner.get(axis, axis) for axis in sketch.tensors['x'])}]"
    body = _formula(draw, sketch, inner, depth)
    if all(axis in inner for axis in sketch.tensors["x"]):
        body = f"{body}*{entry}" if draw(st.booleans()) else body + f" + {entry}"
    elif "x" in sketch.tensors:
        missing = [axis for axis in sketch.tensors["x"] if axis not in inner]
        body += f" + sum[{', '.join(missing)}]({entry})"
    reduce = draw(st.sampled_from(("sum", "mean")))
    return f"{reduce}[{', '.join(inner[axis] for axis in chosen)}]({body})"


_KINDS = {
    "entry": _entry, "number": _number, "constant": lambda draw, sketch, free, depth: "eps",
    "sum": _two(" + "), "difference": _two(" - "), "product": _two("*"), "function": _function,
    "quotient": _quotient, "power": _power, "reduction": _reduction,
}  # fmt: skip
