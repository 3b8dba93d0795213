"""Which evaluations of a run to compute: a search over all choices at once, by the error that each would leave; and
how many times faster they make it.

A search walks through a run with more alternatives the longer it is, which takes minutes for a thousand steps. There
neighbours say nearly the same, and what counts is how densely each stretch of the run is computed. So a run longer than
LONGEST_SEARCH is thinned to so many evaluations, and the run itself is only walked through once for each plan found.

A latent of several streams, as picture and sound, has a Gram matrix for each. All follow one choice, each with weights
of its own, and a choice is as good as its worst stream: (S, T, T), or (T, T) of one.
"""

import math
from dataclasses import dataclass
from typing import Collection, Sequence

import numpy as np

from ..engine.step_groups import StepGroups
from ..plan.plan import Plan, SkipModel
from ..plan.schedule import Quantity, Schedule
from .constants import BEAM, BEAM_STEPS, FINISH, LONGEST_SEARCH
from .latent_error import LatentError, Rules


@dataclass(frozen=True)
class Thinned:
    """A thinned run, as planner.search wants it: gram (S, P, P), times (P + 1,), and what is begun.

    kept: the evaluations that are left of the `steps` of the whole run. What is begun stands before them in few
    entries: the latent's error, as if that were an output, and the anchors.
    """
    gram: np.ndarray
    times: np.ndarray
    error: np.ndarray
    computed: tuple[int, ...]
    kept: np.ndarray
    steps: int

    @classmethod
    def of(cls, gram: np.ndarray, times: np.ndarray, anchors: Sequence[int], error: np.ndarray) -> "Thinned":
        """gram: (S, T, T), times: (T + 1,). anchors: the latest evaluations that were computed; error: (S, N) of the
        latent so far, one entry for each evaluation (latent_error.py)."""
        steps, now = gram.shape[-1], error.shape[-1]
        kept = np.linspace(now, steps - 1, min(LONGEST_SEARCH, steps - now)).round().astype(int)
        first = bool(now) + len(anchors)
        parts = np.zeros((len(gram), first + len(kept), steps))  # each new entry in terms of the outputs
        parts[:, range(first, first + len(kept)), kept] = 1
        if now:
            parts[:, 0, :now] = error
            parts[:, range(1, first), anchors] = 1
        return cls(parts @ gram @ parts.transpose(0, 2, 1),
                   np.concatenate([np.full(first, times[now]), times[kept], times[-1:]]),
                   np.eye(1, first), tuple(range(1, first)), kept, steps)

    def count(self, count: int) -> int:
        """How many of its evaluations a thinned plan computes for so many of those to come in the whole run."""
        share = count / (self.steps - self.kept[0])
        return len(self.computed) + max(1, round(share * len(self.kept)))

    def whole(self, computed: Sequence[int], count: int) -> tuple[int, ...]:
        """So many evaluations of those to come, as densely spread as these of the thinned run."""
        chosen = self.kept[[number - self.error.shape[-1] for number in computed[len(self.computed):]]]
        if len(self.kept) == self.steps - self.kept[0]:
            return tuple(chosen.tolist())
        chosen = np.union1d(chosen, [self.steps - 1])  # a few at the end that are not computed were many in the run
        even = np.linspace(0, len(chosen) - 1, count)
        places = np.interp(even, np.arange(len(chosen)), chosen).round().astype(int)
        numbers = np.arange(count)
        places = np.maximum.accumulate(places - numbers) + numbers  # one evaluation each
        return tuple(np.minimum(places, self.steps - count + numbers).tolist())


@dataclass(frozen=True)
class Candidate:
    """computed: the evaluations to compute; quality: how close the result is expected to be to the full one, in dB, the
    worst stream of several."""
    computed: tuple[int, ...]
    quality: float


@dataclass(frozen=True)
class Begun:
    """A run of which so many evaluations are done; computed: which of them; error: of the latent since, one entry for
    each of them, (N,) or (S, N)."""
    computed: tuple[int, ...]
    error: np.ndarray


