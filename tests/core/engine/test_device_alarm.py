"""What is found out on a device is known in time, and waited for by nobody."""

import pytest
import torch

from blockdance.blockdance_core.engine.moved_latent import Alarm


def flag(up: bool, device: str = "cpu") -> torch.Tensor:
    return torch.full((), up, dtype=torch.bool, device=device)


def test_on_the_cpu_it_rings_at_once_and_for_the_first_reason():
    alarm = Alarm()
    alarm.begin()
    alarm.add(flag(False), "nothing")
    assert alarm.rings() == ""
    alarm.add(flag(True), "first")
    alarm.add(flag(True), "second")
    assert alarm.rings() == "first"
    alarm.begin()
    assert alarm.rings() == "first"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_it_rings_in_the_next_evaluation_without_a_synchronisation():
    alarm = Alarm()
    flags = [flag(up, "cuda") for up in (False, True)]
    alarm.add(flags[0], "nothing")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        alarm.begin()
        assert alarm.rings() == ""
        alarm.add(flags[1], "moved")
        assert alarm.rings() == ""
        alarm.begin()
        assert alarm.rings() == "moved"
    finally:
        torch.cuda.set_sync_debug_mode("default")
