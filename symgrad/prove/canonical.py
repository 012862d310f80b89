"""The canonical form: two terms with equal canonical forms are equal for every size and value.

Statement. Terms built from entries, sizes, rational numbers, sums over whole axes, deltas, powers
and scalar functions are rewritten to polynomials in atoms (monomials.py). Each rewriting is an
identity of the reals on the domain where both sides are defined:

* products are multiplied out; sums are linear; factors without a bound index leave the sum; a sum
  over an index that stands nowhere is a factor N; a delta with a bound index is collapsed (the
  other index lies in the range, by declaration); products of sums become sums over disjoint
  letters, split into connected components, each with canonical letters (or the mean over all
  choices of them);
* exp(a + b) = exp(a) exp(b); exp(q m) = exp(m)^q for rational q; functions that are elementary
  (sigmoid, tanh, ...) are written through exp;
* log(ab) = log a + log b for positive factors; exp(log u) = u; sin^2 = 1 - cos^2; odd and even
  functions of -u are those of u;
* a root of a product takes out what is positive, what stands under a root itself, and even powers,
  as powers of absolute values: (a^2 b)^(1/2) = |a| b^(1/2);
* B^e with several terms in B keeps only exponents e <= 0 as an atom: B^(e+1) = B * B^e, and
  lead(B) * B^-r = (B^(1-r) - rest(B) * B^-r) / lc for r >= 1.

It ends because each rule either removes a node or lowers the monomial in a lexicographic order.
Equal forms prove equality. Different forms prove nothing by themselves (verdict.py looks for a
counterexample then). It is blind to what both sides share: a wrong row in `primitives` or a wrong
forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from itertools import count

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import (
    Add,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    power,
)
from symgrad.errors import DerivationError, TooLargeError
from symgrad.primitives import POWER, PRIMITIVES, through_exp
from symgrad.prove.divisors import check_divisor
from symgrad.prove.indicators import apply_sign, compare, reduce, rename_position, rename_reduce, rename_sign, scaled
from symgrad.prove.labelling import alike_names, canonical_sum, mixes_letters, same_divisors
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
    log_atom,
    logarithm_in,
    monomial_of,
    position_atom,
    pow_atom,
    prime_atom,
    size_atom,
    sum_atom,
)
from symgrad.prove.places import apply_equation, equal, picked, rename_equation, renamed, settled
from symgrad.prove.powers import (
    Lead,
    Tail,
    ceiling,
    content,
    factor_integer,
    is_whole,
    lead_of,
    order_key,
    root_content,
    split_leading,
    tail_of,
)

MAX_TERMS = 20_000
MAX_WORK = 30_000
"""How many monomials may be brought into normal form for one question; long ones count more."""
MAX_REPEATED = 4_096
MAX_REMEMBERED = 20_000
PARITY = {"sin": -1, "asin": -1, "atan": -1, "asinh": -1, "atanh": -1, "erf": -1, "cos": 1}
"""f(-u) = -f(u) or f(u)."""
ONE: Poly = {UNIT: Fraction(1)}


class Canonical:
    """Computes canonical forms under given assumptions.

    Args:
        distinct: pairs of free indices that are assumed to differ; their delta is 0.
    """

    def __init__(self, distinct: Collection[frozenset[Index]] = ()) -> None:
        self.distinct = frozenset(distinct)
        self._fresh = count()
        self._work = 0
        self._terms: dict[Term, Poly] = {}
        self.places: dict[Index, Index] = {}

    def begin(self) -> None:
        """Begin a new piece of work: the limits count from here; canonical forms are kept."""
        self._work = 0
        if max(len(self._terms), len(self.places)) > MAX_REMEMBERED:
            self._terms.clear()
            self.places.clear()

    def poly(self, term: Term) -> Poly:
        """The canonical form of a term.

        Raises:
            DerivationError: a node has no canonical form.
            TooLargeError: it outgrows the limits.
        """
        try:
            found = self._terms.get(term)
            if found is None:
                found = self._terms[term] = self._poly(term)
        except RecursionError:
            raise TooLargeError("an expression is nested too deeply") from None
        return found

    def _poly(self, term: Term) -> Poly:
        match term:
            case Num(value):
                return {UNIT: value} if value else {}
            case Size(axis):
                return _single(size_atom(axis))
            case Entry(name, indices):
                return _single(entry_atom(name, tuple(settled(self, index) for index in indices)))
            case Delta(left, right):
                return self.delta(settled(self, left), settled(self, right))
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
                if exponent < 0:
                    check_divisor(self, base)
                return self.power(self.poly(base), exponent)
            case Call(name, arguments):
                return self.call(name, arguments)
            case Sum(indices, body):
                return self.sum(*self._apart(indices, body))
            case Where(condition, then, otherwise):
                return self.where(self.poly(condition), self.poly(then), self.poly(otherwise))
            case Compare(relation, left, right):
                return self.compare(relation, left, right)
            case Position(index):
                return _single(position_atom(index))
            case Reduce(operation, indices, body):
                return reduce(self, operation, *self._apart(indices, body))
            case _:
                raise DerivationError(
                    f"the prover has no canonical form for a {type(term).__name__}; add one in prove/canonical.py."
                )

    def compare(self, relation: str, left: Term, right: Term) -> Poly:
        """The indicator of a relation."""
        return compare(relation, add_into(dict(self.poly(left)), self.poly(right), Fraction(-1)))

    def where(self, chosen: Poly, then: Poly, otherwise: Poly) -> Poly:
        """C a + (1 - c) b; what is not chosen counts as 0 even where it has no value."""
        rest = add_into(dict(ONE), chosen, Fraction(-1))
        return add_into(dict(self.product(chosen, then)), self.product(rest, otherwise))

    def _apart(self, indices: tuple[Index, ...], body: Term) -> tuple[tuple[Index, ...], Poly]:
        """A sum's indices and body, where its letters are not those of free indices that differ."""
        clashing = [index for index in indices if any(index in pair for pair in self.distinct)]
        if not clashing:
            return indices, self.poly(body)
        fresh = self._fresh_letters(clashing)
        return tuple(fresh.get(index, index) for index in indices), self.poly(rename(body, fresh))

    def _fresh_letters(self, indices: Iterable[Index]) -> dict[Index, Index]:
        """Letters that nothing else has; like canonical ones they come after those that are written."""
        return {index: Index(f"~~{next(self._fresh)}", index.axis) for index in indices}

    def delta(self, left: Index, right: Index) -> Poly:
        """Delta of two indices."""
        if left == right:
            return ONE
        if isinstance(left, Place) or isinstance(right, Place):
            return equal(self, left, right)
        if frozenset((left, right)) in self.distinct:
            return {}
        return _single(delta_atom(left, right))

    def call(self, name: str, arguments: tuple[Term, ...]) -> Poly:
        """A function: through exp where it is elementary, else an atom."""
        if name == POWER:
            return self.poly(through_exp(*arguments))
        row = PRIMITIVES[name]
        if row.elementary is not None:
            return self.poly(row.elementary(*arguments))
        if name == "log":
            check_divisor(self, *arguments)
        return self.function(name, [self.poly(argument) for argument in arguments])

    def function(self, name: str, arguments: list[Poly]) -> Poly:
        """A function that is not elementary, of canonical arguments."""
        if name == "exp":
            return self.exp(arguments[0])
        if name == "log":
            return self.log(arguments[0])
        if name in PARITY and arguments[0]:
            (argument,) = arguments
            if argument[max(argument, key=order_key)] < 0:
                turned = call_atom(name, (freeze(scaled(argument, Fraction(-1))),))
                return scaled(_single(turned), Fraction(PARITY[name]))
        return _single(call_atom(name, tuple(map(freeze, arguments))))

    def exp(self, argument: Poly) -> Poly:
        """The exponential of a sum: powers of exponentials of its terms, and u^c for a term c log u."""
        exponents: dict[Atom, Fraction] = {}
        powers = []
        for monomial, coefficient in argument.items():
            inner = logarithm_in(monomial)
            if inner is None:
                exponents[exp_atom(monomial)] = coefficient
            else:
                powers.append(self.power(dict(inner), coefficient))
        return self.product({monomial_of(exponents): Fraction(1)}, *powers)

    def log(self, argument: Poly) -> Poly:
        """A product's logarithm is the sum of p log a for positive factors a^p, where log a is m for a = exp(m)."""
        if not argument:
            raise ZeroDivisionError("the logarithm of 0")
        (value, monomial), inside = root_content(argument)
        total: Poly = {}
        for prime, multiplicity in factor_integer(value):
            add_into(total, _single(log_atom({UNIT: Fraction(prime)})), multiplicity)
        for atom, exponent in monomial:
            add_into(total, self._log_of(atom), exponent)
        settled = self._settled(inside)
        if settled != inside:
            return add_into(total, self.log(settled))
        return total if inside == ONE else add_into(total, _single(log_atom(inside)))

    def _log_of(self, atom: Atom) -> Poly:
        """The logarithm of an atom that is positive where the logarithm is defined."""
        if atom.kind == "exp":
            return {atom.data[0]: Fraction(1)}
        if atom.kind == "prime":
            return _single(log_atom({UNIT: Fraction(atom.data[0])}))
        return self.log(dict(atom.data[0])) if atom.kind == "pow" else _single(log_atom(_single(atom)))

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
        self._work += 1 + len(exponents) // 8
        if self._work > MAX_WORK:
            raise TooLargeError(f"an expression takes more than {MAX_WORK} steps to bring into canonical form")
        for atom, exponent in sorted(exponents.items(), key=lambda item: item[0]):
            if not exponent:
                del exponents[atom]
            elif atom.kind == "delta":
                return self._apply_delta(atom, exponents)
            elif (found := self._indicator_in(atom, exponents)) is not None:
                return found
            elif whole := _whole_part(atom, exponent):
                exponents[atom] = exponent - whole
                return self.product(self.normal(exponents), self.power(dict(atom.data[0]), whole))
            elif atom.kind == "call" and atom.data[0] == "sin" and exponent >= 2:
                exponents[atom] = exponent - 2
                return self.product(self.normal(exponents), self._sine_squared(atom))
            elif atom.kind == "prime" and not 0 < exponent < 1:
                floor = exponent.__floor__()
                exponents[atom] = exponent - floor
                return scaled(self.normal(exponents), Fraction(atom.data[0] ** abs(floor)) ** (1 if floor > 0 else -1))
        return self._reduce(exponents)

    def _indicator_in(self, atom: Atom, exponents: dict[Atom, Fraction]) -> Poly | None:
        """What an indicator does to a product in which it stands; None where it has nothing to do."""
        if atom.kind == "equation":
            return apply_equation(self, atom, exponents)
        return apply_sign(self, atom, exponents) if atom.kind == "sign" else None

    def _sine_squared(self, atom: Atom) -> Poly:
        """sin(u)^2 = 1 - cos(u)^2."""
        return add_into(dict(ONE), {((call_atom("cos", atom.data[1]), Fraction(2)),): Fraction(-1)})

    def _apply_delta(self, atom: Atom, exponents: dict[Atom, Fraction]) -> Poly:
        """delta_ij f_j = delta_ij f_i, with the smaller letter kept; delta^r = delta for r > 0."""
        if exponents.pop(atom) < 0:
            raise ZeroDivisionError("a division by a delta")
        keep, drop = atom.data
        total: Poly = {}
        for monomial, coefficient in self.rename(self.normal(exponents), {drop: keep}).items():
            add_into(total, {monomial_of({**dict(monomial), atom: Fraction(1)}): coefficient})
        return total

    def _reduce(self, exponents: dict[Atom, Fraction]) -> Poly:
        """Apply lead(B) B^-r = (B^(1-r) - rest B^-r) / lc, and the same from the lowest term."""
        for atom, exponent in sorted(exponents.items(), key=lambda item: item[0]):
            if atom.kind != "pow" or exponent > -1:
                continue
            for part in (lead_of(atom), tail_of(atom)):
                quotient = part.divide(exponents) if part is not None else None
                if part is not None and quotient is not None:
                    return self._taken_apart(atom, exponent, quotient, part)
        return {monomial_of(exponents): Fraction(1)}

    def _taken_apart(self, atom: Atom, exponent: Fraction, quotient: dict[Atom, Fraction], part: Lead | Tail) -> Poly:
        """The rule m part B^-r = m (B^(1-r) - rest B^-r) for a term `part` of B, leading or lowest."""
        total = scaled(self.normal({**quotient, atom: exponent + 1}), 1 / part.coefficient)
        for monomial, coefficient in part.rest.items():
            exponents = dict(quotient)
            for other, e in monomial:
                exponents[other] = exponents.get(other, Fraction(0)) + e
            add_into(total, self.normal(exponents), -coefficient / part.coefficient)
        return total

    def power(self, base: Poly, exponent: Fraction) -> Poly:
        """The power base ** exponent, on the domain where it is defined."""
        if exponent == 0:
            return ONE
        if not base:
            if exponent < 0:
                raise ZeroDivisionError("0 to a negative power")
            return {}
        if exponent.denominator == 1 and exponent > 0:
            return self._repeated(base, int(exponent))
        whole = exponent.denominator == 1
        outside, inside = content(base) if whole else root_content(base)
        front = self._power_of_content(outside, exponent)
        if inside == ONE:
            return front
        settled = self._settled(inside)
        if settled != inside:
            return self.product(front, self.power(settled, exponent))
        return self.product(front, self._power_of_rest(inside, exponent))

    def _settled(self, base: Poly) -> Poly:
        """A base from which powers have left, multiplied out where that made others positive."""
        if not any(atom.kind == "pow" and e > 0 for monomial in base for atom, e in monomial):
            return base
        total: Poly = {}
        for monomial, coefficient in base.items():
            add_into(total, self.normal(dict(monomial)), coefficient)
        return total

    def _repeated(self, base: Poly, exponent: int) -> Poly:
        """A positive integer power, by squaring."""
        if exponent > MAX_REPEATED and any(abs(c) != 1 for c in base.values()):
            raise TooLargeError(f"a power with exponent {exponent} is too large to be exact")
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
            if value not in (1, -1) and abs(exponent) > MAX_REPEATED:
                raise TooLargeError(f"a power with exponent {exponent} is too large to be exact")
            return scaled(self.normal(exponents), value**exponent.numerator)
        for prime, multiplicity in factor_integer(value):
            atom = prime_atom(prime)
            exponents[atom] = exponents.get(atom, Fraction(0)) + multiplicity * exponent
        return self.normal(exponents)

    def _power_of_rest(self, base: Poly, exponent: Fraction) -> Poly:
        """The power of a base that stays whole: only exponents <= 0 are kept as an atom."""
        if exponent < 0:
            return self.normal({pow_atom("pow", base): exponent})
        whole = -((-exponent).__floor__())
        return self.product(
            self._repeated(base, whole), {monomial_of({pow_atom("pow", base): exponent - whole}): Fraction(1)}
        )

    def sum(self, indices: tuple[Index, ...], body: PolyLike) -> Poly:
        """The sum of a polynomial over indices."""
        fresh = self._fresh_letters(indices)
        total: Poly = {}
        for monomial, coefficient in self.rename(body, fresh).items():
            add_into(total, self._sum_monomial(set(fresh.values()), monomial), coefficient)
        return total

    def _sum_monomial(self, bound: set[Index], monomial: Monomial) -> Poly:
        """The sum of one monomial over freshly named indices."""
        if (found := picked(bound, monomial)) is not None:
            return self._collapse(bound, monomial, *found)
        if any(_opens(atom, exponent, bound) for atom, exponent in monomial):
            return self._flattened(bound, monomial)
        outside = {atom: e for atom, e in monomial if bound.isdisjoint(atom.free)}
        inside = [(atom, e) for atom, e in monomial if not bound.isdisjoint(atom.free)]
        result = self.normal(outside)
        for component, part in split_leading(bound, inside):
            if not part:
                (index,) = component
                result = self.product(result, _single(size_atom(index.axis)))
            else:
                result = self.product(result, self._labelled(component, part))
        return result

    def _labelled(self, indices: tuple[Index, ...], body: Monomial) -> Poly:
        """The sum of one connected component, with canonical letters."""
        if not mixes_letters(indices, body):
            found = canonical_sum(indices, body, self.rename)
            if found is not None:
                return found
        return self._averaged(indices, body)

    def _averaged(self, indices: tuple[Index, ...], body: Monomial) -> Poly:
        """The rule sum f = sum (f + f' + ...) / n over the ways to name letters that look alike.

        In x_i / (x_i + x_k) the leading term of the divisor depends on the letters, so that a name
        cannot be chosen before dividing. The mean over all names does not depend on a choice. A term
        in which a divisor has gone, or has a smaller power, is summed anew.
        """
        total: Poly = {}
        names = alike_names(indices, body)
        for each in names:
            add_into(total, self.rename({body: Fraction(1)}, each), Fraction(1, len(names)))
        letters = set(names[0].values())
        result: Poly = {}
        for monomial, coefficient in total.items():
            inside = tuple(item for item in monomial if not letters.isdisjoint(item[0].free))
            if same_divisors(inside, body):
                outside = tuple(item for item in monomial if item not in inside)
                part = self.product({outside: Fraction(1)}, _single(sum_atom(tuple(sorted(letters)), inside)))
            else:
                part = self.sum(tuple(sorted(letters)), {monomial: Fraction(1)})
            add_into(result, part, coefficient)
        return result

    def _collapse(self, bound: set[Index], monomial: Monomial, atom: Atom, drop: Index, keep: Index) -> Poly:
        """sum_j delta_ij f_j = f_i: i lies in the range of j, because both run over one axis."""
        rest = tuple(item for item in monomial if item[0] != atom)
        total: Poly = {}
        for part, coefficient in self.rename({rest: Fraction(1)}, {drop: keep}).items():
            add_into(total, self._sum_monomial(bound - {drop}, part), coefficient)
        return total

    def _flattened(self, bound: set[Index], monomial: Monomial) -> Poly:
        """sum_i f_i sum_k g_ik = sum_ik f_i g_ik, for every inner sum that mentions a bound index."""
        bound = set(bound)
        factors: list[Poly] = []
        for atom, exponent in monomial:
            if not _opens(atom, exponent, bound):
                factors.append({((atom, exponent),): Fraction(1)})
                continue
            indices, body = atom.data
            for _ in range(int(exponent)):
                fresh = self._fresh_letters(indices)
                bound.update(fresh.values())
                factors.append(self.rename({body: Fraction(1)}, fresh))
        total: Poly = {}
        for part, coefficient in self.product(*factors).items():
            add_into(total, self._sum_monomial(bound, part), coefficient)
        return total

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


