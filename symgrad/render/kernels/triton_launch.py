"""The Python around the kernels: what is allocated, in which tiles each kernel runs, and what is returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Delta, Entry, Place, Term, walk
from symgrad.plan.records import KernelPlan, Procedure, Statement, is_full
from symgrad.render.kernels.layout import flat_items, tuple_text
from symgrad.render.kernels.prologue import nothing_to_compute
from symgrad.render.kernels.records import Function, JitFunction
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.triton_body import Body, count
from symgrad.render.kernels.triton_merge import MergeBody
from symgrad.render.kernels.triton_records import PART, PROGRAM, Merge, Stage, axes_of
from symgrad.render.kernels.triton_scope import Names, Parameters
from symgrad.render.kernels.triton_stages import stages_of
from symgrad.render.kernels.triton_sums import operation_of
from symgrad.render.kernels.words import WIDTH, fit

CONSTEXPR = ("real: tl.constexpr", "index: tl.constexpr", "ROWS: tl.constexpr", "BLOCK: tl.constexpr")


@dataclass
class Launches:
    """Writes the function that runs a procedure's kernels, and the kernels.

    Attributes:
        plan: whose names are written, each safe as a variable.
        procedure: what is computed.
        name: what kernels' names start with.
        used: the helper functions that lines call.
    """

    plan: KernelPlan
    procedure: Procedure
    name: str
    used: set[str]
    kernels: list[JitFunction] = field(default_factory=list)

    def __post_init__(self) -> None:
        plan, layer = self.plan, self.plan.layer
        self.statements = {s.name: s for s in self.procedure.statements}
        indices = {name: plan.indices(name) for name in plan.names.values()} | dict(plan.ahead)
        indices |= {f"d_{plan.names[n]}": layer.entry(n).indices for n in layer.outputs}
        indices |= {s.name: s.indices for s in self.procedure.statements}
        outputs = {plan.names[name] for name in layer.outputs}
        tensors = {plan.names[tensor.name] for tensor in layer.tensors}
        cotangents = {f"d_{name}" for name in outputs}
        given = (tensors | cotangents | outputs) - set(self.statements)
        large = {name for name, own in indices.items() if own and is_full(own, layer)}
        self.strided = frozenset(given | large)
        self.kept = frozenset(result for _, result in self.procedure.results)
        self.stages = stages_of(self.procedure, layer, indices, self.kept)
        home = {s.name: n for n, stage in reversed(list(enumerate(self.stages))) for s in stage.finished()}
        names = Names(
            indices, self.statements, frozenset(tensors), self.strided,
            frozenset(plan.names[n] for n in layer.labels),
            frozenset(plan.constants), home, frozenset(),
        )  # fmt: skip
        self.known = names
        self.later = {name for n, stage in enumerate(self.stages) for name in self._loads(n, stage)}
        self.stored = self.kept | self.later
        outgoing = outputs if self.procedure is plan.forward else self.kept
        self.known = replace(names, results=frozenset(outgoing) - self.later)

    def _loads(self, number: int, stage: Stage) -> set[str]:
        """What a stage reads of what stages before it have stored."""
        waiting: list[Term] = [s.term for s in self._made(stage)]
        found, seen = set[str](), set[str]()
        while waiting:
            for name in _names(waiting.pop()):
                if name in seen or name not in self.statements:
                    continue
                seen.add(name)
                if self.known.stored.get(name, number) < number:
                    found.add(name)
                else:
                    waiting.append(self.statements[name].term)
        return found

    @staticmethod
    def _made(stage: Stage) -> list[Statement]:
        moments = [stage.moments.mean, stage.moments.squares] if stage.moments is not None else []
        sweeps = [s for sweep in stage.sweeps for s in (*sweep.reductions, *sweep.arrays)]
        return [*sweeps, *moments, *stage.smalls, *(s for merge in stage.merges for s in merge.smalls)]

    def function(self, name: str, arguments: list[str], dtypes: dict[str, str], returned: list[str]) -> Function:
        """The function that runs the kernels.

        Args:
            name: its name.
            arguments: its arguments.
            dtypes: for each result the expression of its dtype.
            returned: what it returns, each with its own shape again.
        """
        body = [line for number, stage in enumerate(self.stages) for line in self._stage(number, stage, dtypes)]
        shapes = self._shapes()
        given = [n for n in arguments if n in self.known.indices and n not in self.known.constants]
        lines = []
        for each in given:
            if any(index.axis not in shapes.known for index in self.known.indices[each]):
                lines += shapes.unpack(each, self.known.indices[each], check=False)
        lines += shapes.flatten((n, self.known.indices[n]) for n in given if n in self.strided)
        floats = [n for n in given if n not in self.known.labels and n in self.strided]
        strided = [n for n in given if n in self.strided and self.known.indices[n]]
        lines += [
            f"dtype = _real({', '.join(floats)})",
            "real = _TYPES[dtype]",
            f"index = _index({', '.join([self._most(), *strided])})",
        ]
        restored = [shapes.restored(text, self.known.indices[text]) if text in self.strided else text
                    for text in returned]  # fmt: skip
        restored = [f"{text}.to({dtypes[name]})" if name in dtypes and name in self.later else text
                    for name, text in zip(returned, restored, strict=True)]  # fmt: skip
        lines += [*body, "", f"return {', '.join(restored)}"]
        return Function(name, ", ".join(arguments), (), fit(lines))

    def _shapes(self) -> Shapes:
        return Shapes(self.plan.layer, False, frozenset(a.name for a in self.plan.layer.axes), self.used, "{0}.numel()")

    def _most(self) -> str:
        """The number of elements of the largest loop nest, in Python."""
        found = dict.fromkeys(count((*stage.rows, *stage.cols)) for stage in self.stages)
        return next(iter(found)) if len(found) == 1 else f"max({', '.join(found)})"

    def _stage(self, number: int, stage: Stage, dtypes: dict[str, str]) -> list[str]:
        """The lines that run one stage's kernels."""
        suffix = f"_{number + 1}" if len(self.stages) > 1 else ""
        name = f"{self.name}{suffix}"
        parameters, bodies = Parameters(), []
        for one_block in (True, False) if stage.whole else (False,):
            body = Body(self.known, stage, number, self.stored, one_block, self.used, parameters)
            bodies.append(body.write())
        kernels = [name, f"{name}_in_blocks"] if stage.whole else [name]
        constexpr = CONSTEXPR if stage.rows else (*CONSTEXPR[:2], CONSTEXPR[3])
        for kernel, lines in zip(kernels, bodies, strict=True):
            head = _declared(kernel, [*parameters.given, *constexpr])
            self.kernels.append(JitFunction(kernel, head, f"Compute {self._what(stage)}", fit(lines)))
        lines = ["", f"# {self._what(stage).removesuffix('.')}", self._tile(stage)]
        lines += [line for s in self._written(stage) for line in self._allocated(s, dtypes)]
        lines += [line for merge in stage.merges for line in self._parts(merge, stage)]
        if stage.whole:
            choice = f"kernel = {kernels[0]} if tile.in_registers else {kernels[1]}"
            parts = [f"    {part}" for part in (kernels[0], "if tile.in_registers", f"else {kernels[1]}")]
            lines += [choice] if len(choice) <= WIDTH else ["kernel = (", *parts, ")"]
        shape = ["real=real", "index=index", *(["ROWS=tile.rows"] if stage.rows else []), "BLOCK=tile.cols"]
        arguments = [*parameters.given.values(), *shape, "num_warps=tile.warps"]
        lines += packed(f"{'kernel' if stage.whole else kernels[0]}[(tile.programs,)]", arguments)
        for place, merge in enumerate(stage.merges):
            lines += self._merge(
                number, stage, merge, f"{name}_merge{place + 1 if len(stage.merges) > 1 else ''}", dtypes
            )
        return lines

    def _merge(self, number: int, stage: Stage, merge: Merge, name: str, dtypes: dict[str, str]) -> list[str]:
        """The lines that run a merging kernel."""
        self.used.add("merging")
        writer = MergeBody(self.known, stage, number, merge, self.stored, self.used)
        body = writer.write()
        what = f"Merge the parts of {', '.join(s.name for s in merge.sums)}"
        what += f"; compute {', '.join(s.name for s in merge.smalls)}" if merge.smalls else ""
        head = _declared(name, [*writer.scope.parameters.given, "PARTS: tl.constexpr", "BLOCK: tl.constexpr"])
        self.kernels.append(JitFunction(name, head, f"{what}.", fit(body)))
        lines = [line for s in (*merge.sums, *merge.smalls) for line in self._allocated(s, dtypes)]
        lines.append(f"merge = _merging({writer.length()}, {count(merge.kept)})")
        arguments = [*writer.scope.parameters.given.values(), "PARTS=merge.rows", "BLOCK=merge.cols"]
        return lines + packed(f"{name}[(merge.programs,)]", arguments)

    def _what(self, stage: Stage) -> str:
        """What a kernel computes, in words."""
        moments = [stage.moments.mean, stage.moments.squares] if stage.moments is not None else []
        made = [s for sweep in stage.sweeps for s in (*sweep.reductions, *sweep.arrays)] + moments + list(stage.smalls)
        partial = stage.partial
        texts = [f"parts of {s.name}" if s.name in partial else s.name
                 for s in dict.fromkeys(made) if s.name in partial or s.name in self.stored]  # fmt: skip
        where = ", ".join(index.axis for index in stage.rows)
        return f"{', '.join(texts)}{f'; a row for each {where}' if where else ''}."

    def _tile(self, stage: Stage) -> str:
        """The line that chooses a tile's shape."""
        rows, cols = count(stage.rows), count(stage.cols)
        if stage.whole:
            self.used.add("whole_rows")
            adds = any(n in (PROGRAM,) for merge in stage.merges for n in merge.over)
            return f"tile = _whole_rows({rows}, {cols}, {self._along(stage)}{', adds=True' if adds else ''})"
        adds = stage.moments is not None or any(sweep.reductions for sweep in stage.sweeps)
        helper = "parts_of_rows" if adds else "tiles"
        self.used.add(helper)
        return f"tile = _{helper}({rows}, {cols}, {self._along(stage)})"

    def _along(self, stage: Stage) -> str:
        """Whether neighbours in memory are in one column: by the strides of an array with all axes."""
        if not stage.rows or not stage.cols:
            return "False"
        nest = axes_of((*stage.rows, *stage.cols))
        for name in self.procedure.reads:
            own = self.known.indices.get(name, ())
            if name in self.strided and axes_of(own) == nest:
                places = [[i.axis for i in own].index(frame[-1].axis) for frame in (stage.rows, stage.cols)]
                return f"{name}.stride({places[0]}) <= {name}.stride({places[1]})"  # both 1 where there is one column
        return "False"

    def _written(self, stage: Stage) -> list[Statement]:
        """What a stage's first kernel stores."""
        partial = stage.partial
        found = [s for sweep in stage.sweeps for s in (*sweep.reductions, *sweep.arrays) if s.name not in partial]
        return list(dict.fromkeys([*found, *stage.smalls]))

    def _allocated(self, statement: Statement, dtypes: dict[str, str]) -> list[str]:
        """The line that makes room for a value."""
        name = statement.name
        if name not in self.stored:
            return []
        wide = "torch.float64" if name not in self.strided else "dtype"
        dtype = dtypes[name] if name in self.known.results else wide
        like = self._like(statement)
        if like is not None:
            return [f"{name} = torch.empty_like({like}, dtype={dtype})"]
        shape = tuple_text(flat_items(statement.indices)) if statement.indices else "()"
        return [f"{name} = torch.empty({shape}, dtype={dtype}, device={self._device()}.device)"]

    def _like(self, statement: Statement) -> str | None:
        """An array that is read and has the same dimensions, whose layout is taken over."""
        if statement.name not in self.strided:
            return None
        axes = [index.axis for index in statement.indices]
        reads = [n for n in self.procedure.reads if n in self.strided and n not in self.known.constants]
        own = statement.name.removeprefix("d_")
        for name in sorted(reads, key=lambda n: n != own):
            if [index.axis for index in self.known.indices[name]] == axes:
                return name
        return None

    def _device(self) -> str:
        found = next((n for n in self.procedure.reads if n in self.strided), None)
        if found is None:
            raise nothing_to_compute(self.plan)
        return found

    def _parts(self, merge: Merge, stage: Stage) -> list[str]:
        """The lines that make room for what is merged."""
        lines = []
        for statement in merge.sums:
            kind, make = "torch.float64", "empty"
            if not merge.kept and merge.over[0] in (PART, PROGRAM):
                shape = "(tile.programs,)"
            elif merge.over == (PROGRAM,):
                shape, kind, make = f"(tile.programs, {count(merge.kept)})", "dtype", "zeros"
            elif merge.over[0] == PART:
                shape = f"(tile.parts, {count(stage.rows)})"
            else:
                shape, kind = f"({count(stage.rows)},)", "torch.float64"
            if operation_of(statement) != "sum":
                kind = "dtype"
            lines.append(f"part_{statement.name} = torch.{make}({shape}, dtype={kind}, device={self._device()}.device)")
        return lines


def _declared(name: str, parameters: list[str]) -> tuple[str, ...]:
    """The lines that declare a kernel."""
    return tuple(packed(f"def {name}", parameters, ":"))


def packed(before: str, arguments: Sequence[str], behind: str = "") -> list[str]:
    """Arguments in brackets; where they do not fit on a line, as many a line as fit."""
    arguments = [argument for argument in arguments if argument]
    line = f"{before}({', '.join(arguments)}){behind}"
    if len(line) <= WIDTH:
        return [line]
    lines = ["   "]
    for argument in arguments:
        if len(lines[-1]) + len(argument) > WIDTH:
            lines.append("   ")
        lines[-1] += f" {argument},"
    return [f"{before}(", *lines, f"){behind}"]


def _names(term: Term) -> list[str]:
    """The names in a term, those in computed places too."""
    found = []
    for node in walk(term):
        if isinstance(node, Entry):
            found.append(node.name)
            found += [n for index in node.indices if isinstance(index, Place) for n in sorted(index.value.names)]
        if isinstance(node, Delta) and isinstance(node.right, Place):
            found += sorted(node.right.value.names)
    return found
