"""The recorder: applies rules to a term and writes down every step."""

from __future__ import annotations

from symgrad.algebra.binding import alpha_equal, transform_children
from symgrad.algebra.simplify import everywhere, excluded_pair, expand, regroup, separate_letters, settle, tidy
from symgrad.algebra.terms import ZERO, Add, Delta, Diff, Entry, Index, Size, Sum, Term, walk
from symgrad.derive.records import Condition, Derivation, Step
from symgrad.derive.rules import RULES, TIDY, Context, Rule
from symgrad.errors import DerivationError

Distinct = tuple[frozenset[Index], ...]
MAX_ROUNDS = 200

LINEAR = (
    "constant",
    "indicator",
    "cases",
    "sum rule",
    "constant factor",
    "derivative of a sum",
    "largest value",
    "product over an axis",
)
INNER = ("derived before", "entries are independent", "constant", "power rule", "real power", "chain rule", *LINEAR[1:])


class Recorder:
    """A term on its way, with the steps so far.

    Args:
        start: the left-hand side, which is also the first term.
        context: what the rules may know.
        distinct: pairs of indices that differ throughout (the case k != i).
    """

    def __init__(self, start: Term, context: Context, distinct: Distinct = ()) -> None:
        self.start = start
        self.term = start
        self.context = context
        self.distinct = distinct
        self.steps: list[Step] = []

    def apply(self, *names: str, reason: str = "", also: str = "") -> bool:
        """Apply rules to every node until none applies any more, and record one step.

        `also` names a further rule for the record, for what the caller did besides.
        """
        used: dict[str, None] = {}
        changed = _rewrite(self.term, [RULES[name] for name in names], self.context, used)
        changed = settle(_without_excluded(changed, self.distinct))
        return self.note((*used, *((also,) if also else ())) or (TIDY,), changed, reason)

    def note(
        self, rules: tuple[str, ...], after: Term, reason: str = "", conditions: tuple[Condition, ...] = ()
    ) -> bool:
        """Record that the term equals `after`; False where that is no change."""
        after = separate_letters(after)
        if alpha_equal(self.term, after):
            return False
        self.steps.append(Step(rules, self.term, after, reason, conditions, self.distinct))
        self.term = after
        return True

    def expand(self, reason: str = "") -> bool:
        """Multiply out what is not an elementary sum such as x - mu, and collect."""
        return self.note(("multiply out",), settle(everywhere(tidy(expand_deep(self.term)), regroup)), reason)

    def differentiate(self) -> None:
        """Take every derivative in the term.

        Raises:
            DerivationError: there is no rule for some node.
        """
        for _ in range(MAX_ROUNDS):
            if not has_derivative(self.term):
                return
            before = len(self.steps)
            for group in (LINEAR, ("quotient rule",), ("product rule",), INNER):
                self.apply(*group)
            if len(self.steps) == before:
                break
        if has_derivative(self.term):
            stuck = next(node for node in walk(self.term) if isinstance(node, Diff))
            kind = type(stuck.body).__name__
            raise DerivationError(f"there is no rule for the derivative of a {kind}; add a row in derive/rules.py.")

    def finish(self, route: str, title: str, lemmas: tuple[Derivation, ...] = ()) -> Derivation:
        """The finished derivation."""
        return Derivation(route, self.start, tuple(self.steps), self.term, title, lemmas)


def _without_excluded(term: Term, distinct: Distinct) -> Term:
    """Deltas of free indices that are assumed to differ are 0; a bound letter is another index."""
    if not distinct:
        return term
    if isinstance(term, Delta) and frozenset((term.left, term.right)) in distinct:
        return ZERO
    if isinstance(term, Sum):
        distinct = tuple(pair for pair in distinct if pair.isdisjoint(term.indices))
    return transform_children(term, lambda child: _without_excluded(child, distinct))


def _rewrite(term: Term, rules: list[Rule], context: Context, used: dict[str, None]) -> Term:
    """Apply the rules to every node, inside first, until none applies."""
    term = transform_children(term, lambda child: _rewrite(child, rules, context, used))
    for rule in rules:
        after = rule.apply(term, context)
        if after is not None:
            used[rule.name] = None
            return _rewrite(after, rules, context, used)
    return term


def has_derivative(term: Term) -> bool:
    """Whether a derivative is still to be taken somewhere."""
    return any(isinstance(node, Diff) for node in walk(term))


def elementary(term: Term) -> bool:
    """Whether an addition is one that a person leaves whole: x - mu, var + eps, 1 - z, 1 - tanh(u)^2.

    What is multiplied out holds a delta, a size, a sum or a gradient, which may meet others then, or
    entries at two places of one axis, which belong into different sums.
    """
    if not isinstance(term, Add) or excluded_pair(term):
        return True
    if len({index.axis for index in term.free}) < len(term.free):
        return False
    return not any(isinstance(node, (Delta, Size, Sum)) or _is_gradient(node) for node in walk(term))


def _is_gradient(node: Term) -> bool:
    return isinstance(node, Entry) and node.name.startswith("d_")


def expand_deep(term: Term) -> Term:
    """Multiply out everywhere, except elementary sums."""
    term = transform_children(term, expand_deep)
    return expand(term, lambda part: not elementary(part))
