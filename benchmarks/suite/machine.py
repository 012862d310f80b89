"""The machine and the versions, without names of hosts or folders."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "torch", "jax", "numba", "triton")
WIDE = ("avx512f", "avx512_bf16", "amx_bf16", "avx2", "fma", "asimd", "sve")


def machine() -> dict[str, Any]:
    """Processor, cores, caches, vector instructions, memory, huge pages, versions."""
    return {
        "processor": _cpu_line("model name") or platform.machine(),
        "cores": os.cpu_count(),
        "last-level cache": _cpu_line("cache size"),
        "vector instructions": [flag for flag in WIDE if flag in (_cpu_line("flags") or "").split()],
        "memory GiB": round(_memory() / 2**30, 1),
        "system": platform.system(),
        "huge pages": _read("/sys/kernel/mm/transparent_hugepage/enabled").strip(),
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "gcc": _gcc(),
        **{package: _version(package) for package in PACKAGES},
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _cpu_line(key: str) -> str | None:
    found = re.search(rf"^{key}\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else None


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _gcc() -> str | None:
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    return subprocess.run([compiler, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
