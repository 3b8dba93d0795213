"""What the analysis nodes compute and draw, on data whose answer is known."""

import math

import pytest
import torch

from blockdance.blockdance_core.analysis import similarity as pca
from blockdance.blockdance_core.analysis.metrics import FLOOR, radial_spectrum
from blockdance.blockdance_core.analysis.recommendation import by_step, longest, recommend
from blockdance.blockdance_core.analysis.similarity import SAMPLED, WIDTH, Change, Grid, Similarity, Sketcher
from blockdance.blockdance_core.engine.report import Evaluation, Report
from blockdance.blockdance_core.figures import curves
from blockdance.blockdance_core.figures import similarity as figures
from blockdance.blockdance_core.figures.canvas import THEMES, levels, to_tensor
from blockdance.blockdance_core.figures.run_map import Cell, cells, run_map
from blockdance.blockdance_core.figures.similarity import colors
from blockdance.blockdance_core.methods.blockdance import BlockDanceMethod
from blockdance.blockdance_core.methods.delta_dit import DeltaDiTMethod
from blockdance.blockdance_core.plan.plan import Kind, Reuse, SkipModel, Span, Transformer
from blockdance.blockdance_core.plan.schedule import Schedule

THEME = THEMES["dark"]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def flow(steps: int) -> Schedule:
    return Schedule(tuple(1 - step / steps for step in range(steps + 1)), lambda percent: 1 - percent)


def similarity(distance: torch.Tensor, steps: tuple[int, ...] | None = None, stacks=None) -> Similarity:
    """As a run would leave it in which features moved by this much, (E, depth)."""
    evaluations, depth = distance.shape
    steps = steps or tuple(range(evaluations))
    schedule = flow(max(steps) + 1)
    change = Change(1 - distance, distance)
    sketches = noise(evaluations, depth, WIDTH)
    pictures = {(block, step): noise(6, 9, 8, seed=step) for block in (0, depth - 1) for step in set(steps)}
    return Similarity(Transformer("Test", stacks or (depth,)), steps,
                      tuple(schedule.percent_at(sigma) for sigma in schedule.sigmas),
                      {kind: change for kind in Kind}, {kind: sketches for kind in Kind}, pictures)


def test_a_sample_keeps_the_ratio_and_a_sketch_the_angle():
    outliers = torch.ones(1152)
    outliers[[3, 700]] = 300.
    a = noise(4096, 1152) * outliers
    b = .9 * a + .4 * noise(4096, 1152, seed=1) * outliers
    sketcher = Sketcher()
    x, y = sketcher.sample(a), sketcher.sample(b)
    assert len(x) <= SAMPLED
    cosine = torch.nn.functional.cosine_similarity
    whole = float(cosine(a.flatten(), b.flatten(), dim=0))
    assert float(cosine(x, y, dim=0)) == pytest.approx(whole, abs=.02)
    distances = [float((p - q).abs().sum() / p.abs().sum()) for p, q in ((x, y), (a, b))]
    assert distances[0] == pytest.approx(distances[1], rel=.05)
    u, v = sketcher.sketch(x), sketcher.sketch(y)
    assert u.shape == (WIDTH,)
    error = (1 - whole ** 2) / WIDTH ** .5
    assert float(cosine(u, v, dim=0)) == pytest.approx(float(cosine(x, y, dim=0)), abs=5 * error)
    torch.testing.assert_close(sketcher.sketch(x - y), u - v, rtol=1e-4, atol=1e-1)


def test_small_states_are_kept_as_they_are_and_runs_compare():
    tokens = noise(10, 64)
    sample = Sketcher().sample(tokens)
    assert torch.equal(sample, tokens.flatten())
    assert torch.equal(Sketcher().sketch(sample), torch.nn.functional.pad(sample, (0, WIDTH - 640)))
    assert torch.equal(Sketcher().project(tokens, 8), Sketcher().project(tokens, 8))


def test_choosing_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    sketcher = Sketcher()
    sketcher.sketch(sketcher.sample(noise(4096, 128)))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("tokens, latent, expected", [
    (64 * 64, (1, 4, 128, 128), Grid(1, 64, 64)), (4096 + 512, (2, 16, 128, 128), Grid(1, 64, 64, 512)),
    (32 * 20, (1, 16, 40, 64), Grid(1, 20, 32)), (20 * 33, (1, 16, 40, 65), Grid(1, 20, 33)),
    (5 * 30 * 52, (1, 16, 5, 60, 104), Grid(5, 30, 52)), (77, (1, 8, 1024), None),
])
def test_the_picture_among_the_tokens(tokens, latent, expected):
    assert Grid.of(tokens, torch.Size(latent)) == expected


