"""When the rivals' papers reuse: their rules, on numbers that can be followed by hand."""

import numpy as np
import pytest
import torch

from blockdance.blockdance_core.engine.cache import Stored
from blockdance.blockdance_core.engine.gate import Sight
from blockdance.lab.benchmarks.rivals.dbcache import DBCache
from blockdance.lab.benchmarks.rivals.easycache import EasyCache
from blockdance.lab.benchmarks.rivals.first_block import FirstBlockCache
from blockdance.lab.benchmarks.rivals.magcache import MagCache, RatioLog
from blockdance.lab.benchmarks.rivals.rival import Moment
from blockdance.lab.benchmarks.rivals.seacache import SeaCache, filter_of, filtered
from blockdance.lab.benchmarks.rivals.teacache import ChangeLog, TeaCache


def tokens(value: float) -> torch.Tensor:
    return torch.full((1, 4, 2), value)


def computed(rival, count: int, see, store=lambda number: 1.) -> list[int]:
    """The evaluations that the rival computes, where it sees and stores what these functions say."""
    stream, numbers = rival.begin(), []
    for number in range(count):
        sight = see(number)
        if stream.weights(Moment(number, count), sight) is None:
            stream.computed(Moment(number, count), sight, Stored({0: (tokens(store(number)),)}, (None,), {}))
            numbers.append(number)
    return numbers


def probing(course):
    return lambda number: Sight((tokens(0.),), (tokens(course(number)),), None, None)


def test_first_block_cache_compares_with_the_last_computed_evaluation():
    """The probe grows by 3 % of its first value: the threshold of 10 % is reached at the fourth."""
    assert computed(FirstBlockCache(.1), 9, probing(lambda number: 1 + .03 * number)) == [0, 4, 8]


def test_dbcache_has_a_warm_up_and_a_limit_on_reuses_in_a_row():
    assert computed(DBCache(1, 0, .1, warm_up=3, most=2), 10, probing(lambda number: 1.)) == [0, 1, 2, 5, 8]


def test_magcache_spends_its_budget():
    """Ratios of .9 make errors of .1, then .1 + .19: one skip at a threshold of .2. The first 20 % are computed."""
    assert computed(MagCache(.2, 5, .2, (.9,) * 10), 10, probing(lambda number: 1.)) == [0, 1, 3, 5, 7, 9]
    assert computed(MagCache(.2, 2, .2, (1.,) * 10), 10, probing(lambda number: 1.)) == [0, 1, 4, 7]


def test_magcache_measures_its_ratios():
    log = RatioLog()
    for scale in (1., 3.):  # two captions; sizes do not matter, only their ratios do
        computed(log, 5, probing(lambda number: 1.), lambda number: scale * .8 ** number)
    assert MagCache().fitted(log).ratios == pytest.approx((1., .8, .8, .8, .8))


class Block(torch.nn.Module):
    """As far as its first projection, which it hands its input on to."""

    def __init__(self):
        super().__init__()
        self.attn = torch.nn.ModuleDict({"qkv": torch.nn.Identity()})

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return self.attn["qkv"](value)


def seen(modulated: torch.Tensor, hidden: tuple[torch.Tensor, ...] = ()) -> Sight:
    """Of a pass whose first block makes this of its input."""
    block = Block()
    return Sight(hidden, hidden, block, lambda: block(modulated))


def modulating(course):
    return lambda number: seen(tokens(course(number)), (tokens(1.),))


def test_teacache_sums_up_predicted_changes_and_computes_the_ends():
    """Each change is 10 %, which the polynomial doubles: .2, .4, .6 reaches .5 at the third."""
    rival = TeaCache(.5, (2., 0.))
    assert computed(rival, 9, modulating(lambda number: 1.1 ** number)) == [0, 3, 6, 8]


def test_teacache_fits_the_polynomial_of_full_runs():
    """Input changes of .05 to .5, with output changes that are their squares plus a tenth."""
    inputs, outputs = [1.], [1.]
    for change in np.linspace(.05, .5, 10):
        inputs.append(inputs[-1] * (1 + change))
        outputs.append(outputs[-1] * (1.1 + change ** 2))
    log = ChangeLog()
    computed(log, 11, modulating(inputs.__getitem__), lambda number: outputs[number] - 1)
    fitted = TeaCache(.1).fitted(log)
    assert fitted.predict(.33) == pytest.approx(.1 + .33 ** 2, rel=1e-3)
    assert fitted.predict(9.) == pytest.approx(fitted.predict(.5), rel=1e-3)


def test_easycache_predicts_the_change_of_an_output_that_follows_its_input():
    """The output is 3 x. x moves by 1, from 10: predicted are 1/11, then 1/11 more, ... of the last computed output."""
    def see(number: int) -> Sight:
        return Sight((tokens(10. + number),), (), None, None)
    numbers = computed(EasyCache(.25, retained=.1), 20, see, lambda number: 2 * (10. + number))
    assert numbers[:3] == [0, 1, 4]  # 2 / 11 stays below .25, 3 / 11 does not
    assert numbers[-1] == 19


def test_the_filter_of_seacache_keeps_low_frequencies_of_noise_and_all_of_a_picture():
    early, late = filter_of((1, 16, 16), .99)[0], filter_of((1, 16, 16), .01)[0]
    for gain in (early, late):
        assert float(gain.mean()) == pytest.approx(1) and float(gain.argmax()) == 0
    assert float(early[0, 0] / early[8, 8]) > 1e4 and float(late[0, 0] / late[8, 8]) < 1.01
    assert float(early[0, 0] / early[0, 4]) == pytest.approx(1 + 99 ** 2 / 16)  # a S / (a^2 S + b^2), S = 1 / f^2


def test_seacache_hardly_hears_noise_where_all_is_noise_yet():
    """The same amount of change, once smooth and once from token to token: at first only the smooth one counts."""
    column = torch.arange(8.)
    smooth = torch.cos(2 * torch.pi * column / 8)[:, None].expand(8, 8).reshape(1, 64, 1)
    rough = torch.cos(torch.pi * column)[:, None].expand(8, 8).reshape(1, 64, 1) * smooth.square().mean().sqrt()

    def heard(tokens: torch.Tensor, time: float) -> float:
        return float(filtered(tokens, Moment(0, 9, time, (1, 4, 16, 16))).square().mean().sqrt())
    assert heard(rough, .95) < .2 * heard(smooth, .95)
    assert heard(rough, .01) == pytest.approx(heard(smooth, .01), rel=.01)


def test_seacache_sums_up_changes_until_its_threshold_and_computes_the_ends():
    """A constant grows by 10 % an evaluation: .1, .2, .3 stay below .35, .4 does not."""
    def see(number: int) -> Sight:
        return seen(torch.full((1, 16, 2), 1.1 ** number))
    stream, numbers = SeaCache(.35).begin(), []
    for number in range(10):
        moment = Moment(number, 10, .5, (1, 4, 8, 8))
        if stream.weights(moment, see(number)) is None:
            stream.computed(moment, see(number), Stored({0: (tokens(1.),)}, (None,), {}))
            numbers.append(number)
    assert numbers == [0, 4, 8, 9]
