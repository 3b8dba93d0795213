"""Training in several processes, on one machine or many, as torchrun starts them."""

import os
from dataclasses import dataclass

import torch
import torch.distributed


@dataclass(frozen=True)
class Workers:
    """This process among all: it takes every `count`-th caption of a batch, and gradients are summed over all."""
    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> "Workers":
        """One of those that torchrun has started, or the only one. Rollouts may differ widely in time, and only the
        gradients of a small network travel, so gloo does on GPUs, too."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        torch.distributed.init_process_group("gloo")
        return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())

    def leave(self) -> None:
        """All at once: gloo may abort a process whose partner has gone."""
        if self.count > 1:
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes; every one of them has to ask for it."""
        if self.count > 1:
            total = value.detach().cpu()
            torch.distributed.all_reduce(total)
            return total.to(value.device)
        return value

    def sum_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        """In one message."""
        if self.count == 1:
            return
        flat = self.sum(torch.cat([parameter.grad.flatten() for parameter in parameters]))
        for parameter, grad in zip(parameters, flat.split([parameter.numel() for parameter in parameters])):
            parameter.grad.copy_(grad.view_as(parameter))
