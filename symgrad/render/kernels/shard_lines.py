"""The lines of a procedure over a sharded axis: those of PyTorch, and the exchanges between processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from symgrad.plan.exchanges import MAX, MEAN, SQUARES, Exchange, Part, Step
from symgrad.plan.share import reduction
from symgrad.render.kernels.layout import flat_items, tuple_text, unpacked
from symgrad.render.kernels.products import scaled
from symgrad.render.kernels.small import OWN, WIDE, raw
from symgrad.render.kernels.torch_lines import TorchLines
from symgrad.render.kernels.words import assignment, comment, filled_call


@dataclass
class ShardLines(TorchLines):
    """Writes one procedure in steps.

    Attributes:
        steps: statements and exchanges, in order.
        axis: the sharded axis.
        total: the name of its length over all processes.
        counts: the name of its lengths in each process.
        group: the name of the process group.
    """

    steps: Sequence[Step] = ()
    axis: str = ""
    total: str = ""
    counts: str = ""
    group: str = "group"

    def write(self) -> list[str]:
        """All lines."""
        return [line for step in self.steps for line in self._step(step)]

    def write_as_needed(self, results: Sequence[str] = ()) -> list[str]:
        """All lines, each computed only where a gradient is asked for that needs it."""
        results = [what for what, _ in self.procedure.results]
        lines = []
        for needed_by, group in groupby(self.steps, key=lambda step: _needed_by(step, results)):
            inner = [line for step in group for line in self._step(step)]
            if needed_by == tuple(results):
                lines += inner
            else:
                lines.append(f"if {' or '.join(f'need_{what}' for what in needed_by)}:")
                lines += [f"    {line}" for line in inner]
        return lines

    def _step(self, step: Step) -> list[str]:
        return self._exchange(step) if isinstance(step, Exchange) else self._lines(step)

    def _exchange(self, exchange: Exchange) -> list[str]:
        """The parts, the exchange, and what is made of it."""
        lines = [line for part in exchange.parts for line in self._part(part)]
        if exchange.counts:
            lines.append(f"{self.counts} = torch.full((), n_{self.axis}, dtype=wide, device={self.like}.device)")
        lines += self._reduced(exchange) if exchange.operation else self._gathered(exchange)
        for part in exchange.parts:
            kind = self.smalls.kinds[part.own.name]
            if kind == OWN and self._is_wide(exchange):
                lines.append(f"{part.whole.name} = {part.whole.name}.to(dtype)")
            self.smalls.kinds[part.whole.name] = kind
            lines += self._scaled(part)
        return lines

    def _part(self, part: Part) -> list[str]:
        """What this process adds; an empty part is well defined."""
        lines = self._lines(part.own)
        formulas = [line for line in lines if line.startswith("#")]
        code = lines[len(formulas) :]
        own = comment(f"{part.whole.formula}: the part of this process")
        if part.operation == MEAN:
            found = reduction(part.whole.term)
            assert found is not None
            counts = " * ".join(f"n_{index.axis}" for index in found[0].indices)
            code[-1] += f" / max({counts}, 1)"
        if part.operation in ("max", "min"):
            infinite = "-math.inf" if part.operation == MAX else "math.inf"
            shape = tuple_text(flat_items(part.own.indices)) if part.own.indices else "()"
            empty = f"{part.own.name} = torch.full({shape}, {infinite}, dtype=dtype, device={self.like}.device)"
            code = [f"if n_{self.axis}:", *(f"    {line}" for line in code), "else:", f"    {empty}"]
        return [*own, *code]

    def _reduced(self, exchange: Exchange) -> list[str]:
        """All by one operation: an all-reduce."""
        self.used.add("reduced")
        left = [*([f"n_{self.total}"] if exchange.counts else []), *(part.whole.name for part in exchange.parts)]
        right = [*([self.counts] if exchange.counts else []), *(part.own.name for part in exchange.parts)]
        call = [self.group, f'"{exchange.operation.upper()}"', *right]
        return filled_call(f"{unpacked(left)} = _reduced", call)

    def _gathered(self, exchange: Exchange) -> list[str]:
        """Several operations: the parts of all processes, put together by each of them."""
        self.used.add("gathered")
        names = [*([self.counts] if exchange.counts else []), *(part.own.name for part in exchange.parts)]
        lines = [
            "# the parts of all processes, a row for each",
            *filled_call(f"{unpacked(names)} = _gathered", [self.group, *names]),
        ]
        for place, part in enumerate(exchange.parts):
            whole, own = part.whole.name, part.own.name
            if part.operation == SQUARES:
                self.used.add("merged")
                mean = exchange.parts[place - 1]
                lines.append(f"# {mean.whole.name} of the whole, and the squares around it")
                lines.append(f"{mean.whole.name}, {whole} = _merged({self._counted(part)}, {mean.own.name}, {own})")
            elif part.operation != MEAN:
                how = "sum" if part.operation == "sum" else f"a{part.operation}"
                lines.append(f"{whole} = {own}.{how}(0)")
        return [*lines, *([f"n_{self.total} = {self.counts}.sum(0)"] if exchange.counts else [])]

    def _counted(self, part: Part) -> str:
        """How many numbers there are in each process's part."""
        found = reduction(part.own.term)
        assert found is not None
        others = [f"n_{index.axis}" for index in found[0].indices if index.axis != self.axis]
        return " * ".join([self.counts, *others])

    def _is_wide(self, exchange: Exchange) -> bool:
        """Whether the pack is in the wider type."""
        return exchange.counts or any(self.smalls.kinds[part.own.name] == WIDE for part in exchange.parts)

    def _scaled(self, part: Part) -> list[str]:
        """The value of a sum, where it is a multiple of it."""
        found = reduction(part.whole.term)
        assert found is not None
        name = part.whole.name
        text = self.smalls.text(scaled(raw(name), found[1]), ())
        return [] if text == name or part.operation == MEAN else assignment(name, text)


def _needed_by(step: Step, results: Sequence[str]) -> tuple[str, ...]:
    """The results that need a step, in their order."""
    if not isinstance(step, Exchange):
        return step.needed_by
    return tuple(what for what in results if any(what in part.whole.needed_by for part in step.parts))
