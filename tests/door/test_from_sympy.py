"""Layers that a SymPy user writes, and SymPy objects that are no layer."""

from __future__ import annotations

import os

import pytest

import symgrad
from symgrad.errors import InputError

sympy = pytest.importorskip("sympy")
from sympy import Eq, Heaviside, Idx, IndexedBase, Max, Piecewise, Product, Sum, Symbol, exp, log, sqrt, symbols  # noqa: E402

N, C = symbols("N C", integer=True, positive=True)
s, c, k = symbols("s c k", integer=True)
x, y, w, beta, mu, var = map(IndexedBase, ("x", "y", "w", "beta", "mu", "var"))
eps = Symbol("eps")


def layer(*equations, **given):
    given = {"inputs": x[s, c], "parameters": [w[c], beta[c]], "constants": {eps: "1e-5"}, "outputs": y} | given
    return symgrad.Layer.from_sympy(list(equations), **given)


def test_batch_norm_as_a_sympy_user_writes_it():
    mean = Eq(mu[c], Sum(x[s, c], (s, 0, N - 1)) / N)
    variance = Eq(var[c], Sum((x[k, c] - mu[c]) ** 2, (k, 0, N - 1)) / N)
    out = Eq(y[s, c], w[c] * (x[s, c] - mu[c]) / sqrt(var[c] + eps) + beta[c])
    found = layer(mean, variance, out, name="mine", doc="Mine.")
    assert found.text.split("\n") == [
        '"""Mine.', '"""', "input x[s, c]", "parameter w[c]", "parameter beta[c]", "constant eps = 1e-5",
        "mu[c] = sum[s](x[s, c])/size[s]", "var[c] = sum[k]((x[k, c] - mu[c])**2)/size[s]",
        "y[s, c] = beta[c] + (x[s, c] - mu[c])*w[c]/sqrt(eps + var[c])", "output y", "",
    ]  # fmt: skip
    assert found.derive().proved
    assert found.prove("d_beta[c] = sum[s](d_y[s, c])")


@pytest.mark.parametrize(
    ("right", "text"),
    [
        (x[s, c] ** 2 / 2 - 3 * x[s, c], "x[s, c]**2/2 - 3*x[s, c]"),
        (x[s, c] * 0.25 + sympy.Float("1e-30"), "0.25*x[s, c] + 1e-30"),
        (1 / (1 + exp(-x[s, c])) ** 2, "sigmoid(x[s, c])**2"),
        (log(1 + exp(x[s, c])) * sympy.pi, "pi*softplus(x[s, c])"),
        (Max(x[s, c], 0), "maximum(0, x[s, c])"),
        (Heaviside(x[s, c]), "((1 + sign(x[s, c]))/2)"),
        (Heaviside(x[s, c], 0), "where(0 < x[s, c], 1, 0)"),
        (w[c] ** x[s, c], "w[c]**(x[s, c])"),
        (sqrt(2) * x[s, c], "sqrt(2)*x[s, c]"),
        (Piecewise((x[s, c], (x[s, c] > 0) & (s <= c)), (0, True)), None),
        (Product(1 + x[s, k], (k, 0, C - 1)) * x[s, c], "x[s, c]*prod[k](x[s, k] + 1)"),
        (x[s, c] / N * Sum(x[k, c], (k, 0, N - 1)), "x[s, c]*sum[k](x[k, c])/size[k]"),
        (sympy.digamma(x[s, c]) + sympy.loggamma(x[s, c]), "lgamma(x[s, c]) + digamma(x[s, c])"),
    ],
)  # fmt: skip
def test_expressions_in_the_notation(right, text):
    found = layer(Eq(y[s, c], right))
    line = found.text.split("\n")[-3]
    assert text is None or line == f"y[s, c] = {text}"
    assert found.record.definitions[0].body.free == set(found.record.definitions[0].indices)


def test_indices_with_ranges_shapes_and_letters_that_meet_twice():
    i, j = Idx("i", N), Idx("j", C)
    a, v, out = IndexedBase("a", shape=(N, C)), IndexedBase("v", shape=(C,)), IndexedBase("r", shape=(N,))
    found = symgrad.Layer.from_sympy(Eq(out[i], Sum(a[i, j] * v[j], j)), inputs=a[i, j], parameters=v[j], outputs=out)
    assert found.text == "input a[i, j]\nparameter v[j]\nr[i] = sum[j](a[i, j]*v[j])\noutput r\n"
    one, two, g = symbols("one two g", integer=True)
    square = IndexedBase("u", shape=(N, N))
    found = symgrad.Layer.from_sympy(
        Eq(out[one], Sum(square[one, two] * square[two, one], (two, 0, N - 1))), inputs=square[one, g], outputs=out
    )
    assert "input u[one, g=one]" in found.text and found.derive().proved


