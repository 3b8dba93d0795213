"""What is found out on a device while it works, read without making it wait."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class _Flag:
    """reason: what it means if the flag is up. flag: (); of a CUDA device on its way to main memory, until `ready`."""
    reason: str
    flag: torch.Tensor
    ready: torch.cuda.Event | None

    @classmethod
    def of(cls, flag: torch.Tensor, reason: str) -> "_Flag":
        if flag.device.type != "cuda":
            return cls(reason, flag, None)
        with torch.cuda.device(flag.device):
            copied = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(flag, non_blocking=True)
            ready = torch.cuda.Event()
            ready.record()
        return cls(reason, copied, ready)

    def read(self) -> bool:
        if self.ready is not None:
            self.ready.synchronize()
        return bool(self.flag)


class Alarm:
    """Rings once a flag of the run is up: of one on the CPU at once, of any other in the evaluation after.

    By then the device has begun with the evaluation that the flag was raised in, and still has the rest of it to do:
    it is not kept waiting, and is never more than an evaluation behind.
    """

    def __init__(self):
        self._reason = ""
        self._before: list[_Flag] = []
        self._now: list[_Flag] = []

    def begin(self) -> None:
        """An evaluation begins."""
        self._before += self._now
        self._now = []

    def add(self, flag: torch.Tensor, reason: str) -> None:
        """flag: (), a bool. reason: what it means if it is up."""
        if flag.device.type != "cpu":
            self._now.append(_Flag.of(flag, reason))
        elif bool(flag):
            self._reason = self._reason or reason

    def rings(self) -> str:
        """The reason, or nothing."""
        before, self._before = self._before, []
        for flag in before:
            if not self._reason and flag.read():
                self._reason = flag.reason
        return self._reason
