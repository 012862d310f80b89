"""`Layer`: the record that every door into symgrad ends in."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from symgrad.algebra.terms import Entry, Index, Term
from symgrad.errors import Origin, SymgradError

ROLES = ("input", "parameter", "target", "label")
"""The roles of declared tensors; `input` and `parameter` get gradients, `target` and `label` do not."""


@dataclass(frozen=True)
class Axis:
    """A dimension; a variadic one (`k...`) stands for any number of dimensions, also none.

    `parts` are the axes that were merged into this one, in order; empty for a plain axis. `length` is
    its length where that is declared: made of whole numbers and whole constants.
    """

    name: str
    variadic: bool = False
    parts: tuple[str, ...] = ()
    length: Term | None = None


@dataclass(frozen=True)
class Tensor:
    """A declared array; `indices` are its dimensions, in order; a label points into the axis `into`."""

    name: str
    indices: tuple[Index, ...]
    role: str
    origin: Origin | None = None
    into: str = ""

    @property
    def entry(self) -> Entry:
        """x[s, c, k] with the tensor's own letters."""
        return Entry(self.name, self.indices)


@dataclass(frozen=True)
class Constant:
    """A number at run time; exact in derivations through its symbol. `text` is the default.

    `is_whole` where it is a length, or stands in places, such as a stride.
    """

    name: str
    default: Fraction
    text: str
    origin: Origin | None = None
    is_whole: bool = False

    @property
    def value(self) -> int | float:
        """The default as a number of the kind that kernels take."""
        return int(self.default) if self.is_whole else float(self.default)


@dataclass(frozen=True)
class Fit:
    """A shifted entry in a layer: the place `value` lies on `axis`, or at most `padding` outside of it.

    Attributes:
        axis: the dimension on which the place lies.
        value: the place, counted from the first of the padded dimension.
        padding: how many zeros stand at each end, a number or a constant; None where none may.
    """

    axis: str
    value: Term
    padding: Term | None = None


@dataclass(frozen=True)
class Definition:
    """One equation `name[indices] = body`; `text` is the line as its author wrote it.

    `call` is the name of the layer call that it came from: "y" for both `y` and `y.mu` in
    `y = batch_norm(x, w, beta, eps)`; empty in a layer that calls none.
    """

    name: str
    indices: tuple[Index, ...]
    body: Term
    text: str = ""
    call: str = ""
    origin: Origin | None = None

    @property
    def entry(self) -> Entry:
        """mu[c] with the definition's own letters."""
        return Entry(self.name, self.indices)


@dataclass(frozen=True)
class LayerCall:
    """A use of another layer: `y = batch_norm(x, w, beta, eps)`."""

    result: str
    layer: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """The forward pass of a layer or a network.

    Attributes:
        name: the file's stem.
        doc: what it is, with its source.
        axes: in order of their first appearance.
        tensors: declared, in order.
        constants: in order.
        definitions: in order; each uses only what stands before it.
        outputs: names that are returned, in order.
        text: the source text.
        calls: uses of other layers, which are already inlined into `definitions`.
        order: names of tensors and constants as declared, for positional arguments.
        fits: its shifted entries; an index that stands only in these runs over every position that fits.
    """

    name: str
    doc: str
    axes: tuple[Axis, ...]
    tensors: tuple[Tensor, ...]
    constants: tuple[Constant, ...]
    definitions: tuple[Definition, ...]
    outputs: tuple[str, ...]
    text: str = ""
    calls: tuple[LayerCall, ...] = ()
    order: tuple[str, ...] = field(default=())
    fits: tuple[Fit, ...] = ()

    def __post_init__(self) -> None:
        known = {tensor.name for tensor in self.tensors} | {c.name for c in self.constants}
        for definition in self.definitions:
            unknown = definition.body.names - known
            loose = definition.body.free - set(definition.indices)
            if unknown or loose or definition.name in known:
                raise SymgradError(f"layer {self.name}: {definition.name} is not well formed: {unknown or loose}")
            known.add(definition.name)
        if not self.outputs or not set(self.outputs) <= {d.name for d in self.definitions}:
            raise SymgradError(f"layer {self.name}: outputs {self.outputs} are not all defined")

    @cached_property
    def _tensors(self) -> dict[str, Tensor]:
        return {tensor.name: tensor for tensor in self.tensors}

    @cached_property
    def _definitions(self) -> dict[str, Definition]:
        return {definition.name: definition for definition in self.definitions}

    @cached_property
    def _axes(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.axes}

    @property
    def differentiable(self) -> tuple[Tensor, ...]:
        """The inputs and parameters: what gets gradients, in order."""
        return tuple(t for t in self.tensors if t.role in ("input", "parameter"))

    def axis(self, name: str) -> Axis:
        """The axis with this name."""
        return self._axes[name]

    def definition(self, name: str) -> Definition | None:
        """The definition of `name`, or None for a declared tensor or constant."""
        return self._definitions.get(name)

    def tensor(self, name: str) -> Tensor | None:
        """The declared tensor `name`, or None."""
        return self._tensors.get(name)

    def indices(self, name: str) -> tuple[Index, ...] | None:
        """The indices of a tensor, definition or constant; None where the name is unknown."""
        found = self._tensors.get(name) or self._definitions.get(name)
        if found is not None:
            return found.indices
        return () if any(c.name == name for c in self.constants) else None

    def entry(self, name: str) -> Entry:
        """The entry of `name` with its own letters."""
        indices = self.indices(name)
        if indices is None:
            raise SymgradError(f"layer {self.name} has no {name}")
        return Entry(name, indices)

    @cached_property
    def labels(self) -> dict[str, str]:
        """For each label the axis into which it points."""
        return {tensor.name: tensor.into for tensor in self.tensors if tensor.role == "label"}

    @property
    def scalar_output(self) -> bool:
        """True where the only output is one number, such as a loss."""
        return len(self.outputs) == 1 and not self.indices(self.outputs[0])
