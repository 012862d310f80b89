"""The sections after the derivation: the proof, the table of equations, the assumptions, the extra."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.terms import ZERO, Diff, Entry
from symgrad.derive.records import Derivation
from symgrad.prove.study import Found
from symgrad.render.document.blocks import Block, Items, Section, Table, Text
from symgrad.render.document.chains import equalities, pieces
from symgrad.render.document.context import Context
from symgrad.render.document.forward import domain
from symgrad.render.document.markup import code, listed, math, prose
from symgrad.render.document.numbers import goto, references
from symgrad.render.document.reasons import condition

_PROCEDURE = (
    r"The proof is no sample and no simplification by trial. Both sides are rewritten to a canonical form: polynomials "
    r"in the entries, the sizes, powers of sums, and exponentials. Every sum over an index is split, and constants "
    r"leave it; a sum over an index that does not occur is a factor $N$; a $\delta$ with a summation letter is carried "
    r"out; and the letters under each sum are renamed in a canonical way. Each of these rewritings is an identity of "
    r"the real numbers wherever both sides are defined, and the rewriting ends. If the difference of both sides "
    r"becomes zero, they are equal for all sizes and all values. Names of intermediates are first left as free "
    r"variables, which proves more than is asked; a name whose definition is needed is replaced by it."
)
_SHORT = 5
"""A formula of at most so many pieces is repeated in the table."""
_OWN = 1_000_000
"""Numbers such as (S1) are listed after the book's."""
_BLIND = (
    "A proof is blind to what both sides share: a forward pass that is written down wrong, or a wrong derivative "
    "in the table of scalar functions. The table is therefore checked against sources of its own."
)


def proof_section(context: Context) -> Section:
    """What was proved, by which procedure, and what it cannot see."""
    found = [f for f in context.study.found if f.proof is not None]
    domain_needs = [condition(context, c) for c in context.study.domain]
    where = f" with {listed(domain_needs)}" if domain_needs else ""
    intro = (
        "Each gradient was derived twice: by contracting the Jacobian, in which all intermediates follow (Solution 1), "
        "and by adding up contribution paths, in which they are held (Solution 2). For all sizes of at least 1 and "
        f"all real values{where}, both are equal:"
    )
    if not all(f.proved for f in found):
        intro = (
            "Each gradient was derived twice. Whether both are equal for all sizes of at least 1 and all real values:"
        )
    verdicts: dict[str, list[str]] = {}
    for f in found:
        verdicts.setdefault(_verdict(context, f), []).append(math(context.gradient(f.name)))
    items = Items(tuple(f"{listed(gradients)}: {verdict}." for verdict, gradients in verdicts.items()))
    return Section("section", "The proof", "The proof", (Text(intro), items, Text(_PROCEDURE), Text(_BLIND)))


def _verdict(context: Context, found: Found) -> str:
    """What is known of a gradient, and which names had to be unfolded."""
    assert found.proof is not None
    proof = found.proof
    names = [name for name in proof.unfolded if context.layer.indices(name) is not None]
    words = [proof.verdict]
    if proof.proved:
        words.append(
            f"with {listed(context.name(name) for name in names)} unfolded" if names else "with every name left free"
        )
    elif proof.left_over:
        words.append(prose(proof.left_over))
    words += [f"for {condition(context, c)}" for c in proof.assumptions]
    return ", ".join(words)


def table_section(context: Context) -> Section:
    """Table 1, and what the results assume."""
    rows = [*_forward_rows(context), *_gradient_rows(context)]
    table = Table(("Function", "Equations"), tuple(rows), "Functions and equations.", "table:equations")
    needs = dict.fromkeys(
        f"{condition(context, c)}, for the form {references(context.forms.get(f.name, []))} "
        f"of {math(context.gradient(f.name))} only."
        for f in context.study.found
        for form in f.forms
        for c in form.conditions
    )
    assumptions = [domain(context), "All values are real; all sums run over the whole range of their index.", *needs]
    blocks: tuple[Block, ...] = (
        Text(r"Table~\ref{table:equations} lists what has to be computed."),
        table,
        Text("The assumptions are:"),
        Items(tuple(assumptions)),
    )
    return Section("section", "Summary", "Summary", blocks)


