"""The sentences that plans have for the user's page are translated, whatever is in their gaps."""

import json
import re
from dataclasses import replace

import pytest

from blockdance.blockdance_core.ada.method import AdaMethod
from blockdance.blockdance_core.ada.network import DecisionNetwork, Sizes
from blockdance.blockdance_core.auto.controller import OTHER_EVALUATIONS, TAKES_MORE
from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.auto.sampler_observation import keep_observed
from blockdance.blockdance_core.auto.written_plan import WrittenPlanMethod
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Off
from blockdance.blockdance_core.methods.unet import UNetMethod
from blockdance.blockdance_core.plan.plan import Plan, Transformer
from blockdance.blockdance_core.plan.plan_text import read, written
from blockdance.blockdance_core.plan.schedule import Origin, SamplerTraits, Schedule
from blockdance.tests.documents import ROOT

CHINESE = json.loads((ROOT / "locales" / "zh" / "main.json").read_text(encoding="utf-8"))["blockdance"]
MODEL = Transformer("Flux", (19, 38))
AUTO = {"measured": lambda *_: None, "fallback": general}
# The values of a node's inputs that have something to say, each at some numbers of steps
METHODS = [
    Off(), BlockDanceMethod(), BlockDanceMethod(N=1), BlockDanceMethod(start=.5, end=.5),
    BlockDanceMethod(start=.5, end=.53), BlockDanceMethod(start=.5, end=.501),
    DeltaCacheMethod(), DeltaCacheMethod(N=1), DeltaCacheMethod(start=.5, end=.5), DeltaCacheMethod(start=.5, end=.53),
    DeltaDiTMethod(), DeltaDiTMethod(budget=.5), DeltaDiTMethod(N=1), DeltaDiTMethod(budget=.1),
    DeltaDiTMethod(budget=.99), AutoMethod(2., **AUTO), AutoMethod(1., **AUTO),
    AutoMethod(4., **AUTO, least_quality=60),
    AutoMethod(2., **AUTO, save=lambda *_: "", anew=True), AutoMethod(2., **AUTO, save=lambda *_: ""),
    AutoMethod(2., lambda quantity, _: general(quantity), general),
    AutoMethod(4., lambda quantity, _: general(quantity), general, least_quality=60),
    WrittenPlanMethod(read(written(Plan.from_reuses([None] * 12))), lambda quantity, _: general(quantity)),
    *(AdaMethod(DecisionNetwork(Sizes(4, 8, 0, 6, 1, 8, 1)), (9,), rho) for rho in (.4, .95))]
SAMPLERS = [
    SamplerTraits(), SamplerTraits(steady=False), SamplerTraits(counted=False), SamplerTraits(whole=False),
    SamplerTraits(counted=False, steady=False), SamplerTraits(origin=Origin.GUESS)]
REFUSED = [  # what a node's inputs may be, and must not
    lambda: BlockDanceMethod(N=30), lambda: BlockDanceMethod(start=2), lambda: BlockDanceMethod(block_index=-7),
    lambda: BlockDanceMethod(block_index=99).plan(Schedule.even(20), MODEL), lambda: DeltaCacheMethod(n_cached=0),
    lambda: DeltaCacheMethod(first_block=-1), lambda: DeltaDiTMethod(budget=.01), lambda: DeltaDiTMethod(b=3),
    lambda: DeltaCacheMethod(first_block=50, n_cached=20).plan(Schedule.even(20), MODEL),
    lambda: DeltaDiTMethod(n_cached=99).plan(Schedule.even(20), MODEL), lambda: UNetMethod(depth=0)]


def is_translated(sentence: str) -> bool:
    """As web/js/words.js finds a sentence's translation, and those of what is in its gaps."""
    for english in CHINESE:
        parts = re.split(r"\{\w+\}", english)
        if found := re.fullmatch("(.+?)".join(map(re.escape, parts)), sentence, re.IGNORECASE):
            return all(not re.search("[a-z]{2,}.* ", gap) or is_translated(gap) for gap in found.groups())
    return False


def untranslated(*texts: str) -> list[str]:
    """Of the sentences in these texts."""
    sentences = {sentence for text in texts for sentence in text.split("; ") if sentence}
    assert sentences
    return [sentence for sentence in sorted(sentences) if not is_translated(sentence)]


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 20, 50])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_plans_say(steps, sampler):
    schedule = replace(Schedule.even(steps), sampler=sampler)
    assert untranslated(*(method.plan(schedule, MODEL).note for method in METHODS)) == []


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_wrong_with_a_setting(refused):
    with pytest.raises(ValueError) as error:
        refused()
    assert untranslated(str(error.value)) == []


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_seen_of_a_sampler(sampler):
    class Kept:
        def keep(self, traits: SamplerTraits) -> bool:
            return True
    assert untranslated(keep_observed(sampler, Kept()), OTHER_EVALUATIONS, TAKES_MORE) == []


def test_a_translation_has_the_gaps_of_its_sentence():
    for english, chinese in CHINESE.items():
        gaps = re.findall(r"\{(\w+)\}", english)
        assert sorted(gaps) == sorted(set(gaps)) and set(re.findall(r"\{(\w+)\}", chinese)) <= set(gaps), english
