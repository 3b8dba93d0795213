"""BlockDance-Ada in ComfyUI's own sampling: decisions in mid-run, rollouts, and a training from end to end."""

from dataclasses import replace
from functools import partial

import comfy.ops
import pytest
import torch
from comfy.model_management import InterruptProcessingException
from comfy.nested_tensor import NestedTensor

from blockdance.blockdance_core.ada import policy_file
from blockdance.blockdance_core.ada.captions import Caption
from blockdance.blockdance_core.ada.method import AdaMethod
from blockdance.blockdance_core.ada.network import DecisionNetwork, Sizes
from blockdance.blockdance_core.ada.policy_file import PolicyError
from blockdance.blockdance_core.ada.rewards import SSIM, Distance
from blockdance.blockdance_core.ada.training import Settings
from blockdance.blockdance_core.comfy.ada_predicted_rollouts import PredictedRollouts
from blockdance.blockdance_core.comfy.ada_rollouts import Rollouts, Sampling
from blockdance.blockdance_core.comfy.ada_training import train
from blockdance.blockdance_core.comfy.attach import attach, fingerprint_of, last_report
from blockdance.blockdance_core.plan.plan import Kind, Plan, Reuse, Span
from blockdance.tests.host.engine.test_changing_plans import Fixed
from blockdance.tests.models.tiny import DIT, PIXART, sample
from blockdance.tests.trial import Counter, distance, leftovers

STEPS, FIRST = 10, 4
ALL_COMPUTED = (0,) * 6


def network(tiny, computed: list[bool], borders: int = 1, operations=torch.nn) -> DecisionNetwork:
    """One that decides the same for every picture of this model."""
    text, pooled = tiny.conditions.get("c_crossattn", (0,))[-1], tiny.conditions.get("y", (0,))[-1]
    sizes = Sizes(tiny.latent[0], text, pooled, len(computed), borders, width=16, heads=2)
    return DecisionNetwork(sizes, operations).start(torch.tensor([1. if each else -1. for each in computed]))


def policy(tiny, computed: list[bool], **more) -> AdaMethod:
    return AdaMethod(network(tiny, computed, **more), (4,))


def fixed(computed: list[bool]) -> Fixed:
    reuse = Reuse(Span(0, 4), Kind.FEATURE)
    return Fixed(Plan.from_reuses([None] * FIRST + [None if each else reuse for each in computed]))


PATTERN = [False, True, False, False, True, False]


def test_a_run_goes_on_as_decided(model, tiny):
    """Bit for bit as if the decisions had been known from the start, and nothing is left behind."""
    counter = Counter(model)
    expected = sample(attach(model, fixed(PATTERN)), tiny, steps=STEPS)
    before = counter.executed
    patched = attach(model, policy(tiny, PATTERN, operations=comfy.ops.manual_cast))
    assert torch.equal(sample(patched, tiny, steps=STEPS), expected)
    report = last_report(patched)
    assert report.executed == counter.executed - before == before < report.total
    assert report.plan.reused_steps == (4, 6, 7, 9) and "decided in" in report.line()
    assert not report.failures and not report.misses and not leftovers(model)


def test_a_policy_that_computes_everything_changes_nothing(model, tiny):
    assert torch.equal(sample(attach(model, policy(tiny, [True] * 6)), tiny, steps=STEPS),
                       sample(model, tiny, steps=STEPS))


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_2m", "dpm_2", "euler_ancestral"])
def test_samplers_that_evaluate_otherwise(sampler):
    model = PIXART.build()
    patched = attach(model, policy(PIXART, PATTERN))
    full = sample(model, PIXART, steps=STEPS, sampler=sampler)
    assert 0 < distance(sample(patched, PIXART, steps=STEPS, sampler=sampler), full) < .3
    report = last_report(patched)
    assert report.executed < report.total and not report.failures


@pytest.mark.parametrize("denoise", [.7, .4])
def test_a_picture_to_picture_run_has_the_end_of_the_decisions(denoise):
    model = PIXART.build()
    patched = attach(model, policy(PIXART, PATTERN))
    sample(patched, PIXART, steps=STEPS, denoise=denoise)
    report = last_report(patched)
    assert report.executed < report.total and not report.failures and not report.misses


class CautiousOfOne(DecisionNetwork):
    """Wants the last sample of a batch computed at every second step, and the others not at all."""

    def forward(self, state):
        compute, borders = super().forward(state)
        compute[-1, ::2] = 1.
        return compute, borders


def test_a_batch_does_what_its_most_cautious_sample_wants():
    made = network(PIXART, [False] * 6)
    made.__class__ = CautiousOfOne
    patched = attach(PIXART.build(), AdaMethod(made, (4,)))
    sample(patched, PIXART, steps=STEPS, batch=3)
    assert last_report(patched).plan.reused_steps == (5, 7, 9)


def test_a_policy_that_does_not_fit_costs_no_picture():
    model = DIT.build()
    patched = attach(model, policy(PIXART, PATTERN))
    assert torch.equal(sample(patched, DIT, steps=STEPS), sample(model, DIT, steps=STEPS))
    assert "the plan stays as it was at step 4: the policy decides by text of width 32" in last_report(patched).line()


