"""BlockDance-Ada without a model: network, decisions, plans, files and learning."""

import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from blockdance.blockdance_core.ada import checkpoint, policy_file
from blockdance.blockdance_core.ada.captions import Caption, CaptionsError, read
from blockdance.blockdance_core.ada.method import AdaMethod, decide, state_of, transfer
from blockdance.blockdance_core.ada.network import Choices, DecisionNetwork, Sizes, State, cautious, saving
from blockdance.blockdance_core.ada.policy_file import Card, PolicyError
from blockdance.blockdance_core.ada.rewards import SSIM, ClipScore, Distance, ImageReward, Named, SquaredError
from blockdance.blockdance_core.ada.training import Settings, Training, start_logits
from blockdance.blockdance_core.auto.profile import Fingerprint
from blockdance.blockdance_core.engine.controller import Moment
from blockdance.blockdance_core.figures.canvas import THEMES
from blockdance.blockdance_core.figures.curves import of_progress
from blockdance.blockdance_core.plan.plan import Kind, Reuse, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
from blockdance.tests.core.ada.toy_studio import LEARNING, TINY, TOGETHER, Toy

PIXART = Transformer("PixArtMS", (28,))
CARD = Card(Fingerprint("PixArtMS", (28,), 6_000_000, True), TINY, (20,), .4, 10, {"lambda": 2.}, {"comfyui": "0"})


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def deciding(logits: list[float], borders: int = 1) -> DecisionNetwork:
    """A network that decides the same for every picture."""
    return DecisionNetwork(replace(TINY, decisions=len(logits), borders=borders)).start(torch.tensor(logits))


def state(batch: int = 1, seed: int = 0) -> State:
    return State(seeded(batch, 3, 8, 8, seed=seed), seeded(batch, 4, 5, seed=seed + 1))


