"""The sections in which the gradients are derived."""

from __future__ import annotations

import re
from collections.abc import Iterator

from symgrad.algebra.binding import alpha_equal
from symgrad.algebra.terms import Diff, Entry
from symgrad.derive.records import Derivation, Gradient
from symgrad.prove.study import Found
from symgrad.render.document.blocks import Block, Chain, Section, Text
from symgrad.render.document.chains import chain, factors, first_use, last_number, one_line, trivial
from symgrad.render.document.context import Context
from symgrad.render.document.figures import paths
from symgrad.render.document.markup import counted, listed, math, plain
from symgrad.render.document.numbers import references
from symgrad.render.document.reasons import condition
from symgrad.render.names import letter

_CASE = re.compile(r"the case (\w+) ([=≠]) (\w+)")


def backward_sections(context: Context, solutions: tuple[int, ...]) -> Iterator[Section]:
    """A section for the upstream gradients, and one for each parameter and input."""
    upstream = [f for f in context.study.found if f.jacobian is not None and context.layer.tensor(f.name) is None]
    if upstream:
        names = listed(math(context.gradient(found.name)) for found in upstream)
        intro = Text(
            "The gradients of what the layers hand on are derived first, from the last layer down; "
            "each is the upstream gradient of the layer before."
        )
        blocks = [block for found in upstream for block in _gradient(context, found, solutions)]
        yield Section("subsection", f"Upstream gradients {names}", "Upstream gradients", (intro, *blocks))
    for role in ("parameter", "input"):
        for tensor in context.layer.differentiable:
            found = context.found(tensor.name)
            if tensor.role == role and found is not None:
                yield from _tensor(context, found, solutions)


def two_solutions(context: Context, found: Found) -> bool:
    """Whether the two routes differ: where a tensor contributes through intermediates inside a layer."""
    return found.jacobian is not None and not context.reads_like(found.jacobian.derivation, found.paths.derivation)


def _tensor(context: Context, found: Found, solutions: tuple[int, ...]) -> Iterator[Section]:
    """The section of one parameter or input; with a part for each solution where they differ."""
    fraction = context.gradient(found.name)
    title, mark = f"The gradient ${fraction}$", f"The gradient of {plain(found.name)}"
    if not two_solutions(context, found) or found.jacobian is None:
        yield Section("subsection", title, mark, tuple(_gradient(context, found, solutions)))
        return
    name = context.inline(found.paths.derivation.target)
    direct = found.paths.derivation.lemmas
    picture = paths(context, found.name)
    intro = (
        f"{context.name(found.name)} contributes on {len(direct)} direct {counted(direct, 'path', 'paths')} "
        f"and through what lies above (Figure~\\ref{{{picture.label}}}). "
        f"The gradient {name} is derived "
        + ("in two different ways, with the same answer." if len(solutions) > 1 else "as follows.")
    )
    yield Section("subsection", title, mark, (Text(intro), picture))
    if 1 in solutions:
        yield Section(
            "subsubsection", "Solution 1: the Jacobian", "Solution 1", tuple(_jacobian(context, found, found.jacobian))
        )
    if 2 in solutions:
        yield Section("subsubsection", "Solution 2: contribution paths", "Solution 2", tuple(_by_paths(context, found)))


def _gradient(context: Context, found: Found, solutions: tuple[int, ...]) -> Iterator[Block]:
    """A gradient for which both routes go the same way, or an upstream one."""
    derivation = found.paths.derivation
    if found.jacobian is not None and two_solutions(context, found):
        if 1 in solutions:
            yield Text(rf"\passage{{Solution 1 for {math(context.gradient(found.name))}.}}")
            yield from _jacobian(context, found, found.jacobian)
        if 2 in solutions:
            yield Text(rf"\passage{{Solution 2 for {math(context.gradient(found.name))}.}}")
            yield from _by_paths(context, found)
        return
    if trivial(context, derivation):
        yield from _only_lemma(context, derivation)
    elif len(derivation.lemmas) > 1 or _hidden(context, derivation):
        yield from _by_paths(context, found)
    else:
        for lemma in context.distinct(derivation.lemmas):
            yield from _lemma(context, lemma)
        yield Text("The chain rule gives")
        yield from _with_forms(context, derivation, found, 0, "")


def _only_lemma(context: Context, derivation: Derivation) -> Iterator[Block]:
    """A gradient that is a single local derivative: the lemma's chain with the gradient's number."""
    (lemma,) = derivation.lemmas
    known = context.numbering.known(derivation.target, derivation.result)
    number = known or context.numbering.fresh()
    yield Text(f"{_from_definition(context, lemma)}")
    yield chain(context, lemma, ending=number)
    context.remember(derivation.target, derivation.result, number)


def _jacobian(context: Context, found: Found, gradient: Gradient) -> Iterator[Block]:
    """Solution 1: the chain rule over all entries, the Jacobian's cases, their contraction."""
    derivation = gradient.derivation
    cut = first_use(derivation)
    yield Text(
        "All intermediates follow the entry by which the derivative is taken. "
        "The chain rule over all that it reaches gives"
    )
    head = chain(context, derivation, derivation.steps[:cut])
    yield head
    for lemma in context.distinct(derivation.lemmas):
        yield from _lemma(context, lemma)
    yield Text(f"{_substituting(context, derivation.lemmas, head)} gives")
    yield from _with_forms(context, derivation, found, cut, last_number(head))


