"""The rules of the calculus, a row each: what it says, why it ends, where it is stated.

A rule looks at one node and returns an equal term, or None where it does not apply. The recorder
applies groups of rules to every node and writes down what happened. To add a rule, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from symgrad.algebra.binding import alpha_equal, fresh_letters, instantiate, rename, rename_bound_apart
from symgrad.algebra.simplify import (
    at_delta,
    collapse_delta,
    complete_sum,
    delta_first,
    factors_of,
    product_of,
    pull_out,
    split_sum,
    together,
)
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    add,
    compare,
    delta,
    mul,
    negative,
    power,
    sum_over,
    where,
)
from symgrad.derive.records import Derivation
from symgrad.notation.layer import Definition
from symgrad.primitives import POWER, PRIMITIVES, real_power


@dataclass(frozen=True)
class Known:
    """A derivative that was derived before: `derivative` of entries like `target.body`."""

    target: Diff
    result: Term


def known_derivatives(lemmas: Iterable[Derivation]) -> dict[tuple[str, str], Known]:
    """The derived local derivatives, by what and by what."""
    known = {}
    for lemma in lemmas:
        assert isinstance(lemma.target, Diff) and isinstance(lemma.target.body, Entry)
        known[lemma.target.body.name, lemma.target.wrt.name] = Known(lemma.target, lemma.result)
    return known


@dataclass(frozen=True)
class Context:
    """What the rules may know of the layer.

    Attributes:
        definitions: by name; a "definition" step unfolds these.
        dependents: for each name, the names that vary with it (in total derivatives).
        known: derivatives derived before, by (name of what, name of by what).
    """

    definitions: Mapping[str, Definition]
    dependents: Mapping[str, frozenset[str]]
    known: Mapping[tuple[str, str], Known] = field(default_factory=dict)

    def varying(self, derivative: Diff) -> frozenset[str]:
        """The names that vary when the derivative's entry does."""
        if not derivative.total:
            return frozenset((derivative.wrt.name,))
        return self.dependents.get(derivative.wrt.name, frozenset()) | {derivative.wrt.name}


Apply = Callable[[Term, Context], "Term | None"]


@dataclass(frozen=True)
class Rule:
    """A rule: its name, its statement, why rewriting with it ends, its source, and the code."""

    name: str
    statement: str
    ends: str
    source: str
    apply: Apply


