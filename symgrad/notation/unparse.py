"""Terms and layers printed back in symgrad's own notation: parsing the text gives the same again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, groupby

from symgrad.algebra.binding import fresh_letter, rename, transform_children
from symgrad.algebra.reading import inequality, signed_terms
from symgrad.algebra.terms import (
    ONE,
    Add,
    Binder,
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
    mul,
    negative,
    power,
    product_of_sizes,
    sum_over,
    walk,
)
from symgrad.errors import SymgradError
from symgrad.notation.layer import Constant, Definition, Layer, Tensor


def unparse(term: Term, layer: Layer) -> str:
    """A term over `layer` in the notation of claims.

    Bound letters that the layer uses for another dimension are renamed, because in the notation a
    letter belongs to one dimension throughout.
    """
    return _write(_Letters.of(layer).settle(term))


def unparse_layer(layer: Layer) -> str:
    """The text of an `.sg` file that defines `layer`, with every use of another layer written out.

    What a used layer defines, `y.mu`, becomes `y_mu`.
    """
    names = undotted(layer)
    letters = _Letters.of(layer)
    lines = [f'"""{layer.doc.replace(_QUOTES, _OTHER_QUOTES)}\n"""'] if layer.doc else []
    lines += [*_declarations(layer), ""]
    lines += [_definition(definition, names, letters) for definition in layer.definitions]
    lines += ["", f"output {', '.join(names[name] for name in layer.outputs)}"]
    return "\n".join(lines) + "\n"


_QUOTES, _OTHER_QUOTES = '"""', "'''"


@dataclass
class _Letters:
    """Which axis each letter of a text runs over."""

    axes: dict[str, str]

    @classmethod
    def of(cls, layer: Layer) -> _Letters:
        """The letters of a layer; an axis' own name is taken for that axis."""
        letters = cls({axis.name: axis.name for axis in layer.axes})
        for tensor in layer.tensors:
            letters.claim(tensor.indices)
        for definition in layer.definitions:
            letters.claim(definition.indices)
            for node in walk(definition.body):
                letters.claim(node.indices if isinstance(node, Binder) else ())
        return letters

    def claim(self, indices: Iterable[Index]) -> None:
        """Note letters; the first axis that takes a letter keeps it."""
        for index in indices:
            self.axes.setdefault(index.name, index.axis)

    def own(self, index: Index) -> Index:
        """The index under a letter that belongs to its axis."""
        if self.axes.setdefault(index.name, index.axis) == index.axis:
            return index
        found = fresh_letter(index, self.axes)
        self.axes[found.name] = found.axis
        return found

    def settle(self, term: Term) -> Term:
        """The term with each bound letter used for one axis only."""
        self.claim(sorted(term.free))
        if isinstance(term, Binder):
            mapping = {index: self.own(index) for index in term.indices}
            body = self.settle(rename(term.body, mapping))
            return term.rebind(tuple(mapping[index] for index in term.indices), body)
        return transform_children(term, self.settle)


def undotted(layer: Layer) -> dict[str, str]:
    """For each name of the layer one without dots: y_mu for y.mu, numbered where that is taken."""
    known = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants), *(d.name for d in layer.definitions)]
    names = {name: name for name in known if "." not in name}
    for name in known:
        if name not in names:
            plain = name.replace(".", "_")
            choices = (plain if number == 1 else f"{plain}{number}" for number in count(1))
            names[name] = next(choice for choice in choices if choice not in names.values())
    return names


def _declarations(layer: Layer) -> list[str]:
    """The declared tensors and constants in the order of the layer's arguments."""
    declared: dict[str, Tensor | Constant] = {tensor.name: tensor for tensor in layer.tensors}
    declared |= {constant.name: constant for constant in layer.constants}
    order = layer.order or tuple(declared)
    lines = []
    for role, group in groupby((declared[name] for name in order), key=_role):
        lines.append(f"{role} " + ", ".join(_declared(item, layer) for item in group))
    return lines


def _role(item: Tensor | Constant) -> str:
    return item.role if isinstance(item, Tensor) else "constant"


def _declared(item: Tensor | Constant, layer: Layer) -> str:
    """x[s, c, k...], or eps = 1e-5."""
    if isinstance(item, Constant):
        return f"{item.name} = {item.text or float(item.default)!s}"
    dimensions = [_dimension(index, layer) for index in item.indices]
    return item.name + (f"[{', '.join(dimensions)}]" if dimensions else "")


def _dimension(index: Index, layer: Layer) -> str:
    """k, k..., or k=j for a second letter of the dimension j."""
    if index.name != index.axis:
        return f"{index.name}={index.axis}"
    return index.name + ("..." if layer.axis(index.axis).variadic else "")


def _definition(definition: Definition, names: Mapping[str, str], letters: _Letters) -> str:
    """One equation."""
    mapping = {index: letters.own(index) for index in definition.indices}
    body = letters.settle(rename(_renamed(definition.body, names), mapping))
    return f"{_indexed(names[definition.name], mapping.values())} = {_write(body)}"


