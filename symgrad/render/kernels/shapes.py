"""The lines that find and check the lengths of axes: the same for every backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symgrad.algebra.simplify import tidy
from symgrad.algebra.terms import Term, add, place_text
from symgrad.notation.layer import Layer
from symgrad.notation.lengths import derived_axes, first, given_axes, last, parts_of
from symgrad.plan.infix import infix
from symgrad.plan.records import REDUCTION, KernelPlan
from symgrad.render.kernels.layout import Frame, flat_items, has_variadic, shape_items, shown, tuple_text
from symgrad.render.kernels.small import PLAIN


@dataclass
class Shapes:
    """Writes lines that unpack lengths from arrays, each length from the first array that has it.

    Attributes:
        layer: whose axes they are.
        whole: whether arrays keep their shape (see layout.is_whole).
        needed: the axes of which the length itself is used.
        used: the helper functions that the lines call.
        size: the spelling of an array's number of elements.
        sums: whether there are sums, for which arrays must not be empty.
        known: the axes whose lengths have been found, and the array that has them.
    """

    layer: Layer
    whole: bool
    needed: frozenset[str]
    used: set[str]
    size: str
    sums: bool = False
    known: dict[str, str] = field(default_factory=dict)

    def unpack(self, name: str, indices: Frame, check: bool) -> list[str]:
        """The lines for one array: unpack the axes that are new, check those that are known."""
        if self.whole:
            return self._whole(name, indices, check)
        axes = [index.axis for index in indices]
        new = [axis for axis in dict.fromkeys(axes) if axis not in self.known]
        lines = []
        if new and check:
            lines += self._dimensions(name, indices)
        self.known.update(dict.fromkeys(new, name))
        if len(new) == len(axes) and new:
            items = self._items(indices)
            left = tuple_text(items) if len(items) == 1 and items[0].startswith("*") else ", ".join(items)
            left += "," if len(items) == 1 and left == items[0] else ""
            return [*lines, f"{left} = {name}.shape", *self._products(new)]
        lines += [self._one(name, indices, axis) for axis in new] + self._products(new)
        return lines + (self._check(name, indices) if check else [])

    def lengths(self, check: bool) -> list[str]:
        """The lines for lengths that no array has: declared ones, and how many positions fit."""
        lines = []
        for axis in self.layer.axes:
            if axis.length is not None and axis.name not in self.known:
                lines += self._new(axis.name, whole_text(axis.length), check)
        for axis_name, found in derived_axes(self.layer.fits, self.known):
            self.used.add("positions")
            texts = [f"_positions({whole_text(room)}, {whole_text(step)})" for room, step in found]
            lines += self._new(axis_name, texts[0] if len(texts) == 1 else f"min({', '.join(texts)})", check)
        return lines + (self._inside() if check else [])

    def _new(self, axis: str, text: str, check: bool) -> list[str]:
        """The line for one length, where it is used."""
        self.known[axis] = ""
        return [f"n_{axis} = {text}"] if check or axis in self.needed else []

    def _inside(self) -> list[str]:
        """The lines that check entries at places of which nothing else says that they lie inside."""
        derived = {axis.name for axis in self.layer.axes} - set(given_axes(self.layer))
        lines = []
        for fit in self.layer.fits:
            if fit.padding is None and not derived & {index.axis for index in fit.value.free}:
                self.used.add("check_inside")
                low, high = (add(*map(end, parts_of(fit.value))) for end in (first, last))
                what = place_text(fit.value)
                lines.append(
                    f'_check_inside("{what}", {whole_text(tidy(low))}, {whole_text(tidy(high))}, n_{fit.axis})'
                )
        return lines

    def flatten(self, names: Iterable[tuple[str, Frame]]) -> list[str]:
        """The lines that merge variadic axes."""
        if self.whole:
            return []
        return [
            f"{name} = {name}.reshape({', '.join(flat_items(indices))})"
            for name, indices in names
            if has_variadic(indices, self.layer)
        ]

    def restored(self, text: str, indices: Frame) -> str:
        """An array's expression with its own shape again."""
        if self.whole or not has_variadic(indices, self.layer):
            return text
        items = self._items(indices)
        shape = items[0].removeprefix("*") if len(items) == 1 else ", ".join(items)
        return f"{text}.reshape({shape})"  # reshape(*()) is an error

    def shape(self, indices: Frame) -> str:
        """The shape of an array as a tuple."""
        if self.whole:
            return f"{next(iter(self.known.values()))}.shape" if indices else "()"
        return tuple_text(self._items(indices)) if indices else "()"

    def _whole(self, name: str, indices: Frame, check: bool) -> list[str]:
        if indices and not self.known:
            axis = indices[0].axis
            self.known[axis] = name
            lines = self._dimensions(name, indices) if check and self.sums else []
            return lines + ([f"n_{axis} = {self.size.format(name)}"] if axis in self.needed else [])
        return self._check(name, indices) if check else []

    def _items(self, indices: Frame) -> list[str]:
        return shape_items(indices, self.layer)

    def _dimensions(self, name: str, indices: Frame) -> list[str]:
        self.used.add("check_dimensions")
        variadic = has_variadic(indices, self.layer)
        least = len(indices) - variadic
        more = ", more=True" if variadic else ""
        return [f'_check_dimensions("{shown(name, indices, self.layer)}", {name}, {least}{more})']

    def _check(self, name: str, indices: Frame) -> list[str]:
        self.used.add("check_shape")
        return [f'_check_shape("{shown(name, indices, self.layer)}", {name}, {self.shape(indices)})']

    def _one(self, name: str, indices: Frame, axis: str) -> str:
        axes = [index.axis for index in indices]
        place, after = axes.index(axis), len(axes) - axes.index(axis) - 1
        if self.layer.axis(axis).variadic:
            return f"shape_{axis} = {name}.shape[{place}:{f'-{after}' if after else ''}]"
        behind = any(self.layer.axis(other).variadic for other in axes[:place])
        return f"n_{axis} = {name}.shape[{place - len(axes) if behind else place}]"

    def _products(self, axes: Sequence[str]) -> list[str]:
        lines = [f"n_{axis} = math.prod(shape_{axis})" for axis in axes if self.layer.axis(axis).variadic]
        if lines:
            self.used.add("math")
        return lines


def whole_text(term: Term) -> str:
    """A length, or a number of places, as a Python expression."""
    return infix(term, PLAIN)


def has_sums(plan: KernelPlan) -> bool:
    """Whether the forward pass sums over anything."""
    return any(statement.kind == REDUCTION for statement in plan.forward.statements)
