"""What a benchmark ran on, and running one contender as a whole process."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("torch", "sentence-transformers", "chromadb", "tokenizers", "numpy", "openvino")


def machine() -> dict[str, object]:
    """Processor, cores, memory, Python and the versions that matter."""
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    except OSError:
        pass
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def run_process(args: Sequence[str]) -> dict[str, object]:
    """Run a Python script from the project's root; wall seconds, peak memory and its last line of output as JSON."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *args], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, errors = process.communicate()
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(args)} ended with {process.returncode}:\n{errors[-2000:]}")
    return {"seconds": round(seconds, 2), "output": json.loads(out.splitlines()[-1])}


def peak_mib() -> float:
    """Peak resident memory of this process and of its largest child, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(max(own, children) / unit, 1)
