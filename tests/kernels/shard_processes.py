"""Processes of torch.distributed that run emitted functions on their parts; they know nothing of symgrad."""

from __future__ import annotations

import importlib.util
import inspect
import multiprocessing
import os
import pickle
import sys
import traceback
from datetime import timedelta
from pathlib import Path

LARGEST = 4
PATIENCE = 300
"""Seconds: only to tell an end from none."""


class Processes:
    """A pool of processes, the first n of which make a group, for n = 1 to 4."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch", "torch.distributed"])  # imported once for all of them
        pipes = [context.Pipe() for _ in range(LARGEST)]
        self.pipes = [ours for ours, _ in pipes]
        self.processes = [
            context.Process(target=serve, args=(rank, str(folder / "meeting"), theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process in self.processes:
            process.start()

    def run(self, path, function, parts, **how):
        """For each process what `work` returns; `parts` has the arguments of each."""
        for pipe, own in zip(self.pipes, parts, strict=False):
            pipe.send_bytes(pickle.dumps((str(path), function, len(parts), own, how)))
        answers = [self._answer(pipe) for pipe, _ in zip(self.pipes, parts, strict=False)]
        wrong = [answer for answer in answers if isinstance(answer, str)]
        if wrong:
            raise RuntimeError(wrong[0])
        return answers

    @staticmethod
    def _answer(pipe):
        """What a process says; one that has died says nothing."""
        if not pipe.poll(PATIENCE):
            raise TimeoutError(f"a process has not answered within {PATIENCE} s.")
        return pickle.loads(pipe.recv_bytes())

    def close(self) -> None:
        for pipe in self.pipes:
            pipe.send_bytes(pickle.dumps(None))
        for process in self.processes:
            process.join(20)


def serve(rank, meeting, pipe):
    """Answer jobs until there is none."""
    import torch
    import torch.distributed as dist

    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # whatever the machine's name resolves to
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=LARGEST, timeout=timedelta(seconds=60)
    )
    groups = {n: dist.new_group(list(range(n))) for n in range(1, LARGEST + 1)}
    calls = counted(dist)
    while (job := pickle.loads(pipe.recv_bytes())) is not None:
        path, function, number, own, how = job
        try:
            answer = WORK[how.pop("work", "function")](path, function, groups[number], own, calls, **how)
        except Exception:
            answer = traceback.format_exc()
        pipe.send_bytes(pickle.dumps(answer))
    dist.destroy_process_group()


def counted(dist):
    """A list to which every collective adds its name."""
    calls = []

    def counting(name, real):
        def call(*arguments, **keywords):
            calls.append(name)
            return real(*arguments, **keywords)

        return call

    for name in ("all_reduce", "all_gather", "broadcast", "all_gather_into_tensor", "reduce"):
        setattr(dist, name, counting(name, getattr(dist, name)))
    return calls


def loaded(path):
    """An emitted file as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def function(path, name, group, own, calls, ddp=False, wanted=None, second=False):
    """One process's outputs, gradients and collectives; `own` holds tensors and the outputs' cotangents."""
    import torch

    tensors, cotangents = own
    leaves = [
        t.clone().requires_grad_(t.dtype.is_floating_point and (wanted is None or wanted[place]))
        for place, t in enumerate(tensors)
    ]
    del calls[:]
    emitted = getattr(loaded(path), name)
    keywords = list(inspect.signature(emitted).parameters)[-2:]  # group and ddp, where the layer has none of these
    outputs = emitted(*leaves, **dict(zip(keywords, (group, ddp), strict=True)))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    forward = list(calls)
    needing = [leaf for leaf in leaves if leaf.requires_grad]
    given = [d if d is not None else torch.ones_like(y) for y, d in zip(outputs, cotangents, strict=True)]
    gradients = torch.autograd.grad(outputs, needing, given, allow_unused=True, create_graph=second)
    found = iter(gradients)
    return {
        "outputs": [y.detach() for y in outputs],
        "gradients": [next(found) if leaf.requires_grad else None for leaf in leaves],
        "forward": forward,
        "backward": calls[len(forward) :],
    }


def network(path, name, group, own, calls, seed=0):
    """One process's gradients in DistributedDataParallel: a linear map before the emitted function."""
    import torch

    inputs, targets, features = own
    emitted = getattr(loaded(path), name)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(seed)
            self.first = torch.nn.Linear(inputs.shape[1], features, dtype=torch.float64)
            self.w = torch.nn.Parameter(torch.rand(features, dtype=torch.float64))
            self.beta = torch.nn.Parameter(torch.rand(features, dtype=torch.float64))

        def forward(self, x):
            given = (self.first(x), self.w, self.beta)
            return emitted(*given, targets, group=group) if name != "batch_norm" else emitted(*given, group=group)

    model = torch.nn.parallel.DistributedDataParallel(Network(), process_group=group)
    result = model(inputs)
    loss = result if result.ndim == 0 else (result * targets).sum()
    loss.backward()
    return {"loss": loss.detach(), "gradients": [p.grad for p in model.parameters()]}


def example(path, text, group, own, calls):
    """The gradients that a piece of code leaves in its `network`; `path` is where it finds what it imports."""
    sys.path.insert(0, path)
    found = {}
    exec(compile(text, "example", "exec"), found)
    sys.path.remove(path)
    return {
        "loss": found["loss"].detach(),
        "gradients": [parameter.grad for parameter in found["network"].parameters()],
        "given": (found["x"], found["t"]),
        "parameters": [parameter.detach() for parameter in found["network"].parameters()],
    }


WORK = {"function": function, "network": network, "example": example}