def pictures(latent: torch.Tensor) -> torch.Tensor:
    return latent[:, :3].movedim(1, -1) / 20 + .5


SETTINGS = Settings(quality_weight=.1, learning_rate=.01, batch=2, epochs=2, rollouts=2, baseline="mean",
                    validation=.25, patience=0)


def studio(folder=None, tiny=PIXART, of=Rollouts, sampling=Sampling(STEPS, 3.), **more) -> Rollouts:
    captions = [Caption(str(number)) for number in range(4)]
    return of(
        tiny.build(), captions, lambda text: tiny.conditioning(30 + int(text)), "-10",
        torch.zeros(1, *tiny.latent), sampling, (4, 7), Distance(), pictures, folder, **more)


class TestRollouts:
    def test_they_are_what_a_run_of_these_decisions_gives(self):
        made = studio()
        decisions = (1, 0, 1, 1, 0, 1)
        found = made.rollout(2, decisions)
        reuse = Reuse(Span(0, 4), Kind.FEATURE)
        plan = Plan.from_reuses([None] * FIRST + [reuse if each else None for each in decisions])
        noise = comfy.sample.prepare_noise(torch.zeros(1, *PIXART.latent), 2)
        expected = comfy.sample.sample(
            attach(made.model, Fixed(plan)), noise, STEPS, 3., "euler", "simple", PIXART.conditioning(32),
            PIXART.conditioning(20), torch.zeros(1, *PIXART.latent), disable_pbar=True, seed=2)
        assert distance(found, expected) < 1e-5

    def test_the_network_sees_in_training_what_it_sees_in_use(self):
        made, seen = studio(), []

        class Watching(DecisionNetwork):
            def forward(self, state):
                seen.append(state)
                return super().forward(state)
        watching = network(PIXART, PATTERN)
        watching.__class__ = Watching
        noise = comfy.sample.prepare_noise(torch.zeros(1, *PIXART.latent), 1)
        comfy.sample.sample(
            attach(made.model, AdaMethod(watching, (4,), made.start)), noise, STEPS, 3., "euler", "simple",
            PIXART.conditioning(31), PIXART.conditioning(20), torch.zeros(1, *PIXART.latent), disable_pbar=True, seed=1)
        state = made.state(1)
        assert distance(seen[0].latent, state.latent) < 1e-5 and torch.equal(seen[0].text, state.text)

    def test_what_is_computed_once_is_kept_and_only_for_the_same_settings(self, tmp_path):
        first = studio(tmp_path)
        first.quality(0, (1,) * 6)
        before = first.macs
        again = studio(tmp_path)
        assert torch.equal(again.state(0).latent, first.state(0).latent) and again.macs == 0 and first.macs == before
        (tmp_path / "0.safetensors").write_bytes(b"damaged")
        assert torch.equal(again.state(0).latent, first.state(0).latent) and again.macs > 0
        for other in (studio(tmp_path, seed=9), replace(studio(tmp_path), negative="-9")):
            assert not torch.equal(other.state(0).latent, again.state(0).latent)

    @pytest.mark.parametrize("wrong", [{"rho": .95}, {"rho": 0.}])
    def test_settings_that_leave_nothing_to_decide(self, wrong):
        with pytest.raises(ValueError, match=f"rho {wrong['rho']:g}"):
            studio(**wrong)


class TestForesight:
    @pytest.mark.parametrize("border", [1, 2])
    def test_the_last_step_is_foreseen_exactly(self, border):
        """But for rounding: it changes no more than some millionths here."""
        made, decisions = studio(of=PredictedRollouts), (0,) * 5 + (border,)
        found, sampled = made.rollout(1, decisions), Rollouts.rollout(made, 1, decisions)
        error = distance(sampled, Rollouts.rollout(made, 1, ALL_COMPUTED))
        assert error > 1e-6 and distance(found, sampled) < .1 * error

    def test_of_every_second_step_the_size_of_the_error_is_that_of_a_sampled_one(self):
        made, decisions = studio(of=PredictedRollouts), (2, 0) * 3
        full = Rollouts.rollout(made, 0, ALL_COMPUTED)
        found, sampled = (rollout(0, decisions) - full for rollout in (made.rollout, partial(Rollouts.rollout, made)))
        assert float(found.norm()) == pytest.approx(float(sampled.norm()), rel=.01)

    def test_features_of_any_age_are_foreseen_and_older_ones_err_more(self):
        made = studio(of=PredictedRollouts)
        rewards = [made.quality(0, (0,) * (6 - reused) + (2,) * reused) for reused in range(7)]
        assert rewards[0] == 0 and rewards == sorted(rewards, reverse=True) and len(set(rewards)) == 7

    def test_what_was_measured_is_kept(self, tmp_path):
        first = studio(tmp_path, of=PredictedRollouts)
        errors = first.errors(0)
        again = studio(tmp_path, of=PredictedRollouts)
        assert torch.equal(again.errors(0), errors) and first.macs > again.macs == 0

    def test_other_samplers_are_refused(self):
        with pytest.raises(ValueError, match="(?i)euler.* heun"):
            studio(of=PredictedRollouts, sampling=Sampling(STEPS, 3., "heun"))

    @pytest.mark.parametrize("names, told", [(("eulr", "simple"), "eulr.* euler,"),
                                             (("euler", "typo"), "typo.* simple,")])
    def test_names_that_the_host_does_not_know_are_refused(self, names, told):
        with pytest.raises(ValueError, match=told):
            Sampling(STEPS, 3., *names)

    def test_a_checkpoint_of_sampled_rollouts_is_another_training(self, tmp_path):
        path = tmp_path / "mine.safetensors"
        train(studio(tmp_path / "kept"), replace(SETTINGS, epochs=1), "small", path)
        with pytest.raises(PolicyError, match="mine.training.*foreseen"):
            train(studio(tmp_path / "kept", of=PredictedRollouts), SETTINGS, "small", path)


    def test_frames_of_a_video_vae_are_judged_one_by_one(self):
        """Such a VAE gives them as a batch of videos."""
        frames = replace(studio(), reward=SSIM())
        videos = replace(frames, decode=lambda latent: frames.decode(latent)[None])
        assert videos.quality(0, (1, 0) * 3) == frames.quality(0, (1, 0) * 3) < 1

    def test_video_with_sound_is_refused(self):
        nested = NestedTensor([torch.zeros(1, *PIXART.latent)] * 2)
        with pytest.raises(ValueError, match="video.*sound"):
            replace(studio(), latent=nested)


