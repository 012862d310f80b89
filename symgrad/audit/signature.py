"""Operator signatures of derivatives.yaml: `add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from symgrad.errors import InputError

_SIGNATURE = re.compile(r"\s*(?P<name>[\w.]+)\((?P<arguments>.*)\)\s*->\s*(?P<returns>.+?)\s*", re.DOTALL)
_ARGUMENT = re.compile(r"(?P<type>\S+)\s+(?P<name>\w+)(?:\s*=\s*(?P<default>.+))?")


@dataclass(frozen=True)
class Argument:
    """One argument of an operator.

    Attributes:
        name: "self".
        type: "Tensor", "Scalar", "int[1]?", …
        default: as written, or "".
    """

    name: str
    type: str
    default: str = ""

    @property
    def tensor(self) -> bool:
        """Whether it is one tensor (maybe an absent one)."""
        return self.type.split("(")[0].rstrip("?") == "Tensor"


@dataclass(frozen=True)
class Signature:
    """The name, the arguments, and the names of what is returned ("result", or "result0", …, or given names)."""

    name: str
    arguments: tuple[Argument, ...]
    returns: tuple[str, ...]


def parse_signature(text: str) -> Signature:
    """The parts of a signature.

    Raises:
        InputError: it does not have the form NAME(ARGUMENTS) -> RETURNS.
    """
    match = _SIGNATURE.fullmatch(text)
    if match is None:
        raise InputError(f"this is no operator's signature: {text}", hint="Expected NAME(TYPE ARGUMENT, …) -> TYPE.")
    parts = [part for part in split_outside(match["arguments"]) if part not in ("", "*")]
    arguments = [_ARGUMENT.fullmatch(_joined(part)) for part in parts]
    if not all(arguments):
        raise InputError(f"an argument of this signature cannot be read: {text}", hint="Expected TYPE NAME=DEFAULT.")
    found = tuple(Argument(a["name"], a["type"], a["default"] or "") for a in arguments if a)
    return Signature(match["name"], found, _returns(match["returns"]))


def _joined(part: str) -> str:
    """Without the spaces inside of a type's brackets: Tensor(a -> *) is one word."""
    return re.sub(r"\([^()]*\)", lambda found: found.group().replace(" ", ""), part, count=1)


def _returns(text: str) -> tuple[str, ...]:
    if not text.startswith("("):
        return ("result",)
    parts = split_outside(text[1:-1])
    return tuple(
        part.split()[-1] if len(_joined(part).split()) > 1 else f"result{place}" for place, part in enumerate(parts)
    )


def split_outside(text: str, separator: str = ",") -> list[str]:
    """The parts between separators that stand in no bracket, without spaces around them."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    parts.append(text[start:].strip())
    return parts