def _opens(atom: Atom, exponent: Fraction, bound: set[Index]) -> bool:
    """Whether a factor is an inner sum, to a whole power, that mentions a bound index."""
    return atom.kind == "sum" and exponent.denominator == 1 and exponent > 0 and not bound.isdisjoint(atom.free)


def _whole_part(atom: Atom, exponent: Fraction) -> Fraction:
    """The part of an exponent by which a "pow" or "abs" atom is multiplied out again.

    B^r for r > 0; B^-r for the whole part of r where something leaves the base; |b|^2k = b^2k.
    """
    if atom.kind == "pow" and exponent > 0:
        return exponent
    if atom.kind == "pow" and exponent <= -1 and not is_whole(atom):
        return ceiling(exponent)
    if atom.kind == "abs" and not 0 <= exponent < 2:
        return 2 * Fraction((exponent / 2).__floor__())
    return Fraction(0)


def _rename_entry(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    name, indices = atom.data
    return {((entry_atom(name, tuple(renamed(canon, i, mapping) for i in indices)), exponent),): Fraction(1)}


def _rename_delta(canon: Canonical, atom: Atom, _: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    left, right = (mapping.get(i, i) for i in atom.data)
    return canon.delta(left, right)


def _rename_exp(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    return canon.exp(scaled(canon.rename({atom.data[0]: Fraction(1)}, mapping), exponent))


def _rename_call(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    name, arguments = atom.data
    return canon.power(canon.function(name, [canon.rename(argument, mapping) for argument in arguments]), exponent)


def _rename_pow(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    return canon.power(canon.rename(atom.data[0], mapping), exponent)


def _rename_abs(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    renamed = canon.rename(atom.data[0], mapping)
    if len(renamed) == 1:
        return canon.power(canon.power(renamed, Fraction(2)), exponent / 2)
    if not renamed:
        return canon.power(renamed, exponent)
    return canon.normal({pow_atom("abs", renamed): exponent})


def _rename_sum(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    indices, body = atom.data
    renamed = canon.sum(indices, canon.rename({body: Fraction(1)}, mapping))
    return canon.power(renamed, exponent)


_RENAME: dict[str, Callable[[Canonical, Atom, Fraction, Mapping[Index, Index]], Poly]] = {
    "entry": _rename_entry,
    "delta": _rename_delta,
    "equation": rename_equation,
    "exp": _rename_exp,
    "call": _rename_call,
    "pow": _rename_pow,
    "abs": _rename_abs,
    "sum": _rename_sum,
    "sign": rename_sign,
    "position": rename_position,
    "reduce": rename_reduce,
}
