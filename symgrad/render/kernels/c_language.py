"""Loops in C99 with OpenMP."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from symgrad.render.kernels.loop_language import DOUBLE, END, REAL, Case, Language, reached


class C(Language):
    """C99 with OpenMP; the element's type is the macro REAL."""

    name = "C"
    threads = "THREADS"

    def cast(self, kind: str, text: str) -> str:
        """`(REAL)x`."""
        return f"({kind}){text}"

    def number(self, kind: str, text: str) -> str:
        """A decimal is a double as it stands."""
        return f"(REAL){text}" if kind == REAL else text

    def function(self, kind: str, name: str) -> str:
        """`sg_exp` in REAL, `exact_exp` in double."""
        return f"{'sg' if kind == REAL else 'exact'}_{name}"

    def choice(self, condition: str, then: str, otherwise: str) -> str:
        """`(c ? a : b)`."""
        return f"({condition} ? {then} : {otherwise})"

    def truth(self, kind: str, condition: str) -> str:
        """What C has for a condition, in a type."""
        return self.cast(kind, f"({condition})")

    def both(self, conditions: Sequence[str]) -> str:
        """`(a) && (b)`."""
        return " && ".join(f"({condition})" for condition in conditions)

    def quotient(self, number: str, divisor: str) -> str:
        """C rounds towards 0."""
        return f"{number} / {divisor}"

    def least(self, one: str, other: str) -> str:
        """Without a function."""
        return f"{one} < {other} ? {one} : {other}"

    def infinity(self, sign: str) -> str:
        """As in math.h."""
        return f"{sign}INFINITY"

    def comment(self, text: str) -> str:
        """Between `/*` and `*/`."""
        return f"/* {inside(text)} */"

    def loaded(self, text: str) -> str:
        """The arrays may hold bfloat16 or float16."""
        return f"load({text})"

    def stored(self, value: str) -> str:
        """To the nearest, where they do."""
        return f"rounded({value})"

    def uncommented(self, lines: Sequence[str]) -> str:
        """Comments may end in their line."""
        return re.sub(r"/\*.*?\*/", "", "\n".join(lines))

    def let(self, kind: str, values: Mapping[str, str]) -> str:
        """`const double a = 1, b = 2;`."""
        return f"const {self.variable(kind, values)}"

    def variable(self, kind: str, values: Mapping[str, str]) -> str:
        """`double a = 1, b = 2;`."""
        return f"{kind} {', '.join(f'{name} = {value}' for name, value in values.items())};"

    def set(self, target: str, value: str) -> str:
        """`a = b;`."""
        return f"{target} = {value};"

    def done(self) -> str:
        """The loops return 0, or 1 where there is no memory."""
        return "return 0;"

    def case(self, case: Case) -> str:
        """A macro, which may be known when compiling."""
        return case.name

    def negated(self, condition: str) -> str:
        """`!(c)`."""
        return f"!({condition})"

    def when(self, condition: str, why: str) -> list[str]:
        """With the reason on the line."""
        return [f"if ({condition}) {{ /* {why} */"]

    def loop(self, k: str, first: str, last: str) -> str:
        """`for (...) {`."""
        return f"{_for(k, first, last)} {{"

    def each(self, k: str, first: str, last: str, statement: str) -> list[str]:
        """In one line."""
        return [f"{_for(k, first, last)} {statement}"]

    def nested(self, counters: Sequence[tuple[str, str]], statement: str) -> list[str]:
        """Without braces."""
        return [*(_for(k, "0", length) for k, length in counters), statement]

    def rows(self) -> list[str]:
        """A parallel loop."""
        return [_PARALLEL, self.loop("row", "0", "rows")]

    def chunks(self) -> list[str]:
        """A parallel loop."""
        return [_PARALLEL, self.loop("chunk", "0", "chunks")]

    def stepped(self, k: str, first: str, last: str, step: str, end: str) -> list[str]:
        """`for (...; k += step) {`."""
        return [
            f"for (ptrdiff_t {k} = {first}; {k} < {last}; {k} += {step}) {{",
            self.let("ptrdiff_t", {end: self.least(f"{k} + {step}", last)}),
        ]

    def block(self, first: str, last: str, adds: bool) -> list[str]:
        """Where nothing is added up, blocks are only what is fetched at once."""
        return self.stepped("block", first, last, "BLOCK" if adds else "AHEAD", "end")

    def fetch(self, body: Sequence[str], place: str, k: str, but: Collection[str] = ()) -> list[str]:
        """A line of the cache at a time."""
        fetched = " ".join(f"FETCH(&{name}{place});" for name in sorted(reached(body, place) - set(but)))
        return [f"for (ptrdiff_t {k} = block; {k} < end; {k} += LINE) {{ {fetched} }}"] if fetched else []

    def along(self, k: str, first: str, last: str, body: Sequence[str], added: Sequence[tuple[str, str]]) -> list[str]:
        """A simd loop that is told what is added up."""
        clauses = list[str]()
        for how, name in added:
            clauses.append(f"reduction(+:{name})" if how == "+" else f"reduction({how}:best_{name})")
        first_line = " ".join(["#pragma omp simd", *clauses])
        if len(body) == 1:
            return [first_line, f"{_for(k, first, last)} {body[0]}"]
        return [first_line, self.loop(k, first, last), *body, END]

    def scratch(self, parts: Mapping[str, str], real: Collection[str] = ()) -> list[str]:
        """From the heap; 1 is returned where there is none."""
        if not parts:
            return []
        frees = " ".join(f"free({name});" for name in parts)
        types = {name: REAL if name in real else DOUBLE for name in parts}
        lines = [f"{types[name]} *{name} = scratch({size}, sizeof *{name});" for name, size in parts.items()]
        return [*lines, f"if ({' || '.join(f'!{name}' for name in parts)}) {{ {frees} return 1; }}"]

    def free(self, name: str) -> list[str]:
        """`free(p);`."""
        return [f"free({name});"]

    def more(self, name: str, value: str) -> str:
        """`a += b;`."""
        return f"{name} += {value};"

    def extreme(self, name: str, how: str) -> list[str]:
        """As whole numbers in the same order, with NaN beyond all: so every compiler can vectorize the loop."""
        return [f"WHOLE best_{name} = {how}_code({self.infinity('-' if how == 'max' else '')});"]

    def extreme_next(self, name: str, how: str, value: str) -> str:
        """In one line."""
        best, sign = f"best_{name}", ">" if how == "max" else "<"
        return f"{{ const WHOLE each = {how}_code({value}); {best} = each {sign} {best} ? each : {best}; }}"

    def extreme_found(self, name: str) -> str:
        """Back from the code."""
        return f"(double)decoded(best_{name})"

    def better(self, target: str, how: str, value: str, is_name: bool) -> str:
        """A comparison that NaN wins."""
        each, sign = value if is_name else "each", ">" if how == "max" else "<"
        chosen = f"{target} = {each} {sign} {target} || {each} != {each} ? {each} : {target};"
        return chosen if is_name else f"{{ const {DOUBLE} each = {value}; {chosen} }}"


def inside(text: str) -> str:
    """A formula as part of a comment: nothing in it can end the comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")


_PARALLEL = "#pragma omp parallel for schedule(static)"


def _for(k: str, first: str, last: str) -> str:
    return f"for (ptrdiff_t {k} = {first}; {k} < {last}; {k}++)"
