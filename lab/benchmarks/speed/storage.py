"""What the choices of storage take and cost: bytes, and the picture of a demo model against full sampling."""

from dataclasses import dataclass
from typing import Iterator

from ....blockdance_core.comfy.attach import attach
from ....blockdance_core.methods.blockdance import BlockDanceMethod
from ....blockdance_core.methods.delta_cache import DeltaCacheMethod
from ....blockdance_core.methods.delta_dit import DeltaDiTMethod
from ....blockdance_core.methods.method import with_storage
from ....blockdance_core.plan.plan import DTYPES
from ..arm import Arm
from ..compare import compare
from ..options import WEIGHTS

CAPTIONS = 4
METHODS = {"BlockDance N=2": BlockDanceMethod(2), "Delta-Cache N=2": DeltaCacheMethod(2),
           "Delta-DiT N=2": DeltaDiTMethod(2)}


@dataclass(frozen=True)
class Stored:
    """psnr: dB against the full run, a mean over captions; bytes: the most that was stored."""
    method: str
    storage: str
    bytes: int
    psnr: float


def measure() -> Iterator[Stored]:
    """Of the demo's PixArt, which computes in float32, with cond and uncond."""
    bytes: dict[tuple[str, str], int] = {}
    arms = [_arm(method, storage, bytes) for method in METHODS for storage in DTYPES]
    for row in compare(WEIGHTS / "pixart.safetensors", arms, captions=CAPTIONS, fewer_steps=()):
        yield Stored(row.method, row.point, bytes[row.method, row.point], row.psnr.mean)


def _arm(method: str, storage: str, bytes: dict[tuple[str, str], int]) -> Arm:
    stored = with_storage(METHODS[method], storage, "auto")
    return Arm(method, storage, lambda model, _: attach(
        model, stored, lambda report: bytes.update({(method, storage): report.cache_bytes})))
