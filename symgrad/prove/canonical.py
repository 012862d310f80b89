"""The canonical form: two terms with equal canonical forms are equal for every size and value.

Statement. Terms built from entries, sizes, rational numbers, sums over whole axes, deltas, powers
and scalar functions are rewritten to polynomials in atoms (monomials.py). Each rewriting is an
identity of the reals on the domain where both sides are defined:

* products are multiplied out; sums are linear; factors without a bound index leave the sum; a sum
  over an index that stands nowhere is a factor N; a delta with a bound index is collapsed (the
  other index lies in the range, by declaration); products of sums become sums over disjoint
  letters, split into connected components, each with canonical letters;
* exp(a + b) = exp(a) exp(b); exp(q m) = exp(m)^q for rational q; functions that are elementary
  (sigmoid, tanh, ...) are written through exp;
* B^e with several terms in B keeps only exponents e <= 0 as an atom: B^(e+1) = B * B^e, and
  lead(B) * B^-r = (B^(1-r) - rest(B) * B^-r) / lc for r >= 1.

It ends because each rule either removes a node or lowers the monomial in a lexicographic order.
Equal forms prove equality. Different forms prove nothing by themselves (verdict.py looks for a
counterexample then). It is blind to what both sides share: a wrong row in `primitives` or a wrong
forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from itertools import count

from symgrad.algebra.terms import Add, Call, Delta, Entry, Index, Mul, Num, Pow, Size, Sum, Term, power
from symgrad.errors import DerivationError, TooLargeError
from symgrad.primitives import PRIMITIVES
from symgrad.prove.labelling import canonical_sum
from symgrad.prove.monomials import (
    UNIT,
    Atom,
    Monomial,
    Poly,
    PolyLike,
    add_into,
    call_atom,
    delta_atom,
    entry_atom,
    exp_atom,
    free_of,
    freeze,
    monomial_of,
    pow_atom,
    prime_atom,
    size_atom,
)
from symgrad.prove.powers import Lead, Tail, content, factor_integer, lead_of, split_leading, tail_of

MAX_TERMS = 20_000
MAX_REDUCTIONS = 10_000
MAX_REMEMBERED = 20_000
ONE: Poly = {UNIT: Fraction(1)}


class Canonical:
    """Computes canonical forms under given assumptions.

    Args:
        distinct: pairs of free indices that are assumed to differ; their delta is 0.
    """

    def __init__(self, distinct: Collection[frozenset[Index]] = ()) -> None:
        self.distinct = frozenset(distinct)
        self._fresh = count()
        self._steps = 0
        self._terms: dict[Term, Poly] = {}

    def begin(self) -> None:
        """Begin a new piece of work: the limits count from here; canonical forms are kept."""
        self._steps = 0
        if len(self._terms) > MAX_REMEMBERED:
            self._terms.clear()

    def poly(self, term: Term) -> Poly:
        """The canonical form of a term.

        Raises:
            DerivationError: a node has no canonical form.
            TooLargeError: it outgrows the limits.
        """
        found = self._terms.get(term)
        if found is None:
            found = self._terms[term] = self._poly(term)
        return found

    def _poly(self, term: Term) -> Poly:
        match term:
            case Num(value):
                return {UNIT: value} if value else {}
            case Size(axis):
                return _single(size_atom(axis))
            case Entry(name, indices):
                return _single(entry_atom(name, indices))
            case Delta(left, right):
                return self.delta(left, right)
            case Add(terms):
                total: Poly = {}
                for part in terms:
                    add_into(total, self.poly(part))
                return total
            case Mul(factors):
                return self.product(*(self.poly(factor) for factor in factors))
            case Pow(Mul(factors), exponent) if exponent.denominator == 1:
                return self.product(*(self.poly(power(factor, exponent)) for factor in factors))
            case Pow(base, exponent):
                return self.power(self.poly(base), exponent)
            case Call(name, arguments):
                return self.call(name, arguments)
            case Sum(indices, body):
                return self.sum(indices, self.poly(body))
            case _:
                raise DerivationError(
                    f"the prover has no canonical form for a {type(term).__name__}; add one in prove/canonical.py."
                )

    def delta(self, left: Index, right: Index) -> Poly:
        """Delta of two indices."""
        if left == right:
            return ONE
        if frozenset((left, right)) in self.distinct:
            return {}
        return _single(delta_atom(left, right))

    def call(self, name: str, arguments: tuple[Term, ...]) -> Poly:
        """A function: through exp where it is elementary, else an atom."""
        row = PRIMITIVES[name]
        if row.elementary is not None:
            return self.poly(row.elementary(*arguments))
        polys = [self.poly(argument) for argument in arguments]
        if name == "exp":
            return self.exp(polys[0])
        if name == "log" and polys[0] == ONE:
            return {}
        return _single(call_atom(name, tuple(map(freeze, polys))))

    def exp(self, argument: Poly) -> Poly:
        """exp(sum of c m) = product of exp(m)^c."""
        return {monomial_of({exp_atom(monomial): c for monomial, c in argument.items()}): Fraction(1)}

    def product(self, *polys: Poly) -> Poly:
        """The product, multiplied out."""
        result = ONE
        for poly in polys:
            if result is ONE:
                result = poly
                continue
            total: Poly = {}
            for left, a in result.items():
                for right, b in poly.items():
                    add_into(total, self.monomial_product(left, right), a * b)
                if len(total) > MAX_TERMS:
                    raise TooLargeError(f"an expression has more than {MAX_TERMS} terms when multiplied out")
            result = total
        return result

    def monomial_product(self, left: Monomial, right: Monomial) -> Poly:
        """The product of two monomials, with powers and deltas normalized."""
        if not left or not right:
            return {left or right: Fraction(1)}
        exponents = dict(left)
        for atom, exponent in right:
            exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
        return self.normal(exponents)

    def normal(self, exponents: dict[Atom, Fraction]) -> Poly:
        """The polynomial that a product of powers of atoms stands for."""
        for atom, exponent in sorted(exponents.items(), key=lambda item: item[0]):
            if not exponent:
                del exponents[atom]
            elif atom.kind == "delta":
                return self._apply_delta(atom, exponents)
            elif atom.kind == "pow" and (exponent > 0 or _integral_single(atom, exponent)):
                del exponents[atom]
                return self.product(self.normal(exponents), self.power(dict(atom.data[0]), exponent))
            elif atom.kind == "abs" and exponent.denominator == 1 and exponent % 2 == 0:
                del exponents[atom]
                return self.product(self.normal(exponents), self.power(dict(atom.data[0]), exponent))
            elif atom.kind == "prime" and not 0 < exponent < 1:
                whole = exponent.__floor__()
                exponents[atom] = exponent - whole
                return _scaled(self.normal(exponents), Fraction(atom.data[0]) ** whole)
        return self._reduce(exponents)

    def _apply_delta(self, atom: Atom, exponents: dict[Atom, Fraction]) -> Poly:
        """delta_ij f_j = delta_ij f_i, with the smaller letter kept; delta^n = delta."""
        keep, drop = atom.data
        del exponents[atom]
        renamed = self.rename({monomial_of(exponents): Fraction(1)}, {drop: keep})
        total: Poly = {}
        for monomial, coefficient in renamed.items():
            add_into(total, {monomial_of({**dict(monomial), atom: Fraction(1)}): coefficient})
        return total

    def _reduce(self, exponents: dict[Atom, Fraction]) -> Poly:
        """Apply lead(B) B^-r = (B^(1-r) - rest B^-r) / lc, and the same from the lowest term."""
        for atom, exponent in exponents.items():
            if atom.kind != "pow" or exponent > -1:
                continue
            for part in (lead_of(atom), tail_of(atom)):
                quotient = part.divide(exponents) if part is not None else None
                if part is not None and quotient is not None:
                    return self._taken_apart(atom, exponent, quotient, part)
        return {monomial_of(exponents): Fraction(1)}

    def _taken_apart(self, atom: Atom, exponent: Fraction, quotient: dict[Atom, Fraction], part: Lead | Tail) -> Poly:
        """m part B^-r = m (B^(1-r) - rest B^-r) for a term `part` of B, leading or lowest."""
        self._steps += 1
        if self._steps > MAX_REDUCTIONS:
            raise TooLargeError("a quotient needs too many reductions")
        total = _scaled(self.normal({**quotient, atom: exponent + 1}), 1 / part.coefficient)
        for monomial, coefficient in part.rest.items():
            exponents = dict(quotient)
            for other, e in monomial:
                exponents[other] = exponents.get(other, Fraction(0)) + e
            add_into(total, self.normal(exponents), -coefficient / part.coefficient)
        return total

    def power(self, base: Poly, exponent: Fraction) -> Poly:
        """base ** exponent, on the domain where it is defined."""
        if exponent == 0:
            return ONE
        if not base:
            if exponent < 0:
                raise ZeroDivisionError("0 to a negative power")
            return {}
        if exponent.denominator == 1 and exponent > 0:
            return self._repeated(base, int(exponent))
        outside, inside = content(base, integral=exponent.denominator == 1)
        front = self._power_of_content(outside, exponent)
        if inside == ONE:
            return front
        return self.product(front, self._power_of_rest(inside, exponent))

    def _repeated(self, base: Poly, exponent: int) -> Poly:
        """A positive integer power, by squaring."""
        result, square = ONE, base
        while exponent:
            if exponent & 1:
                result = self.product(result, square)
            exponent >>= 1
            if exponent:
                square = self.product(square, square)
        return result

    def _power_of_content(self, outside: tuple[Fraction, Monomial], exponent: Fraction) -> Poly:
        """The power of a number times a monomial that may be taken apart."""
        value, monomial = outside
        exponents = {atom: e * exponent for atom, e in monomial}
        if exponent.denominator == 1:
            return _scaled(self.normal(exponents), value**exponent.numerator)
        for prime, multiplicity in factor_integer(value):
            exponents[prime_atom(prime)] = multiplicity * exponent
        return self.normal(exponents)

    def _power_of_rest(self, base: Poly, exponent: Fraction) -> Poly:
        """The power of a base that stays whole: only exponents <= 0 are kept as an atom."""
        square = _even_root(base, exponent)
        if square is not None:
            inner, inner_exponent = square
            return self.normal({pow_atom("abs", inner): inner_exponent})
        if exponent < 0:
            return self.normal({pow_atom("pow", base): exponent})
        whole = -((-exponent).__floor__())
        return self.product(
            self._repeated(base, whole), {monomial_of({pow_atom("pow", base): exponent - whole}): Fraction(1)}
        )

    def sum(self, indices: tuple[Index, ...], body: Poly) -> Poly:
        """The sum of a polynomial over indices."""
        fresh = {index: Index(f"~{next(self._fresh)}", index.axis) for index in indices}
        total: Poly = {}
        for monomial, coefficient in self.rename(body, fresh).items():
            add_into(total, self._sum_monomial(set(fresh.values()), monomial), coefficient)
        return total

    def _sum_monomial(self, bound: set[Index], monomial: Monomial) -> Poly:
        """The sum of one monomial over freshly named indices."""
        for atom, _ in monomial:
            if atom.kind == "delta" and not bound.isdisjoint(atom.data):
                return self._collapse(bound, monomial, atom)
        factors = self._flatten(bound, monomial)
        outside = {atom: e for atom, e in factors if bound.isdisjoint(atom.free)}
        inside = [(atom, e) for atom, e in factors if not bound.isdisjoint(atom.free)]
        result = self.normal(outside)
        for component, part in split_leading(bound, inside):
            if not part:
                (index,) = component
                result = self.product(result, _single(size_atom(index.axis)))
            else:
                result = self.product(result, _single(canonical_sum(component, part, self.rename)))
        return result

    def _collapse(self, bound: set[Index], monomial: Monomial, atom: Atom) -> Poly:
        """sum_j delta_ij f_j = f_i: i lies in the range of j, because both run over one axis."""
        left, right = atom.data
        drop, keep = (left, right) if left in bound else (right, left)
        rest = tuple(item for item in monomial if item[0] != atom)
        total: Poly = {}
        for part, coefficient in self.rename({rest: Fraction(1)}, {drop: keep}).items():
            add_into(total, self._sum_monomial(bound - {drop}, part), coefficient)
        return total

    def _flatten(self, bound: set[Index], monomial: Monomial) -> list[tuple[Atom, Fraction]]:
        """The factors, with inner sums that mention a bound index opened into `bound`."""
        factors: list[tuple[Atom, Fraction]] = []
        for atom, exponent in monomial:
            if atom.kind != "sum" or exponent.denominator != 1 or exponent < 0 or bound.isdisjoint(atom.free):
                factors.append((atom, exponent))
                continue
            indices, body = atom.data
            for _ in range(int(exponent)):
                fresh = {index: Index(f"~{next(self._fresh)}", index.axis) for index in indices}
                ((renamed, coefficient),) = self.rename({body: Fraction(1)}, fresh).items()
                assert coefficient == 1
                bound.update(fresh.values())
                factors.extend(renamed)
        return factors

    def rename(self, poly: PolyLike, mapping: Mapping[Index, Index]) -> Poly:
        """Replace free indices, and bring the result back into canonical form."""
        items = poly.items() if isinstance(poly, dict) else poly
        total: Poly = {}
        for monomial, coefficient in items:
            if free_of(monomial).isdisjoint(mapping):
                add_into(total, {monomial: coefficient})
                continue
            parts = [self._rename_atom(atom, exponent, mapping) for atom, exponent in monomial]
            add_into(total, self.product(*parts), coefficient)
        return total

    def _rename_atom(self, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
        """An atom's power with other indices."""
        if atom.free.isdisjoint(mapping):
            return {((atom, exponent),): Fraction(1)}
        return _RENAME[atom.kind](self, atom, exponent, mapping)


