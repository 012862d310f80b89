"""The grammar of formulas, and signatures: what is read, what is refused with a place, and that nothing runs."""

from __future__ import annotations

import pytest

from symgrad.audit.formula import Choice, Listing, Name, Number, Operation, Text, Use, parse_formula, tokens
from symgrad.audit.signature import parse_signature
from symgrad.errors import InputError

a, b, c = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b * c", Operation("+", (a, Operation("*", (b, c))))),
        ("a - b - c", Operation("-", (Operation("-", (a, b)), c))),
        ("-a * b", Operation("*", (Operation("-", (a,)), b))),
        ("a * -b", Operation("*", (a, Operation("-", (b,))))),
        ("a < b && c == 0.5", Operation("&&", (Operation("<", (a, b)), Operation("==", (c, Number("0.5")))))),
        ("a & b | c", Operation("|", (Operation("&", (a, b)), c))),
        ("a ? b : c ? a : b", Choice(a, b, Choice(c, a, b))),
        ("a.mm(b).t()", Use("t", (Use("mm", (a, b), True),), True)),
        ("-a.neg()", Operation("-", (Use("neg", (a,), True),))),
        ("at::where(a, b, 0.)", Use("at::where", (a, b, Number("0.")))),
        ("grads[0]", Use("[]", (Name("grads"), Number("0")))),
        ("std::get<0>(a)", Use("std::get<0>", (a,))),
        ("std::tuple<Tensor, Tensor>()", Use("std::tuple<Tensor, Tensor>", ())),
        ('a == "tanh"', Operation("==", (a, Text("tanh")))),
        ("{a, 1}", Listing((a, Number("1")))),
        ("f(a, /* is_result */ false)", Use("f", (a, Name("false")))),
        ("bias->sym_sizes()", Use("sym_sizes", (Name("bias"),), True)),
    ],
)
def test_a_formula_has_one_tree(text, tree):
    assert parse_formula(text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the end stands where a value"),
        ("grad *", "the end stands where a value"),
        ("grad * (self", "')' is expected"),
        ("grad self", "'self' stands where the end"),
        ("[](int i)", "'[' stands where a value"),
        ("[](int i){return -i;}", "';' does not fit"),
        ("grad.x", "'(' is expected"),
        ("a = b", "'=' does not fit"),
        ("a; system(b)", "';' does not fit"),
        ('"abc', "does not fit"),
        ("a ? b", "':' is expected"),
        ("(" * 70 + "a" + ")" * 70, "nested more than 60 deep"),
        ("a" * 20_000, "more than 10000 characters"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text, message):
    with pytest.raises(InputError, match=r"<formula>:1:") as caught:
        parse_formula(text)
    assert message in str(caught.value)


def test_tokens_know_their_places():
    assert [(text, place) for _, text, place in tokens("grad * 0.5")] == [("grad", 0), ("*", 5), ("0.5", 7)]


def test_a_signature_in_parts():
    found = parse_signature(
        "sum.dim(Tensor(a -> *) self, int[1]? dim, *, float p=1e-5, Scalar? c=None) -> (Tensor y, Tensor)"
    )
    assert found.name == "sum.dim"
    assert [(each.name, each.type, each.default) for each in found.arguments] == [
        ("self", "Tensor(a->*)", ""),
        ("dim", "int[1]?", ""),
        ("p", "float", "1e-5"),
        ("c", "Scalar?", "None"),
    ]
    assert [each.tensor for each in found.arguments] == [True, False, False, False]
    assert found.returns == ("y", "result1")


@pytest.mark.parametrize("text", ["sin", "sin(Tensor self)", "sin(self) -> Tensor"])
def test_a_malformed_signature_is_refused(text):
    with pytest.raises(InputError, match="signature"):
        parse_signature(text)
