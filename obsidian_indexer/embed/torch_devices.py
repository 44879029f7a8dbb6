"""What torch can use here: devices, the number formats they compute, and the memory of a CUDA card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions


def find_devices(wanted: str) -> list[str]:
    """The devices that a setting means, the first one first: every card for 'auto' and 'cuda'.

    Raises ModelError when the device cannot be used.
    """
    import torch

    if wanted == "auto":
        if not torch.cuda.is_available():
            return ["mps" if torch.backends.mps.is_available() else "cpu"]
        wanted = "cuda"
    try:
        torch.empty(1, device=wanted)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"The device '{wanted}' cannot be used here ({reason}). Set embedding.device.") from error
    if wanted == "cuda":
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [wanted]


def native_formats(options: EmbedOptions) -> tuple[str, tuple[str, ...]]:
    """The device of these options and the number formats that torch computes natively on it, float32 first.

    Raises ModelError when the device cannot be used.
    """
    device = find_devices(options.device)[0]
    formats = ["float32"]
    if device.startswith("cuda"):
        formats += ["float16", "bfloat16"] if _cuda_has_bfloat16(device) else ["float16"]
    elif device == "mps":
        formats.append("float16")
    elif _cpu_has_bfloat16():
        formats.append("bfloat16")
    return device, tuple(formats)


def pick_format(options: EmbedOptions, device: str, sticky: str | None) -> str:
    """The number format: that of the index, else as set, else the fastest that the hardware computes natively."""
    if sticky is not None:
        return sticky
    if options.dtype != "auto":
        return options.dtype
    if not options.fast_mode:
        return "float32"
    if device.startswith("cuda"):
        return "bfloat16" if _cuda_has_bfloat16(device) else "float16"
    if device == "mps":
        return "float16"
    return "bfloat16" if _cpu_has_bfloat16() else "float32"


def _cuda_has_bfloat16(device: str) -> bool:
    import torch

    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself (avx512_bf16 or amx_bf16); emulation is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class CudaMemory:
    """The memory of one card, of which this process may take a share."""

    def __init__(self, device: str, fraction: float) -> None:
        import torch

        self._cuda: Any = torch.cuda
        self._device = torch.device(device)
        self._fraction = fraction
        torch.cuda.set_per_process_memory_fraction(fraction, self._device)

    def start(self) -> int:
        """Forget the peak; the bytes that tensors take now."""
        self._cuda.reset_peak_memory_stats(self._device)
        return int(self._cuda.memory_allocated(self._device))

    def peak(self) -> int:
        """The most bytes since `start`. Tensors are counted as their work is queued, so no one has to wait for it."""
        return int(self._cuda.max_memory_allocated(self._device))

    def allowed(self) -> int:
        """The share of the card, or what other programs left of it."""
        free, total = self._cuda.mem_get_info(self._device)
        return int(min(self._fraction * total, free + self._cuda.memory_reserved(self._device)))
