"""Sums of rows or columns, each times a number, for NumPy: products of a matrix and a vector, which BLAS does."""

from __future__ import annotations

from symgrad.algebra.terms import mul
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.weights import Weighted, weighted_sum
from symgrad.render.kernels.buffers import reads_of
from symgrad.render.kernels.layout import Frame
from symgrad.render.kernels.numpy_full import FullWriter, as_operand
from symgrad.render.kernels.products import scaled
from symgrad.render.kernels.small import raw


def weighted_line(statement: Statement, frame: Frame | None, full: FullWriter) -> str:
    """The line that computes such a sum, after those for its matrix; empty where the statement is something else.

    Args:
        statement: of a block.
        frame: the dimensions of the block's arrays.
        full: writes the matrix, and knows the buffers.
    """
    weighted, found = weighted_sum(statement), reduction(statement.term)
    if weighted is None or found is None or frame is None or weighted.matrix[0].free != frozenset(frame):
        return ""
    matrix, vector = operands(weighted, frame, full)
    vector = as_operand(vector)
    order = (vector, matrix) if weighted.letter == frame[0] else (matrix, vector)
    text = f"({' @ '.join(order)}).astype(np.float64)"
    return f"{statement.name} = {full.smalls.text(scaled(raw(text), found[1]), ())}"


def operands(weighted: Weighted, frame: Frame, full: FullWriter) -> tuple[str, str]:
    """The matrix, after the lines that compute it, and the vector; what they read is released."""
    matrix = full.temporary(mul(*weighted.matrix), frame)
    vector = full.smalls.coefficient(weighted.vector, (weighted.letter,))
    for name in reads_of(weighted.vector):
        full.buffers.read(name)
    full.done(matrix, frame)
    return matrix.text, vector