def _single(atom: Atom) -> Poly:
    return {((atom, Fraction(1)),): Fraction(1)}


def _scaled(poly: Poly, factor: Fraction) -> Poly:
    return {monomial: coefficient * factor for monomial, coefficient in poly.items()}


def _integral_single(atom: Atom, exponent: Fraction) -> bool:
    """A whole power of a base with one term is a plain monomial."""
    return len(atom.data[0]) == 1 and exponent <= -1


def _even_root(base: Poly, exponent: Fraction) -> tuple[Poly, Fraction] | None:
    """(m^2k)^e = |m^k|^2e for a fractional e: the base and exponent of the absolute value."""
    if len(base) != 1 or exponent.denominator == 1:
        return None
    ((monomial, coefficient),) = base.items()
    if coefficient != 1 or any(e.denominator != 1 or e % 2 for _, e in monomial):
        return None
    return {tuple((atom, e / 2) for atom, e in monomial): Fraction(1)}, 2 * exponent


def _rename_entry(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    name, indices = atom.data
    return {((entry_atom(name, tuple(mapping.get(i, i) for i in indices)), exponent),): Fraction(1)}


def _rename_delta(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    left, right = (mapping.get(i, i) for i in atom.data)
    return canon.delta(left, right)


def _rename_exp(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    return canon.exp(_scaled(canon.rename({atom.data[0]: Fraction(1)}, mapping), exponent))


def _rename_call(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    name, arguments = atom.data
    renamed = call_atom(name, tuple(freeze(canon.rename(argument, mapping)) for argument in arguments))
    return {((renamed, exponent),): Fraction(1)}


def _rename_pow(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    return canon.power(canon.rename(atom.data[0], mapping), exponent)


def _rename_abs(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    return canon.normal({pow_atom("abs", canon.rename(atom.data[0], mapping)): exponent})


def _rename_sum(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    indices, body = atom.data
    renamed = canon.sum(indices, canon.rename({body: Fraction(1)}, mapping))
    return canon.power(renamed, exponent)


_RENAME: dict[str, Callable[[Canonical, Atom, Fraction, Mapping[Index, Index]], Poly]] = {
    "entry": _rename_entry,
    "delta": _rename_delta,
    "exp": _rename_exp,
    "call": _rename_call,
    "pow": _rename_pow,
    "abs": _rename_abs,
    "sum": _rename_sum,
}