def _definition(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and isinstance(term.body, Entry) and term.body.name != term.wrt.name:
        found = context.definitions.get(term.body.name)
        if found is not None:
            return Diff(instantiate(found.body, found.indices, term.body.indices), term.wrt, term.total)
    return None


def _constant(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and context.varying(term).isdisjoint(term.body.names):
        return ZERO
    return None


def _indicator(term: Term, context: Context) -> Term | None:
    """A comparison is constant wherever it is differentiable; its jump has the derivative 0."""
    if isinstance(term, Diff) and isinstance(term.body, (Compare, Delta, Position)):
        return ZERO
    return None


def _cases(term: Term, context: Context) -> Term | None:
    if not (isinstance(term, Diff) and isinstance(term.body, Where)):
        return None
    body = term.body
    return where(body.condition, Diff(body.then, term.wrt, term.total), Diff(body.otherwise, term.wrt, term.total))


def _extreme(term: Term, context: Context) -> Term | None:
    """Where f_k attains the largest value its derivative counts; ties share evenly (torch.amax)."""
    if not (isinstance(term, Diff) and isinstance(term.body, Reduce) and term.body.operation in ("max", "min")):
        return None
    whole = term.body
    body = rename_bound_apart(whole, {index.name for index in (*term.wrt.indices, *whole.free)})
    assert isinstance(body, Reduce)
    attained = compare("==", body.body, whole)
    share = mul(attained, power(sum_over(body.indices, attained), -1))
    return sum_over(body.indices, mul(share, Diff(body.body, term.wrt, term.total)))


def _product_over(term: Term, context: Context) -> Term | None:
    """D prod_j f_j = sum_k df_k prod_{j != k} f_j."""
    if not (isinstance(term, Diff) and isinstance(term.body, Reduce) and term.body.operation == "prod"):
        return None
    whole = rename_bound_apart(term.body, {index.name for index in term.wrt.indices})
    assert isinstance(whole, Reduce)
    fresh = fresh_letters(whole.indices, whole.letters | {index.name for index in term.wrt.indices})
    same = mul(*(delta(index, fresh[index]) for index in whole.indices))
    others = Reduce("prod", whole.indices, where(same, ONE, whole.body))
    body = rename(whole.body, fresh)
    return sum_over(fresh.values(), mul(others, Diff(body, term.wrt, term.total)))


def _sum_rule(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and isinstance(term.body, Add):
        return add(*(Diff(part, term.wrt, term.total) for part in term.body.terms))
    return None


def _constant_factor(term: Term, context: Context) -> Term | None:
    if not (isinstance(term, Diff) and isinstance(term.body, Mul)):
        return None
    varying = context.varying(term)
    fixed = [f for f in term.body.factors if varying.isdisjoint(f.names)]
    moving = [f for f in term.body.factors if not varying.isdisjoint(f.names)]
    if not fixed or not moving:
        return None
    return mul(*fixed, Diff(mul(*moving), term.wrt, term.total))


def _under_sum(term: Term, context: Context) -> Term | None:
    if not (isinstance(term, Diff) and isinstance(term.body, Sum)):
        return None
    body = rename_bound_apart(term.body, {index.name for index in term.wrt.indices})
    assert isinstance(body, Sum)
    return sum_over(body.indices, Diff(body.body, term.wrt, term.total))


def _quotient(term: Term, context: Context) -> Term | None:
    """(f/g)' = (g f' - f g') / g^2, where both top and bottom vary."""
    if not (isinstance(term, Diff) and isinstance(term.body, Mul)):
        return None
    bottoms = [f for f in term.body.factors if isinstance(f, Pow) and f.exponent < 0]
    tops = [f for f in term.body.factors if f not in bottoms]
    if len(bottoms) != 1 or not tops:
        return None
    bottom = bottoms[0]
    assert isinstance(bottom, Pow)
    f, g = mul(*tops), power(bottom.base, -bottom.exponent)
    df, dg = Diff(f, term.wrt, term.total), Diff(g, term.wrt, term.total)
    square = power(bottom.base, 2 * bottom.exponent)
    return mul(add(mul(g, df), negative(mul(f, dg))), square)


def _product(term: Term, context: Context) -> Term | None:
    if not (isinstance(term, Diff) and isinstance(term.body, Mul)):
        return None
    factors = term.body.factors
    parts = []
    for place, factor in enumerate(factors):
        parts.append(mul(*factors[:place], Diff(factor, term.wrt, term.total), *factors[place + 1 :]))
    return add(*parts)


def _power(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and isinstance(term.body, Pow):
        base, exponent = term.body.base, term.body.exponent
        return mul(Num(exponent), power(base, exponent - 1), Diff(base, term.wrt, term.total))
    return None


def _function(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and isinstance(term.body, Call) and term.body.function != POWER:
        (argument,) = term.body.arguments
        outer = PRIMITIVES[term.body.function].derivative(argument)
        return mul(outer, Diff(argument, term.wrt, term.total))
    return None


def _real_power(term: Term, context: Context) -> Term | None:
    """D a^b = b a^(b-1) da + a^b log(a) db; one of both where the other does not vary."""
    if not (isinstance(term, Diff) and isinstance(term.body, Call) and term.body.function == POWER):
        return None
    base, exponent = term.body.arguments
    parts = []
    if not context.varying(term).isdisjoint(base.names):
        outer = mul(exponent, real_power(base, add(exponent, MINUS_ONE)))
        parts.append(mul(outer, Diff(base, term.wrt, term.total)))
    if not context.varying(term).isdisjoint(exponent.names):
        parts.append(mul(term.body, Call("log", (base,)), Diff(exponent, term.wrt, term.total)))
    return add(*parts)


def _entry(term: Term, context: Context) -> Term | None:
    if isinstance(term, Diff) and isinstance(term.body, Entry) and term.body.name == term.wrt.name:
        pairs = zip(term.body.indices, term.wrt.indices, strict=True)
        return mul(*(delta(left, right) for left, right in pairs))
    return None


def _known(term: Term, context: Context) -> Term | None:
    """Use a derivative that was derived before, with this place's letters."""
    if not (isinstance(term, Diff) and isinstance(term.body, Entry)):
        return None
    known = context.known.get((term.body.name, term.wrt.name))
    if known is None:
        return None
    assert isinstance(known.target.body, Entry)
    formal = (*known.target.body.indices, *known.target.wrt.indices)
    actual = (*term.body.indices, *term.wrt.indices)
    mapping = dict(zip(formal, actual, strict=True))
    aligned = mul(*(delta(mapping[i], j) for i, j in zip(formal, actual, strict=True) if mapping[i] != j))
    return mul(aligned, rename(known.result, mapping))


def _collapse(term: Term, context: Context) -> Term | None:
    return _changed(term, at_delta(collapse_delta(term)))


def _delta_first(term: Term, context: Context) -> Term | None:
    return _changed(term, delta_first(term))


def _pull_out(term: Term, context: Context) -> Term | None:
    return _changed(term, pull_out(term))


def _split(term: Term, context: Context) -> Term | None:
    return _changed(term, split_sum(term))


def _complete(term: Term, context: Context) -> Term | None:
    return _changed(term, complete_sum(term))


def _together(term: Term, context: Context) -> Term | None:
    return _changed(term, together(term))


def _fold_sum(term: Term, context: Context) -> Term | None:
    """sum_j x_j = N mu where mu = 1/N sum_j x_j is a definition of the layer."""
    if not isinstance(term, Sum):
        return None
    for definition in context.definitions.values():
        found = scaled_sum(definition)
        if found is None:
            continue
        scale, total = found
        mapping = match_letters(total, term, definition)
        if mapping is not None:
            entry = Entry(definition.name, tuple(mapping[i] for i in definition.indices))
            return mul(power(rename(scale, mapping), -1), entry)
    return None


def scaled_sum(definition: Definition) -> tuple[Term, Sum] | None:
    """(c, sum) for a definition of the form c * sum, with c made of numbers and sizes."""
    coefficient, factors = factors_of(definition.body)
    sums = [base for base, e in factors if isinstance(base, Sum) and e == 1]
    rest = [(base, e) for base, e in factors if not isinstance(base, Sum)]
    if len(sums) != 1 or not all(isinstance(base, Size) for base, _ in rest):
        return None
    return product_of(coefficient, rest), sums[0]


def match_letters(pattern: Term, term: Term, definition: Definition) -> dict[Index, Index] | None:
    """Letters for the definition's indices that make `pattern` equal to `term`, or None."""
    candidates = sorted(term.free)
    mapping: dict[Index, Index] = {}
    for index in definition.indices:
        same = [c for c in candidates if c.axis == index.axis]
        if len(same) != 1:
            return None
        mapping[index] = same[0]
    return mapping if alpha_equal(rename(pattern, mapping), term) else None


def _changed(before: Term, after: Term) -> Term | None:
    return None if after == before else after


_OPENS = "takes a derivative one node further in; a term has finitely many nodes"
_SMALLER = "removes a sum or a delta"
_ROWS = (
    Rule("definition", "du/dv = d(body of u)/dv", "a definition uses only earlier ones", "definition", _definition),
    Rule("constant", "dc/dv = 0 for c without v", "removes a derivative", "Spivak, Calculus, ch. 10, thm 1", _constant),
    Rule("indicator", "d[a < b] = 0 away from the jump", "removes a derivative", "a step is locally constant", _indicator),
    Rule("cases", "d where(c, a, b) = where(c, da, db)", _OPENS, "each case is differentiated where it holds", _cases),
    Rule("largest value", "d max_k f_k = sum_k [f_k = max] / #ties df_k", _OPENS, "Danskin 1967; ties as in torch.amax", _extreme),
    Rule("product over an axis", "d prod_j f_j = sum_k df_k prod_{j != k} f_j", _OPENS, "the product rule, repeated", _product_over),
    Rule("sum rule", "d(a + b) = da + db", _OPENS, "Spivak, ch. 10, thm 3", _sum_rule),
    Rule("constant factor", "d(c f) = c df", _OPENS, "Spivak, ch. 10, thm 5", _constant_factor),
    Rule("derivative of a sum", "d sum_j f_j = sum_j df_j", _OPENS, "linearity, a finite sum", _under_sum),
    Rule("quotient rule", "d(f/g) = (g df - f dg)/g^2", _OPENS, "Spivak, ch. 10, thm 8", _quotient),
    Rule("product rule", "d(f g) = df g + f dg", _OPENS, "Spivak, ch. 10, thm 4", _product),
    Rule("power rule", "d(f^e) = e f^(e-1) df", _OPENS, "Spivak, ch. 10, thm 6 and 9", _power),
    Rule("real power", "d(a^b) = b a^(b-1) da + a^b log(a) db", _OPENS, "a^b = exp(b log a)", _real_power),
    Rule("chain rule", "d f(u) = f'(u) du, f' from the table of primitives", _OPENS, "Spivak, ch. 10, thm 9", _function),
    Rule("entries are independent", "dx_k/dx_i = delta_ki", "removes a derivative", "definition", _entry),
    Rule("derived before", "a derivative with a derivation of its own", "removes a derivative", "a lemma", _known),
    Rule("delta picks one term", "sum_k delta_ki f_k = f_i", _SMALLER, "definition of delta", _collapse),
    Rule("delta first", "sum_h a_h sum_k delta_{h,p(k)} b_k = sum_k b_k sum_h delta_{h,p(k)} a_h", "moves deltas inward only", "finite sums commute", _delta_first),
    Rule("constant out of the sum", "sum_i c f_i = c sum_i f_i", "moves factors outward only", "distributivity", _pull_out),
    Rule("split the sum", "sum (a + b) = sum a + sum b", "bodies become smaller", "associativity", _split),
    Rule("complete the sum", "sum_{k != i} f_k = sum_k f_k - f_i", "removes a restriction", "associativity", _complete),
    Rule("common denominator", "a/n + b/m = (a m + b n)/(n m)", "applied once to a node", "field axioms", _together),
    Rule("a sum with a name", "sum_j x_j = N mu for mu = 1/N sum_j x_j", _SMALLER, "the layer's definition", _fold_sum),
)  # fmt: skip

RULES: dict[str, Rule] = {rule.name: rule for rule in _ROWS}

TIDY = "arithmetic"
"""The name of steps that only merge powers and collect equal terms (algebra/simplify.py)."""