def test_a_letter_that_runs_over_two_axes_gets_two_names():
    b, q = IndexedBase("b"), IndexedBase("q")
    first = Eq(mu[c], Sum(x[k, c], (k, 0, N - 1)))
    second = Eq(y[s, c], x[s, c] * mu[c] * Sum(x[s, k], (k, 0, C - 1)))
    assert layer(first, second).text.split("\n")[4:6] == [
        "mu[c] = sum[k](x[k, c])", "y[s, c] = mu[c]*x[s, c]*sum[k1](x[s, k1])",
    ]  # fmt: skip
    dummy = sympy.Dummy("k", integer=True)
    assert layer(Eq(y[s, c], x[s, c] + Sum(x[s, dummy], (dummy, 0, C - 1)))).derive().proved
    assert b != q


def test_sums_that_count_from_one():
    assert layer(Eq(y[s, c], x[s, c] / N * Sum(x[k, c], (k, 1, N)))).derive().proved


def test_claims_in_sympy():
    found = layer(Eq(y[s, c], w[c] * x[s, c] + beta[c]))
    d_y, d_w = IndexedBase("d_y"), IndexedBase("d_w")
    size = found.to_sympy().sizes["s"]
    claim = Eq(d_w[c], Sum(d_y[s, c] * x[s, c], (s, 0, size - 1)))
    assert found.prove(claim).proved
    assert found.prove(Eq(d_w[c], claim.rhs / size)).refuted


@pytest.mark.parametrize(
    "chosen",
    [
        sympy.KroneckerDelta(s, 1),
        Heaviside(N - 1 - s, 0),
        Heaviside(s - 2, 1),
        Piecewise((1, 2 * s < N), (0, True)),
        Piecewise((1, s < 2), (0, True)),
    ],
)
def test_an_index_that_counts_from_one_is_compared_to_no_number(chosen):
    """Text counts from 0: the first entry would become the second one."""
    v = IndexedBase("v")
    with pytest.raises(InputError, match="counts from 1"):
        layer(Eq(mu[c], Sum(chosen * x[s, c], (s, 1, N))), outputs=mu)
    found = layer(Eq(mu[c], Sum(chosen * x[s, c], (s, 0, N - 1))), outputs=mu)
    size = found.to_sympy().sizes["s"]
    with pytest.raises(InputError, match="counts from 1"):
        found.prove(Eq(mu[c], Sum((chosen * x[s, c]).subs(N, size), (s, 1, size))))
    assert layer(Eq(v[c], Sum(Heaviside(k - s, 1) * x[s, c] * x[k, c], (s, 1, N), (k, 1, N))), outputs=v).text


def nested(depth: int):
    """sin(sin(…))."""
    found = x[s, c]
    for _ in range(depth):
        found = sympy.sin(found, evaluate=False)
    return found