def _renamed(term: Term, names: Mapping[str, str]) -> Term:
    """The term with tensors under other names."""
    if isinstance(term, Entry):
        return Entry(names.get(term.name, term.name), term.indices)
    return transform_children(term, lambda child: _renamed(child, names))


def _write(term: Term) -> str:
    """A term."""
    if inequality(term):
        return _product(term)
    (minus, first), *rest = signed_terms(term)
    line = ("-" if minus else "") + _product(first)
    for minus, part in rest:
        line += f" {'-' if minus else '+'} {_product(part)}"
    return line


def _product(term: Term) -> str:
    """A term after its sign, its factors in order: a*b/c."""
    factors = term.factors if isinstance(term, Mul) else (term,)
    text = "".join(operator + factor for operator, factor in _operations(factors))
    return text[1:] if text.startswith("*") else f"1{text}"


def _operations(factors: tuple[Term, ...]) -> Iterator[tuple[str, str]]:
    """Each factor behind its operator, * or /.

    A condition goes around all that follows it, and a sum over its length is a mean.
    """
    rest = list(factors)
    while rest:
        factor = rest.pop(0)
        if (same := inequality(factor)) is not None:
            yield "*", f"where({same.left.name} != {same.right.name}, {_write(mul(*rest))}, 0)"
            return
        if rest and isinstance(total := rest[0], Sum) and factor == _inverse_length(total):
            del rest[0]
            yield "*", f"{_indexed('mean', total.indices)}({_write(total.body)})"
        elif isinstance(factor, Pow) and factor.exponent < 0:
            yield "/", _factor(power(factor.base, -factor.exponent))
        else:
            yield "*", _factor(factor)


def _inverse_length(total: Sum) -> Term:
    """1/(N_s N_k) for a sum over s and k; 1, which no factor is, where a letter is bound twice."""
    if len(set(total.indices)) < len(total.indices):
        return ONE
    return power(product_of_sizes(index.axis for index in total.indices), -1)


def _factor(term: Term) -> str:
    """One factor, which binds at least as tightly as a product."""
    match term:
        case Add() | Mul():
            return _write(term) if inequality(term) else f"({_write(term)})"
        case Num(value):
            return str(value) if value >= 0 else f"({value})"
        case Entry(name, indices):
            return _indexed(name, indices)
        case Size(axis):
            return f"size[{axis}]"
        case Delta(left, right):
            return f"where({left.name} == {right.name}, 1, 0)"
        case Pow(base, exponent):
            return _power(base, str(exponent))
        case Call(function, ()):
            return function
        case Call(function, arguments):
            return f"{function}({', '.join(map(_write, arguments))})"
        case Sum():
            return _sum(term)
        case Reduce(operation, indices, body):
            return f"{_indexed(operation, indices)}({_write(body)})"
        case Where(condition, then, otherwise):
            return f"where({_condition(condition)}, {_write(then)}, {_write(otherwise)})"
        case Compare():
            return f"where({_condition(term)}, 1, 0)"
        case Position(index):
            return index.name
        case Diff(body, wrt, total):
            return f"{'total' if total else 'partial'}({_write(body)}, {_write(wrt)})"
    raise SymgradError(f"a {type(term).__name__} has no form in the notation; add one to {__name__}")


def _condition(term: Term) -> str:
    """A condition: comparisons joined by and, their opposites by not."""
    if isinstance(term, Compare):
        return f"{_write(term.left)} {term.relation} {_write(term.right)}"
    if isinstance(term, Delta):
        return f"{term.left.name} == {term.right.name}"
    if (same := inequality(term)) is not None:
        return f"{same.left.name} != {same.right.name}"
    if isinstance(term, Mul):
        return " and ".join(f"({_condition(factor)})" for factor in term.factors)
    if isinstance(term, Add) and len(term.terms) == 2 and term.terms[0] == ONE:
        return f"not ({_condition(negative(term.terms[1]))})"
    raise SymgradError(f"a {type(term).__name__} is no condition of the notation; add one to {__name__}")


def _sum(term: Sum) -> str:
    """sum[s, k](body); a letter that is bound twice needs a sum of its own inside."""
    indices = term.indices
    first = next((place for place, index in enumerate(indices) if index in indices[:place]), len(indices))
    return f"{_indexed('sum', indices[:first])}({_write(sum_over(indices[first:], term.body))})"


def _power(base: Term, exponent: str) -> str:
    """base**n, sqrt(base), base**(3/2)."""
    if exponent == "1/2":
        return f"sqrt({_write(base)})"
    needs_parentheses = isinstance(base, Pow) or (isinstance(base, Num) and base.value.denominator != 1)
    text = f"({_write(base)})" if needs_parentheses else _factor(base)
    return f"{text}**{exponent if exponent.isdigit() else f'({exponent})'}"


def _indexed(name: str, indices: Iterable[Index]) -> str:
    """name[c, i], or the bare name of a scalar."""
    letters = ", ".join(index.name for index in indices)
    return f"{name}[{letters}]" if letters else name