@pytest.mark.parametrize("before", [True, False])
def test_text_before_or_after_the_picture(before):
    picture = torch.linspace(0, 1, 20)[:, None, None] + torch.linspace(0, 1, 30)[None, :, None] + torch.zeros(20, 30, 2)
    text = noise(37, 2)
    tokens = torch.cat([text, picture.flatten(0, 1)] if before else [picture.flatten(0, 1), text])
    assert torch.equal(Grid.of(len(tokens), torch.Size((1, 4, 40, 60))).picture(tokens), picture)


def test_principal_components_show_the_parts_of_a_picture():
    directions = noise(3, 16)
    labels = torch.arange(48).view(6, 8) % 3
    first, second = (colored for colored in pca.colors([directions[labels], directions[labels.flip(0)]]))
    assert first.shape == (6, 8, 3) and 0 <= first.min() and first.max() <= 1
    torch.testing.assert_close(first, second.flip(0))
    assert len({tuple(color) for color in (first.flatten(0, 1) * 100).round().tolist()}) == 3
    assert pca.colors([noise(2, 2, 2)])[0].shape == (2, 2, 3)  # fewer channels than colors


def test_a_spectrum_finds_the_frequency_of_a_wave():
    wave = .5 + .4 * torch.sin(torch.arange(64) * math.pi / 2)[None, :, None].expand(48, 64, 3)
    spectrum = radial_spectrum(wave[None])
    assert spectrum.shape == (25,)
    assert int(spectrum[1:].argmax()) + 1 == 12  # half of pi
    assert spectrum[0] == 0 and spectrum[20] == pytest.approx(math.log(FLOOR))


def test_noise_has_a_flat_spectrum_and_blur_loses_detail():
    images = noise(8, 64, 64, 3).abs()
    flat = radial_spectrum(images)[2:]
    assert flat.max() - flat.min() < .5
    blurred = torch.nn.functional.avg_pool2d(images.movedim(-1, 1), 3, 1).movedim(1, -1)
    assert radial_spectrum(blurred)[-5:].mean() < flat[-5:].mean() - .5


def settled(steps: int = 20, depth: int = 12) -> torch.Tensor:
    """Features that form in the first five steps and stay calm up to block 7."""
    distance = torch.full((steps, depth), .03)
    distance[0] = torch.nan
    distance[1:5] = .3
    distance[:, 8:] = .2
    return distance


def test_the_recommendation_is_the_calm_rectangle():
    found = recommend(similarity(settled()))
    assert (found.block_index, found.within) == (7, True)
    assert "block_index 7" in found.reason and "steps 5 to 19" in found.reason
    plan = BlockDanceMethod(2, found.block_index, found.start, found.end).plan(flow(20), Transformer("Test", (12,)))
    assert plan.reused_steps == tuple(range(5, 20, 2))


@pytest.mark.parametrize("first, last", [(3, 9), (1, 29), (12, 22)])
def test_start_and_end_name_exactly_the_calm_steps(first, last):
    distance = torch.full((30, 4), .5)
    distance[first:last + 1] = .01
    found = recommend(similarity(distance))
    assert flow(30).window(found.start, found.end) == tuple(range(first, last + 1))
    assert found.block_index == 2  # the last block is left to compute


def test_where_nothing_is_calm_the_calmest_is_named():
    found = recommend(similarity(settled() + .1), tolerance=.08)
    assert not found.within and "above the tolerance of 8.0%" in found.reason
    assert found.block_index == 7 and "13.0%" in found.reason


@pytest.mark.parametrize("steps", [1, 3])
def test_too_few_steps_are_refused(steps):
    with pytest.raises(ValueError, match=rf"\b{steps} steps?\b.* 5 steps"):
        recommend(similarity(settled(20)[:steps]))


def test_several_evaluations_of_a_step_count_with_the_largest():
    distance = torch.tensor([[torch.nan], [.1], [.3], [.2]])
    assert torch.equal(by_step(similarity(distance, (0, 1, 1, 2))).nan_to_num(), torch.tensor([[0.], [.3], [.2]]))


def test_the_longest_run():
    assert longest([True, False, True, True, False, True, True]) == range(5, 7)
    assert longest([False]) == range(0)