HOSTILE = Symbol("__import__('os').system('touch pwned')")
WRONG = {
    "text": (["y[s, c] = x[s, c]"], "'y[s, c] = x[s, c]' is not a SymPy object but a str."),
    "code": ([Eq(y[s, c], x[s, c] * HOSTILE)], "cannot be a name"),
    "code as a tensor": ([Eq(y[s, c], IndexedBase(HOSTILE.name)[s, c])], "cannot be a name"),
    "a letter that is code": ([Eq(y[s, c], Sum(x[HOSTILE, c], (HOSTILE, 0, N - 1)))], "cannot be a"),
    "a keyword": ([Eq(y[s, c], x[s, c] * Symbol("lambda"))], "'lambda' cannot be a name"),
    "a gradient as a name": ([Eq(IndexedBase("d_q")[s, c], x[s, c])], "'d_q' cannot be a name"),
    "two symbols": ([Eq(y[s, c], x[s, c] * Symbol("eps", real=True))], "two different objects are called eps: one"),
    "two letters": ([Eq(y[s, c], x[Symbol("s"), c])], "two different objects are called s: one"),
    "two tensors": ([Eq(y[s, c], IndexedBase("x", shape=(N, C))[s, c])], "two different objects are called x: one"),
    "part of an axis": ([Eq(y[s, c], Sum(x[k, c], (k, 0, s)))], "k runs from 0 to s."),
    "a fixed length": ([Eq(mu[c], Sum(x[s, c], (s, 0, 4)))], "s runs from 0 to 4."),
    "two counts": ([Eq(y[s, c], x[s, c] * Sum(x[k, c], (k, 0, N - 1)) * Sum(x[s, k], (k, 1, C)))],
                   "some indices count from 0 and some from 1"),
    "counted from one": ([Eq(y[s, c], Sum(Piecewise((x[k, c], k < 3), (0, True)), (k, 1, N)) + x[s, c])],
                         "an index that counts from 1 is compared to a number"),
    "two lengths": ([Eq(y[s, c], x[s, c] + Sum(IndexedBase("v", shape=(C,))[k], (k, 0, N - 1)))], "index k runs to N"),
    "a function": ([Eq(y[s, c], sympy.Function("f")(x[s, c]))], "f is no function of the notation"),
    "a function called exp": ([Eq(y[s, c], sympy.Function("exp")(x[s, c]))], "exp is no function of the notation"),
    "a complex number": ([Eq(y[s, c], sympy.I * x[s, c])], "ImaginaryUnit has no form in the notation"),
    "infinity": ([Eq(y[s, c], x[s, c] * Max(sympy.oo, 1))], "is no number of the notation"),
    "a shifted entry": ([Eq(y[s, c], x[s + 1, c])], "this place lies outside of the dimension"),
    "no place": ([Eq(y[s, c], x[sympy.sin(s), c])], "an index letter is expected here"),
    "a value as a place": ([Eq(y[s, c], x[w[c], c])], "w is no label, and only labels point into a dimension"),
    "an index as a number": ([Eq(y[s, c], s * x[s, c])], "s is an index, not a number"),
    "axes that differ": ([Eq(y[s, c], x[c, s])], "index c stands where x has s"),
    "an open case": ([Eq(y[s, c], Piecewise((x[s, c], x[s, c] > 0)))], "this Piecewise has no value elsewhere"),
    "always true": ([Eq(y[s, c], y[s, c])], "True holds always: both sides are the same."),
    "no equation": ([x[s, c] + 1], "is no equation"),
    "a left side": ([Eq(2 * x[s, c], y[s, c] + 1)], "cannot stand on the left side"),
    "a derivative": ([Eq(y[s, c], sympy.Derivative(exp(eps), eps))], "a derivative is not read"),
    "a long number": ([Eq(y[s, c], x[s, c] * 10**5000)], "a number here is too long"),
    "deep": ([Eq(y[s, c], nested(120))], "nested more than 100 deep"),
    "deeper": ([Eq(y[s, c], nested(3000), evaluate=False)], "nested"),
    "wide": ([Eq(y[s, c], sympy.Add(*[x[s, c]] * 30000, evaluate=False), evaluate=False)],
             "this expression has more than 20000"),
    "unknown": ([Eq(y[s, c], x[s, c] * Symbol("q"))], "q is not defined"),
    "out of order": ([Eq(y[s, c], mu[c] * x[s, c]), Eq(mu[c], w[c])], "mu is not defined"),
    "twice": ([Eq(y[s, c], x[s, c]), Eq(y[s, c], 2 * x[s, c])], "y is defined twice"),
    "a free Dummy": ([Eq(y[s, c], x[s, c] * sympy.Dummy("q"))], "is a Dummy, which has no name of its own"),
    "nothing": ([], "y is not defined by an equation"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_layer_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    equations, message = WRONG[name]
    with pytest.raises(InputError) as error:
        layer(*equations)
    assert message in str(error.value)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing was run


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": x}, "the indices of x are missing"),
        ({"inputs": x[s, 0]}, "0 is no index letter"),
        ({"targets": IndexedBase("v", shape=(3, C))[s, c]}, "the length 3 is no symbol"),
        ({"inputs": "x[s, c]"}, "is not a SymPy object but a str"),
        ({"inputs": x[s, c] + 1}, "has no name"),
        ({"constants": {eps: "1; import os"}}, "<sympy>:"),
        ({"constants": {eps: "1e-5\ny[s, c] = 2"}}, "the default of eps is no number"),
        ({"constants": {eps: None}}, "the default of eps is no number"),
        ({"constants": {"eps": 1}}, "is not a SymPy object"),
        ({"outputs": []}, "this layer has no output"),
        ({"outputs": mu}, "mu is not defined by an equation"),
        ({"order": ["v"]}, "'v' in the order of the arguments is not declared"),
        ({"name": "a b"}, "'a b' cannot be a layer's name"),
    ],
)
def test_what_is_declared_wrong_is_refused(given, message):
    with pytest.raises(InputError) as error:
        layer(Eq(y[s, c], x[s, c] + beta[c]), **given)
    assert message in str(error.value)


def test_a_docstring_cannot_end_itself():
    doc = 'Mine.\n"""\nparameter evil\n"""'
    found = layer(Eq(y[s, c], x[s, c] + beta[c]), doc=doc)
    assert found.parameters == ("w", "beta") and "parameter evil" in found.doc
