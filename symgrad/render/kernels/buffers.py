"""Which names hold a full-size buffer, which of them may be written to, and which are free again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from symgrad.algebra.terms import Entry, Term, walk
from symgrad.plan.records import Procedure
from symgrad.render.kernels.layout import Frame


@dataclass
class Buffers:
    """Liveness of full-size buffers while a procedure is printed.

    Attributes:
        uses: how often each name is still read; what is returned or kept is read once more.
        owned: the frames of the buffers that the procedure itself allocated, by name.
        free: names of buffers whose value is not needed any more, with their frames.
    """

    uses: Counter[str]
    owned: dict[str, Frame] = field(default_factory=dict)
    free: list[tuple[str, Frame]] = field(default_factory=list)

    @classmethod
    def of(cls, procedure: Procedure, kept: Iterable[str]) -> Buffers:
        """The state before the first statement; `kept` are names that outlive the procedure."""
        uses = Counter(node.name for s in procedure.statements for node in walk(s.term) if isinstance(node, Entry))
        uses.update(kept)
        return cls(uses)

    def read(self, name: str) -> None:
        """Note that one of the uses of a name is done."""
        self.uses[name] -= 1

    def is_dying(self, name: str, frame: Frame) -> bool:
        """Whether a name holds an own buffer of this frame that nothing reads any more."""
        return self.owned.get(name) == frame and self.uses[name] <= 0

    def own(self, name: str, frame: Frame, uses: int = 0) -> None:
        """Note that a name holds an own buffer."""
        self.owned[name] = frame
        self.uses[name] += uses

    def give(self, name: str) -> None:
        """Note that the buffer behind a name has a new name."""
        del self.owned[name]

    def release(self, name: str, frame: Frame) -> None:
        """Put a dying buffer among the free ones."""
        if self.is_dying(name, frame):
            del self.owned[name]
            self.free.append((name, frame))

    def take(self, frame: Frame) -> str | None:
        """A free buffer with this frame, or None."""
        for place, (name, found) in enumerate(self.free):
            if found == frame:
                del self.free[place]
                return name
        return None


def reads_of(term: Term) -> list[str]:
    """The names that a term reads, once for each place."""
    return [node.name for node in walk(term) if isinstance(node, Entry)]
