"""The way to the rooms that import SymPy: only when they are asked for, with a word where it is missing."""

from __future__ import annotations

from types import ModuleType

from symgrad.errors import InputError


def to_sympy() -> ModuleType:
    """The module that makes SymPy objects."""
    _need_sympy()
    from symgrad.door import to_sympy as module

    return module


def from_sympy() -> ModuleType:
    """The module that reads SymPy objects."""
    _need_sympy()
    from symgrad.door import from_sympy as module

    return module


def _need_sympy() -> None:
    try:
        import sympy  # noqa: F401
    except ImportError:
        raise InputError("SymPy is not installed.", hint="Install it: python -m pip install 'symgrad[sympy]'") from None
