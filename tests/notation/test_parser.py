"""Each construct of the notation gives the layer that it means."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from symgrad.algebra.binding import alpha_equal
from symgrad.algebra.terms import (
    ONE,
    Call,
    Entry,
    Index,
    Num,
    Pow,
    Size,
    Sum,
    Term,
    add,
    delta,
    divide,
    mul,
    negative,
    power,
    sum_over,
)
from symgrad.errors import InputError
from symgrad.notation.bind import bind_constants
from symgrad.notation.layer import Axis, Layer
from symgrad.notation.library import from_text, gallery, load

S, C, K, I, J = (Index(letter, letter) for letter in "sckij")  # noqa: E741 - the letters of the formulas
HEAD = "input x[s, c]\nparameter w[c], g\nconstant eps = 1e-5\n"
X, W, G, EPS = Entry("x", (S, C)), Entry("w", (C,)), Entry("g"), Entry("eps")


def body(formula: str, left: str = "y[s, c]") -> Term:
    return from_text(f"{HEAD}{left} = {formula}\noutput {left.split('[')[0]}\n").definitions[0].body


def number(text: str) -> Num:
    return Num(Fraction(text))


# The file


def test_batch_norm_is_what_the_design_says() -> None:
    layer = load("batch_norm")
    assert layer.name == "batch_norm"
    assert layer.doc.startswith("Batch normalization of each channel")
    assert layer.doc.endswith("algorithm 1.")
    assert layer.axes == (Axis("s"), Axis("c"), Axis("k", variadic=True))
    assert [(t.name, [i.name for i in t.indices], t.role) for t in layer.tensors] == [
        ("x", ["s", "c", "k"], "input"),
        ("w", ["c"], "parameter"),
        ("beta", ["c"], "parameter"),
    ]
    assert [(c.name, c.default, c.text) for c in layer.constants] == [("eps", Fraction(1, 100_000), "1e-5")]
    assert layer.order == ("x", "w", "beta", "eps")
    assert [d.name for d in layer.definitions] == ["mu", "var", "y"]
    assert layer.outputs == ("y",)
    assert layer.calls == ()
    x, mu = Entry("x", (S, C, K)), Entry("mu", (C,))
    lengths = power(mul(Size("s"), Size("k")), -1)
    assert layer.definitions[0].body == mul(lengths, Sum((S, K), x))
    assert layer.definitions[1].body == mul(lengths, Sum((S, K), power(add(x, negative(mu)), 2)))


@pytest.mark.parametrize("name", gallery())
def test_every_layer_of_the_gallery_says_what_it_is(name: str) -> None:
    layer = load(name)
    assert layer.doc
    assert layer.outputs
    assert all(d.origin is not None for d in layer.definitions)


def test_places_are_kept() -> None:
    layer = from_text('# first\n"""Doc."""\ninput  x[s]  # more\n\n  y[s] = (2 *\n     x[s])\noutput y\n')
    tensor, definition = layer.tensors[0], layer.definitions[0]
    assert tensor.origin is not None
    assert definition.origin is not None
    assert (tensor.origin.line, tensor.origin.column, tensor.origin.text) == (3, 8, "input  x[s]")
    assert (definition.origin.line, definition.origin.column) == (5, 3)
    assert definition.text == "y[s] = (2 *\n     x[s])"


def test_docstrings_hold_any_text() -> None:
    doc = "Größe: \\alpha {x} {{ y }} '''z''' \" # no comment\n\nSecond (unbalanced ["
    assert from_text(f'"""{doc}"""\ninput x\ny = x\noutput y').doc == doc
    assert from_text("input x\ny = x\noutput y").doc == ""
    assert from_text('"""A.""" # comment\ninput x\ny = x\noutput y').doc == "A."
    assert from_text('"""A."""input x\ny = x\noutput y').tensors[0].name == "x"


def test_comments_and_empty_lines_mean_nothing() -> None:
    plain = from_text("input x[s]\ny[s] = 2*x[s]\noutput y")
    full = from_text("\n# (a [b\n  # c\ninput x[s]# d\n\n\t\ny[s] = 2*x[s] # = ]\n\noutput y #\n#")
    assert full.definitions[0].body == plain.definitions[0].body
    assert full.outputs == plain.outputs


@pytest.mark.parametrize(
    "formula",
    ["(x[s, c]\n + w[c])", "(x[\ns,\n c] + # a comment\n\n w[\nc\n]\n)", "(\nx[s, c] + w[c]\n)", "(x[s, c] + w[c]\n)"],
)
def test_an_open_bracket_continues_the_line(formula: str) -> None:
    assert body(formula) == add(X, W)


def test_declarations_and_outputs_are_lists() -> None:
    layer = from_text(
        "input a[i], b[i, j]\nconstant p = 1, q = -2.5e-1\ntarget t\nparameter v[j]\n"
        "y[i] = a[i]*p*t\nz[i, j] = b[i, j]*q*v[j]\noutput z, y\n"
    )
    assert layer.order == ("a", "b", "p", "q", "t", "v")
    assert layer.outputs == ("z", "y")
    assert [(c.name, c.default, c.text) for c in layer.constants] == [("p", 1, "1"), ("q", Fraction(-1, 4), "-2.5e-1")]
    assert [t.name for t in layer.differentiable] == ["a", "b", "v"]
    assert layer.axes == (Axis("i"), Axis("j"))
    assert not layer.scalar_output


def test_several_output_lines_add_up() -> None:
    assert from_text("input x\na = x\nb = 2*x\noutput b\noutput a\n").outputs == ("b", "a")


def test_a_scalar_has_no_brackets() -> None:
    layer = from_text("input x[i]\nparameter g\nL = g*sum[i](x[i])\noutput L\n")
    assert layer.scalar_output
    assert layer.tensors[1].indices == ()
    assert layer.definitions[0].indices == ()


def test_the_order_of_indices_on_the_left_is_the_order_of_dimensions() -> None:
    layer = from_text("input x[s, c]\ny[c, s] = x[s, c]\noutput y\n")
    assert [i.name for i in layer.definitions[0].indices] == ["c", "s"]


# Formulas


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x[s, c] + w[c]", add(X, W)),
        ("x[s, c] - w[c]", add(X, negative(W))),
        ("x[s, c]*w[c]", mul(X, W)),
        ("x[s, c]/w[c]", divide(X, W)),
        ("-x[s, c]", negative(X)),
        ("+x[s, c]", X),
        ("x[s, c]**2", Pow(X, Fraction(2))),
        ("x[s, c]**-1", Pow(X, Fraction(-1))),
        ("x[s, c]**0.5", Pow(X, Fraction(1, 2))),
        ("x[s, c]**(-3/2)", Pow(X, Fraction(-3, 2))),
        ("-x[s, c]**2", negative(Pow(X, Fraction(2)))),
        ("2*x[s, c]**2*3", mul(number("6"), Pow(X, Fraction(2)))),
        ("x[s, c] - (w[c] - g)", add(X, negative(add(W, negative(G))))),
        ("x[s, c]/(w[c]*g)", divide(X, mul(W, G))),
        ("x[s, c]/w[c]/g", divide(divide(X, W), G)),
        ("exp(x[s, c])", Call("exp", (X,))),
        ("log(1 + exp(x[s, c]))", Call("log", (add(ONE, Call("exp", (X,))),))),
        ("tanh(x[s, c]*w[c])", Call("tanh", (mul(X, W),))),
        ("sigmoid(x[s, c])", Call("sigmoid", (X,))),
        ("sqrt(x[s, c])", Pow(X, Fraction(1, 2))),
        ("rsqrt(x[s, c] + eps)", Pow(add(X, EPS), Fraction(-1, 2))),
        ("square(x[s, c])", Pow(X, Fraction(2))),
        ("x[s, c]*size[c]", mul(X, Size("c"))),
        ("x[s, c]/size[s, c]", divide(X, mul(Size("s"), Size("c")))),
        ("( ( x [ s , c ] ) )", X),
        ("x[(s, c)]", X),
        ("x[s, c,]", X),
        ("x[s, c]*pi", mul(X, Call("pi", ()))),
    ],
)
def test_formulas_mean_what_they_say(formula: str, expected: Term) -> None:
    assert body(formula) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", "1/2"), ("0.1", "1/10"), ("1e-5", "1/100000"), ("1E+3", "1000"), (".25", "1/4"), ("2.", "2"),
        ("3", "3"), ("1_000", "1000"), ("0.30000000000000004", "30000000000000004/100000000000000000"),
        ("123456789012345678901234567890", "123456789012345678901234567890"), ("1/3", "1/3"), ("2**10", "1024"),
        ("4**0.5", "2"), ("sqrt(9)", "3"), ("2**-2", "1/4"), ("(1/2)**3", "1/8"), ("1 - 1/3", "2/3"), ("0", "0"),
        ("1e300", "1" + "0" * 300), ("-7", "-7"),
    ],
)  # fmt: skip
def test_numbers_are_exact(text: str, value: str) -> None:
    layer = from_text(f"input x\na = {text}\ny = a*x\noutput y\n")
    assert layer.definitions[0].body == number(value)


def test_roots_that_are_not_rational_stay() -> None:
    layer = from_text("input x\na = sqrt(2)\ny = a*x\noutput y\n")
    assert layer.definitions[0].body == Pow(number("2"), Fraction(1, 2))


def test_long_sums_are_read() -> None:
    layer = from_text("input x\ny = " + " + ".join(["x"] * 1_000) + "\noutput y\n")
    assert layer.definitions[0].body == add(*[Entry("x")] * 1_000)


def test_depth_up_to_the_limit_is_read() -> None:
    for formula in ("(" * 49 + "x[s, c]" + ")" * 49, "exp(" * 48 + "x[s, c]" + ")" * 48, "-" * 90 + "x[s, c]"):
        body(formula)


# Reductions and indices


def test_sums_and_means() -> None:
    assert body("sum[c](x[s, c])", "y[s]") == Sum((C,), X)
    assert body("mean[c](x[s, c])", "y[s]") == mul(power(Size("c"), -1), Sum((C,), X))
    assert body("sum[s, c](x[s, c])", "y") == Sum((S, C), X)
    assert body("sum[s](sum[c](x[s, c]))", "y") == Sum((S, C), X)
    assert body("sum[c](w[c]*sum[s](x[s, c]))", "y") == Sum((C,), mul(W, Sum((S,), X)))
    assert body("sum[c](2)*g", "y") == mul(Sum((C,), number("2")), G)


def test_an_undeclared_letter_runs_over_the_dimension_in_which_it_stands() -> None:
    j = Index("j", "c")
    assert body("x[s, c] - sum[j](x[s, j])") == add(X, negative(Sum((j,), Entry("x", (S, j)))))
    layer = from_text("input x[s, c]\ny[s, a] = x[s, a]\noutput y\n")
    assert layer.definitions[0].indices == (S, Index("a", "c"))
    assert layer.axes == (Axis("s"), Axis("c"))


def test_two_letters_over_one_dimension() -> None:
    layer = from_text("input x[i]\ny[i, j] = x[i]*x[j]\noutput y\n")
    assert layer.definitions[0].indices == (I, Index("j", "i"))
    assert layer.axes == (Axis("i"),)


def test_a_bound_letter_hides_the_one_outside() -> None:
    found = body("exp(x[s, c])/sum[c](exp(x[s, c]))")
    exp = Call("exp", (X,))
    assert found == divide(exp, Sum((C,), exp))
    other = body("exp(x[s, c])/sum[j](exp(x[s, j]))")
    assert alpha_equal(found, other)
    assert found.free == {S, C}


def test_conditions_on_indices() -> None:
    i = Index("i", "c")
    x = Entry("x", (S, i))
    same = delta(i, C)
    different = add(ONE, negative(same))
    assert body("sum[i](where(i == c, x[s, i], 0))") == Sum((i,), mul(same, x))
    assert body("sum[i](where(i != c, x[s, i], 0))") == Sum((i,), mul(different, x))
    assert body("sum[i](where(i == c, x[s, i], 2))") == Sum((i,), add(mul(same, x), mul(different, number("2"))))


def test_a_letter_may_also_be_the_name_of_a_tensor() -> None:
    layer = from_text("input q[b, q], k[b, k]\ns[b, q, k] = q[b, q]*k[b, k]\noutput s\n")
    assert layer.definitions[0].body == mul(
        Entry("q", (Index("b", "b"), Index("q", "q"))), Entry("k", (Index("b", "b"), Index("k", "k")))
    )


def test_a_variadic_index_is_one_index_with_or_without_its_dots() -> None:
    for left, right in (("y[k]", "x[k]"), ("y[k...]", "x[k...]"), ("y[k]", "x[k ... ]"), ("y[k ...]", "x[k]")):
        layer = from_text(f"input x[k...]\n{left} = 2*{right}\noutput y\n")
        assert layer.axes == (Axis("k", variadic=True),)
        assert layer.definitions[0].body == mul(number("2"), Entry("x", (K,)))
    layer = from_text("input x[k...]\nparameter w[k]\nL = sum[k...](x[k]*w[k])\noutput L\n")
    assert layer.definitions[0].body == Sum((K,), mul(Entry("x", (K,)), Entry("w", (K,))))


def test_letters_that_join_a_variadic_index_are_variadic() -> None:
    layer = from_text("input x[k...]\ny[j] = x[j] - mean[i](x[i])\noutput y\n")
    assert layer.axes == (Axis("k", variadic=True),)
    assert layer.definitions[0].indices == (Index("j", "k"),)


# Layers in layers


def network(text: str) -> Layer:
    return from_text(f"input x[s, c, k...]\nparameter w[c], beta[c]\nconstant eps = 1e-3\n{text}\n")


def test_a_layer_is_used_by_name() -> None:
    layer = network("y = batch_norm(x, w, beta, eps)\noutput y")
    assert [d.name for d in layer.definitions] == ["y.mu", "y.var", "y"]
    assert {d.call for d in layer.definitions} == {"y"}
    assert [(c.result, c.layer, c.arguments) for c in layer.calls] == [("y", "batch_norm", ("x", "w", "beta", "eps"))]
    alone = load("batch_norm")
    for found, expected in zip(layer.definitions, alone.definitions, strict=True):
        renamed = {"mu": "y.mu", "var": "y.var"}
        assert found.body.names == {renamed.get(name, name) for name in expected.body.names}
        assert found.indices == expected.indices


def test_numbers_as_arguments_and_constants_left_out() -> None:
    given = network("y = batch_norm(x, w, beta, 0.25)\noutput y")
    default = network("y = batch_norm(x, w, beta)\noutput y")
    negative_number = network("y = batch_norm(x, w, beta, -1e-3)\noutput y")
    for layer, value in ((given, "1/4"), (default, "1/100000"), (negative_number, "-1/1000")):
        assert "eps" not in layer.definitions[-1].body.names
        bound = bind_constants(load("batch_norm"), {"eps": Fraction(value)})
        assert layer.definitions[-1].body.free == bound.definitions[-1].body.free
        assert any(
            isinstance(node, Num) and node.value == Fraction(value) for node in nodes(layer.definitions[-1].body)
        )
    assert bind_constants(load("batch_norm"), {"eps": Fraction(0)}).order == ("x", "w", "beta")


def nodes(term: Term) -> list[Term]:
    return [term, *(node for child in term.children for node in nodes(child))]


def test_a_number_for_a_scalar_tensor() -> None:
    layer = from_text("input x\nL = mse(x, 2)\noutput L\n")
    assert layer.definitions[0].body == Pow(add(Entry("x"), negative(number("2"))), Fraction(2))


def test_what_a_layer_defines_can_be_named_from_outside() -> None:
    layer = network("y = batch_norm(x, w, beta)\nz[s, c, k] = x[s, c, k] - y.mu[c]\noutput y, z")
    assert layer.definitions[-1].body == add(Entry("x", (S, C, K)), negative(Entry("y.mu", (C,))))


def test_a_variadic_axis_takes_several_dimensions_of_the_caller() -> None:
    layer = from_text(
        "input x[b, c, h, w]\nparameter g[c], beta[c]\nconstant eps = 1\ny = batch_norm(x, g, beta, eps)\noutput y\n"
    )
    b, c, h, w = (Index(letter, letter) for letter in "bchw")
    assert layer.axes == tuple(Axis(letter) for letter in "bchw")
    mu, _, y = layer.definitions
    assert mu.indices == (c,)
    assert y.indices == (b, c, h, w)
    lengths = power(mul(Size("b"), Size("h"), Size("w")), -1)
    assert mu.body == mul(lengths, sum_over((b, h, w), Entry("x", (b, c, h, w))))


def test_a_variadic_axis_takes_no_dimension() -> None:
    layer = from_text("input x[n, c]\nparameter g[c], b[c]\ny = batch_norm(x, g, b)\nz = sigmoid(y)\noutput z\n")
    n, c = Index("n", "n"), Index("c", "c")
    assert layer.definitions[0].body == mul(power(Size("n"), -1), Sum((n,), Entry("x", (n, c))))
    scalar = from_text("input x\nz = sigmoid(x)\noutput z\n")
    assert scalar.definitions[0].indices == ()


def test_one_dimension_used_twice_in_a_call() -> None:
    layer = from_text("input x[i]\na[i, j] = x[i]*x[j]\nb = sigmoid(a)\nL = mse(a, b)\noutput L\n")
    i, j = layer.definitions[1].indices
    assert i.axis == j.axis == "i"
    assert i.name != j.name
    assert isinstance(layer.definitions[2].body, Term)
    assert layer.definitions[2].body.free == frozenset()


def test_a_called_layer_decides_which_dimensions_agree() -> None:
    layer = from_text("input x[a]\nu[p] = 2*x[p]\nL = mse(u, x)\noutput L\n")
    assert layer.axes == (Axis("a"),)
    with pytest.raises(InputError, match="declared as two dimensions"):
        from_text("input x[a], z[b]\nL = mse(x, z)\noutput L\n")


def test_the_same_layer_twice() -> None:
    layer = from_text("input x[i]\ny = sigmoid(x)\nz = sigmoid(y)\noutput z\n")
    assert [d.name for d in layer.definitions] == ["y", "z"]
    assert layer.definitions[1].body.names == {"y"}


def test_several_outputs_of_a_layer(tmp_path: Path) -> None:
    (tmp_path / "both.sg").write_text("input a[i]\nm = mean[i](a[i])\nd[i] = a[i] - m\noutput d, m\n")
    net = tmp_path / "net.sg"
    net.write_text("input x[s]\ny, q = both(x)\nz[s] = y[s]*q\noutput z\n")
    assert [d.name for d in load(net).definitions] == ["q", "y", "z"]


def test_scalar_functions_are_not_layers_where_the_argument_is_a_formula() -> None:
    layer = from_text("input x\ny = sigmoid(2*x)\nz = exp(y)\noutput z\n")
    assert layer.definitions[0].body == Call("sigmoid", (mul(number("2"), Entry("x")),))
    assert layer.definitions[1].body == Call("exp", (Entry("y"),))
    assert layer.calls == ()


def test_the_network_of_the_article() -> None:
    layer = load("batch_norm_sigmoid_mse")
    assert [d.name for d in layer.definitions] == ["y.mu", "y.var", "y", "z", "L"]
    assert [c.layer for c in layer.calls] == ["batch_norm", "sigmoid", "mse"]
    assert layer.order == ("x", "w", "beta", "t", "eps")
    assert layer.axes == (Axis("s"), Axis("c"), Axis("k", variadic=True))
    assert layer.scalar_output


def test_a_condition_says_which_dimension_a_new_letter_runs_over() -> None:
    layer = from_text("input x[i]\ny[q] = sum[i](where(q == i, x[i], 0))\noutput y\n")
    q = Index("q", "i")
    assert layer.definitions[0].body == Sum((I,), mul(delta(q, I), Entry("x", (I,))))
    assert from_text("input x[i]\ny[i] = sum[j](where(i == j, x[i], 0))\noutput y\n").axes == (Axis("i"),)
