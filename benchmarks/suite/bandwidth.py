"""What the memory gives: copy and triad, by NumPy and by C past the cache, beside the kernels in every round."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

COUNT = 1 << 24
"""Numbers in each of the three arrays: 64 MiB, more than a cache holds."""
SOURCE = Path(__file__).with_name("triad.c")
ROOF = ("triad, C", "copy, C", "copy, NumPy")
"""The roofline is the first of these that was measured."""


@dataclass(frozen=True)
class Stream:
    """A way through memory: what it runs, the bytes that it moves, and the array that it fills."""

    run: Callable[[], Any]
    moved: int
    filled: Any


def build(folder: Path) -> str:
    """Compile the C triad into a folder; the reason why not, or nothing."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "there is no gcc or clang"
    command = [
        compiler,
        "-O3",
        "-march=native",
        "-fopenmp",
        "-shared",
        "-fPIC",
        str(SOURCE),
        "-o",
        str(library(folder)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"the compiler refused triad.c: {done.stderr.strip()[:200]}"


def library(folder: Path) -> Path:
    """Where the compiled triad lies."""
    return folder / "triad.so"


def aligned(count: int) -> Any:
    """An array of float32 that starts at a multiple of 64 bytes, its pages touched."""
    room = np.zeros(count + 16, dtype=np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + count]


def streams(folder: Path, count: int = COUNT) -> Mapping[str, Stream]:
    """The ways that this machine has."""
    a, b, c = (aligned(count) for _ in range(3))
    b += 1
    c += 2
    found = {"copy, NumPy": Stream(lambda: np.copyto(a, b), 2 * a.nbytes, a)}
    if library(folder).exists():
        code = ctypes.CDLL(str(library(folder)))
        size, scale = ctypes.c_ssize_t(count), ctypes.c_float(0.5)

        def at(array: Any) -> ctypes.c_void_p:
            return ctypes.c_void_p(array.ctypes.data)

        found["copy, C"] = Stream(lambda: code.copy(at(a), at(b), size), 2 * a.nbytes, a)
        found["triad, C"] = Stream(lambda: code.triad(at(a), at(b), at(c), scale, size), 3 * a.nbytes, a)
    return found


def share(moved: int, seconds: float, roof: float) -> float:
    """How much of the roof (bytes a second) a kernel uses that must move so many bytes."""
    return moved / seconds / roof
