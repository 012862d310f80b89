"""`Layer`: what a user of symgrad in Python holds. Three doors lead to it: text, files, SymPy objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

from symgrad import pipeline
from symgrad.door.answers import Kernel, Verdict
from symgrad.door.described import Described
from symgrad.door.sympy_door import from_sympy, to_sympy
from symgrad.door.views import Gradient, Motion, Study
from symgrad.door.words import checked_mode, gradient_named, moving, output_named
from symgrad.errors import InputError
from symgrad.notation.layer import Layer as Record
from symgrad.notation.library import SUFFIX, from_text, gallery, load
from symgrad.notation.names import did_you_mean
from symgrad.prove.study import Study as StudyRecord
from symgrad.render.tables import columns
from symgrad.render.terminal import Options, forward_section

if TYPE_CHECKING:
    from symgrad.door.sympy_layer import SympyLayer


class Layer(Described):
    '''A layer or a network: its forward pass, and what symgrad derives from it.

    Args:
        text: the equations in symgrad's notation; it is parsed, never run.
        name: what the layer is called; it becomes the name of the emitted function.

    Raises:
        InputError: an error in the text, with its place, what was expected and what to do.

    Two layers are equal where their records are.

    >>> layer = Layer("""
    ... input x[i...]
    ... y[i] = x[i] * sigmoid(x[i])
    ... output y
    ... """, name="swish")
    >>> layer
    <Layer swish: x[i...] → y[i...]>
    >>> layer.gradient("x").proved
    True
    '''

    def __init__(self, text: str, name: str = "layer") -> None:
        if not isinstance(text, str):
            hint = "Layer.from_sympy takes SymPy objects, Layer.from_file a path."
            raise InputError(f"a layer's text is a string, and a {type(text).__name__} stands here.", hint=hint)
        self.record = from_text(text, name)

    @classmethod
    def of(cls, record: Record) -> Layer:
        """The layer of a record that the parser made."""
        layer = cls.__new__(cls)
        layer.record = record
        return layer

    @classmethod
    def from_text(cls, text: str, name: str = "layer") -> Layer:
        """The layer that a text defines; the same as `Layer(text, name)`."""
        return cls(text, name)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Layer:
        """The layer in an `.sg` file, named after the file.

        Raises:
            InputError: there is no such file, it is no text, or there is an error in it.
        """
        if not os.fspath(path).endswith(SUFFIX):
            raise InputError(f"{os.fspath(path)!r} is not an {SUFFIX} file.", hint=f"Give a path such as mine{SUFFIX}.")
        return cls.of(load(path))

    @classmethod
    def from_gallery(cls, name: str) -> Layer:
        """A layer of the gallery, such as "batch_norm".

        Raises:
            InputError: the gallery has no such layer.
        """
        if name not in gallery():
            raise InputError(f"the gallery has no layer {name!r}.", hint=did_you_mean(str(name), gallery()))
        return cls.of(load(name))

    @classmethod
    def from_sympy(
        cls,
        equations: SympyLayer | Iterable[Any],
        *,
        inputs: Iterable[Any] = (),
        parameters: Iterable[Any] = (),
        targets: Iterable[Any] = (),
        labels: Mapping[Any, Any] | None = None,
        constants: Mapping[Any, Any] | None = None,
        lengths: Mapping[Any, Any] | None = None,
        outputs: Iterable[Any] = (),
        variadic: Iterable[Any] = (),
        order: Sequence[str] = (),
        name: str = "layer",
        doc: str = "",
    ) -> Layer:
        """The layer that SymPy equations define.

        Args:
            equations: `Eq(y[i], …)`, each using only what stands before it; or what `to_sympy` gave.
            inputs: entries with their letters, x[s, c]; a letter is a dimension. These get gradients.
            parameters: the same.
            targets: the same; these get none.
            labels: entries t[b] of whole numbers, each with the letter of the dimension that it points into:
                {t[b]: v} for x[b, t[b]].
            constants: symbols with their default, a number or a decimal as text.
            lengths: the symbols of lengths that no tensor tells, with what they are: {K: window}.
            outputs: what is returned.
            variadic: letters that stand for any number of dimensions, as `k...` does in text.
            order: names in the order of the layer's arguments; as declared where it is empty.
            name: of the layer.
            doc: what it is, with its source.

        Sums run over whole axes, (k, 0, N - 1) or (k, 1, N) with a Symbol N: what is proved holds for every size.

        Raises:
            InputError: SymPy is not installed; two symbols of one name with different assumptions; a name that is
                no identifier; a function or a node that the notation does not have; and all errors of a text.
        """
        module = from_sympy()
        record = to_sympy().SympyLayer
        if not isinstance(equations, record):
            equations = record(
                name, doc, tuple(_several(equations)), tuple(_several(inputs)), tuple(_several(parameters)),
                tuple(_several(targets)), dict(constants or {}), tuple(_several(outputs)), tuple(_several(variadic)),
                tuple(order), {}, dict(labels or {}), dict(lengths or {}), {},
            )  # fmt: skip
        return cls.of(module.layer_from_sympy(equations))

    @cached_property
    def _study(self) -> StudyRecord:
        return pipeline.derive(self.record)

    def gradient(self, wrt: str, of: str | None = None) -> Gradient:
        """The gradient with respect to `wrt`, derived by two routes that are proved equal.

        Args:
            wrt: an input, a parameter, or an intermediate (which one route alone derives).
            of: the output, or another quantity that the layer defines, through which it goes; all outputs by default.

        Raises:
            InputError: the layer has nothing of that name, or it gets no gradient.
        """
        if of is None:
            return Study(self._study).gradient(wrt)
        own = output_named(self.record, of)
        return Study(pipeline.derive(replace(self.record, outputs=(own,)))).gradient(wrt)

    @overload
    def derive(self, mode: Literal["vjp"] = "vjp", wrt: None = None) -> Study: ...
    @overload
    def derive(self, mode: Literal["vjp"], wrt: str) -> Gradient: ...
    @overload
    def derive(self, mode: Literal["jvp"], wrt: str | Sequence[str] | None = None) -> Motion: ...
    @overload
    def derive(self, mode: Literal["hvp"], wrt: str) -> Motion: ...
    def derive(self, mode: str = "vjp", wrt: str | Sequence[str] | None = None) -> Study | Gradient | Motion:
        """Derive everything, or one kind of derivative.

        Args:
            mode: "vjp" (reverse mode), "jvp" (forward mode) or "hvp" (second order: how a gradient moves).
            wrt: by what; everything that gets gradients by default. Second order needs one name.

        Returns:
            A Study, a Gradient for reverse mode with `wrt`, or a Motion of tangents.

        Raises:
            InputError: there is no such mode or name, or second order without a name.
        """
        if checked_mode(mode) == "vjp":
            if wrt is None:
                return Study(self._study)
            return Gradient(gradient_named(self._study, wrt), self._study)  # type: ignore[arg-type]
        names = moving(self.record, wrt)
        if mode == "jvp":
            return Motion(pipeline.jvp(self._study, names))
        if len(names) != 1:
            known = ", ".join(tensor.name for tensor in self.record.differentiable)
            raise InputError("second order needs one name: by what?", hint=f"Give wrt= one of: {known}.")
        return Motion(pipeline.hvp(self._study, names[0]))

    def prove(self, claim: Any) -> Verdict:
        """Whether a formula is right, for every size and value.

        Args:
            claim: one equation in the notation, "d_beta[c] = sum[s, k](d_y[s, c, k])", or a SymPy `Eq` with the
                names of `to_sympy`.

        Raises:
            InputError: an error in the claim.
        """
        if not isinstance(claim, str):
            symbols = to_sympy().Symbols.of(self.record)
            claim = from_sympy().claim_from_sympy(claim, symbols, self.record)
        ((parsed, proof),) = pipeline.prove(self._study, [claim])
        return Verdict(parsed, proof, self._study)

    def generate(self, backend: str = "torch", out: str | os.PathLike[str] | None = None, *, shard: str = "") -> Kernel:
        """The source of a kernel: forward and backward pass, standalone.

        Args:
            backend: "torch", "numpy", "jax", or one that does some layers (`symgrad list`).
            out: a folder; the file is written to `out`/<backend>/<layer>.py where it is given, and nowhere else.
            shard: an axis that is sharded over the processes of torch.distributed; see docs/distributed.md.

        Raises:
            InputError: there is no such backend or axis, or the folder cannot be written to.
            SymgradError: a gradient is not proved; nothing is emitted then.
        """
        emit = pipeline.emit_sharded
        kernel = Kernel(emit(self._study, shard, [backend]) if shard else pipeline.emit(self._study, [backend])[0])
        if out is not None:
            kernel.write(out)
        return kernel

    def kernel(self, backend: str = "torch") -> ModuleType:
        """The emitted source as a module: `forward` and `backward` for NumPy, the layer's function for torch and JAX.

        Raises:
            InputError: there is no such backend.
        """
        return self.generate(backend).module()

    def to_sympy(self) -> SympyLayer:
        """The layer as SymPy objects: equations, entries, sizes. `Layer.from_sympy` reads them back.

        Raises:
            InputError: SymPy is not installed.
        """
        found: SympyLayer = to_sympy().layer_to_sympy(self.record)
        return found

    def __str__(self) -> str:
        return forward_section(self._study, Options(columns()))


def _several(given: Any) -> list[Any]:
    """One object, or several."""
    return list(given) if isinstance(given, (list, tuple, set, frozenset)) or hasattr(given, "__next__") else [given]
