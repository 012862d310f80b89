"""Statements that PyTorch has one function for, which reads and writes an array once.

Each is recognized by its terms, whatever layer they come from:

    exp(x - max(x)) / sum(exp(x - max(x)))    torch.softmax
    a * (b - sum(a * b))                      torch._softmax_backward_data, named after its only other use
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import MINUS_ONE, Call, Entry, Index, Mul, Reduce, Sum, add, mul, power
from symgrad.plan.records import Statement

SOFTMAX = 4
"""As many statements make a softmax: the largest, the exponentials, their sum, the quotient."""


@dataclass(frozen=True)
class Fused:
    """One function in the place of some statements.

    Attributes:
        call: the function with `{0}`, `{1}` for its arrays, `{dim}`, and `{out}` for the array it writes into.
        arrays: these arrays.
        along: the index that it sums over.
        statements: what it computes; the last one is the result, and nothing else reads the others.
    """

    call: str
    arrays: tuple[Entry, ...]
    along: Index
    statements: tuple[Statement, ...]

    @property
    def result(self) -> Statement:
        """The statement whose value it is."""
        return self.statements[-1]


def fused(statements: Sequence[Statement], uses: Mapping[str, int]) -> Fused | None:
    """What the first of these statements are together, where PyTorch has a function for that; else None.

    Args:
        statements: in order.
        uses: how often each name is still read.
    """
    return _softmax(statements[:SOFTMAX], uses) or _weighted_rest(statements[:2], uses)


def _softmax(statements: Sequence[Statement], uses: Mapping[str, int]) -> Fused | None:
    """Exponentials over their sum."""
    if len(statements) < SOFTMAX:
        return None
    largest, exponential, total, quotient = statements
    extreme = largest.term
    if not (largest.is_shift and isinstance(extreme, Reduce) and isinstance(extreme.body, Entry)):
        return None
    array, e = extreme.body, exponential.entry
    wanted = (
        Reduce("max", extreme.indices, array), Call("exp", (add(array, mul(MINUS_ONE, largest.entry)),)),
        Sum(extreme.indices, e), mul(e, power(total.entry, -1)),
    )  # fmt: skip
    same = array.indices == exponential.indices == quotient.indices and len(extreme.indices) == 1
    alone = (uses[largest.name], uses[exponential.name], uses[total.name]) == (1, 2, 1)
    if not same or not alone or tuple(statement.term for statement in statements) != wanted:
        return None
    return Fused("torch.softmax({0}, {dim}, out={out})", (array,), extreme.indices[0], tuple(statements))


def _weighted_rest(statements: Sequence[Statement], uses: Mapping[str, int]) -> Fused | None:
    """An array times what another one has more than the mean that it is the weights of."""
    if len(statements) < 2:
        return None
    total, rest = statements
    if not (isinstance(total.term, Sum) and isinstance(total.term.body, Mul) and len(total.term.indices) == 1):
        return None
    factors = [f for f in total.term.body.factors if isinstance(f, Entry) and f.indices == rest.indices]
    if len(factors) != len(total.term.body.factors) or len(factors) != 2 or uses[total.name] != 1:
        return None
    for weight, array in (factors, factors[::-1]):
        if rest.term == mul(weight, add(array, mul(MINUS_ONE, total.entry))):
            call = "torch._softmax_backward_data({0}, {1}, {dim}, dtype, grad_input={out})"
            return Fused(call, (array, weight), total.term.indices[0], (total, rest))
    return None
