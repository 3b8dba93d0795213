"""How much memory a run may take for what it stores, and where: the choices of a user."""

from dataclasses import dataclass

import torch

DTYPES = {"model": None, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}
OFFLOADS = ("auto", "off", "on")


@dataclass(frozen=True)
class Storage:
    """dtype: a name in DTYPES, "model" for that of the hidden states; smaller ones are never made larger.

    offload: whether what is stored goes to main memory: "on", "off", or "auto", where the device has none to spare.
    """
    dtype: str = "model"
    offload: str = "auto"

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise ValueError(f"storage is {self.dtype!r}; use one of {', '.join(DTYPES)}")
        if self.offload not in OFFLOADS:
            raise ValueError(f"offload is {self.offload!r}; use one of {', '.join(OFFLOADS)}")
