"""Derivations as chains of equalities: which lines a reader sees, their numbers and reasons."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symgrad.algebra.terms import Diff, Entry, Mul, Sum, Term
from symgrad.derive.records import Derivation, Step
from symgrad.render.document.blocks import Chain, Line
from symgrad.render.document.context import Context
from symgrad.render.document.reasons import reason
from symgrad.render.pieces import latex_pieces

ROOM = 42
"""The length of a formula, in letters, up to which it is not broken inside brackets."""


@dataclass(frozen=True)
class Shown:
    """A line on its way: what it equals, why, and the number of the book."""

    term: Term
    reason: str
    number: str


def pieces(context: Context, term: Term) -> tuple[str, ...]:
    """A right side, cut where a line may break."""
    return tuple(latex_pieces(term, context.names, ROOM))


def equalities(context: Context, pairs: list[tuple[Term, Term, str]]) -> Chain:
    """Equalities with left sides of their own, each with its number."""
    lefts = [context.latex(left) for left, _, _ in pairs]
    lines = tuple(
        Line(pieces(context, right), "", number, text) for text, (_, right, number) in zip(lefts, pairs, strict=True)
    )
    return Chain(lines, tuple(lefts))


def chain(
    context: Context,
    derivation: Derivation,
    steps: tuple[Step, ...] | None = None,
    after: str = "",
    forms: tuple[Derivation, ...] = (),
    ending: str = "",
) -> Chain:
    """A derivation as a chain.

    Args:
        context: the document so far.
        derivation: what is shown.
        steps: those that are shown, all by default.
        after: the number seen before in the same derivation.
        forms: derivations that go on from the result.
        ending: the number of the result, where it is known already.
    """
    steps = derivation.steps if steps is None else steps
    shown = _steps(context, derivation, steps, after)
    ends = len(shown) - 1
    if ending and shown:
        shown[-1] = replace(shown[-1], number=ending)
    for form in forms:
        shown += _steps(context, form, form.steps, _last_number(shown, after))
    whole = steps[-1:] == derivation.steps[-1:]
    if not whole:
        rest = _steps(context, derivation, derivation.steps[len(steps) :], _last_number(shown, after))
        shown = _without(shown, {line.number for line in rest})
    shown = _numbered(context, derivation, shown, ends, whole=whole)
    if whole and isinstance(derivation.target, Entry):
        found = [line.number for line in shown if line.number and context.numbering.in_book(line.number)]
        context.tagged.setdefault(derivation.target.name[2:], []).extend(found[-1:])
    for form in forms:
        context.remember(form.target, form.result, shown[-1].number)
    left = context.latex(derivation.target)
    lines = [Line(pieces(context, s.term), s.reason, s.number) for s in shown]
    return Chain((replace(lines[0], left=left), *lines[1:]) if lines else (), (left,))


def one_line(context: Context, left: Term, right: Term, number: str, why: str = "") -> Chain:
    """A single equality."""
    text = context.latex(left)
    return Chain((Line(pieces(context, right), why, number, text),), (text,))


def trivial(context: Context, derivation: Derivation) -> bool:
    """Whether a derivation only repeats its one lemma, as where the upstream gradient is 1."""
    return (
        len(derivation.lemmas) == 1
        and context.latex(derivation.lemmas[0].target) == context.latex(derivation.target)
        and context.latex(derivation.lemmas[0].result) == context.latex(derivation.result)
    )


def first_use(derivation: Derivation) -> int:
    """The place of the first step that puts lemmas in."""
    return next((at for at, step in enumerate(derivation.steps) if "derived before" in step.rules), 0)


def last_number(shown: Chain) -> str:
    """The last number of a chain, or an empty string."""
    numbers = [line.number for line in shown.lines if line.number]
    return numbers[-1] if numbers else ""


def factors(term: Term) -> list[Entry | Diff]:
    """The gradients and derivatives in a sum of products, in order, each once."""
    match term:
        case Diff():
            return [term]
        case Entry(name):
            return [term] if name.startswith("d_") else []
        case Sum(_, body):
            return factors(body)
        case _:
            inner = [factor for child in term.children for factor in factors(child)]
            return list(dict.fromkeys(inner)) if isinstance(term, Mul) or len(inner) > 1 else inner


def _steps(context: Context, derivation: Derivation, steps: tuple[Step, ...], after: str) -> list[Shown]:
    """The lines of steps; one that reads like the line before it, or only leads to the next, is left out."""
    shown: list[Shown] = []
    last, waiting = context.latex(derivation.target), ""
    for place, step in enumerate(steps, start=1):
        text = context.latex(step.after)
        why = _joined(waiting, reason(context, step, derivation.lemmas))
        if text == last or (_halfway(text) and place < len(steps)):
            waiting = why
            continue
        number = context.numbering.known(derivation.target, step.after, after)
        after = number or after
        shown.append(Shown(step.after, why, number))
        last, waiting = text, ""
    return shown


def _halfway(text: str) -> bool:
    """Whether a line shows 1 - δ, which the next step writes as a condition under the sum."""
    return r"\left(1 - \delta" in text


def _last_number(shown: list[Shown], before: str) -> str:
    return next((line.number for line in reversed(shown) if line.number), before)


def _without(shown: list[Shown], numbers: set[str]) -> list[Shown]:
    """The lines without numbers that stand at a later line."""
    return [replace(line, number="") if line.number in numbers else line for line in shown]


def _joined(first: str, second: str) -> str:
    return "; ".join(part for part in dict.fromkeys((first, second)) if part)


def _numbered(context: Context, derivation: Derivation, shown: list[Shown], ends: int, *, whole: bool) -> list[Shown]:
    """Each number stands at its last line only; the result has one in any case."""
    last = {line.number: place for place, line in enumerate(shown)}
    lines = [replace(line, number=line.number if last[line.number] == at else "") for at, line in enumerate(shown)]
    for place in {ends, len(lines) - 1} if whole and lines else ():
        if not lines[place].number:
            lines[place] = replace(lines[place], number=context.numbering.fresh())
    if whole and lines:
        context.keep(derivation, lines[ends].number)
    return lines
