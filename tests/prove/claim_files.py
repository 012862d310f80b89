"""The project's own set of claims: right and wrong ones, as people write them.

A file holds sections, [layer], of lines that begin with + for a right claim and - for a wrong one;
other lines define names for those that follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from symgrad.notation.claim import parse_claim
from symgrad.notation.layer import Layer
from symgrad.notation.library import gallery, load
from symgrad.notation.lines import Statement
from symgrad.notation.own import OwnName, read_own_name

FOLDER = Path(__file__).parent / "claims"
FILES = tuple(sorted(path.stem for path in FOLDER.glob("*.claims")))


@dataclass(frozen=True)
class Labelled:
    """A claim of the set: the layer's name, whether it is right, its text, and the names that it may use."""

    layer: str
    right: bool
    text: str
    own: dict[str, OwnName]
    place: str

    def parsed(self, layer: Layer):
        return parse_claim(self.text, layer, self.place, own=self.own)


def layer_of(name: str) -> Layer:
    """A layer of the gallery, or one beside the claims."""
    return load(name if name in gallery() else FOLDER / f"{name}.sg")


def labelled(file: str) -> list[Labelled]:
    """Every claim of a file, in order."""
    found: list[Labelled] = []
    name, layer, own = "", None, {}
    for number, line in enumerate((FOLDER / f"{file}.claims").read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip()
        if line.startswith("["):
            name, own = line[1:-1], {}
            layer = layer_of(name)
        elif line[:1] in ("+", "-"):
            found.append(Labelled(name, line[0] == "+", line[1:].strip(), dict(own), f"{file}.claims:{number}"))
        elif line and not line.startswith("#"):
            assert layer is not None
            each = read_own_name(Statement(f"{file}.claims", number, line), layer, own)
            own[each.name] = each
    return found
