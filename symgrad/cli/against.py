"""What `symgrad check --against` prints: the results, what is wrong where, and the mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symgrad.check.against.compare import described
from symgrad.check.against.pattern import (
    CONSTANTS,
    LAYOUT,
    MATHEMATICS,
    PRECISION,
    UPSTREAM,
    VALUES,
    WANTED,
)
from symgrad.check.against.records import Explanation, Finding, Order, Outcome, Verdict
from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.render.lines import wrapped
from symgrad.render.tables import columns, table
from symgrad.render.verdicts import paragraph, shortened

ABOUT = {
    MATHEMATICS: "the formula is wrong",
    CONSTANTS: "right for the default constants only",
    PRECISION: "the formula is right, its digits are lost",
    LAYOUT: "the formula is right, the memory layout is not expected",
    UPSTREAM: "the formula is right, this upstream gradient is not expected",
    WANTED: "right only where every input asks for a gradient",
    VALUES: "the formula is right, special values are not expected",
}
ADVICE = {
    PRECISION: "Subtract what is large before squaring or summing (a mean, a maximum), and sum in a wider type.",
    LAYOUT: "Use the shape and strides of what is given (reshape, not view), or make it contiguous first.",
    UPSTREAM: "The gradient of .sum() is one number with strides of 0: do not write into it, and do not view it.",
    CONSTANTS: "A constant is typed in, or its default is used, where the argument should be.",
    WANTED: "Test needs_input_grad for each input by itself.",
    VALUES: "Look for 0/0, a division by a parameter that may be 0, exp of a large number, and ties.",
}
SECOND = (
    "The backward pass uses saved intermediate results (a normalized input, a statistic) as if they were constants. "
    "Save the inputs and compute from them in backward, or return the intermediate results as further "
    "differentiable outputs."
)


def show(verdict: Verdict, layer: Layer) -> str:
    """The whole report."""
    lines = [paragraph("", f"{verdict.kernel}, against the derived gradients of {verdict.layer}", 4), ""]
    lines += _summary(verdict, layer).split("\n")
    later = _with_forward(verdict, layer)
    for place, finding in enumerate(verdict.findings):
        if finding not in later:
            lines += ["", *_finding(finding, layer, verdict.findings[:place])]
    if later:
        named = ", ".join(finding.what for finding in later)
        lines += ["", paragraph("✗ ", f"{named}: not looked into; the forward pass is to be right first", 4)]
    if verdict.own_forward:
        lines += ["", paragraph("? ", verdict.own_forward, 4)]
    for text in verdict.faults:
        lines += ["", paragraph("✗ ", text, 4)]
    for text in verdict.conduct:
        lines += ["", paragraph("✗ ", text, 4)]
    for order in verdict.orders:
        lines += [*_order(order)]
    if verdict.conventions:
        lines += ["", "? another choice where the layer has no derivative, which is not wrong:"]
        lines += [paragraph("    ", text, 6) for text in verdict.conventions]
    if verdict.remarks:
        lines += ["", *(paragraph("note: ", text, 6) for text in verdict.remarks)]
    return "\n".join(_spaced([*lines, "", paragraph("", _last(verdict), 0)]))


def _with_forward(verdict: Verdict, layer: Layer) -> list[Finding]:
    """The gradients that differ because, or as far as is known because, the forward pass does."""
    known = (MATHEMATICS, CONSTANTS)
    if not any(f.what in layer.outputs and f.kind in known for f in verdict.findings):
        return []
    return [f for f in verdict.findings if f.what not in layer.outputs]


def _spaced(lines: list[str]) -> Iterator[str]:
    """The lines without two empty ones in a row."""
    for place, line in enumerate(lines):
        if line or (place and lines[place - 1]):
            yield line


def _last(verdict: Verdict) -> str:
    """The verdict in a sentence."""
    if verdict.passed:
        return f"It holds in all {verdict.cases} cases: within what rounding explains of the derived gradients."
    if not verdict.outcomes:
        return "Nothing could be compared."
    return "It does not hold."


def _summary(verdict: Verdict, layer: Layer) -> str:
    """A line for each result."""
    rows = []
    wrong = {finding.what: finding for finding in verdict.findings}
    for name in [*layer.outputs, *(f"d_{tensor.name}" for tensor in layer.differentiable)]:
        own = [outcome for outcome in verdict.outcomes if outcome.what == name]
        if not own:
            rows.append((name, "not compared", "", ""))
            continue
        mark = f"✗ wrong: {wrong[name].kind}" if name in wrong else "✓ right"
        failed = f"{wrong[name].failed} of {len(own)}" if name in wrong else f"0 of {len(own)}"
        rows.append((name, mark, failed, _size(max(own, key=_share))))
    return table(("result", "verdict", "cases wrong", "worst error (of the largest entry)"), rows)


def _share(outcome: Outcome) -> float:
    share = outcome.error / outcome.limit if outcome.limit else float("inf") if outcome.error else 0.0
    return float("inf") if share != share else share


def _size(outcome: Outcome) -> str:
    if outcome.error == float("inf") or outcome.error != outcome.error:
        return "no number"
    return f"{outcome.relative:.1e} in {outcome.case.dtype}" if outcome.scale else f"{outcome.error:.1e} for 0"


def _finding(finding: Finding, layer: Layer, before: Sequence[Finding]) -> list[str]:
    """What is wrong, where, by how much, and by which mistake, unless one before it has the same."""
    worst = finding.worst
    what = f"the forward pass, {finding.what}," if finding.what in layer.outputs else finding.what
    lines = [paragraph("✗ ", f"{what} is wrong {finding.where}: {ABOUT[finding.kind]}", 4)]
    case = worst.case
    name = finding.what
    lines.append(paragraph("    at ", f"{name}{list(worst.place) if worst.place else ''}, {described(case, layer)}", 8))
    lines.append(f"        theirs  {worst.theirs:.10g}")
    lines.append(f"        derived {worst.derived:.10g}")
    lines.append(paragraph("        ", _how_far(worst), 8))
    found = finding.explanation
    same = [f.what for f in before if found and f.explanation and _key(f.explanation) == _key(found)]
    if same:
        lines.append(f"    mistake: the same as in {same[0]}")
    elif found is not None:
        lines += _explanation(found, layer)
    elif finding.tried:
        words = f"none of the {finding.tried} usual mistakes gives their numbers; there may be two of them"
        lines.append(paragraph("    mistake: ", words, 8))
    if finding.kind in ADVICE and finding.kind not in {f.kind for f in before}:
        lines.append(paragraph("    what to do: ", ADVICE[finding.kind], 8))
    return lines


def _key(found: Explanation) -> tuple[object, ...]:
    return found.mistake, found.entry, found.wrong


def _how_far(worst: Outcome) -> str:
    """The ratio and the difference, beside what rounding explains."""
    if worst.error == float("inf"):
        return "theirs is no finite number"
    quotient = worst.theirs / worst.derived if worst.derived else 1.0
    ratio = f"theirs / derived = {quotient:.6g}; " if abs(quotient - 1) > 1e-4 else ""
    explained = f"{worst.limit / worst.scale:.0e}" if worst.scale else f"{worst.limit:.0e}"
    own = (
        f", symgrad's own {worst.case.dtype} kernel has {worst.own / worst.scale:.0e}" if worst.own == worst.own else ""
    )
    far = f"{worst.relative:.2g}" if worst.scale else f"{worst.error:.2g}"
    return f"{ratio}off by {far} of the largest entry, where rounding explains {explained}{own}"


def _explanation(found: Explanation, layer: Layer) -> list[str]:
    """The mistake, and the formula with it beside the right one."""
    left = unparse(found.entry, layer)
    theirs, right = (shortened(f"{left} = {unparse(term, layer)}", layer) for term in (found.wrong, found.right))
    judged = "; as a claim it is refuted" if found.refuted else ""
    agrees = f"in {found.cases} cases of {found.sizes} sizes, within {max(found.agreement, 1e-12):.0e}"
    checked = f"(this formula gives their numbers {agrees}{judged})"
    return [
        paragraph("    mistake: ", shortened(found.mistake, layer), 8),
        wrapped("        right  ", right, columns(), indent=15),
        wrapped("        theirs ", theirs, columns(), indent=15),
        paragraph("        ", checked, 8),
    ]


def _order(order: Order) -> Iterator[str]:
    """Torch's own checks in a line, with advice where the second order is silently wrong."""
    if order.verdict == "holds":
        return
    yield ""
    if order.name == "gradgradcheck" and order.verdict == "fails":
        yield paragraph(
            "✗ ", "second order: the first order is right, the second order silently wrong (gradgradcheck)", 4
        )
        yield paragraph("    what to do: ", SECOND, 8)
    elif order.verdict == "fails":
        yield paragraph("✗ ", "gradcheck: the backward pass is not the derivative of its own forward pass", 4)
    elif order.verdict == "refuses":
        yield paragraph("? ", f"{order.name} cannot be run: {order.words}", 4)
    else:
        yield paragraph("? ", f"{order.name} was not run: {order.words}", 4)
