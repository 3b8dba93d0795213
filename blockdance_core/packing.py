"""Hidden states put away between steps: in fewer bits, or in main memory."""

from dataclasses import dataclass

import torch

_FP8_EXPONENT = 8  # the largest number of float8_e4m3fn is 448: a peak below 2 ** 8 fits in whatever its mantissa is
_LARGEST_SHIFT = 15  # a power of two that float16 has


@dataclass(frozen=True)
class Packed:
    """A tensor put away. shift: it was multiplied by 2 to the power of this, (); None where it was not."""
    tensor: torch.Tensor
    dtype: torch.dtype
    device: torch.device
    shift: torch.Tensor | None = None

    @property
    def bytes(self) -> int:
        return sum(t.untyped_storage().nbytes() for t in (self.tensor, self.shift) if t is not None)

    def unpack(self) -> torch.Tensor:
        tensor = self.tensor.to(self.device, non_blocking=True).to(self.dtype)
        return tensor if self.shift is None else tensor * torch.exp2(-self.shift)


def pack(tensor: torch.Tensor, dtype: torch.dtype | None, offload: bool) -> Packed:
    """Put a tensor away as `dtype`, where that is smaller than its own, and in main memory if `offload`.

    One power of two brings the tensor into the range of fp8, so that a number's rounding does not depend on what else
    is in the batch. Nothing is read back from the device. Raises TypeError where the device does not have the dtype.
    """
    kept, shift = tensor, None
    if dtype is not None and tensor.is_floating_point() and tensor.numel() and dtype.itemsize < tensor.itemsize:
        if dtype.itemsize == 1:
            peak = torch.frexp(tensor.abs().amax().float()).exponent
            shift = (_FP8_EXPONENT - peak).clamp(max=_LARGEST_SHIFT).float()
            kept = kept * torch.exp2(shift)
        kept = kept.to(dtype)
    return Packed(_to_main_memory(kept) if offload else kept, tensor.dtype, tensor.device, shift)


def _to_main_memory(tensor: torch.Tensor) -> torch.Tensor:
    """From a CUDA device without waiting: what reads it there again is queued behind this copy."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    try:
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    except RuntimeError:  # no more memory that could be pinned
        return tensor.cpu()
    return pinned.copy_(tensor, non_blocking=True)
