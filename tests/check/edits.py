"""Emitted kernels with one wrong place: what a check must refuse."""

from __future__ import annotations

import ast
from collections.abc import Iterator

SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
CALLS = {"add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply"}


def edited(text: str, functions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every text with one edit in one of the functions, and the edit in words."""
    tree = ast.parse(text)
    for node in _nodes(tree, functions):
        known, before = dict(vars(node)), ast.unparse(node)
        if _edit(node):
            yield f"line {node.lineno}: {before} -> {ast.unparse(node)}", ast.unparse(tree)
            vars(node).update(known)


def _nodes(tree: ast.Module, functions: tuple[str, ...]) -> list[ast.AST]:
    """The arithmetic of the functions, in order; not the checks of what they are given."""
    chosen = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in functions]
    statements = [statement for function in chosen for statement in function.body]
    return [node for s in statements if not isinstance(s, ast.Expr) for node in ast.walk(s)]


def _edit(node: ast.AST) -> bool:
    """One edit of a node's own fields: a sign, an operator, a number, the axes of a sum."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in SWAPPED:
        node.op = SWAPPED[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
        node.func = ast.Attribute(node.func.value, CALLS[node.func.attr], ast.Load())
    elif isinstance(node, ast.Tuple) and len(node.elts) > 1 and all(isinstance(e, ast.Constant) for e in node.elts):
        node.elts = node.elts[:1]
    elif isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1:
        node.value += 1
    else:
        return False
    return True
