"""What a layer is called and holds, read from its record."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.door.shown import Shown
from symgrad.notation.layer import Layer as Record
from symgrad.render import notebook
from symgrad.render.parts import Part


class Described(Shown):
    """Base of `Layer`: everything that needs no derivation. Two are equal where their records are."""

    record: Record

    @property
    def name(self) -> str:
        """What the layer is called."""
        return self.record.name

    @property
    def doc(self) -> str:
        """What it is, with its source."""
        return self.record.doc

    @property
    def text(self) -> str:
        """The equations in the notation, as they were written."""
        return self.record.text

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self._named("input")

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self._named("parameter")

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets, which get no gradient."""
        return self._named("target")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what is returned."""
        return self.record.outputs

    def _named(self, role: str) -> tuple[str, ...]:
        return tuple(tensor.name for tensor in self.record.tensors if tensor.role == role)

    def __eq__(self, other: object) -> bool:
        return self.record == other.record if isinstance(other, Described) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.record)

    def __repr__(self) -> str:
        record = self.record
        entry = dict.fromkeys(record.order)
        declared = ", ".join(_declared(record, name) for name in entry)
        return f"<Layer {self.name}: {declared} → {', '.join(_declared(record, name) for name in self.outputs)}>"

    def _parts(self) -> Iterable[Part]:
        return notebook.layer_parts(self.record)


def _declared(record: Record, name: str) -> str:
    """x[s, c, k...]."""
    letters = [i.name + ("..." if record.axis(i.axis).variadic else "") for i in record.indices(name) or ()]
    return name + (f"[{', '.join(letters)}]" if letters else "")
