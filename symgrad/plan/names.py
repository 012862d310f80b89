"""Names for what the plan computes: Python names, and names that say what a term is."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection, Iterable
from fractions import Fraction

from symgrad.algebra.terms import Add, Call, Compare, Delta, Entry, Mul, Num, Pow, Reduce, Size, Sum, Term, Where
from symgrad.plan.infix import split_sign

LONGEST = 24
"""A describing name longer than this says less than a short one with a comment."""
WORDS = {Fraction(1): "one", Fraction(2): "two", Fraction(1, 2): "half"}
EMITTED = frozenset(
    (
        *("np", "torch", "math", "ctx", "saved", "dtype", "wide", "result", "needs", "parts", "out", "buffers"),
        *("jax", "jnp", "partial", "primals", "tangents"),
        *("wanted", "kept", "found", "last", "again", "at_once", "constants", "inputs", "output"),
        *("forward", "backward", "Gradients", "Saved", "NamedTuple"),
    )
)
"""Names that the emitted code uses for itself."""
PREFIXES = ("d_", "dot_")
"""What stands before the name of what a cotangent or a tangent belongs to."""


def python_names(names: Iterable[str]) -> dict[str, str]:
    """A Python name for each name: the part after the last dot, where that is free."""
    names = list(names)
    found: dict[str, str] = {name: legal(name) for name in names if "." not in name}
    for name in names:
        if "." not in name:
            continue
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
        plain = name.removeprefix(prefix)
        if prefix and plain in found:  # the cotangent of m_ms is d_m_ms
            found[name] = free_name(prefix + found[plain], found.values())
            continue
        short = legal(prefix + name.rsplit(".", 1)[1])
        found[name] = free_name(short if short not in found.values() else name.replace(".", "_"), found.values())
    return found


def legal(name: str) -> str:
    """The name, with an underscore behind it where Python or the emitted code uses it."""
    emitted = name in EMITTED or name.startswith(("n_", "shape_", "need_", "buffer_"))
    return name + "_" if emitted or keyword.iskeyword(name) or hasattr(builtins, name) else name


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, numbered where it is taken."""
    name, number = legal(name), 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def describing_name(term: Term, constants: Collection[str], otherwise: str) -> str:
    """A name that says what a term is: x_minus_mu, rsqrt_var; constants in sums are left out."""
    name = re.sub("__+", "_", _describe(term, constants)).strip("_")
    return name if 0 < len(name) <= LONGEST and name.isidentifier() else otherwise


def _describe(term: Term, constants: Collection[str]) -> str:
    match term:
        case Num(value):
            return WORDS.get(value, str(value) if value.denominator == 1 and value > 0 else "part")
        case Size(axis):
            return f"n_{axis}"
        case Entry(name):
            return f"d_{name.rsplit('.', 1)[1]}" if name.startswith("d_") and "." in name else name.rsplit(".", 1)[-1]
        case Add(terms):
            return _describe_sum([t for t in terms if not t.names or t.names - set(constants)], constants)
        case Mul(factors):
            return "_".join(_describe(factor, constants) for factor in factors if factor != Num(Fraction(-1)))
        case Pow(base, exponent):
            return _describe_power(_describe(base, constants), exponent)
        case Call(function, arguments):
            return "_".join((function, *(_describe(argument, constants) for argument in arguments)))
        case Sum(_, body):
            return f"sum_{_describe(body, constants)}"
        case Reduce(operation, _, body):
            return f"{operation}_{_describe(body, constants)}"
        case Where(_, then, otherwise):
            return "_or_".join(_describe(part, constants) for part in (then, otherwise) if part.names) + "_masked"
        case Delta():
            return "same"
        case Compare(relation, left, right):
            word = {"<": "below", "<=": "at_most", "==": "is", "!=": "is_not"}[relation]
            return f"{_describe(left, constants)}_{word}_{_describe(right, constants)}"
    return ""


def _describe_sum(terms: list[Term], constants: Collection[str]) -> str:
    text = ""
    for term in terms:
        sign, size = split_sign(term)
        text += ("_minus_" if sign < 0 else "_plus_") if text or sign < 0 else ""
        text += _describe(size, constants)
    return text


def _describe_power(base: str, exponent: Fraction) -> str:
    known = {
        Fraction(2): f"{base}_squared",
        Fraction(1, 2): f"sqrt_{base}",
        Fraction(-1, 2): f"rsqrt_{base}",
        Fraction(-1): f"reciprocal_{base}",
    }
    return known.get(exponent, f"power_{base}")
