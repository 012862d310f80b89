"""Which names a user may give, and what to suggest for an unknown one."""

from __future__ import annotations

import builtins
import difflib
import keyword
import re
from collections.abc import Iterable

from symgrad.errors import InputError, Origin
from symgrad.primitives import ALIASES, PRIMITIVES

REDUCTIONS = ("sum", "mean", "max", "min", "prod")
PAIRED = ("maximum", "minimum", "pow")
WORDS = ("input", "parameter", "target", "constant", "output", "label", "index")
RESERVED = frozenset((*REDUCTIONS, *WORDS, *PRIMITIVES, *ALIASES, "where", "size", "pad", "total", "partial", *PAIRED))
EMITTED = frozenset(("np", "torch", "forward", "backward", "saved", "ctx", "out", "axes", "Gradients", "self"))
"""Names that the emitted code uses for itself."""
NOT_YET = frozenset(
    (
        *("max", "min", "prod", "abs", "sign", "maximum", "minimum", "pow", "erf", "erfc", "relu", "softplus"),
        *("tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "lgamma", "digamma", "floor", "ceil", "clip"),
    )
) - {*PRIMITIVES, *ALIASES, *PAIRED, *REDUCTIONS}
"""Functions that people expect, and that have no derivation yet."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MAX_NAME = 40
MOST_LISTED = 12


def check_name(name: str, origin: Origin, what: str = "name") -> None:
    """Raise unless `name` may be given to a tensor, a constant or an index.

    Names become names of emitted code, so keywords, look-alike letters and the names that
    emitted code uses itself are refused here, once, for every stage after.
    """
    if not name:
        raise InputError(f"{_kind(what)} is missing here.", origin, "Write it, or remove the comma or the brackets.")
    _check_form(name, origin, what)
    reason = _reserved(name) or _taken(name)
    if reason:
        raise InputError(f"{name!r} cannot be {_kind(what)}: {reason}.", origin, "Choose another name.")


def check_layer_name(name: str) -> None:
    """Raise unless `name` may be a layer's: it becomes the name of a function and of a file."""
    _check_form(name, None, "layer's name")
    words = {*WORDS, *REDUCTIONS, "where", "size", "total", "partial"}
    reason = "the notation uses it itself" if name in words else _taken(name)
    if reason:
        raise InputError(f"{name!r} cannot be a layer's name: {reason}.", hint="Rename the file.")


def _check_form(name: str, origin: Origin | None, what: str) -> None:
    """Raise unless `name` is a short ASCII name."""
    if len(name) > MAX_NAME:
        raise InputError(f"this {what} has more than {MAX_NAME} characters.", origin, "Choose a shorter one.")
    if not NAME.fullmatch(name) or not name.isascii():
        raise InputError(
            f"{name!r} cannot be {_kind(what)}.",
            origin,
            "A name is an ASCII letter followed by ASCII letters, digits or _; names in a list have commas between.",
        )


def _kind(what: str) -> str:
    return "an index" if what == "index" else f"a {what}"


def _reserved(name: str) -> str:
    return "the notation uses it itself" if name in RESERVED else ""


def _taken(name: str) -> str:
    """Why a name is not free in emitted code, or an empty string."""
    if keyword.iskeyword(name):
        return "it is a Python keyword, and names become names of emitted code"
    if name in EMITTED or hasattr(builtins, name):
        return "emitted Python code uses it itself"
    if name.startswith("d_"):
        return "names that begin with d_ are gradients"
    if name.endswith("_") or "__" in name:
        return "names with a double or a closing _ are kept for emitted code"
    return ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that lists close or all known names."""
    known = sorted(set(known))
    close = difflib.get_close_matches(name, known, n=1) if len(name) <= MAX_NAME else []
    if close:
        return f"Did you mean {close[0]}?"
    if len(known) > MOST_LISTED:
        known = [*known[:MOST_LISTED], "…"]
    return "Known here: " + ", ".join(known) + "." if known else ""
