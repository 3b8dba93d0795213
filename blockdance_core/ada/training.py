"""REINFORCE (BlockDance, eq. 7-9): decisions are tried, and made likelier by the reward that they earn."""

import time
from dataclasses import dataclass, field
from typing import Callable, Protocol

import torch

from .network import Choices, DecisionNetwork, State, saving
from .workers import Workers

BASELINES = ("none", "mean", "greedy")
SURE = 1.5  # logits of decisions that training starts from: 82 %


@dataclass(frozen=True)
class Settings:
    """How a policy is trained; the defaults are the paper's (BlockDance, section 4.1).

    quality_weight: lambda of the reward R = C + lambda * Q.
    rollouts: drawn for each caption of a batch. baseline: what is taken off a reward before it counts, which leaves the
    gradient's mean as it is and makes it steadier: the mean of the other rollouts of the caption, or the reward of the
    greedy decisions (self-critical). validation: the share of the captions that are not trained on. patience: epochs
    without a better validation reward after which training ends; 0 = never.
    start_interval: begin at the decisions of BlockDance-N with this N, at 1 with computing as likely as not.
    entropy: what a nat of uncertainty in the decisions of a picture is worth in the unit of the reward. Without it
    decisions that all pictures share soon become certain, and what suits some pictures only is no longer tried.
    """
    quality_weight: float = 2.
    learning_rate: float = 1e-5
    batch: int = 16
    epochs: int = 100
    rollouts: int = 1
    baseline: str = "none"
    validation: float = .1
    patience: int = 10
    start_interval: int = 1
    seed: int = 0
    entropy: float = 0.

    def __post_init__(self):
        for name, least in dict(batch=1, epochs=1, rollouts=1, patience=0, start_interval=1, seed=0).items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; use {least} or more")
        if self.baseline not in BASELINES:
            raise ValueError(f"baseline is {self.baseline!r}; use one of {', '.join(BASELINES)}")
        if self.baseline == "mean" and self.rollouts < 2:
            raise ValueError("the baseline 'mean' needs rollouts to take the mean of; use 2 or more a caption")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation is {self.validation:g}; use a share from 0 (none) to below 1")
        if not self.learning_rate > 0 or not self.quality_weight >= 0 or not self.entropy >= 0:
            raise ValueError(f"learning_rate is {self.learning_rate:g}, quality_weight {self.quality_weight:g} and "
                             f"entropy {self.entropy:g}; use numbers above 0, for the last two also 0")


class Studio(Protocol):
    """Makes the pictures that training judges. Captions have numbers."""

    def state(self, caption: int) -> State:
        """What the network sees of a caption's picture, (1, C, ...), computed once."""

    def quality(self, caption: int, decisions: tuple[int, ...]) -> float:
        """Q of the picture that these decisions give, at best a rollout from that state on."""

    @property
    def macs(self) -> float:
        """Multiply-accumulates so far."""


@dataclass(frozen=True)
class Score:
    """Means over rollouts: C, Q and R."""
    saving: float
    quality: float
    reward: float


@dataclass
class Progress:
    """How far a training is; all of it is kept in checkpoints. scores: one per batch; validations: batches done and
    score, once an epoch."""
    batches: int = 0
    scores: list[Score] = field(default_factory=list)
    validations: list[tuple[int, Score]] = field(default_factory=list)
    since_best: int = 0
    seconds: float = 0.
    macs: float = 0.
    rollouts: int = 0

    @property
    def best(self) -> Score | None:
        return max((score for _, score in self.validations), key=lambda score: score.reward, default=None)