class TestNetwork:
    @pytest.mark.parametrize("channels, text", [(4, 4096), (16, 4096)], ids=["PixArt", "Flux"])
    def test_it_has_the_papers_size(self, channels, text):
        network = DecisionNetwork(Sizes(channels, text, 0, decisions=18), device="meta")
        assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e9, 2) == .08

    def test_it_costs_less_than_a_hundredth_of_a_step(self):
        """Of PixArt-alpha at 1024 x 1024, whose steps take 4.28 TMACs, by the count of multiply-accumulates."""
        network = DecisionNetwork(Sizes(4, 4096, 0, decisions=18), device="meta")
        seen = State(torch.empty(1, 4, 128, 128, device="meta"), torch.empty(1, 120, 4096, device="meta"))
        with FlopCounterMode(display=False) as counter:
            network(seen)
        assert .02e12 < counter.get_total_flops() / 2 < .01 * 4.28e12

    @pytest.mark.parametrize("latent", [(2, 3, 48, 48), (2, 3, 7, 130), (2, 3, 5, 6, 9), (2, 3, 21)])
    def test_pictures_videos_and_sound_of_any_size(self, latent):
        network = DecisionNetwork(TINY).start(seed=1)
        torch.nn.init.normal_(network.decide.weight)
        compute, borders = network(State(seeded(*latent), seeded(2, 9, 5)))
        assert compute.shape == (2, 6) and borders.shape == (2, 6, 1) and compute.isfinite().all()
        assert not torch.allclose(compute[0], compute[1])

    def test_a_fresh_one_has_no_preference(self):
        network = DecisionNetwork(replace(TINY, borders=3)).start()
        compute, borders = network(state(2))
        assert not compute.any() and not borders.any() and borders.shape == (2, 6, 3)

    def test_the_scale_of_the_latent_does_not_matter(self):
        network = DecisionNetwork(TINY).start()
        torch.nn.init.normal_(network.decide.weight)
        one, other = (network(State(scale * seeded(1, 3, 8, 8), seeded(1, 4, 5)))[0] for scale in (1., 14.6))
        assert torch.allclose(one, other, atol=1e-4)

    @pytest.mark.parametrize("given, words", [
        (State(seeded(1, 4, 8, 8), seeded(1, 4, 5)), "channels.* 3.* 4"),
        (State(seeded(1, 3, 8, 8), seeded(1, 4, 7)), "text.* 5.* 7"),
        (State(seeded(1, 3, 8, 8)), "text.* 5.* none")])
    def test_another_models_state_is_refused(self, given, words):
        with pytest.raises(ValueError, match=words):
            DecisionNetwork(TINY).start()(given)

    @pytest.mark.parametrize("wrong", [{"width": 0}, {"heads": 3}, {"decisions": 10 ** 9}, {"text": -1},
                                       {"width": 16.5}])
    def test_sizes_that_make_no_sense(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(TINY, **wrong)


class TestChoices:
    def test_likelihoods_of_all_decisions_sum_to_one(self):
        choices = Choices(seeded(1, 3), seeded(1, 3, 2, seed=1))
        every = torch.cartesian_prod(*[torch.arange(3)] * 3)  # (27, 3)
        assert sum(float(choices.log_probability(each[None]).exp()) for each in every) == pytest.approx(1, abs=1e-5)

    def test_samples_follow_the_probabilities(self):
        choices = Choices(torch.tensor([[-1., 0., 2.]]).expand(4000, 3), torch.tensor([1., 0.]).expand(4000, 3, 2))
        drawn = choices.sample(torch.Generator().manual_seed(0))
        assert torch.allclose((drawn == 0).float().mean(0), torch.tensor([.269, .5, .881]), atol=.03)
        assert (drawn == 1).sum() / (drawn > 0).sum() == pytest.approx(.731, abs=.03)

    def test_greedy_computes_above_one_half(self):
        choices = Choices(torch.tensor([[.01, -.01, -3.]]), torch.tensor([[[0., 1.], [1., 0.], [0., 1.]]]))
        assert choices.greedy().tolist() == [[0, 1, 2]]
        assert choices.greedy(.51).tolist() == [[2, 1, 2]]

    def test_entropy_is_that_of_all_decisions(self):
        choices = Choices(torch.randn(2, 2), torch.randn(2, 2, 2))
        every = torch.cartesian_prod(torch.arange(3), torch.arange(3))[:, None].expand(-1, 2, -1)
        likelihood = torch.stack([choices.log_probability(decisions) for decisions in every])  # (9, 2)
        assert torch.allclose(choices.entropy(), -(likelihood.exp() * likelihood).sum(0), atol=1e-5)

    def test_a_batch_does_what_its_most_cautious_sample_wants(self):
        assert cautious(torch.tensor([[0, 1, 2, 3], [1, 2, 1, 3]])) == (0, 1, 1, 3)

    def test_saving_is_the_papers_for_one_border_and_counts_blocks_for_several(self):
        assert saving((0, 1, 1, 0), (20,)) == .5
        assert saving((0, 1, 2, 0), (13, 27)) == pytest.approx((.5 + 1) / 4)


DECISIONS = st.lists(st.integers(0, 2), min_size=1, max_size=60)


class TestTransfer:
    @given(DECISIONS)
    def test_the_same_number_of_steps_keeps_the_decisions(self, decisions):
        assert transfer(decisions, len(decisions)) == tuple(decisions)

    @given(DECISIONS, st.integers(1, 80))
    def test_the_share_of_computed_steps_is_kept(self, decisions, steps):
        found = transfer(decisions, steps)
        assert len(found) == steps and set(found) <= set(decisions) | {0}
        assert abs(found.count(0) - steps * decisions.count(0) / len(decisions)) <= 1

    def test_a_pattern_keeps_its_density_where_steps_are_fewer(self):
        assert transfer((1, 0) * 9, 12) == (1, 0) * 6
        assert transfer((1, 1, 1, 1, 0, 0, 0, 0), 4) == (1, 1, 0, 0)

    def test_a_part_of_the_time_takes_its_part_of_the_decisions(self):
        assert transfer((0,) * 4 + (1,) * 4, 4, begin=.5) == (1,) * 4


class Recorded:
    """Layers like torch.nn's that note how they were used."""
    LayerNorm = torch.nn.LayerNorm
    used = 0

    class Linear(torch.nn.Linear):
        def forward(self, x):
            Recorded.used += 1
            return super().forward(x)


class TestPolicy:
    def advised(self, policy: AdaMethod, schedule: Schedule, batch: int = 1):
        setup = policy.setup(schedule, PIXART)
        plan = setup.plan
        first = next(step for step, decision in enumerate(plan.decisions) if decision.store) + 1
        conditions = {"positive": [{"cross_attn": seeded(1, 4, 5)}]}
        advice = [setup.replanner.replan(
            Moment(step, schedule.sigmas[step], schedule.times[step], seeded(batch, 3, 8, 8), conditions,
                   lambda sigma: None)) for step in range(schedule.steps)]
        assert [step for step, found in enumerate(advice) if found] == [first]
        return plan, advice[first]

    def test_it_looks_once_and_the_first_steps_are_computed(self):
        policy = AdaMethod(deciding([-1., 1., -1., -1., 1., -1.]), (20,))
        plan, decided = self.advised(policy, Schedule.even(10))
        reuse = Reuse(Span(0, 20), Kind.FEATURE)
        assert plan.reused_steps == () and plan.decisions[3].store == (reuse,)
        assert decided.reused_steps == (4, 6, 7, 9) and decided.decisions[3].store == (reuse,)
        assert "4 of the last 6 steps reuse, decided in" in decided.note and "% of a step" in decided.note

    def test_a_higher_threshold_reuses_more(self):
        network = deciding([-2., 3., -1., 1., -.5, 2.])
        reused = [len(self.advised(AdaMethod(network, (20,), threshold=threshold), Schedule.even(10))[1].reused_steps)
                  for threshold in (.3, .5, .8, .97)]
        assert reused == [2, 3, 4, 6]
        with pytest.raises(ValueError, match="threshold is 1.5"):
            AdaMethod(network, (20,), threshold=1.5)

    def test_every_border_is_stored_until_one_is_chosen(self):
        network = deciding([-1.] * 6, borders=2)
        network.decide.bias.data.view(6, 3)[:, 2] = torch.tensor([0., 1., 0., 1., 0., 1.])
        plan, decided = self.advised(AdaMethod(network, (20, 27)), Schedule.even(10))
        assert len(plan.decisions[3].store) == 2
        assert [decision.reuse.span.last for decision in decided.decisions[4:]] == [20, 27] * 3

    @pytest.mark.parametrize("steps, reused", [(20, 6), (50, 15), (10, 3)])
    def test_other_numbers_of_steps_reuse_the_same_share(self, steps, reused):
        _, decided = self.advised(AdaMethod(deciding([-1., 1.] * 3), (20,)), Schedule.even(steps))
        assert len(decided.reused_steps) == reused

    def test_a_run_that_begins_late_computes_its_first_step(self):
        schedule = Schedule(tuple(.5 - step / 20 for step in range(11)), lambda percent: 1 - percent)
        plan, decided = self.advised(AdaMethod(deciding([-1.] * 6), (20,)), schedule)
        assert plan.decisions[0].store and decided.reused_steps == tuple(range(1, 10))

    @pytest.mark.parametrize("schedule, note", [
        (Schedule.even(4), "4 steps are too few"),
        (Schedule(tuple(1 - step / 30 for step in range(9)), lambda percent: 1 - percent), "no step of this run")])
    def test_runs_without_anything_to_decide_are_full_and_say_so(self, schedule, note):
        setup = AdaMethod(deciding([-1.] * 6), (20,)).setup(schedule, PIXART)
        assert setup.replanner is None and not setup.plan.reused_steps and note in setup.plan.note

    def test_operations_are_used(self):
        network = DecisionNetwork(TINY, Recorded).start()
        decide(network, state())
        assert Recorded.used == 2 + 1 + 3 * 4 + 2

    def test_a_shallower_model_is_refused(self):
        with pytest.raises(ValueError, match="block 20.*Small.* 12"):
            AdaMethod(deciding([0.]), (20,)).plan(Schedule.even(10), Transformer("Small", (12,)))

    def test_embeddings_are_repeated_as_comfyui_does(self):
        found = state_of(seeded(3, 4, 8, 8), [{"cross_attn": seeded(2, 4, 5), "pooled_output": seeded(1, 6)}])
        assert torch.equal(found.text[2], found.text[0]) and found.pooled.shape == (3, 6)
        assert state_of(seeded(1, 4, 8, 8), []).text is None


class TestFiles:
    def test_a_policy_survives(self, tmp_path):
        network = DecisionNetwork(TINY).start(seed=3)
        torch.nn.init.normal_(network.decide.weight)
        policy_file.write(tmp_path / "mine.safetensors", CARD, network)
        found = policy_file.read(tmp_path / "mine.safetensors")
        assert found.card == CARD and found.source == "mine.safetensors" and found.policy.borders == (20,)
        assert torch.allclose(found.network(state())[0], network(state())[0], atol=.05)

    def test_those_that_come_with_the_demo(self):
        paths = list((Path(__file__).resolve().parents[3] / "demo" / "policies").glob("*.safetensors"))
        assert paths
        for path in paths:
            found = policy_file.read(path)
            assert path.stat().st_size < 400_000 and found.card.fingerprint.name == "PixArtMS"
            assert found.card.training["rollouts"] and found.card.steps == 30

    @pytest.mark.parametrize("change, words", [
        ({"format": "something"}, "format"), ({"sizes": None}, "sizes"),
        ({"sizes": "[1"}, ""), ({"sizes": json.dumps({**asdict(TINY), "width": 10 ** 9})}, "width"),
        ({"sizes": json.dumps({**asdict(TINY), "width": 32})}, "sizes"),
        ({"borders": "[20, 10]"}, "borders"), ({"borders": "[1, 2]"}, "borders"), ({"rho": "NaN"}, "rho"),
        ({"rho": "1"}, "rho"), ({"model": "[]"}, ""), ({"steps": "{}"}, "")])
    def test_what_is_no_policy_is_refused(self, tmp_path, change, words):
        path = tmp_path / "mine.safetensors"
        policy_file.write(path, CARD, DecisionNetwork(TINY).start())
        metadata = {name: value for name, value in (CARD.metadata() | change).items() if value is not None}
        save_file(load_file(path), path, metadata)
        with pytest.raises(PolicyError, match=f"mine.safetensors.*{words}"):
            policy_file.read(path)

    @pytest.mark.parametrize("damage", [
        lambda data: b"", lambda data: data[:500], lambda data: data[:-100], lambda data: b"PK\x03\x04" * 100,
        lambda data: b"\xff" * 4096])
    def test_damaged_files_are_refused(self, tmp_path, damage):
        path = tmp_path / "mine.safetensors"
        policy_file.write(path, CARD, DecisionNetwork(TINY).start())
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(PolicyError, match="mine.safetensors.* safetensors"):
            policy_file.read(path)

    def test_weights_that_are_no_numbers_are_refused(self, tmp_path):
        network = DecisionNetwork(TINY).start()
        network.token.data[0] = math.nan
        policy_file.write(tmp_path / "mine.safetensors", CARD, network)
        with pytest.raises(PolicyError, match="mine.safetensors.*finite"):
            policy_file.read(tmp_path / "mine.safetensors")

    def test_another_models_policy_is_refused_by_both_names(self):
        with pytest.raises(PolicyError, match="mine.*PixArtMS, 28 blocks.*Flux, 19.38"):
            CARD.check(Fingerprint("Flux", (19, 38), 12_000_000_000, True), "mine")


class TestCaptions:
    @pytest.mark.parametrize("name, text, expected", [
        ("a.txt", "# of mine\na cat\n\n  a dog  \n", [Caption("a cat"), Caption("a dog")]),
        ("a.csv", 'seed,caption\n7,"a cat, black"\n,a dog\n', [Caption("a cat, black", 7), Caption("a dog")]),
        ("a.jsonl", '"a cat"\n\n{"prompt": "a dog", "seed": 3}\n', [Caption("a cat"), Caption("a dog", 3)])])
    def test_the_three_kinds(self, tmp_path, name, text, expected):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read(tmp_path / name) == expected

    @pytest.mark.parametrize("name, data, words", [
        ("a.txt", b"ok\n\nno\xff\n", "a.txt, line 3.*UTF-8"), ("a.txt", b"\n# x\n", "a.txt"),
        ("a.csv", b"words\na cat\n", "a.csv, line 1.*column.*caption, prompt, text"),
        ("a.csv", b"caption\na cat\na dog, black\n", "a.csv, line 3"),
        ("a.csv", b"caption,seed\na cat,1\na dog,x\n", "a.csv, line 3.*seed.*x"),
        ("a.csv", b'caption\n"a\n', "a.csv, line 1"),
        ("a.csv", b"", "a.csv, line 1.*column.*caption, prompt, text"),
        ("a.jsonl", b'"a"\n{"caption": "b"\n', "a.jsonl, line 2.*JSON"),
        ("a.jsonl", b'"a"\n{"words": "b"}\n', "a.jsonl, line 2.*caption, prompt, text"),
        ("a.jsonl", b"[1]\n", "a.jsonl, line 1.*caption, prompt, text"),
        ("a.jsonl", b'{"caption": 3}\n', "a.jsonl, line 1.*caption.* 3"),
        ("a.jsonl", b'""\n', "a.jsonl, line 1.*caption.*''"),
        ("a.jsonl", b'{"caption": "a", "seed": -1}\n', "a.jsonl, line 1.*seed.*-1"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1"), ("a.pdf", b"", "a.pdf")])
    def test_errors_name_the_line(self, tmp_path, name, data, words):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CaptionsError, match=words):
            read(tmp_path / name)


class TestRewards:
    def test_fidelity_is_highest_for_the_full_picture_and_falls(self):
        full = torch.rand(1, 24, 24, 3, generator=torch.Generator().manual_seed(0))
        for reward, best in ((SSIM(), 1.), (Distance(), 0.), (SquaredError(), 0.)):
            noisy = [(full + size * seeded(1, 24, 24, 3)).clamp(0, 1) for size in (0, .01, .1)]
            scores = [reward.score(picture, full, "") for picture in noisy]
            assert scores[0] == pytest.approx(best, abs=1e-5) and scores == sorted(scores, reverse=True)
        assert Distance().score(full + .01, full, "") == pytest.approx(-1, abs=1e-4)

    def test_twice_the_distance_is_four_times_the_squared_error(self):
        full = torch.full((1, 4, 4, 3), .5)
        scores = [SquaredError().score(full + change, full, "") for change in (.01, .02)]
        assert scores == pytest.approx([-1, -4], rel=1e-4)

    def test_clip_score(self):
        reward = ClipScore(lambda picture: seeded(len(picture), 8), lambda caption: 3 * seeded(1, 8))
        assert reward.score(torch.zeros(1, 4, 4, 3), torch.zeros(1, 4, 4, 3), "x") == pytest.approx(2.5)
        with pytest.raises(ValueError, match=" 8 .* 4"):
            replace(reward, text=lambda caption: seeded(1, 4)).score(torch.zeros(1, 4, 4, 3), None, "x")

    def test_image_reward_says_what_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ImageReward", None)
        with pytest.raises(ValueError, match="install.* image-reward"):
            ImageReward.load()

    def test_only_offered_functions_can_be_called(self, monkeypatch):
        module = sys.modules[__name__]
        monkeypatch.setattr(module, "BLOCKDANCE_REWARDS", {"ones": lambda *_: 1}, raising=False)
        assert Named.find("ones").score(None, None, "") == 1.
        with pytest.raises(ValueError, match="os:system.*ones"):
            Named.find("os:system")


def toy_training(settings: Settings = LEARNING, studio: Toy | None = None) -> Training:
    return Training(DecisionNetwork(TINY).start(), (20,), studio or Toy(), 8, settings)


class TestTraining:
    @pytest.mark.parametrize("baseline", ["none", "mean", "greedy"])
    def test_it_learns_which_steps_matter(self, baseline):
        training = toy_training(replace(LEARNING, baseline=baseline), toy := Toy())
        training.run()
        decided = decide(training.network, Toy().state(0))
        assert decided == (1, 0, 1, 0, 1, 0)
        assert training.progress.best.reward > training.progress.scores[0].reward
        assert training.progress.macs == toy.macs

    def test_with_entropy_it_learns_the_same_and_stays_open(self):
        trainings = [toy_training(replace(LEARNING, entropy=entropy)) for entropy in (0., .02)]
        for training in trainings:
            training.run()
        sure, open_ = (Choices(*training.network(Toy().state(0))) for training in trainings)
        assert torch.equal(sure.greedy(), open_.greedy()) and open_.entropy() > 2 * sure.entropy()

    def test_the_loss_is_reinforce(self):
        """One step of plain gradient from a network that decides by its bias alone, by hand."""
        tried = []

        class Watched(Toy):
            def quality(self, caption, decisions):
                found = super().quality(caption, decisions)
                if caption in training.trained_on:
                    reward = saving(decisions, (20,)) + LEARNING.quality_weight * found
                    tried.append(reward * ((torch.tensor(decisions) == 0).float() - .5))
                return found
        training = toy_training(replace(LEARNING, baseline="none", rollouts=1, batch=6, epochs=1), Watched())
        training.optimizer = torch.optim.SGD(training.network.parameters(), 1.)
        training.run()
        assert training.progress.batches == 1 and len(tried) == 6
        expected = torch.stack(tried).mean(0)
        assert torch.allclose(training.network.decide.bias, expected, atol=1e-6)

    def test_a_resumed_training_ends_like_one_that_was_not_stopped(self, tmp_path):
        whole = toy_training(replace(LEARNING, epochs=4))
        whole.run()
        path, stopped = tmp_path / "mine.training", toy_training(replace(LEARNING, epochs=4))

        def interrupt(progress, batches):
            if progress.batches == 3:
                raise InterruptedError
        with pytest.raises(InterruptedError):
            stopped.run(interrupt)
        checkpoint.save(path, CARD, stopped)
        resumed = toy_training(replace(LEARNING, epochs=4))
        checkpoint.resume(path, CARD, resumed)
        resumed.run()
        assert resumed.progress.scores == whole.progress.scores
        assert resumed.progress.validations == whole.progress.validations
        for name, value in whole.network.state_dict().items():
            assert torch.equal(value, resumed.network.state_dict()[name]), name

    def test_a_validation_that_was_interrupted_is_made_up_for(self, tmp_path):
        whole = toy_training(replace(LEARNING, epochs=1))
        whole.run()

        class Interrupted(Toy):
            def quality(self, caption, decisions):
                if caption in stopped.held_out:
                    raise InterruptedError
                return super().quality(caption, decisions)
        path, stopped = tmp_path / "mine.training", toy_training(replace(LEARNING, epochs=1), Interrupted())
        with pytest.raises(InterruptedError):
            stopped.run()
        checkpoint.save(path, CARD, stopped)
        resumed = toy_training(replace(LEARNING, epochs=1))
        checkpoint.resume(path, CARD, resumed)
        resumed.run()
        assert resumed.progress.validations == whole.progress.validations != []
        assert resumed.progress.scores == whole.progress.scores
        for name, value in whole.best.items():
            assert torch.equal(value, resumed.best[name]), name

    def test_two_processes_learn_what_one_does(self, tmp_path):
        """Each makes a part of the pictures; gradients are averaged over both by gloo."""
        script = Path(__file__).with_name("one_of_several.py")
        # Not by its exit status: when all is done and written, torch may abort while a process exits
        subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script,
                        tmp_path], env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120)
        alone = toy_training(TOGETHER, toy := Toy())
        alone.run()
        first, second = (torch.load(tmp_path / f"{rank}-of-2.pt") for rank in (0, 1))
        for name in alone.network.state_dict():
            assert torch.equal(first["network"][name], second["network"][name]), name
        together = DecisionNetwork(TINY)
        together.load_state_dict(first["network"])
        for caption in (0, 1):
            one, other = (network(Toy().state(caption))[0] for network in (alone.network, together))
            assert one.abs().max() > .05 and torch.allclose(one, other, atol=1e-3)
        assert first["scores"] == second["scores"] == pytest.approx([score.reward for score in alone.progress.scores])
        assert 0 < first["tried"] < toy.macs and first["macs"] == first["tried"] + second["tried"]

    def test_a_checkpoint_of_another_training_is_refused(self, tmp_path):
        path = tmp_path / "mine.training"
        checkpoint.save(path, CARD, toy_training())
        with pytest.raises(PolicyError, match="mine.training.* settings"):
            checkpoint.resume(path, CARD, toy_training(replace(LEARNING, quality_weight=1.)))
        with pytest.raises(PolicyError, match="mine.training.* borders"):
            checkpoint.resume(path, replace(CARD, borders=(10,)), toy_training())
        with pytest.raises(PolicyError, match="mine.training.* negative, captions_digest"):
            other = CARD.training | {"negative": "blurry", "captions_digest": "0"}
            checkpoint.resume(path, replace(CARD, training=other), toy_training())
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(PolicyError, match="mine.training"):
            checkpoint.resume(path, CARD, toy_training())

    def test_it_stops_early_and_keeps_the_best(self):
        training = toy_training(replace(LEARNING, learning_rate=1e-9, patience=2))
        training.network.start(start_logits(6, 3))
        training.run()
        assert training.progress.batches == 2 * 3 and training.finished

    def test_it_may_begin_at_what_blockdance_does(self):
        network = DecisionNetwork(TINY).start(start_logits(6, 2))
        assert decide(network, state()) == (1, 0, 1, 0, 1, 0) and start_logits(6, 1) is None

    @pytest.mark.parametrize("wrong", [{"batch": 0}, {"baseline": "median"}, {"baseline": "mean", "rollouts": 1},
                                       {"validation": 1.}, {"learning_rate": 0.}, {"entropy": -.1}])
    def test_settings_that_make_no_sense(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Settings(**wrong)

    def test_the_curve_is_drawn(self):
        training = toy_training(replace(LEARNING, epochs=2))
        training.run()
        assert of_progress(training.progress, THEMES["dark"]).width > 600


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 200))
def test_any_number_of_steps_has_a_plan(steps):
    plan = AdaMethod(deciding([-1., 1.] * 3), (20,)).plan(Schedule.even(steps), PIXART)
    assert plan.steps == steps
