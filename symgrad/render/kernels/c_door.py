"""The Python functions around a kernel in C: checks, room for what is computed, and the call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.c_gradients import gradients
from symgrad.render.kernels.c_turn import Axes
from symgrad.render.kernels.layout import Frame, shown, tuple_text, unpacked
from symgrad.render.kernels.loop_function import GIVEN, KEPT, LENGTH, RESULT, Argument, LoopFunction
from symgrad.render.kernels.loop_language import Case
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.words import argument_lines, call_lines, fit, output_text, signature


@dataclass
class Door:
    """Writes the Python side of one layer.

    Attributes:
        plan: of the layer.
        forward: the C function of the forward pass.
        backward: that of the backward pass.
        used: the helper functions that the lines call.
        axes: of the arrays that have a second layout (c_turn.py), or None.
        elements: the names of the arrays that may hold bfloat16 or float16 (c_half.py).
        at_once: the C function of both passes of a loss together, if there is one (c_at_once.py).
    """

    plan: KernelPlan
    forward: LoopFunction
    backward: LoopFunction
    used: set[str]
    axes: Axes | None = None
    elements: frozenset[str] = frozenset()
    at_once: LoopFunction | None = None
    language: ClassVar[str] = "C"

    @property
    def loops(self) -> tuple[LoopFunction, ...]:
        """All C functions."""
        return (self.forward, self.backward, *((self.at_once,) if self.at_once else ()))

    @property
    def cases(self) -> tuple[Case, ...]:
        """Lengths for which some function has loops of their own."""
        return tuple({case.name: case for function in self.loops for case in function.cases}.values())

    def type_of(self, name: str) -> str:
        """The type of what is saved under a name, as it is annotated."""
        whole = {self.plan.names[c.name]: "int" if c.is_whole else "float" for c in self.plan.layer.constants}
        return whole.get(name, "np.ndarray")

    def turned(self, names: Iterable[str]) -> list[str]:
        """Those of some arrays that have a second layout."""
        indices = {n: self.plan.indices(n) for n in (*self.tensors, *self.plan.saved) if n not in self.constants}
        indices |= dict(self.cotangents)
        return [n for n in names if self.axes and tuple(i.axis for i in indices.get(n, ())) == self.axes]

    def _turning(self, names: Sequence[str], function: str) -> list[str]:
        """The line that turns arrays so that their dimensions are as in memory, or back."""
        turned = self.turned(names)
        if not turned:
            return []
        right = ", ".join(f"{function}({name})" for name in turned)
        return ["if last:", f"    {', '.join(turned)} = {right}"]

    def is_last(self, names: Sequence[str], prefix: str = "") -> list[str]:
        """The line that finds out whether arrays lie in their second layout."""
        turned = ", ".join(f"{prefix}{name}" for name in self.turned(names))
        return [f"last = _is_last({turned})" if turned else "last = False"] if self.axes else []

    def around(self, names: Sequence[str], lines: Sequence[str]) -> list[str]:
        """Lines that bring arrays into one piece, which those in the second layout are as they lie."""
        if not self.axes:
            return list(lines)
        return [*self._turning(names, "_turned"), *lines, *self._turning(names, "_turned_back")]

    @property
    def last(self) -> list[str]:
        """The argument that says which layout it is, where there are two."""
        return ["last"] if self.axes else []

    @property
    def tensors(self) -> list[str]:
        """The names of the tensors, in order."""
        return [self.plan.names[t.name] for t in self.plan.layer.tensors]

    @property
    def reals(self) -> list[str]:
        """The names of the tensors that are no labels."""
        labels = {self.plan.names[name] for name in self.plan.layer.labels}
        return [name for name in self.tensors if name not in labels]

    @property
    def labels(self) -> list[str]:
        """The names of the labels."""
        return [self.plan.names[name] for name in self.plan.layer.labels]

    @property
    def constants(self) -> list[str]:
        """The names of the constants, in order."""
        return self.plan.constants

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in order."""
        return [self.plan.names[name] for name in self.plan.layer.outputs]

    @property
    def cotangents(self) -> list[tuple[str, Frame]]:
        """The outputs' gradients with their dimensions."""
        return [(f"d_{self.plan.names[name]}", self.plan.layer.entry(name).indices) for name in self.plan.layer.outputs]

    @property
    def like(self) -> str:
        """What of `saved` has the arrays' dtype, or nothing."""
        saved = [name for name in self.plan.saved if name in self.reals]
        saved += [n for n in self.plan.saved if n in self.outputs and self.is_element(n)]
        return next((name for name in saved if name in self.elements), saved[0] if saved else "")

    def dtype(self, name: str) -> str:
        """The dtype of an array: beside large arrays of bfloat16 or float16, small ones are float32."""
        return "real_" if self.elements and name not in self.elements else "dtype"

    def with_real(self, lines: list[str]) -> list[str]:
        """Lines with one before them that sets what they use of `real`."""
        used = any(re.search(r"\breal_", line) for line in lines)
        return ["real_ = dtype if dtype.itemsize > 2 else _DTYPES[0]", *lines] if used else lines

    def is_element(self, name: str) -> bool:
        """Whether what is saved under a name is an array in the arrays' dtype, not a small one in double."""
        return not any(a.what == name and a.type == "double" for a in self.forward.of(KEPT))

    def functions(self) -> tuple[Function, Function]:
        """`forward` and `backward`, for arrays."""
        doc = (f"Compute {output_text(self.plan)}, and what `backward` needs.", "", "Args:",
               *argument_lines(self.plan), f"    out: {self._out_text()}")  # fmt: skip
        lines = [
            *self.brought(),
            *call_lines("return _forward", ["dtype", *self.last, *self.tensors, *self.constants, "out"]),
        ]
        return Function("forward", self.with_options("out=None"), doc, fit(lines)), self._backward_for_arrays()

    def brought(self) -> list[str]:
        """The lines that find out the dtype of given arrays, and make all of them such that C can read them."""
        reals = self.reals
        self.used.update(["labels"] if self.labels else [])
        arrays = call_lines(f"dtype, {', '.join(reals)} = _arrays", [f'"{", ".join(reals)}"', "None", *reals])
        labels = (f'{name} = _labels("{name}", {name})' for name in self.labels)
        return [*self.is_last(reals), *self.around(reals, arrays), *labels]

    def with_options(self, options: str) -> str:
        """The layer's arguments, and options by keyword."""
        given = signature(self.plan).split(", *, ")
        return f"{given[0]}, *, {''.join(f'{c}, ' for c in given[1:])}{options}"

    def _out_text(self) -> str:
        several = len(self.outputs) > 1
        return f"{'a tuple of arrays' if several else 'an array'} for what is returned; None: a new one."

    def _backward_for_arrays(self) -> Function:
        arrays = [name for name, indices in self.cotangents if indices]
        given = ", ".join(shown(name, indices, self.plan.layer) for name, indices in self.cotangents)
        doc = (
            f"Compute the gradients of the inputs from {given}, the gradient of what `forward` returned.", "",
            "Args:", "    saved: what `forward` returned last.",
            *(f"    {shown(name, indices, self.plan.layer)}: the gradient of {name[2:]}."
              for name, indices in self.cotangents),
            "    out: Gradients whose arrays receive the results, which are returned as well; None for an array, or",
            "        for all: new ones.",
        )  # fmt: skip
        like = f"saved.{self.like}.dtype" if self.like else "None"
        large = [name for name in arrays if name in self.elements]
        if large and self.like and self.like not in self.elements:
            like = f"_beside({like}, {large[0]})"
            self.used.add("beside")
        if arrays:
            lines = call_lines(f"dtype, {', '.join(arrays)} = _arrays", [f'"{", ".join(arrays)}"', like, *arrays])
            lines = self.around(arrays, lines)
        else:
            lines = [f"dtype = {like if self.like else f'_dtype_of({self.cotangents[0][0]})'}"]
            self.used.update([] if self.like else ["dtype_of"])
        cotangents = [name for name, _ in self.cotangents]
        lines = [*self.is_last(self.plan.saved, "saved."), *lines]
        lines += call_lines("return _backward", ["dtype", *self.last, "saved", *cotangents, "out"])
        scalar = self.plan.layer.scalar_output
        arguments = ", ".join(["saved", *(f"{name}=1.0" if scalar else name for name in cotangents), "out=None"])
        return Function("backward", arguments, doc, fit(lines))

    def inner(self) -> tuple[Function, Function]:
        """`_forward` and `_backward`: the same for arrays and tensors that lie in one piece, all of one dtype."""
        return self._inner_forward(), self._inner_backward()

    def _inner_forward(self) -> Function:
        shapes = self.shapes(self.forward)
        lines = self.unpacked(shapes)
        lines += [f"read_ = {tuple_text(self.tensors)}", *self._outs()]
        for argument in self.forward.arguments:
            if argument.indices is not None and argument.role not in (GIVEN, LENGTH):
                lines.append(f"{argument.variable} = {self._room(argument, shapes)}")
        wide = {a.what: a.variable for a in self.forward.of(KEPT)}
        kept = [wide.get(name, name) for name in self.plan.saved]
        results = self.outputs[0] if len(self.outputs) == 1 else f"({', '.join(self.outputs)})"
        lines += [*self.call(self.forward), *call_lines(f"return {results}, Saved", kept)]
        arguments = ", ".join(["dtype", *self.last, *self.tensors, *self.constants, "out"])
        doc = (f"`forward`, for arrays that the {self.language} functions can read.",)
        return Function("_forward", arguments, doc, fit(self.with_real(lines)))

    def unpacked(self, shapes: Shapes) -> list[str]:
        """The lines that find the lengths of the axes, and check the shapes of what is given, and labels."""
        tensors = ((self.plan.names[t.name], t.indices) for t in self.plan.layer.tensors)
        lines = [line for name, indices in tensors for line in shapes.unpack(name, indices, check=True)]
        return [*lines, *self._check_labels(self.labels)]

    def turn(self, indices: Frame) -> str:
        """The last argument for a result that has two layouts."""
        return ", last" if self.axes and tuple(index.axis for index in indices) == self.axes else ""

    def _outs(self) -> list[str]:
        if len(self.outputs) == 1:
            return []
        return [f"{', '.join(f'out_{name}_' for name in self.outputs)} = _several(out, {len(self.outputs)})"]

    def _room(self, argument: Argument, shapes: Shapes) -> str:
        """Where a result of the forward pass goes."""
        shape, turn = shapes.shape(argument.indices or ()), self.turn(argument.indices or ())
        if argument.role == KEPT:
            dtype = "dtype" if argument.type == "ELEMENT" or not self.elements else "real_"
            return (
                f"np.empty({shape})" if argument.type == "double" else f'_result("", None, {shape}, {dtype}, (){turn})'
            )
        given, dtype = "out" if len(self.outputs) == 1 else f"out_{argument.variable}_", self.dtype(argument.what)
        return f'_result("out", {given}, {shape}, {dtype}, read_{turn})'

    def _inner_backward(self) -> Function:
        plan, shapes = self.plan, self.shapes(self.backward)
        lines = [f"{unpacked(list(plan.saved))} = saved"] if plan.saved else []
        for name in plan.saved:
            indices = plan.indices(name)
            new = any(index.axis not in shapes.known for index in indices)
            lines += shapes.unpack(name, indices, check=False) if new else []
        for name, indices in self.cotangents:
            lines += shapes.unpack(name, indices, check=True) if indices else [f"{name} = float({name})"]
        lines += self._check_labels([a.variable for a in self.backward.arguments if a.type == "int64_t"])
        read = [n for n in plan.saved if n not in self.constants] + [n for n, i in self.cotangents if i]
        lines += gradients(self, self.backward, plan.backward.results, shapes, read, "return Gradients")
        arguments = ", ".join(["dtype", *self.last, "saved", *(name for name, _ in self.cotangents), "out"])
        doc = (f"`backward`, for arrays that the {self.language} functions can read.",)
        return Function("_backward", arguments, doc, fit(self.with_real(lines)))

    def _check_labels(self, names: Sequence[str]) -> list[str]:
        """The lines that check labels, which are places in memory for C."""
        axes = {self.plan.names[name]: axis for name, axis in self.plan.layer.labels.items()}
        return [
            f'_check_labels("{shown(name, self.plan.indices(name), self.plan.layer)}", {name}, n_{axes[name]})'
            for name in names
        ]

    def shapes(self, function: LoopFunction) -> Shapes:
        """The lines that find shapes, for a function that needs some of the lengths."""
        needed = frozenset(a.name.removeprefix("n_") for a in function.of(LENGTH))
        return Shapes(self.plan.layer, False, needed, self.used, "{0}.size", has_sums(self.plan))

    def call(self, function: LoopFunction) -> list[str]:
        """The lines that call a function of the loops."""
        values = [self._value(argument) for argument in function.arguments]
        lengths = {a.name for a in function.of(LENGTH)}
        known = [set(re.findall(r"\bn_\w+", " ".join(case.conditions))) <= lengths for case in self.cases]
        given = [" and ".join(case.conditions) if k else "False" for case, k in zip(self.cases, known, strict=True)]
        variant = tuple_text([*self.last, *given]) if self.axes or self.cases else "()"
        return call_lines(f'_call(dtype, {variant}, "{function.name}", _{function.name.upper()}.pack', values, ")")

    def _value(self, argument: Argument) -> str:
        """An argument in Python: what was made here can be written to, which its address is found by fastest."""
        if argument.indices is None:
            return f"float({argument.variable})" if argument.variable in self.constants else argument.variable
        is_new = argument.role in (RESULT, KEPT) and not self.turn(argument.indices) and argument.type != "ELEMENT"
        return f"_address(_memory({argument.variable}))" if is_new else f"_at({argument.variable})"
