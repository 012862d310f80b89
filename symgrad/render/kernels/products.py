"""Sums of products as matrix products: which contraction one is, in words that both backends share."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import ONE, Delta, Entry, Index, Mul, Pow, Reduce, Sum, Term, Where, mul
from symgrad.notation.layer import Layer
from symgrad.plan.records import is_full
from symgrad.render.kernels.layout import Frame


@dataclass(frozen=True)
class MatrixProduct:
    """A contraction of two operands as left @ right.

    Attributes:
        left: the place of the left operand, 0 or 1.
        orders: for each side the permutation that brings its dimensions into the order
            (batch, rows, inner) or (batch, inner, columns).
        result: the permutation that brings (batch, rows, columns) into the result's order.
    """

    left: int
    orders: tuple[tuple[int, ...], tuple[int, ...]]
    result: tuple[int, ...]


def is_contraction(total: Sum, result: Frame, layer: Layer) -> bool:
    """Whether a sum is a contraction, in the kernel's own dtype, and no statistic.

    It is one where its result is as large as the largest arrays, or where no factor has all indices, so
    that the product would be larger than everything that goes into it.
    """
    factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
    if len(factors) < 2:
        return False
    return is_full(result, layer) or not any(factor.free >= total.body.free for factor in factors)


def grouped(body: Term) -> list[Term]:
    """A product's factors, each put together with one that has all its indices."""
    factors = body.factors if isinstance(body, Mul) else (body,)
    largest = dict.fromkeys(f.free for f in factors if not any(f.free < other.free for other in factors))
    groups: dict[frozenset[Index], list[Term]] = {free: [] for free in largest}
    for factor in factors:
        groups[next(free for free in groups if factor.free <= free)].append(factor)
    return [mul(*group) for group in groups.values()]


def matrix_product(operands: list[Frame], result: Frame) -> MatrixProduct | None:
    """The matrix product that a contraction of two operands is, or None.

    There must be one summed index in both; rows and columns may be several where nothing is batched.
    """
    if len(operands) != 2 or any(len(set(frame)) < len(frame) for frame in operands):
        return None
    found = [_arranged(operands, result, left) for left in (0, 1)]
    candidates = [product for product in found if product is not None]
    return min(candidates, key=_moves, default=None)


def _arranged(operands: list[Frame], result: Frame, left: int) -> MatrixProduct | None:
    """The product with operand `left` on the left."""
    first, second = operands[left], operands[1 - left]
    inner = [index for index in first if index not in result]
    batch = [index for index in result if index in first and index in second]
    rows = [index for index in result if index in first and index not in second]
    columns = [index for index in result if index in second and index not in first]
    if len(inner) != 1 or inner[0] not in second or len(columns) > 1 or not rows or (batch and len(rows) != 1):
        return None
    if len(first) != len(batch) + len(rows) + 1 or len(second) != len(batch) + len(columns) + 1:
        return None
    if batch and not columns:
        return None
    wanted = (*batch, *rows, *columns)
    return MatrixProduct(
        left, (_order(first, (*batch, *rows, *inner)), _order(second, (*batch, *inner, *columns))),
        _order(wanted, result),
    )  # fmt: skip


def _order(have: Frame, wanted: Frame) -> tuple[int, ...]:
    """The permutation that brings the dimensions `have` into the order `wanted`."""
    return tuple(have.index(index) for index in wanted)


def _moves(product: MatrixProduct) -> tuple[bool, int]:
    """How much must be permuted: the result rather not, then few operands."""
    moved = [order for order in product.orders if order != tuple(range(len(order)))]
    return product.result != tuple(range(len(product.result))), len(moved)


def transposed(text: str, order: tuple[int, ...], method: str, matrix: str) -> str:
    """An operand with its dimensions permuted; `method` permutes, `matrix` swaps the last two of many."""
    plain = tuple(range(len(order)))
    if order == plain:
        return text
    if len(order) == 2:
        return f"{text}.T"
    if order == (*plain[:-2], plain[-1], plain[-2]):
        return f"{text}.{matrix}"
    return f"{text}.{method}({', '.join(map(str, order))})"


def own_frame(term: Term, frame: Frame) -> tuple[Index, ...]:
    """The indices of a factor that is computed, in the order of the loop nest."""
    return tuple(index for index in frame if index in term.free)


def product_of_others(total: Reduce) -> tuple[Term, Index] | None:
    """F and the free index k of prod_j where(j == k, 1, f_j), with f at k; None for another product.

    It is computed from the products before and after k, so that no factor is divided out: one may be 0.
    """
    if total.operation != "prod" or len(total.indices) != 1 or not isinstance(total.body, Where):
        return None
    same, one, factor = total.body.children
    (bound,) = total.indices
    if not isinstance(same, Delta) or one != ONE or bound not in (same.left, same.right):
        return None
    position = same.right if same.left == bound else same.left
    return None if position in factor.free else (rename(factor, {bound: position}), position)


def scaled(value: Entry, coefficient: Term) -> Term:
    """A reduction's expression times numbers and sizes; a matrix product stands before what divides it."""
    if coefficient == ONE:
        return value
    factors = coefficient.factors if isinstance(coefficient, Mul) else (coefficient,)
    if all(isinstance(factor, Pow) and factor.exponent < 0 for factor in factors):
        return mul(value, coefficient)
    return mul(coefficient, Entry(f"({value.name})") if " @ " in value.name else value)
