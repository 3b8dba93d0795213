"""The sentences that plans have for the user's page are translated, whatever is in their gaps."""

import json
import re

import pytest

from blockdance.blockdance_core.auto.method import AutoMethod
from blockdance.blockdance_core.auto.profile import general
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_cache import DeltaCacheMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.methods.method import Off
from blockdance.blockdance_core.plan.plan import Transformer
from blockdance.blockdance_core.plan.schedule import Schedule
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
    AutoMethod(4., lambda quantity, _: general(quantity), general, least_quality=60)]


def is_translated(sentence: str) -> bool:
    """As web/js/words.js finds a sentence's translation, and those of what is in its gaps."""
    for english in CHINESE:
        parts = re.split(r"\{\w+\}", english)
        if found := re.fullmatch("(.+?)".join(map(re.escape, parts)), sentence, re.IGNORECASE):
            return all(not re.search("[a-z]{2,}.* ", gap) or is_translated(gap) for gap in found.groups())
    return False


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 20, 50])
def test_what_plans_say(steps):
    notes = {note for method in METHODS for note in method.plan(Schedule.even(steps), MODEL).note.split("; ") if note}
    assert notes and [note for note in sorted(notes) if not is_translated(note)] == []


def test_a_translation_has_the_gaps_of_its_sentence():
    for english, chinese in CHINESE.items():
        gaps = re.findall(r"\{(\w+)\}", english)
        assert sorted(gaps) == sorted(set(gaps)) and set(re.findall(r"\{(\w+)\}", chinese)) <= set(gaps), english
