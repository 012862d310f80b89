"""Layers and gradients to SymPy and back: the same layer, and the same numbers by SymPy's own evaluation."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

import pytest
from random_layers import random_layer

import symgrad
from symgrad.algebra.binding import rename
from symgrad.algebra.terms import Index, rename_axes
from symgrad.check.samples import sensible_point
from symgrad.errors import InputError
from symgrad.notation.library import from_text, gallery, load
from symgrad.notation.unparse_layer import unparse_layer
from symgrad.prove.evaluate import Evaluator
from symgrad.prove.numbers import Real
from symgrad.prove.sizes import fitted
from symgrad.prove.verdict import Prover

sympy = pytest.importorskip("sympy")
DIGITS = 30


def differences(one, other) -> list[str]:
    """The definitions of `one` that are not proved equal to those of `other`, up to letters and axes' names."""
    ours, theirs = ((*layer.tensors, *layer.definitions) for layer in (one, other))
    axes = {b.axis: a.axis for left, right in zip(ours, theirs, strict=True)
            for a, b in zip(left.indices, right.indices, strict=True)}  # fmt: skip
    prover, found = Prover(one), []
    for left, right in zip(one.definitions, other.definitions, strict=True):
        letters = {Index(b.name, axes[b.axis]): a for a, b in zip(left.indices, right.indices, strict=True)}
        if left.name != right.name or not prover.same(left.body, rename(rename_axes(right.body, axes), letters)):
            found.append(left.name)
    return found


