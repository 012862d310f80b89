"""A kernel for PyTorch in which one axis is sharded over the processes of torch.distributed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.algebra.terms import Entry
from symgrad.plan.names import free_name
from symgrad.plan.records import is_full
from symgrad.plan.shard import ShardedPlan
from symgrad.render.kernels.kinds import kinds_of
from symgrad.render.kernels.layout import Frame, is_whole, shown, unpacked
from symgrad.render.kernels.prologue import Casts, dtype_names, first_full, prologue
from symgrad.render.kernels.records import Function, TorchKernel
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.shard_lines import ShardLines
from symgrad.render.kernels.shard_words import about_lines, convention_lines, function_doc
from symgrad.render.kernels.small import OWN, WIDE
from symgrad.render.kernels.words import call_lines, class_name, filled_call, fit, header, signature, whole_lines

CASTS = Casts("{0}.to({1})", "{0}.long()", "{0}.numel()")


def shard_kernel(sharded: ShardedPlan) -> TorchKernel:
    """The text of a sharded torch kernel, ready to be laid out."""
    return _Writer(sharded).kernel()


class _Writer:
    """Writes the functions of one kernel, and collects the helper functions that they call."""

    def __init__(self, sharded: ShardedPlan) -> None:
        self.sharded, self.plan, self.axis = sharded, sharded.plan, sharded.axis
        self.used: set[str] = set()
        plan = self.plan
        self.tensors, self.constants = plan.tensors, plan.constants
        self.outputs = [plan.names[name] for name in plan.layer.outputs]
        statements = [s.name for p in (plan.forward, plan.backward) for s in p.statements]
        taken = {*plan.names.values(), *statements}
        self.group, self.ddp = free_name("group", taken), free_name("ddp", taken)
        self.results = [what for what, _ in plan.backward.results]
        self.total = f"n_{sharded.total}" if sharded.total else ""

    def kernel(self) -> TorchKernel:
        """The record of the template."""
        gradients, forward = self._gradients(), self._forward()
        backward, wrapper, setup = self._backward(gradients), self._wrapper(), self._setup()
        code = [line for function in (forward, backward, gradients) for line in function.lines]
        with_math = "math" in self.used or any("math." in line for line in [*code, *wrapper.lines])
        imports = (*(["import math", ""] if with_math else []), "import torch", "import torch.distributed as dist")
        more = [*convention_lines(self.sharded, self.ddp), ""]
        return TorchKernel(
            header(self.plan, "torch", "torch.distributed", "sharded", f" --shard {self.axis}", more), imports,
            frozenset(self.used), wrapper, class_name(self.plan.layer), tuple(about_lines(self.sharded)),
            forward, setup, backward, (gradients,),
        )  # fmt: skip

    def _wrapper(self) -> Function:
        """The function that users call."""
        plan, used = self.plan, self.used
        shapes = Shapes(plan.layer, is_whole(plan.layer), frozenset(), used, "{0}.numel()", sums=True)
        labels = [plan.names[name] for name in plan.layer.labels]
        lines = [f"_check_types({', '.join(f'{n}={n}' for n, _ in self.tensors if n not in labels)})"]
        used.update(["check_labels"] if labels else [])
        lines += [f"_check_labels({', '.join(f'{n}={n}' for n in labels)})"] if labels else []
        for name, indices in self.tensors:
            lines += [line for line in shapes.unpack(name, indices, check=True) if not re.match(r"n_\w+ = math", line)]
        lines += [*whole_lines(plan, used), *self._filled(shapes), *shapes.lengths(check=True)]
        given = ", ".join([*(n for n, _ in self.tensors), *self.constants, self.group, self.ddp])
        apply, hidden = f"_apply({class_name(plan.layer)}, {given})", self._hidden()
        if hidden:
            lines += [f"{', '.join(self.outputs)}, *_ = {apply}", f"return {', '.join(self.outputs)}"]
        else:
            lines.append(f"return {apply}")
        star = "" if self.constants else "*, "
        keywords = f"{signature(plan)}, {star}{self.group}=None, {self.ddp}=True"
        return Function(plan.layer.name, keywords, tuple(function_doc(self.sharded, self.group, self.ddp)), fit(lines))

    def _filled(self, shapes: Shapes) -> list[str]:
        """The check that dimensions that are not sharded are not empty."""
        layer = self.plan.layer
        found = [axis for axis in layer.axes if axis.name in shapes.known and axis.name != self.axis]
        lengths = [f"{a.name}={f'math.prod(shape_{a.name})' if a.variadic else f'n_{a.name}'}" for a in found]
        self.used.update(["check_lengths"] if lengths else [])
        return [f"_check_lengths({', '.join(lengths)})"] if lengths else []

    def _hidden(self) -> list[str]:
        """What the autograd function returns beside the outputs: what only its backward pass needs."""
        known = {*(n for n, _ in self.tensors), *self.constants, *self.outputs}
        needs_total = any(self.total in line for line in self._body(backward=True)[0]) if self.total else False
        return [*(n for n in self.plan.saved if n not in known), *([self.total] if needs_total else [])]

    def _body(self, backward: bool) -> tuple[list[str], dict[str, str]]:
        """The lines of a pass, and what the names hold that it reads."""
        plan, sharded = self.plan, self.sharded
        kinds = kinds_of(plan)
        cotangents = self._cotangents() if backward else {}
        kinds |= {name: OWN if is_full(indices, plan.layer) else WIDE for name, indices in cotangents.items()}
        kinds |= dict.fromkeys((name for name, _ in plan.ahead), WIDE) if backward else {}
        procedure, steps = (plan.backward, sharded.backward) if backward else (plan.forward, sharded.forward)
        arrays = self._read_arrays() if backward else self.tensors
        writer = ShardLines(
            plan, procedure, kinds, first_full(plan, arrays), self.used, is_forward=not backward,
            steps=steps, axis=self.axis, total=sharded.total, counts=sharded.counts, group=self.group,
        )  # fmt: skip
        lines = writer.write_as_needed(self.results) if backward and len(self.results) > 1 else writer.write()
        return lines, kinds

    def _cotangents(self) -> dict[str, Frame]:
        return {f"d_{self.plan.names[name]}": self.plan.layer.entry(name).indices for name in self.plan.layer.outputs}

    def _read_arrays(self) -> list[tuple[str, Frame]]:
        """The arrays that the gradients are computed from, cotangents last."""
        saved = [name for name in self.plan.saved if name not in self.constants]
        return [*((name, self.plan.indices(name)) for name in saved), *self._cotangents().items()]

    def _forward(self) -> Function:
        plan = self.plan
        body, kinds = self._body(backward=False)
        lines, shapes = prologue(plan, body, self.tensors, kinds, self.used, CASTS)
        results = [
            f"{shapes.restored(plan.names[name], plan.layer.entry(name).indices)}.to(result)"
            for name in plan.layer.outputs
        ]
        dtypes = f"{dtype_names([*lines, *body])} = _dtypes({', '.join(n for n, _ in self.tensors)})"
        lines = [f"result = {first_full(plan, self.tensors)}.dtype", dtypes, *lines, "", *body, ""]
        renamed = {s.term.name for s in plan.forward.statements if isinstance(s.term, Entry)}
        hidden = [f"{n}.clone()" if n in renamed else n for n in self._hidden()]  # no tensor is returned twice
        lines += _returned([*results, *hidden])
        arguments = ", ".join([*(n for n, _ in self.tensors), *self.constants, self.group, self.ddp])
        return Function("forward", arguments, (), fit(lines))

    def _setup(self) -> Function:
        """What is kept for the backward pass."""
        plan, hidden = self.plan, self._hidden()
        tensors = [name for name, _ in self.tensors]
        saved = self._saved()
        kept = {*plan.saved, *tensors}
        inputs = [name if name in kept else "_" for name in [*tensors, *self.constants]]
        returned = [*self.outputs, *hidden]
        lines = [f"{', '.join([*inputs, self.group, self.ddp])} = inputs"]
        if any(name in saved for name in returned):
            names = [name if name in saved else "_" for name in returned]
            lines.append(f"{', '.join(names)} = output")
        lines += [f"ctx.save_for_backward({', '.join(saved)})"] if saved else []
        lines.append(f"ctx.dtypes = {unpacked([f'{name}.dtype' for name in tensors])}")
        lines += [f"ctx.{name} = {name}" for name in self.constants if name in plan.saved]
        lines.append(f"ctx.{self.group}, ctx.{self.ddp} = {self.group}, {self.ddp}")
        return Function("setup_context", "ctx, inputs, output", (), fit(lines))

    def _saved(self) -> list[str]:
        """The names of saved tensors."""
        hidden = self._hidden()
        total = [self.total] if self.total in hidden else []
        return [*(name for name in self.plan.saved if name not in self.constants), *total]

    def _gradients(self) -> Function:
        """The function that computes the gradients from the outputs' cotangents."""
        plan = self.plan
        body, kinds = self._body(backward=True)
        arrays = self._read_arrays()
        lines, shapes = prologue(plan, body, arrays, kinds, self.used, CASTS)
        results = [shapes.restored(name, plan.layer.entry(what).indices) for what, name in plan.backward.results]
        if len(results) > 1:
            lines.insert(0, f"{', '.join(f'need_{what}' for what in self.results)} = needs")
            results = [f"{r} if need_{what} else None" for what, r in zip(self.results, results, strict=True)]
        text = "\n".join([*lines, *body])
        given = [name for name in (self.group, "wide") if re.search(rf"\b{name}\b", text)]
        reads = [*self._cotangents(), *self._saved(), *(n for n in self.constants if n in plan.saved)]
        arguments = [*reads, *given[:-1], "dtype", *given[-1:]] if "wide" in given else [*reads, *given, "dtype"]
        arguments += ["needs"] if len(results) > 1 else []
        cotangents = ", ".join(shown(name, indices, plan.layer) for name, indices in self._cotangents().items())
        doc = f"The gradients of the inputs from {cotangents}."
        lines = [*lines, "", *body, "", *(call_lines("return ", results) if len(results) > 1 else _returned(results))]
        return Function("_gradients", ", ".join(arguments), (doc,), fit(lines))

    def _backward(self, gradients: Function) -> Function:
        """The method that brings the gradients into the convention of `ddp`."""
        tensors, results = [tensor.name for tensor in self.plan.layer.tensors], self.results
        saved = self._saved()
        lines = ["_first_derivatives_only()", f"{self.group} = ctx.{self.group}"]
        lines += [f"{unpacked(saved)} = ctx.saved_tensors"] if saved else []
        lines += [f"{n} = ctx.{n}" for n in self.constants if n in self.plan.saved]
        if len(results) > 1:
            places = [f"ctx.needs_input_grad[{tensors.index(what)}]" for what in results]
            first = results == tensors[: len(results)]
            lines.append(f"needs = {f'ctx.needs_input_grad[:{len(results)}]' if first else unpacked(places)}")
        like = [*saved, *self._cotangents()][0]
        lines.append(f"{dtype_names([gradients.signature])} = _compute_dtypes({like}.device, *ctx.dtypes)")
        lines += self._cotangent_lines()
        left = ", ".join(f"d_{what}" for what in results)
        lines += filled_call(f"{left} = _gradients", gradients.signature.split(", "))
        lines += self._gradient_lines()
        returned = [f"_cast(d_{n}, ctx.dtypes[{p}])" if n in results else "None" for p, n in enumerate(tensors)]
        lines += _returned([*returned, *["None" for _ in (*self.constants, self.group, self.ddp)]])
        names = ", ".join(self._cotangents())
        return Function("backward", f"ctx, {names}{', *_' if self._hidden() else ''}", (), fit(lines))

    def _cotangent_lines(self) -> list[str]:
        """The cotangents of outputs that all processes have: the sum of what each process's loss brings."""
        layer, sharded = self.plan.layer, self.sharded
        names = [self.plan.names[name] for name in layer.outputs if sharded.is_replicated(name)]
        copies = f"copies = _processes({self.group}) if ctx.{self.ddp} else 1"
        lines = [copies] if self._joint() or (names and layer.scalar_output) else []
        if names and layer.scalar_output:
            lines.append(f"d_{names[0]} = d_{names[0]} * copies  # {names[0]} is in the loss of every process")
        elif names:
            self.used.add("reduced")
            given = ", ".join(f"d_{name}" for name in names)
            left = unpacked([f"d_{name}" for name in names])
            lines += [
                f"if ctx.{self.ddp}:  # the losses of all processes depend on {', '.join(names)}",
                f'    {left} = _reduced({self.group}, "SUM", {given})',
            ]
        return lines

    def _joint(self) -> list[str]:
        """The tensors that all processes have, and whose gradient all of them have computed."""
        layer = self.plan.layer
        back = {self.plan.names[t.name]: t.name for t in layer.tensors}
        apart = self.sharded.apart
        return [w for w in self.results if self.sharded.is_replicated(back.get(w, w)) and w not in apart]

    def _gradient_lines(self) -> list[str]:
        """Gradients of what all processes have: each process's share, or the whole in each."""
        joint, apart = self._joint(), list(self.sharded.apart)
        self.used.update(["shared"] if joint else [])
        lines = [f"d_{name} = _share(d_{name}, copies)" for name in joint]
        if apart:
            self.used.add("reduced")
            left, given = unpacked([f"d_{name}" for name in apart]), ", ".join(f"d_{name}" for name in apart)
            lines += [
                f"if not ctx.{self.ddp}:  # the parts of all processes add up to the gradient",
                f'    {left} = _reduced({self.group}, "SUM", {given})',
            ]
        return lines


def _returned(values: Sequence[str]) -> list[str]:
    """What a function returns, in brackets where that is long."""
    lines = filled_call("return ", values)
    return [f"return {', '.join(values)}"] if len(lines) == 1 else lines