def _by_paths(context: Context, found: Found) -> Iterator[Block]:
    """Solution 2: the contribution paths, each factor on its own, their sum."""
    derivation = found.paths.derivation
    cut = first_use(derivation)
    head = chain(context, derivation, derivation.steps[:cut])
    ways = counted(derivation.lemmas, "path", "paths")
    yield Text(f"Adding up the direct contribution {ways}, with every other named quantity held, gives")
    yield head
    yield Text("The factors are derived one by one, in the order in which they stand.")
    for place, factor in enumerate(factors(derivation.steps[0].after), start=1):
        first, *rest = _factor(context, derivation, factor)
        assert isinstance(first, Text)
        yield Text(rf"\passage{{Factor {place}.}} {first.latex}")
        yield from rest
    yield Text(f"{_substituting(context, derivation.lemmas, head)} gives")
    yield from _with_forms(context, derivation, found, cut, last_number(head))


def _factor(context: Context, derivation: Derivation, factor: Entry | Diff) -> Iterator[Block]:
    """One factor of the line of contribution paths."""
    if isinstance(factor, Diff):
        lemma = next(lemma for lemma in derivation.lemmas if alpha_equal(lemma.target, factor))
        yield from _lemma(context, lemma)
        return
    found = context.found(factor.name[2:])
    if found is None:
        yield Text(f"{context.inline(factor)} is the upstream gradient; it comes in from outside.")
        return
    number = context.result(found.paths.derivation)
    if number:
        yield Text(f"{context.inline(factor)} is available from {references([number])}.")
        return
    yield from _intermediate(context, found)


def _intermediate(context: Context, found: Found) -> Iterator[Block]:
    """The gradient of an intermediate inside a layer."""
    derivation = found.paths.derivation
    if len(derivation.lemmas) > 1:
        cut = first_use(derivation)
        name = context.inline(context.layer.entry(found.name))
        yield Text(f"{name} has direct contribution paths of its own:")
        head = chain(context, derivation, derivation.steps[:cut])
        yield head
        after = last_number(head)
    else:
        cut, after = 0, ""
    for lemma in context.distinct(derivation.lemmas):
        yield from _lemma(context, lemma)
    yield Text("Together they give" if len(derivation.lemmas) > 1 else "With it the chain rule gives")
    yield chain(context, derivation, derivation.steps[cut:], after)


def _lemma(context: Context, lemma: Derivation) -> Iterator[Block]:
    """A derivative of one definition; one that was shown before is only recalled."""
    known = context.shown(lemma)
    if known:
        yield Text(f"{_from_definition(context, lemma)}, as before,")
        yield one_line(context, lemma.target, lemma.result, known)
        context.remember(lemma.target, lemma.result, known)
        return
    yield Text(_from_definition(context, lemma))
    yield chain(context, lemma)


def _from_definition(context: Context, lemma: Derivation) -> str:
    """For k = i, the total derivative of y by x is."""
    assert isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
    kind = "total" if lemma.target.total else "local"
    what = f"the {kind} derivative of {context.inline(lemma.target.body)} by {context.inline(lemma.target.wrt)} is"
    case = _CASE.fullmatch(lemma.title)
    if case:
        left, relation, right = case.groups()
        sign = "=" if relation == "=" else r"\ne"
        return f"For {math(f'{letter(left).latex} {sign} {letter(right).latex}')} {what}"
    return what[0].upper() + what[1:]


def _with_forms(context: Context, derivation: Derivation, found: Found, cut: int, after: str) -> Iterator[Block]:
    """The rest of a derivation from the step `cut`, and the result in its other forms."""
    shown = chain(context, derivation, derivation.steps[cut:], after, found.forms)
    yield shown
    needs = [condition(context, c) for form in found.forms for c in form.conditions]
    if needs:
        numbers = [line.number for line in shown.lines[-len(found.forms) :]]
        context.forms.setdefault(found.name, []).extend(numbers)
        yield Text(
            f"The form {references(numbers)} assumes {listed(dict.fromkeys(needs))}; "
            f"{references([context.result(derivation)])} needs no such assumption and holds on the whole domain."
        )


def _substituting(context: Context, lemmas: tuple[Derivation, ...], head: Chain) -> str:
    if not lemmas:
        return "This"
    last = references(
        [context.result(lemma) for lemma in lemmas[-2:] if len(lemmas) > 1] or [context.result(lemmas[0])]
    )
    into = last_number(head)
    if len({context.result(lemma) for lemma in lemmas}) > 2 and not any(
        _CASE.fullmatch(lemma.title) for lemma in lemmas
    ):
        last = "these derivations"
    return f"Substituting {last}" + (f" into {references([into])}" if into else "")


def _hidden(context: Context, derivation: Derivation) -> bool:
    """Whether a gradient uses one of an intermediate that was not shown."""
    parts = factors(derivation.steps[0].after) if derivation.steps else []
    found = [context.found(f.name[2:]) for f in parts if isinstance(f, Entry)]
    return any(f is not None and not context.result(f.paths.derivation) for f in found)
