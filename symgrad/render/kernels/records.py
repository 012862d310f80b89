"""What the templates read; templates only lay out, so everything here is finished text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rendered:
    """A file as it is to be: where, what, and from what.

    Attributes:
        path: relative to the folder of generated files, with forward slashes.
        text: the whole text.
        source: the layer and the template that it came from.
    """

    path: str
    text: str
    source: str
    beside: tuple[Rendered, ...] = ()
    """Further files of the same kernel, for other uses."""


@dataclass(frozen=True)
class Function:
    """A Python function.

    Attributes:
        name: its name.
        signature: what stands between its brackets.
        doc: the lines of its docstring.
        lines: its body; the first level of indentation is the template's.
    """

    name: str
    signature: str
    doc: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field of an emitted NamedTuple: its name, its type and the comment behind it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class NumpyKernel:
    """The keys of templates/numpy/kernel.py.jinja.

    Attributes:
        header: the lines of the file's docstring.
        imports: import statements.
        helpers: the helper functions that the kernel calls, by name.
        functions: the forward and the backward pass, each followed by the function of a block that it calls.
        saved: what the forward pass hands to the backward pass.
        gradients: what the backward pass returns.
    """

    header: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: frozenset[str]
    functions: tuple[Function, ...]
    saved: tuple[Field, ...]
    gradients: tuple[Field, ...]


@dataclass(frozen=True)
class CompiledClass:
    """An autograd.Function for `torch.compile`.

    Attributes:
        name: of the class.
        about: the lines of its docstring.
        forward: its forward.
        setup: its setup_context.
        backward: its backward.
    """

    name: str
    about: tuple[str, ...]
    forward: Function
    setup: Function
    backward: Function


@dataclass(frozen=True)
class TorchKernel:
    """The keys of templates/torch/kernel.py.jinja.

    Attributes:
        header: the lines of the file's docstring.
        imports: import statements.
        helpers: the helper functions that the kernel calls, by name.
        wrapper: the differentiable function.
        class_name: the autograd.Function.
        about: the lines of its docstring.
        forward: its forward.
        setup: its setup_context.
        backward: its backward.
        gradients: the functions that backward calls, one for each source of cotangents.
        compiled: what `torch.compile` gets instead, where that is something else.
    """

    header: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: frozenset[str]
    wrapper: Function
    class_name: str
    about: tuple[str, ...]
    forward: Function
    setup: Function
    backward: Function
    gradients: tuple[Function, ...]
    compiled: CompiledClass | None = None


@dataclass(frozen=True)
class CKernel:
    """The keys of templates/c/kernel.py.jinja.

    Attributes:
        header: the lines of the file's docstring.
        helpers: the helper functions that the kernel calls, by name.
        prelude: what the C functions need.
        code: the C functions.
        packed: the same with all arguments in one record.
        layouts: of these records, by function, for Python's struct module.
        saved: what the forward pass hands to the backward pass.
        gradients: what the backward pass returns.
        name: of the differentiable function for tensors.
        functions: that one, for arrays forward and backward, and what does their work.
        class_name: its autograd.Function.
        methods: of that.
        compute: what they compute gradients with.
        once: what is said to those who differentiate twice, in pieces.
        elements: the names of the arrays that may be bfloat16 or float16 where they are read.
        variants: the macros of which each call says 0 or 1: for another layout, for lengths with loops of their own.
        calls: the names of the C functions.
    """

    header: tuple[str, ...]
    helpers: frozenset[str]
    prelude: tuple[str, ...]
    code: tuple[str, ...]
    packed: tuple[str, ...]
    layouts: tuple[tuple[str, str], ...]
    saved: tuple[Field, ...]
    gradients: tuple[Field, ...]
    name: str
    functions: tuple[Function, ...]
    class_name: str
    methods: tuple[Function, ...]
    compute: Function
    once: tuple[str, ...]
    elements: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    calls: tuple[str, ...] = ("forward", "backward")


@dataclass(frozen=True)
class CHeader:
    """The keys of templates/c/kernel.h.jinja.

    Attributes:
        guard: the macro that keeps the file from being read twice.
        about: the lines of its comment.
        declarations: the lines between the C++ guards.
    """

    guard: str
    about: tuple[str, ...]
    declarations: tuple[str, ...]


@dataclass(frozen=True)
class CSource:
    """The keys of templates/c/kernel.c.jinja.

    Attributes:
        name: of the layer.
        about: the lines of the comment at its head.
        prelude: what the functions need.
        code: the functions.
    """

    name: str
    about: tuple[str, ...]
    prelude: tuple[str, ...]
    code: tuple[str, ...]


@dataclass(frozen=True)
class JaxKernel:
    """The keys of templates/jax/kernel.py.jinja.

    Attributes:
        header: the lines of the file's docstring.
        imports: import statements.
        helpers: the helper functions that the kernel calls, by name.
        wrapper: the function that users call.
        forward: the function that has a rule.
        custom: what makes it such a function.
        rule: its rule.
        tangents: what the rule calls, linear in the tangents.
        checkpoint: what makes this one compute again what it does not keep.
    """

    header: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: frozenset[str]
    wrapper: Function
    forward: Function
    custom: str
    rule: Function
    tangents: Function
    checkpoint: str


@dataclass(frozen=True)
class JitFunction:
    """A Triton kernel: the lines that declare it, its docstring and its body."""

    name: str
    head: tuple[str, ...]
    doc: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class TritonKernel:
    """The keys of templates/triton/kernel.py.jinja.

    Attributes:
        header: the lines of the file's docstring.
        imports: import statements.
        helpers: the helper functions that the kernels call, by name.
        wrapper: the function that users call.
        class_name: the autograd.Function.
        about: the lines of its docstring.
        forward: its method that runs the forward kernels.
        setup: its method that saves.
        backward: its method that runs the backward kernels, or what can be differentiated.
        gradients: the functions of torch operations for that.
        launches: the functions that run kernels.
        kernels: the kernels.
        torch_helpers: the torch backend's helper functions.
    """

    header: tuple[str, ...]
    imports: tuple[str, ...]
    helpers: frozenset[str]
    wrapper: Function
    class_name: str
    about: tuple[str, ...]
    forward: Function
    setup: Function
    backward: Function
    gradients: tuple[Function, ...]
    launches: tuple[Function, ...]
    kernels: tuple[JitFunction, ...]
    torch_helpers: str