@pytest.mark.parametrize("name", gallery())
def test_a_layer_comes_back_the_same(name):
    record = load(name)
    there = symgrad.Layer.of(record).to_sympy()
    back = symgrad.Layer.from_sympy(there)
    flat = from_text(unparse_layer(record), name)
    assert differences(flat, back.record) == []
    assert (back.name, back.outputs, back.record.order) == (name, flat.outputs, flat.order)
    assert back.doc.split() == record.doc.split()
    assert [(c.name, c.default) for c in back.record.constants] == [(c.name, c.default) for c in flat.constants]
    assert sum(a.variadic for a in back.record.axes) == sum(a.variadic for a in flat.axes)
    assert [(t.name, t.role, t.into != "") for t in back.record.tensors] == [
        (t.name, t.role, t.into != "") for t in flat.tensors
    ]
    assert [c.is_whole for c in back.record.constants] == [c.is_whole for c in flat.constants]
    assert len(back.record.fits) == len(flat.fits)
    again = back.to_sympy()
    assert (again.equations, again.labels, again.lengths, again.fitted) == (
        there.equations, there.labels, there.lengths, there.fitted,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_random_layers_come_back_the_same(seed):
    layer = symgrad.Layer(random_layer(seed, 2))
    back = symgrad.Layer.from_sympy(layer.to_sympy())
    assert differences(layer.record, back.record) == []


def test_a_sum_of_what_does_not_depend_on_its_letter():
    layer = symgrad.Layer("input x[s, c]\nm = sum[s, c](3)\ny[s, c] = m * x[s, c]\noutput y\n")
    back = symgrad.Layer.from_sympy(layer.to_sympy())
    assert differences(layer.record, back.record) == []


def test_the_comparison_can_say_no():
    one = from_text("input x[i]\ny[i] = 2 * x[i]\noutput y\n")
    other = from_text("input x[i]\ny[i] = 3 * x[i]\noutput y\n")
    assert differences(one, other) == ["y"]


class Concrete:
    """A SymPy expression about a layer at a point, evaluated by SymPy alone: `subs` for the lengths, then `doit`."""

    def __init__(self, layer, record, point, evaluator) -> None:
        self.point, self.evaluator = point, evaluator
        sizes = layer.to_sympy().sizes
        self.sizes = {sizes[axis]: length for axis, length in point.sizes.items()}
        symbols = {str(symbol): symbol for symbol in layer.to_sympy().constants}
        whole = [constant.name for constant in record.constants if constant.is_whole]
        self.sizes |= {symbols[name]: sympy.Integer(int(point.value(name, ()))) for name in whole}
        self.labels = record.labels
        names = {d.name.replace(".", "_"): d.name for d in record.definitions}
        self.own = names | {f"d_{plain}": f"d_{name}" for plain, name in names.items()}

    def value(self, expression, places):
        """Its value where the free letters have places."""
        whole = expression.xreplace(places).subs(self.sizes).doit()
        labels = {node for node in whole.atoms(sympy.Indexed) if str(node.base.label) in self.labels}
        whole = whole.xreplace({node: self.number(node) for node in labels})
        atoms = {node: self.number(node) for node in whole.atoms(sympy.Indexed) | self.scalars(whole)}
        return sympy.N(whole.xreplace(atoms), DIGITS)

    def scalars(self, whole) -> set:
        bases = {label for base in whole.atoms(sympy.IndexedBase) for label in base.free_symbols}
        return whole.atoms(sympy.Symbol) - bases

    def number(self, node):
        indexed = isinstance(node, sympy.Indexed)
        name, key = (str(node.base.label), tuple(map(int, node.indices))) if indexed else (node.name, ())
        value = self.evaluator.entry(self.own.get(name, name), key)
        return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else sympy.Float(
            str(value), DIGITS + 10)  # fmt: skip


@pytest.mark.parametrize("name", gallery())
def test_gradients_have_the_values_that_sympy_computes(name):
    layer = symgrad.layer(name)
    record = layer.derive().record.layer  # in which an output that is used further has two names
    sizes = fitted(record, {axis.name: 2 + place % 2 for place, axis in enumerate(record.axes)})
    point = sensible_point(record, sizes, 3)
    evaluator = Evaluator(record, point, Real(DIGITS + 10))
    concrete = Concrete(layer, record, point, evaluator)
    for gradient in layer.derive().gradients:
        equation = gradient.to_sympy()
        letters = equation.lhs.indices if isinstance(equation.lhs, sympy.Indexed) else ()
        last = tuple(sizes[index.axis] - 1 for index in gradient.entry.indices)
        for key in {(0,) * len(letters), last}:
            found = concrete.value(equation.rhs, dict(zip(letters, map(sympy.Integer, key), strict=True)))
            wanted = sympy.Float(str(evaluator.entry(gradient.entry.name, key)), DIGITS)
            assert abs(found - wanted) < 1e-20 * max(1, abs(wanted)), (gradient.name, key)


CLAIMS = (
    "batch_norm", "softmax", "attention", "layer_norm", "cumsum", "causal_attention", "conv1d", "conv2d", "avg_pool",
    "local_response_norm", "nll", "embedding", "cross_entropy_labels",
)  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_a_gradient_in_sympy_is_a_claim_that_is_proved(name):
    layer = symgrad.layer(name)
    for gradient in layer.derive().gradients:
        equation = gradient.to_sympy()
        assert layer.prove(equation).proved
        assert layer.prove(sympy.Eq(equation.lhs, 2 * equation.rhs)).refuted


def test_a_claim_with_a_second_letter_for_a_window_is_refused():
    """A claim's letter takes its dimension from where it stands alone; max_pool's second window never does."""
    layer = symgrad.layer("max_pool")
    with pytest.raises(InputError, match="this place may lie outside"):
        layer.prove(layer.gradient("x").to_sympy())


def test_no_letter_is_used_twice_in_nested_sums():
    for name in gallery():
        for equation in symgrad.layer(name).to_sympy().equations:
            for node in sympy.preorder_traversal(equation.rhs):
                limits = getattr(node, "limits", ())
                bound = {limit[0] for limit in limits}
                inner = [x for x in sympy.preorder_traversal(node.args[0]) if hasattr(x, "limits")] if limits else []
                assert not bound & set(chain.from_iterable(x.bound_symbols for x in inner))
                left = equation.lhs.indices if isinstance(equation.lhs, sympy.Indexed) else ()
                assert not bound & set(left)


def test_names_that_sympy_would_confuse_are_kept_apart():
    layer = symgrad.Layer("input i[i], N_i\ny[i] = i[i] * N_i / size[i] + sum[i](i[i])\noutput y\n")
    there = layer.to_sympy()
    names = [symbol.name for symbol in there.equations[0].atoms(sympy.Symbol)]
    assert len(names) == len(set(names))
    assert differences(layer.record, symgrad.Layer.from_sympy(there).record) == []


def test_largest_and_smallest_values_over_an_axis():
    from symgrad.door.over import MaxOver, MinOver

    layer = symgrad.Layer("input x[i, j]\ny[i] = max[j](x[i, j]) - min[j](2 * x[i, j])\noutput y\n")
    (equation,) = layer.to_sympy().equations
    x, (i, j) = sympy.IndexedBase("x"), sympy.symbols("i j", integer=True)
    size = sympy.Symbol("N", integer=True)
    largest = MaxOver(x[i, j], (j, 0, size - 1))
    assert {type(node) for node in sympy.preorder_traversal(equation)} >= {MaxOver, MinOver}
    assert largest.doit() == largest and largest.subs(size, 2).doit() == sympy.Max(x[i, 0], x[i, 1])
    assert MinOver(x[0, j], (j, 1, 2)).doit() == sympy.Min(x[0, 1], x[0, 2])
    assert sympy.latex(largest) == r"\max_{j} \left({x}_{i,j}\right)"
    assert largest.free_symbols >= {i, size} and j not in largest.subs(size, 2).doit().free_symbols
    assert differences(layer.record, symgrad.Layer.from_sympy(layer.to_sympy()).record) == []


def test_sympy_takes_cases_out_of_a_sum_and_symgrad_does_not_let_it(monkeypatch):
    """Without the detour through products the letter j leaves the sum that binds it."""
    from symgrad.door import to_sympy
    from symgrad.errors import SymgradError

    text = "input x[i], v[i, j]\ny = sum[i](x[i] * sum[j](where(v[i, j] > 0, v[i, j], 1)))\noutput y\n"
    layer = symgrad.Layer(text)
    assert differences(layer.record, symgrad.Layer.from_sympy(layer.to_sympy()).record) == []
    monkeypatch.setattr(to_sympy, "_would_leak", lambda *_: False)
    with pytest.raises(SymgradError, match="out of the sum that binds it"):
        layer.to_sympy()


def test_an_index_without_a_symbol_is_said():
    from symgrad.algebra.terms import Entry
    from symgrad.door.to_sympy import Symbols
    from symgrad.errors import SymgradError

    record = load("softmax")
    with pytest.raises(SymgradError, match="has no symbol here; add its form to"):
        Symbols.of(record).expression(Entry("x", record.tensors[0].indices), {})
