"""What a measured figure is reported with: the machine, the versions and the commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

try:
    __version__ = version("rtbci")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "unknown"

PACKAGES = ("rtbci", "torch", "numpy", "scipy", "scikit-learn", "pylsl", "mne", "PyQt6", "pyqtgraph")


def machine() -> str:
    """Processor, cores, memory and system in one line."""
    import psutil

    gib = psutil.virtual_memory().total / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()} {platform.release()}"


def _processor() -> str:
    names = _of_processor("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _of_processor(key: str) -> list[str]:
    """What Linux says of each processor; [] elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return [line.split(":", 1)[1].strip() for line in lines if line.partition(":")[0].strip() == key]


# What makes a library choose other kernels than its processor would have.
_CHOOSERS = (
    *("ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES"),
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "GLIBC_TUNABLES"),
)


@cache
def kernels() -> str:
    """What computes an answer on a CPU: the processor, and the libraries with the kernels that they chose for it.

    On two machines with the same kernels the same samples get the same answer to the last bit; with others its last bits may
    differ, as each kernel sums in an order of its own. Loads PyTorch.
    """
    import numpy as np
    import scipy.linalg
    import threadpoolctl
    import torch

    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    numpy_simd = (extensions.get("found") or extensions.get("baseline") or ["none"])[-1]
    blas = {
        f"{one['internal_api']} {one['version']} {one.get('architecture', '')}".strip()
        for one in threadpoolctl.threadpool_info()
        if one["user_api"] == "blas"
    }
    kind = " ".join(f"{key} {found[0]}" for key in ("cpu family", "model") if (found := _of_processor(key)))
    parts = [
        f"{_processor()} {kind}".strip(),
        f"numpy {np.__version__} {numpy_simd}",
        f"scipy {scipy.__version__}",
        *sorted(blas),
        f"torch {torch.__version__} {torch.backends.cpu.get_cpu_capability()}",
        " ".join(filter(None, platform.libc_ver())),
        *(f"{name}={os.environ[name]}" for name in _CHOOSERS if os.environ.get(name)),
    ]
    return "; ".join(filter(None, parts))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The git commit of the code that runs, with "+" where it differs from that commit; None where none is known.

    In a checkout it is the checkout's, as it is now; of an installed copy, the one that it was built from.
    """
    folder = Path(__file__).parents[1]
    if not (folder / ".git").exists():
        return built_from(__version__)
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def built_from(version: str) -> str | None:
    """The commit that hatch-vcs wrote into a version: `…+g1a2b3c4d5`, and `.d20260131` where the tree differed."""
    found = re.search(r"\+g([0-9a-f]+)(\.d\d+)?$", version)
    return found[1] + ("+" if found[2] else "") if found else None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