class TestTraining:
    def test_from_captions_to_a_policy_that_samples(self, tmp_path):
        path, told = tmp_path / "mine.safetensors", []
        card = train(studio(tmp_path / "kept"), SETTINGS, "small", path,
                     on_batch=lambda progress, batches: told.append((progress.batches, batches)))
        assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
        found = policy_file.read(path, comfy.ops.manual_cast)
        assert found.card == card and found.card.borders == (4, 7)
        assert found.card.rho == pytest.approx(.4, abs=.001)
        assert found.card.training["reward"] == "distance" and found.card.training["macs"] > 0
        model = PIXART.build()
        found.card.check(fingerprint_of(model), found.source)
        patched = attach(model, found.policy)
        sample(patched, PIXART, steps=STEPS)
        assert not last_report(patched).failures and "steps reuse, decided in" in last_report(patched).line()

    def test_inside_of_comfyuis_inference_mode(self):
        with torch.inference_mode():
            made = studio()
            with torch.inference_mode(False), torch.enable_grad():
                made.state(0)
                assert network(PIXART, [True] * 6)(made.state(0))[0].sum().backward() is None

    def test_an_interrupted_one_goes_on(self, tmp_path):
        path = tmp_path / "mine.safetensors"

        def interrupt(progress, batches):
            if progress.batches == 3:
                raise InterruptProcessingException
        with pytest.raises(InterruptProcessingException):
            train(studio(tmp_path / "kept"), SETTINGS, "small", path, on_batch=interrupt)
        assert not path.exists() and path.with_suffix(".training").is_file()
        told = []
        whole = tmp_path / "whole.safetensors"
        train(studio(tmp_path / "kept"), SETTINGS, "small", path,
              on_batch=lambda progress, batches: told.append(progress.batches))
        train(studio(tmp_path / "kept"), SETTINGS, "small", whole)
        assert told == [4]
        trained = policy_file.read(path).network.state_dict()
        for name, value in policy_file.read(whole).network.state_dict().items():
            assert torch.equal(value, trained[name]), name
        with pytest.raises(PolicyError, match="mine.training.*settings"):
            train(studio(tmp_path / "kept"), replace(SETTINGS, batch=1), "small", path)
        for other, said in (({"negative": "-9"}, "negative"), ({"latent": torch.zeros(1, 4, 40, 48)}, "size"),
                            ({"captions": [Caption(str(number)) for number in range(1, 5)]}, "captions_digest")):
            with pytest.raises(PolicyError, match=f"mine.training.* {said} "):
                train(replace(studio(), **other), SETTINGS, "small", path)

    def test_one_that_has_ended_shows_its_curve_again_and_leaves_its_file(self, tmp_path):
        path, told = tmp_path / "mine.safetensors", []
        card = train(studio(tmp_path / "kept"), SETTINGS, "small", path)
        written = path.stat().st_mtime_ns
        train(studio(tmp_path / "kept"), SETTINGS, "small", path,
              on_batch=lambda progress, batches: told.append((progress.batches, len(progress.scores))))
        assert told == [(4, 4)]
        assert path.stat().st_mtime_ns == written and policy_file.read(path).card == card
        path.unlink()
        train(studio(tmp_path / "kept"), SETTINGS, "small", path)
        assert policy_file.read(path).card == card

    def test_reuse_that_does_not_work_is_an_error_and_no_wrong_policy(self, tmp_path, monkeypatch):
        made = studio()
        monkeypatch.setattr("blockdance.blockdance_core.engine.interception.Recorder.stored", lambda self: None)
        with pytest.raises(RuntimeError, match="training"):
            made.quality(0, (1,) * 6)