def run_of(method, steps: int, stacks: tuple[int, ...]) -> Report:
    """A report as if the plan had been executed."""
    transformer = Transformer("Test", stacks)
    report = Report(method.name, transformer, method.plan(flow(steps), transformer))
    for step, decision in enumerate(report.plan.decisions):
        skipped = len(decision.reuse.span) if decision.reuse else 0
        report.evaluations.append(Evaluation(step, decision.reuse, transformer.depth - skipped, transformer.depth, 1,
                                             stored=dict.fromkeys(decision.store), seconds=.1))
    return report


def test_the_map_shows_what_was_executed():
    feature, delta = Reuse(Span(0, 2), Kind.FEATURE), Reuse(Span(1, 3), Kind.DELTA)
    computed = Cell.COMPUTED
    assert cells(Evaluation(0, None, 5, 5, 1, stored={feature: None}), 5)[1:4] == [computed, Cell.STORED, computed]
    assert cells(Evaluation(1, feature, 2, 5, 1), 5) == [Cell.FEATURE] * 3 + [computed] * 2
    assert cells(Evaluation(1, delta, 2, 5, 1), 5) == [computed] + [Cell.DELTA] * 3 + [computed]
    output = SkipModel(5)
    assert cells(Evaluation(1, output, 0, 5), 5) == [Cell.OUTPUT] * 5
    assert cells(Evaluation(1, delta, 7, 10, 2, misses=1), 5) == [computed] + [Cell.PARTLY] * 3 + [computed]
    assert cells(Evaluation(1, delta, 5, 5, 1, misses=1), 5) == [computed] * 5, "decided, but nothing was stored"


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("steps, stacks", [(1, (4,)), (30, (28,)), (50, (19, 38)), (250, (28,))])
def test_run_maps_have_a_size_that_can_be_read(theme, steps, stacks):
    image = run_map(run_of(DeltaDiTMethod(), steps, stacks), theme)
    assert 500 <= image.width <= 1100 and 300 <= image.height <= 1000
    shown = {color for _, color in image.getcolors(2 ** 20)}
    assert tuple(bytes.fromhex(Cell.COMPUTED.color[1:])) in shown
    assert (tuple(bytes.fromhex(Cell.DELTA.color[1:])) in shown) == (steps > 1)
    assert to_tensor(image).shape == (1, image.height, image.width, 3)


def test_a_report_without_evaluations_is_drawn():
    report = run_of(BlockDanceMethod(), 20, (8,))
    report.evaluations.clear()
    assert run_map(report, THEME).width >= 500


def test_a_report_in_words_and_as_json():
    report = run_of(BlockDanceMethod(), 20, (8,))
    text = report.text()
    assert "reused the feature of blocks 0-5" in text and len(text.splitlines()) == 5 + 20
    found = report.as_dict()
    assert found["executed_blocks"] == report.executed < found["total_blocks"] == 160
    assert found["evaluations"][8]["reuse"] == {"first": 0, "last": 5, "kind": "feature"}
    assert found["evaluations"][7]["stored"] == [{"first": 0, "last": 5, "kind": "feature"}]


def test_heat_colors_run_from_low_to_high():
    found = colors(torch.tensor([0., 5., 10., 99., torch.nan]), 0., 10., (1, 2, 3)).tolist()
    assert found[0] == [68, 1, 84] and found[2] == found[3] == [253, 231, 37] and found[4] == [1, 2, 3]


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("evaluations, depth", [(2, 2), (30, 28), (200, 57)])
def test_similarity_figures_have_a_size_that_can_be_read(theme, evaluations, depth):
    found = similarity(noise(evaluations, depth).abs() / 10)
    images = [*(figures.changes(found, kind, 1, theme) for kind in Kind), figures.matrices(found, 1, theme)]
    assert all(560 <= image.width <= 1300 and 300 <= image.height <= 800 for image in images)
    assert figures.feature_pictures(similarity(noise(8, 6).abs()), theme).width > 800


def test_without_pictures_the_figure_says_why():
    found = similarity(settled())
    blank = Similarity(found.transformer, found.steps, found.percents, found.changes, found.sketches, {})
    assert figures.feature_pictures(blank, THEME).height < 120


@pytest.mark.parametrize("low, high", [(-9.96, 0), (0, 0), (-1.9, 2.3), (0, 1e-3)])
def test_levels_are_round_and_cover_the_range(low, high):
    found = levels(low, high, 6)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 9


def test_spectra_of_different_sizes_are_drawn():
    a, b = torch.linspace(0, -9, 40), torch.linspace(0, -8, 20)
    assert curves.spectra(a, b, THEME).height < curves.spectra(a, a - 1, THEME).height
