"""Loops in Python for numba.

numba reads a negative place of an array from its end. Where a place is `start + i`, the compiler cannot see that it
is none, and vectorizes nothing; so a block of a row is taken as arrays of its own, which are read from 0 on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from symgrad.render.kernels.loop_language import DOUBLE, END, PLACE, REAL, Language, bare
from symgrad.render.kernels.words import comment

OWN = frozenset(("exp", "log", "log1p", "expm1", "sigmoid", "tanh", "erf", "softplus", "relu", "sign", "square"))
"""The functions that are inlined in loops over elements."""
EXACT = frozenset(("sigmoid", "softplus", "relu", "sign", "square"))
"""Those that are made of others in double."""
NUMPY = {
    "abs": "abs", "pow": "np.power", "erf": "math.erf", "erfc": "math.erfc", "lgamma": "math.lgamma",
    **{name: f"np.{name.replace('a', 'arc', 1)}" for name in ("atan", "asin", "acos", "asinh", "acosh", "atanh")},
}  # fmt: skip
"""The names of the others in Python, where they are not np.NAME."""


class Numba(Language):
    """Python for numba; `real` is the element's type."""

    name = "numba"
    threads = "numba.get_num_threads()"

    def cast(self, kind: str, text: str) -> str:
        """`real(x)`; numbers are float64 in Python."""
        return f"{ {REAL: 'real', DOUBLE: 'float', PLACE: 'int'}[kind] }({bare(bare(text))})"

    def number(self, kind: str, text: str) -> str:
        """A decimal is a double as it stands."""
        return f"real({text})" if kind == REAL else text

    def function(self, kind: str, name: str) -> str:
        """NumPy's where it serves, else one of the file's, under names that no layer has."""
        if name in OWN and kind == REAL:
            return f"_{name}"
        if name in EXACT:
            return f"_exact_{name}"
        return NUMPY.get(name, f"np.{name}")

    def choice(self, condition: str, then: str, otherwise: str) -> str:
        """A function, so that both sides are computed and nothing branches."""
        return f"_where({condition}, {bare(then)}, {bare(otherwise)})"

    def truth(self, kind: str, condition: str) -> str:
        """A choice; numba casts no condition to float64."""
        return self.choice(condition, self.number(kind, "1.0"), self.number(kind, "0.0"))

    def both(self, conditions: Sequence[str]) -> str:
        """Without a branch."""
        return " & ".join(f"({condition})" for condition in conditions)

    def quotient(self, number: str, divisor: str) -> str:
        """Of whole numbers."""
        return f"{number} // {divisor}"

    def least(self, one: str, other: str) -> str:
        """Python's."""
        return f"min({one}, {other})"

    def infinity(self, sign: str) -> str:
        """NumPy's."""
        return f"{sign}np.inf"

    def comment(self, text: str) -> str:
        """In lines of its own."""
        return "\n".join(comment(text))

    def uncommented(self, lines: Sequence[str]) -> str:
        """Comments have lines of their own, or stand behind a condition."""
        return "\n".join(line.partition("  # ")[0] for line in lines if not line.startswith("#"))

    def let(self, kind: str, values: Mapping[str, str]) -> str:  # noqa: ARG002
        """A line each."""
        lines = [f"{name} = {bare(value)}" for name, value in values.items()]
        return "\n".join(lines)

    def variable(self, kind: str, values: Mapping[str, str]) -> str:
        """Zeros in a type of their own."""
        zero = self.number(kind, "0.0")
        return "\n".join(f"{name} = {zero if value == '0' else value}" for name, value in values.items())

    def set(self, target: str, value: str) -> str:
        """`a = b`."""
        return f"{target} = {bare(value)}"

    def done(self) -> str:
        """Nothing is returned."""
        return "return"

    def negated(self, condition: str) -> str:
        """`not (c)`."""
        return f"not ({condition})"

    def when(self, condition: str, why: str) -> list[str]:
        """With the reason on the line."""
        return [f"if {condition}:  # {why}"]

    def loop(self, k: str, first: str, last: str) -> str:
        """`for k in range(...):`."""
        return f"for {k} in range({last if first == '0' else f'{first}, {last}'}):"

    def each(self, k: str, first: str, last: str, statement: str) -> list[str]:
        """In two lines."""
        return [self.loop(k, first, last), statement, END]

    def nested(self, counters: Sequence[tuple[str, str]], statement: str) -> list[str]:
        """One in another."""
        return [*(self.loop(k, "0", length) for k, length in counters), statement, *(END for _ in counters)]

    def rows(self) -> list[str]:
        """A parallel loop."""
        return ["for row in prange(rows):"]

    def chunks(self) -> list[str]:
        """A parallel loop."""
        return ["for chunk in prange(chunks):"]

    def stepped(self, k: str, first: str, last: str, step: str, end: str) -> list[str]:
        """`for k in range(..., step):`."""
        return [f"for {k} in range({first}, {last}, {step}):", f"{end} = {self.least(f'{k} + {step}', last)}"]

    def fetch(self, body: Sequence[str], place: str, k: str, but: Collection[str] = ()) -> list[str]:  # noqa: ARG002
        """The processor does what it can."""
        return []

    def along(self, k: str, first: str, last: str, body: Sequence[str], added: Sequence[tuple[str, str]]) -> list[str]:  # noqa: ARG002
        """The arrays' parts that the loop runs over, and the loop, from 0 on."""
        parts: dict[tuple[str, str], str] = {}
        pattern = re.compile(rf"\b(\w+)\[((?:[^\[\]]* \+ )?){k}\]")

        def part(found: re.Match[str]) -> str:
            name, before = found.groups()
            if re.search(rf"\b{k}\b", before):
                return found.group()
            same = [each for each in parts if each[0] == name and each[1] != before]
            own = f"{name}_block{len(same) + 1 if same else ''}_"
            return f"{parts.setdefault((name, before), own)}[i]"

        lines = [line if line.startswith("#") else pattern.sub(part, line) for line in body]
        views = [f"{own} = {name}[{before}{first} : {before}{last}]" for (name, before), own in parts.items()]
        counted = [f"{k} = {first} + i"] if re.search(rf"\b{k}\b", self.uncommented(lines)) else []
        return [*views, f"for i in range({last} - {first}):", *counted, *lines, END]

    def scratch(self, parts: Mapping[str, str], real: Collection[str] = ()) -> list[str]:
        """NumPy's."""
        types = {name: ", real" if name in real else "" for name in parts}
        return [f"{name} = np.zeros({size}{types[name]})" for name, size in parts.items()]

    def free(self, name: str) -> list[str]:  # noqa: ARG002
        """Python does it."""
        return []

    def more(self, name: str, value: str) -> str:
        """By a function that may add in any order, which the compiler needs to vectorize a sum."""
        return f"{name} = _plus({name}, {bare(value)})"

    def extreme(self, name: str, how: str) -> list[str]:
        """As whole numbers in the same order, with NaN beyond all: so the loop can be vectorized."""
        return [f"best_{name} = _{how}_code(real({self.infinity('-' if how == 'max' else '')}))"]

    def extreme_next(self, name: str, how: str, value: str) -> str:
        """The greater or smaller code."""
        return f"best_{name} = _{how}_of(best_{name}, _{how}_code({bare(value)}))"

    def extreme_found(self, name: str) -> str:
        """Back from the code."""
        return f"float(_decoded(best_{name}))"

    def better(self, target: str, how: str, value: str, is_name: bool) -> str:  # noqa: ARG002
        """A comparison that NaN wins."""
        return f"{target} = _exact_{how}({target}, float({bare(value)}))"


def indented(lines: Sequence[str]) -> list[str]:
    """Lines of Python, indented by the blocks that `:` or `{` opens and `}` closes; those of `{` are not Python's."""
    deep: list[bool] = []
    found = []
    for text in (each.strip() for line in lines for each in line.split("\n")):
        if text == END:
            deep.pop()
        elif text == "{":
            deep.append(False)
        else:
            found.append("    " * sum(deep) + text)
            if re.search(r":(  #.*)?$", text) and not text.startswith("#"):
                deep.append(True)
    return found
