r"""Derivations as aligned equations with their reasons: LaTeX that MathJax and amsmath both set."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from symgrad.algebra.terms import Term
from symgrad.derive.records import Condition, Derivation, Step
from symgrad.render.latex import latex
from symgrad.render.names import Names
from symgrad.render.pieces import latex_pieces, letters_in

ROOM = 60
"""About how many letters stand on one line."""
REASON = 36
"""How many letters of a reason stand on one line."""
_BREAK = r" \\ "
_SIGNS = {"_": r"\_", "≠": r"\ne ", "=": "="}


def equations(pairs: Iterable[tuple[Term, Term]], names: Names) -> str:
    """Equations below each other."""
    rows = [row for left, right in pairs for row in _rows(latex(left, names), right, "", names)]
    return _aligned(rows)


def chain(derivation: Derivation, names: Names) -> str:
    """`target = … = result`, each line with its reason; one line where nothing is done."""
    left = latex(derivation.target, names)
    steps: list[tuple[Term, str]] = [(step.after, reason(step, names)) for step in derivation.steps]
    rows: list[str] = []
    for after, words in steps or [(derivation.result, "")]:
        rows += _rows(left, after, words, names)
        left = ""
    return _aligned(rows)


def chains(derivation: Derivation, names: Names) -> Iterator[str]:
    """A derivation after those whose results it uses."""
    for lemma in derivation.lemmas:
        yield from chains(lemma, names)
    yield chain(derivation, names)


def reason(step: Step, names: Names) -> str:
    """Why a step holds, as LaTeX for math mode."""
    lines = textwrap.wrap(step.reason or ", ".join(dict.fromkeys(step.rules)), REASON, break_long_words=False)
    parts = [*map(words, lines), *(condition(each, names) for each in step.conditions)]
    return parts[0] if len(parts) == 1 else rf"\begin{{array}}{{l}} {_BREAK.join(parts)} \end{{array}}"


def condition(found: Condition, names: Names) -> str:
    r"""w_{c} \ne 0."""
    return latex(found.term, names) + (r" \ne 0" if found.kind == "nonzero" else " > 0")


def words(text: str) -> str:
    r"""Words in math mode: \text{written with }; what is neither a letter nor punctuation is a sign or a ?."""
    parts = re.findall(r"[A-Za-z0-9 .,:;()-]+|.", text)
    return "".join(
        rf"\text{{{part}}}" if re.match(r"[A-Za-z0-9 .,:;()-]", part) else _SIGNS.get(part, r"\text{?}")
        for part in parts
    )


def _rows(left: str, right: Term, why: str, names: Names) -> list[str]:
    """The lines of one equality; what is long is broken between its terms."""
    lines = [""]
    for piece in latex_pieces(right, names, ROOM):
        if lines[-1] and letters_in(lines[-1]) + letters_in(piece) > ROOM:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + piece
    rows = [rf"{left} &= {lines[0]}", *(rf"&\qquad {line}" for line in lines[1:])]
    return [*rows[:-1], rows[-1] + (rf" && {why}" if why else "")]


def _aligned(rows: list[str]) -> str:
    return r"\begin{aligned}" + "\n" + " \\\\\n".join(rows) + "\n" + r"\end{aligned}"
