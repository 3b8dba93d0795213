"""What is seen of a sampler in a run, and what comes of it: in the plan, in the profile and in words."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.auto.measurement import MeasureMethod
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import Profile, ProfileError, general
from blockdance.blockdance_core.auto.profile_library import Library
from blockdance.blockdance_core.auto.sampler_observation import Observation
from blockdance.blockdance_core.engine.controller import Moment
from blockdance.blockdance_core.plan.schedule import Origin, Quantity, SamplerTraits, Schedule
from blockdance.tests.core.auto.imagined_model import FINGERPRINT, PIXART, kernel

STEPS, SIZE = 12, 600
UNKNOWN = SamplerTraits(counted=False, steady=False, key="mine", origin=Origin.GUESS)
SCHEDULE = replace(Schedule.even(STEPS), sampler=UNKNOWN)
SEEN = SamplerTraits(key="mine", origin=Origin.RUN)


class Kept(dict):
    """Samplers in memory."""
    find = dict.get

    def keep(self, traits: SamplerTraits) -> bool:
        self[traits.key] = traits
        return True


def picture(latent: torch.Tensor, sigma: float) -> torch.Tensor:
    """A model that is no linear function of the latent."""
    return torch.tanh(latent * (1 - sigma)) + .1 * latent.roll(1)


def draw(observer, noise: float = 0., evaluations: int = 1, whole: bool = True, schedule: Schedule = SCHEDULE,
         size: int = SIZE, advise=lambda step, latent: None) -> None:
    """Euler's steps, or the midpoint's of two evaluations; with this share of the noise level made anew."""
    generator = torch.Generator().manual_seed(2)
    latent = torch.randn(size, generator=generator)
    for step, (sigma, after) in enumerate(zip(schedule.sigmas, schedule.sigmas[1:])):
        at = latent
        for evaluation in range(evaluations):
            now = sigma + (after - sigma) * evaluation / evaluations
            advise(step, at)
            denoised = picture(at, now)
            observer.observe(at, denoised, now, whole)
            at = latent + (at - denoised) / now * (after - sigma) / evaluations * (evaluation + 1)
        latent = at + noise * after * torch.randn(size, generator=generator)


@pytest.mark.parametrize("noise, steady", [(0., True), (1e-4, True), (.05, False), (1., False)])
@pytest.mark.parametrize("evaluations", [1, 2])
def test_noise_and_the_number_of_evaluations_are_seen(noise, steady, evaluations):
    observation = Observation(SCHEDULE)
    draw(observation, noise, evaluations)
    assert observation.traits() == replace(UNKNOWN, counted=evaluations == 1, steady=steady, origin=Origin.RUN)


def test_that_more_than_the_output_is_taken_is_seen():
    observation = Observation(SCHEDULE)
    draw(observation, whole=False)
    assert not observation.traits().whole


def test_a_latent_in_half_precision_is_no_noise():
    class Half:
        def observe(self, latent, denoised, *rest):
            observation.observe(latent.bfloat16(), denoised, *rest)
    observation = Observation(SCHEDULE)
    draw(Half())
    assert observation.traits().steady


@pytest.mark.parametrize("schedule, size", [
    (replace(SCHEDULE, sampler=replace(UNKNOWN, shown=False)), SIZE), (SCHEDULE, 20)],
    ids=["a mask has a hand in it", "a few numbers"])
def test_where_it_cannot_be_told_nothing_is_claimed(schedule, size):
    observation = Observation(schedule)
    draw(observation, schedule=schedule, size=size)
    assert observation.traits() is None


def auto(samplers: Kept | None = None, **more) -> AutoMethod:
    return AutoMethod(2., more.pop("measured", lambda *_: None), general, samplers=samplers, **more)


@pytest.mark.parametrize("noise, quantity", [(0., Quantity.VELOCITY), (1., Quantity.PICTURE)])
@pytest.mark.parametrize("evaluations", [1, 2])
def test_a_measuring_run_decides_by_what_it_has_seen(noise, quantity, evaluations):
    kept, samplers = [], Kept()

    def save(*found) -> str:
        kept.append(found)
        return "kept"
    for measuring in (auto(samplers, save=save), MeasureMethod(save, samplers=samplers)):
        setup = measuring.setup(SCHEDULE, PIXART)
        assert not setup.plan.reused_steps
        draw(setup.observer, noise, evaluations)
        said = setup.observer.finish()
        assert said.startswith("kept; seen of this sampler") and ("no noise" in said) == (not noise)
        found, measured = kept.pop()
        assert found is quantity and len(measured.times) >= STEPS
        assert samplers.pop("mine") == replace(UNKNOWN, counted=evaluations == 1, steady=not noise, origin=Origin.RUN)


def test_what_was_seen_is_gone_by():
    for seen in (SEEN, replace(SEEN, steady=False), replace(SEEN, whole=False)):
        known, by_name = (auto(samplers).plan(replace(SCHEDULE, sampler=sampler), PIXART) for samplers, sampler in (
            (Kept(mine=seen), UNKNOWN), (None, replace(seen, origin=Origin.NAME))))
        assert known.decisions == by_name.decisions and known.extrapolation == by_name.extrapolation
        assert known.note == by_name.note and known.sampler == seen


def test_a_sampler_is_not_said_to_add_noise_that_was_not_seen():
    plan = auto(Kept()).plan(SCHEDULE, PIXART)
    assert "adds noise at every step" not in plan.note and "not known" in plan.note
    careful = auto().plan(replace(SCHEDULE, sampler=replace(UNKNOWN, shown=False)), PIXART)
    assert "adds noise at every step" not in careful.note and "not known" in careful.note
    assert careful.extrapolation.quantity is Quantity.PICTURE
    assert "adds noise at every step" in auto(Kept(mine=replace(SEEN, steady=False))).plan(SCHEDULE, PIXART).note


@pytest.mark.parametrize("noise", [0., 1.])
def test_a_planned_run_is_watched_and_changes_its_plan_at_the_first_noise(noise):
    samplers = Kept()
    setup = auto(samplers).setup(SCHEDULE, PIXART)
    assert setup.plan.extrapolation.quantity is Quantity.VELOCITY
    advice = {}

    def advise(step: int, latent: torch.Tensor) -> None:
        sigma = SCHEDULE.sigmas[step]
        advice[step] = setup.replanner.replan(Moment(step, sigma, sigma, latent, {}, lambda sigma: ()))
    draw(setup.observer, noise, advise=advise)
    changed = {step: found for step, found in advice.items() if found}
    assert list(changed) == ([1] if noise else [])
    if noise:
        assert changed[1].extrapolation.quantity is Quantity.PICTURE and "adds noise at every step" in changed[1].note
    assert "seen of this sampler" in setup.observer.finish() and samplers["mine"].steady == (not noise)


def test_another_sampler_than_the_one_that_was_measured_costs_no_full_run():
    plan = auto(Kept(), measured=lambda quantity, _: kernel() if quantity is Quantity.PICTURE else None,
                save=lambda *_: "").plan(SCHEDULE, PIXART)
    assert plan.reused_steps


def test_a_profile_keeps_what_was_seen(tmp_path):
    library = Library((tmp_path,))
    plain = Profile(FINGERPRINT, Quantity.VELOCITY, kernel(), 2, {}, {})
    path = library.add(plain)
    before = path.read_text()
    assert "samplers" not in before and library.sampler(FINGERPRINT, "mine") is None
    seen = replace(SEEN, steady=False)
    assert library.keep_sampler(FINGERPRINT, seen) and library.sampler(FINGERPRINT, "mine") == seen
    assert library.keep_sampler(FINGERPRINT, SEEN) and library.sampler(FINGERPRINT, "mine") == SEEN
    assert np.allclose(library.load(path.name).kernel.gram, kernel().gram)
    assert library.sampler(replace(FINGERPRINT, parameters=1), "mine") is None
    library.add(plain)  # measured again
    assert library.sampler(FINGERPRINT, "mine") == SEEN
    assert {**json.loads(path.read_text()), "samplers": 0} == {**json.loads(before), "samplers": 0}


def test_without_a_profile_there_is_nothing_to_keep_it_in(tmp_path):
    assert not Library((tmp_path,)).keep_sampler(FINGERPRINT, SEEN) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [[], 7, {"mine": 3}, {"mine": {"counted": True}},
                                    {str(number): {} for number in range(10 ** 4)}])
def test_damaged_observations_are_refused_by_name(damage):
    text = Profile(FINGERPRINT, Quantity.VELOCITY, kernel(), 2, {}, {}, {"mine": SEEN}).dump()
    assert Profile.parse(text, "it").samplers == {"mine": SEEN}
    if damage == []:
        damage = [1]
    with pytest.raises(ProfileError, match="mine.json"):
        Profile.parse(json.dumps(json.loads(text) | {"samplers": damage}), "mine.json")


SHORT = Schedule.even(20).sigmas[17:]  # 3 steps


@pytest.mark.parametrize("schedule, helps", [
    (Schedule.even(3), "a full run of 4 steps or more"), (replace(Schedule.even(20), sigmas=SHORT), "a full run"),
    (replace(Schedule.even(20), sampler=SamplerTraits(counted=False)), "with euler "),
    (replace(Schedule.even(20), sampler=SamplerTraits(counted=False, steady=False)), "with euler_ancestral "),
])
def test_advice_is_what_would_measure_the_model(schedule, helps):
    """And without anything that records there is none: a profile was chosen."""
    note = auto(save=lambda *_: "").plan(schedule, PIXART).note
    assert f"not measured on this model: {helps}" in note or helps in note
    chosen = auto().plan(schedule, PIXART).note
    assert "not measured" not in chosen and "run" not in chosen


def test_following_the_advice_measures_the_model():
    for sampler, quantity in ((SamplerTraits(name="sample_euler"), Quantity.VELOCITY),
                              (SamplerTraits(name="sample_euler_ancestral", steady=False), Quantity.PICTURE)):
        kept = []
        setup = auto(save=lambda *found: kept.append(found) or "").setup(
            replace(Schedule.even(8), sampler=sampler), PIXART)
        draw(setup.observer, schedule=Schedule.even(8))
        setup.observer.finish()
        assert kept[0][0] is quantity