def search(gram: np.ndarray, times: np.ndarray, rules: Rules = Rules(), quantity: Quantity = Quantity.VELOCITY,
           beam: int | None = None, begun: Begun | None = None, fewest: int = 1, most: int | None = None,
           only: Collection[int] | None = None, each: int = 1) -> tuple[Candidate, ...]:
    """The best choices, as many as `each`, for each number of computed evaluations from `fewest` to `most`, which is
    all unless given; fewer evaluations first, then better ones.

    gram: (S, T, T) or (T, T) of the outputs; times: (T + 1,). All alternatives walk through the run together; among
    those that have computed equally many, the ones whose latent is off least so far go on, unless they can reach none
    of these numbers; BEAM of them, and fewer in a long run, where a search would take longer than the square of the
    steps. What is begun is part of all of them. only: a choice that is made already and needs a look at its quality.
    """
    begun = begun or Begun((), np.zeros(0))
    gram, error = _streams(gram, begun.error)
    count = gram.shape[-1]
    beam = beam or max(2, BEAM * BEAM_STEPS // max(count, BEAM_STEPS))
    latents = [LatentError(one, times, rules, quantity, wrong, begun.computed) for one, wrong in zip(gram, error)]
    computed = np.isin(np.arange(count), begun.computed)[None]
    made, score = computed.sum(1), np.zeros((len(latents), 1))  # (K,), (S, K)
    for now in range(error.shape[-1], count):
        choices: tuple[bool, ...] = (True, False) if now else (True,)
        if only is not None:
            choices = (now in only,)
        steps = [latent.step(choices) for latent in latents]
        sizes = np.stack([step.size.reshape(len(choices), -1) for step in steps])  # (S, C, K)
        score = (score[:, None] + weight(times, now, rules.growth) * sizes).reshape(len(latents), -1)
        made = np.tile(made, len(choices)) + steps[0].computed
        kept = _best(made, score.max(0), beam, fewest - (count - 1 - now), count if most is None else most)
        for latent, step in zip(latents, steps):
            latent.follow(step, kept)
        computed = computed[kept % len(computed)]
        score, made = score[:, kept], made[kept]
        computed[:, now] = made > computed.sum(1)
    return tuple(Candidate(tuple(np.flatnonzero(computed[index]).tolist()), _decibels(score[:, index].max()))
                 for number in np.unique(made) for index in np.flatnonzero(made == number)[:each])


def best(gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity, count: int, each: int = 1,
         begun: Begun | None = None) -> tuple[Candidate, ...]:
    """The choices of `count` evaluations that are expected to be the best, as many as `each`. Long runs are thinned for
    the search, so that it takes hardly longer for them."""
    begun = begun or Begun((), np.zeros(0))
    gram, error = _streams(gram, begun.error)
    steps, left = gram.shape[-1], count - len(begun.computed)
    if left == steps:
        return (Candidate(tuple(range(left)), math.inf),)
    if steps <= LONGEST_SEARCH or left < 1:
        return search(gram, times, rules, quantity, begun=begun, fewest=count, most=count, each=each)
    thinned = Thinned.of(gram, times, sorted(begun.computed)[-rules.anchors:], error)
    few = thinned.count(left)
    found = search(thinned.gram, thinned.times, rules, quantity, begun=Begun(thinned.computed, thinned.error),
                   fewest=few, most=few, each=each)
    choices = dict.fromkeys((*begun.computed, *thinned.whole(some.computed, left)) for some in found)
    walked = [search(gram, times, rules, quantity, begun=begun, only=choice)[0] for choice in choices]
    return tuple(sorted(walked, key=lambda some: -some.quality))


def enough(gram: np.ndarray, times: np.ndarray, rules: Rules, quantity: Quantity, asked: Candidate, quality: float
           ) -> tuple[int, ...]:
    """How many evaluations, more than those of `asked`, it takes for this quality. Of a long run a guess, by how far
    the thinned one is behind it, and then what is surely enough."""
    gram, error = _streams(gram, np.zeros(0))
    steps, fewest, ahead = gram.shape[-1], len(asked.computed), 0.
    if steps > LONGEST_SEARCH:
        thinned = Thinned.of(gram, times, (), error)
        gram, times, fewest = thinned.gram, thinned.times, min(thinned.count(fewest), LONGEST_SEARCH - 1)
    same, *more = search(gram, times, rules, quantity, fewest=fewest)
    if steps > LONGEST_SEARCH:
        ahead = max(0., asked.quality - same.quality)
    counts = [len(next((some for some in more if some.quality >= wanted), more[-1]).computed)
              for wanted in (quality - ahead, quality)]
    return tuple(dict.fromkeys(math.ceil(count * steps / gram.shape[-1] - 1e-9) for count in counts))


def count_of(steps: int, speedup: float) -> int:
    """How many evaluations a speed-up leaves."""
    return math.ceil(steps / speedup - 1e-9)


@dataclass(frozen=True)
class Speed:
    """How many times faster a plan makes a run, in evaluations.

    made, computed: of these, or steps where it is not known how often a sampler evaluates.
    """
    made: int
    computed: int
    known: bool

    def __str__(self) -> str:
        return f"{self.made / self.computed:.2f}x" if self.known else f"{self.computed} of {self.made} steps computed"


def speed(schedule: Schedule, computed: Collection[int]) -> Speed:
    """Of a run that computes these steps and replaces the others as a whole."""
    evaluations = schedule.evaluations
    if evaluations is None:
        return Speed(schedule.steps, len(computed), False)
    groups = StepGroups(Plan.from_reuses([
        None if step in computed else SkipModel(1) for step in range(schedule.steps)]))
    return Speed(len(evaluations), sum(groups.decide(step).reuse is None for step in evaluations), True)


def weight(times: np.ndarray, now: int, growth: float) -> float:
    """How much the square of the latent's error after an evaluation counts for the result.

    An error that is left alone from time t on is FINISH e^(2 g t) times as large in the result, squared (g: growth):
    early in a run a model decides what it draws, and answers to a small difference with another picture. One that is
    made up for between t and t' has counted for the difference of the two. So with errors e(n) at times t(n)

        square of the result's error = FINISH * (sum of (e^(2 g t(n)) - e^(2 g t(n + 1))) |e(n)|^2 + |e at the end|^2)
    """
    after = _grown(growth, times[now + 1])
    return FINISH * (after - (_grown(growth, times[now + 2]) if now + 2 < len(times) else 0.))


def _grown(growth: float, time: float) -> float:
    """e^(2 g t), at most about as large as a number can be: schedules may begin far above pure noise."""
    return math.exp(min(2 * growth * time, 700.))


def _streams(gram: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gram matrices (S, T, T) and the errors (S, N) of a latent's streams."""
    gram = gram.reshape(-1, *gram.shape[-2:])
    return gram, np.broadcast_to(error, (len(gram), error.shape[-1]))


def _best(groups: np.ndarray, score: np.ndarray, beam: int, lowest: int, highest: int) -> np.ndarray:
    """The indices of the `beam` lowest scores in each group from `lowest` to `highest`."""
    asked = np.flatnonzero((groups >= lowest) & (groups <= highest))
    order = asked[np.lexsort((score[asked], groups[asked]))]
    ordered = groups[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[rank < beam]


def _decibels(error: float) -> float:
    """A mean square error against outputs of mean square 1; below the numbers' own rounding it is none."""
    return float(-10 * np.log10(error)) if error > 1e-14 else float("inf")