class Training:
    """One training. `best` has the weights of the best validation, the latest ones where there is none."""

    def __init__(self, network: DecisionNetwork, borders: tuple[int, ...], studio: Studio, captions: int,
                 settings: Settings, workers: Workers = Workers()):
        self.network = network
        self.settings = settings
        self.progress = Progress()
        self.optimizer = torch.optim.Adam(network.parameters(), settings.learning_rate)
        self.best = _copy(network)
        self._borders = borders
        self._studio = studio
        self._workers = workers
        self._known: dict[tuple[int, tuple[int, ...]], Score] = {}  # sampling is deterministic
        held_out = round(captions * settings.validation) if captions > 1 else 0
        self.held_out = list(range(captions - held_out, captions))
        self.trained_on = list(range(captions - held_out))

    @property
    def batches(self) -> int:
        """Of the whole training."""
        return self._each * self.settings.epochs

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        patience = self.settings.patience
        return not self._unjudged and (self.progress.batches >= self.batches
                                       or bool(patience and self.progress.since_best >= patience))

    @property
    def _each(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.trained_on) // self.settings.batch)

    @property
    def epoch_ended(self) -> bool:
        """Whether the latest batch was the last of an epoch."""
        return self.progress.batches % self._each == 0

    @property
    def _unjudged(self) -> bool:
        """Whether an epoch has ended whose validation was interrupted."""
        judged = self.progress.validations[-1][0] if self.progress.validations else 0
        return bool(self.held_out) and self.epoch_ended and self.progress.batches > judged

    def run(self, on_batch: Callable[[Progress, int], None] = lambda progress, batches: None) -> None:
        """From where it is to its end; `on_batch` is told of each batch, and how many there are."""
        while not self.finished:
            began, before = time.monotonic(), self._work()
            if not self._unjudged:
                epoch, place = divmod(self.progress.batches, self._each)
                score = self._batch(self._order(epoch)[place * self.settings.batch:][:self.settings.batch])
                self.progress.scores.append(score)
                self.progress.batches += 1
            if self.epoch_ended:
                self._validate()
            self.progress.seconds += time.monotonic() - began
            macs, rollouts = self._workers.sum(self._work() - before).tolist()
            self.progress.macs += macs
            self.progress.rollouts += round(rollouts)
            on_batch(self.progress, self.batches)

    def _work(self) -> torch.Tensor:
        """Multiply-accumulates and rollouts of this process so far."""
        return torch.tensor([self._studio.macs, len(self._known)], dtype=torch.float64)

    def _order(self, epoch: int) -> list[int]:
        order = torch.randperm(len(self.trained_on), generator=_generator(self.settings.seed, epoch))
        return [self.trained_on[index] for index in order.tolist()]

    def _batch(self, captions: list[int]) -> Score:
        """One step of Adam along the mean of (R - baseline) * grad log pi, plus what entropy is worth."""
        mine = captions[self._workers.rank::self._workers.count]
        self.optimizer.zero_grad(set_to_none=False)
        for parameter in self.network.parameters():
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        scores: list[Score] = []
        for caption in mine:
            choices = self._choices(caption)
            generator = _generator(self.settings.seed, self.progress.batches, caption)
            tried = [choices.sample(generator) for _ in range(self.settings.rollouts)]
            found = [self._score(caption, decisions) for decisions in tried]
            loss = sum(-advantage * choices.log_probability(decisions).sum()
                       for advantage, decisions in zip(self._advantages(caption, choices, found), tried))
            bonus = self.settings.entropy * choices.entropy().sum()
            (loss / (len(captions) * self.settings.rollouts) - bonus / len(captions)).backward()
            scores += found
        self._workers.sum_gradients(list(self.network.parameters()))
        self.optimizer.step()
        return self._mean(scores)

    def _advantages(self, caption: int, choices: Choices, found: list[Score]) -> list[float]:
        rewards = [score.reward for score in found]
        if self.settings.baseline == "mean":
            return [reward - (sum(rewards) - reward) / (len(rewards) - 1) for reward in rewards]
        if self.settings.baseline == "greedy":
            baseline = self._score(caption, choices.greedy()).reward
            return [reward - baseline for reward in rewards]
        return rewards

    def _validate(self) -> None:
        """The greedy decisions, as in use."""
        if not self.held_out:
            self.best = _copy(self.network)
            return
        with torch.no_grad():
            score = self._mean([self._score(caption, self._choices(caption).greedy())
                                for caption in self.held_out[self._workers.rank::self._workers.count]])
        before = self.progress.best
        self.progress.validations.append((self.progress.batches, score))
        self.progress.since_best += 1
        if before is None or score.reward > before.reward:
            self.progress.since_best = 0
            self.best = _copy(self.network)

    def _choices(self, caption: int) -> Choices:
        return Choices(*self.network(self._studio.state(caption)))

    def _score(self, caption: int, decisions: torch.Tensor) -> Score:
        chosen = tuple(decisions[0].tolist())
        if (caption, chosen) not in self._known:
            C, Q = saving(chosen, self._borders), self._studio.quality(caption, chosen)
            self._known[caption, chosen] = Score(C, Q, C + self.settings.quality_weight * Q)
        return self._known[caption, chosen]

    def _mean(self, scores: list[Score]) -> Score:
        """Over all processes."""
        rows = [(score.saving, score.quality, score.reward, 1.) for score in scores]
        total = self._workers.sum(torch.tensor([*rows, (0., 0., 0., 0.)], dtype=torch.float64).sum(0))
        return Score(*(total[:3] / total[3].clamp(min=1)).tolist())


def start_logits(decisions: int, interval: int) -> torch.Tensor | None:
    """What BlockDance-N with this N decides, as logits to begin with; None for an interval of 1."""
    if interval == 1:
        return None
    computed = torch.tensor([step % interval == interval - 1 for step in range(decisions)])
    return torch.where(computed, SURE, -SURE)


def _copy(network: DecisionNetwork) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _generator(*numbers: int) -> torch.Generator:
    """Its own for each purpose, so that a resumed training, or one in several processes, draws the same."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % 2 ** 63
    return torch.Generator().manual_seed(seed)