def _forward_rows(context: Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The forward equations of each layer call, or of the layer."""
    for result, name in _calls(context):
        numbers = [context.definitions[d.name] for d in context.layer.definitions if d.call == result]
        yield f"{code(name)}, forward", (references(sorted(numbers, key=_order)),)


def _gradient_rows(context: Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The gradients that each layer call hands down, from the last layer to the first."""
    book = context.numbering.book is not None
    for result, name in reversed(_calls(context)):
        targets = [f for f in context.study.found if f.jacobian is not None and _feeds(context, f.name, result)]
        if book and targets:
            found = [context.tagged.get(f.name) or [context.result(f.paths.derivation)] for f in targets]
            yield (
                f"{code(name)}, gradients",
                (references(sorted((n for numbers in found for n in numbers), key=_order)),),
            )
            continue
        for f in targets:
            gradient = context.latex(f.paths.derivation.target)
            yield f"{code(name)}, gradient {math(gradient)}", _formula(context, f)


def _formula(context: Context, found: Found) -> tuple[str, ...]:
    """The numbers of a gradient's last forms, and the gradient itself where it is short."""
    result = context.result(found.paths.derivation) or context.result((found.jacobian or found.paths).derivation)
    numbers = references([result, *context.forms.get(found.name, [])[-len(found.forms) :]] if found.forms else [result])
    formula = [rf"\fit{{$\displaystyle {piece}$}}" for piece in pieces(context, found.paths.derivation.result)]
    return (f"{numbers}\\enspace ", *formula) if len(formula) <= _SHORT else (numbers,)


def _calls(context: Context) -> list[tuple[str, str]]:
    """(result, layer) of each call; a stretch of the layer's own equations has no result."""
    layers = {call.result: call.layer for call in context.layer.calls}
    order = dict.fromkeys(d.call for d in context.layer.definitions)
    return [(result, layers.get(result, context.layer.name)) for result in order]


def _feeds(context: Context, name: str, result: str) -> bool:
    """Whether a call's definitions use a name from outside of it."""
    own = context.layer.definition(name)
    if own is not None and own.call == result and own.call:
        return False
    return any(d.call == result and name in d.body.names for d in context.layer.definitions)


def _order(number: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, number))
    return int(digits or 0) + (0 if number[1:2].isdigit() else _OWN), number


def extra_section(context: Context) -> Section | None:
    """Derivatives of intermediates that were found on the way; None where there are none."""
    lemmas = list(_intermediate_lemmas(context))
    if not lemmas:
        return None
    blocks: list[Block] = [Text("On the way these derivatives of intermediates were found:")]
    blocks.append(equalities(context, [(lemma.target, lemma.result, context.result(lemma)) for lemma in lemmas]))
    zero = [lemma for lemma in lemmas if lemma.result == ZERO]
    for lemma in zero:
        assert isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
        what, by = context.name(lemma.target.body.name), context.name(lemma.target.wrt.name)
        blocks.append(
            Text(
                f"That {math(context.latex(lemma.target))} vanishes, {goto(context.result(lemma))}, may surprise: "
                f"{by} stands in the definition of {what}, but what it does to single terms cancels in the sum. "
                f"The derivative of {what} is therefore the same whether {by} is held or follows."
            )
        )
    return Section("section", "Extra", "Extra", tuple(blocks))


def _intermediate_lemmas(context: Context) -> Iterator[Derivation]:
    """Shown derivatives of definitions that are neither outputs nor results, each equality once."""
    seen: set[tuple[str, str]] = set()
    for found in context.study.found:
        for gradient in (found.paths, found.jacobian):
            for lemma in gradient.derivation.lemmas if gradient else ():
                key = context.latex(lemma.target), context.latex(lemma.result)
                inside = isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
                if inside and key not in seen and context.result(lemma):
                    assert isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
                    if not context.public(lemma.target.body.name):
                        seen.add(key)
                        yield lemma
