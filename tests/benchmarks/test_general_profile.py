"""The profile for models that nobody has measured, made of what others have in common."""

from dataclasses import replace

import numpy as np
import pytest

from blockdance.blockdance_core.auto.kernel import Kernel
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import read
from blockdance.blockdance_core.plan.plan import Transformer
from blockdance.blockdance_core.plan.schedule import Quantity, Schedule
from blockdance.demo.architectures import OF_ALL_WORLDS
from blockdance.lab.benchmarks import general, others
from blockdance.lab.benchmarks.options import WEIGHTS
from blockdance.lab.benchmarks.subject import Subject

VELOCITY = Quantity.VELOCITY


def kernel(length: float, times: np.ndarray = np.linspace(1, .05, 12)) -> Kernel:
    return Kernel(times, np.exp(-np.abs(times[:, None] - times) / length))


@pytest.fixture
def three(tmp_path):
    """Profiles of three models, as a measurement leaves them."""
    pattern = read(others.KERNELS / "pixart-velocity.json")
    for name, length in {"a": .5, "b": 1., "c": 2.}.items():
        for quantity in Quantity:
            others.write(tmp_path, name, replace(pattern, quantity=quantity, kernel=kernel(length)))
    return tmp_path


def test_what_others_have_in_common_has_nothing_of_the_model_itself(three):
    found = others.of_others("b", VELOCITY, three)
    np.testing.assert_allclose(found.gram, (kernel(.5).gram + kernel(2.).gram) / 2, atol=1e-9)
    everything = others.of_others("a stranger", VELOCITY, three)
    np.testing.assert_allclose(everything.gram, sum(kernel(length).gram for length in (.5, 1., 2.)) / 3, atol=1e-9)


def test_measurements_at_other_times_count_at_those_of_the_first():
    other = kernel(1., np.linspace(1, .03, 40))
    found = others.pooled([kernel(1.), other])
    assert np.array_equal(found.times, kernel(1.).times)
    np.testing.assert_allclose(found.gram, kernel(1.).gram, atol=.02)


def test_the_general_profile_is_made_of_all_models_and_plans(three, tmp_path):
    written = general.make(three, tmp_path / "general")
    assert {path.name for path in written} >= {"velocity.json", "picture.json"}
    made = read(tmp_path / "general" / "velocity.json")
    assert made.settings["models"] == "a, b, c"
    plan = AutoMethod(2., lambda *_: None, lambda _: made.kernel).plan(Schedule.even(20), Transformer("any", (1,)))
    assert len(plan.reused_steps) == 10


def test_nothing_is_made_of_nothing(tmp_path):
    with pytest.raises(ValueError, match="measure"):
        others.of_others("a", VELOCITY, tmp_path)
    with pytest.raises(SystemExit, match="measure"):
        general.make(tmp_path, tmp_path)


@pytest.mark.parametrize("quantity", Quantity)
def test_it_rests_on_five_models_of_three_architectures_and_both_worlds(quantity):
    names = [path.stem.removesuffix(f"-{quantity.value}") for path in others.KERNELS.glob(f"*-{quantity.value}.json")]
    rows = [OF_ALL_WORLDS[name] for name in names]
    assert len(rows) >= 5
    assert len({row.host_config for row in rows}) >= 3 and len({row.world for row in rows}) >= 2


def test_a_model_is_measured_at_the_times_of_all_others():
    found = general.measured(Subject(WEIGHTS / "pixart.safetensors"), captions=1, steps=8)
    assert set(found) == set(Quantity)
    shift = general.SHIFT
    even = 1 - np.arange(8) / 8
    for profile in found.values():
        np.testing.assert_allclose(profile.kernel.times, shift * even / (1 + (shift - 1) * even), atol=2e-3)
        assert profile.runs == 1 and profile.kernel.gram[0, 1] > .5
