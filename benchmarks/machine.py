"""What a benchmark ran on, and running one contender as a whole process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

Environ = Mapping[str, str]
Outcome = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("torch", "sentence-transformers", "chromadb", "tokenizers", "numpy", "openvino", "onnxruntime")
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""In this environment Python keeps modules compiled, as an installation has them."""
# Those on which the pace of embedding depends, as Linux names them.
_INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")
_SAMPLE_S = 0.05


def machine() -> dict[str, object]:
    """Processor and what it can, cores, memory, Python and the versions that matter."""
    told = _cpuinfo()
    flags = (told.get("flags") or told.get("Features") or "").split()
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": told.get("model name") or platform.processor() or platform.machine(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first core; empty elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return {}
    fields = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}


def run_process(args: Sequence[str], *, python: str = sys.executable, environ: Environ | None = None) -> Outcome:
    """Run a Python script from the project's root; its last line of output is read as JSON.

    `peak_mib` is the largest sum of resident memory over the process and its children, which counts shared pages twice.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        [python, *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **COMPILED, **(environ or {})},
    )
    peak = 0
    while True:
        peak = max(peak, resident_bytes(process.pid))
        try:
            out, errors = process.communicate(timeout=_SAMPLE_S)
            break
        except subprocess.TimeoutExpired:
            continue
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(args)} ended with {process.returncode}:\n{errors[-2000:]}")
    lines = out.splitlines()
    output = json.loads(lines[-1]) if lines else None
    return {"seconds": round(seconds, 2), "peak_mib": round(peak / 2**20, 1), "output": output}


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and everything it started; 0 when it has ended."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        with suppress(psutil.Error):
            total += member.memory_info().rss
    return total
