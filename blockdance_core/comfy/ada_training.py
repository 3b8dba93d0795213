"""A training of BlockDance-Ada from its files to its policy, for the node and the command line alike."""

from dataclasses import asdict
from pathlib import Path
from typing import Callable

from ..ada import checkpoint, policy_file
from ..ada.network import DecisionNetwork, Sizes
from ..ada.policy_file import Card
from ..ada.training import Progress, Settings, Training, start_logits
from ..ada.workers import Workers
from .ada_rollouts import Rollouts
from .attach import fingerprint_of, versions

NETWORKS = {"full": (1344, 21), "small": (64, 4)}  # width and heads: 0.08 billion parameters, 0.2 million
CHECKPOINT = ".training"


def train(studio: Rollouts, settings: Settings, network: str, path: Path, workers: Workers = Workers(),
          on_batch: Callable[[Progress, int], None] = lambda progress, batches: None) -> Card:
    """Train, or go on training, and write the best policy to `path`. Returns what the file says of it.

    A checkpoint beside it is written after every epoch, and whatever way the training ends. Of one that had ended
    before, `on_batch` is told the last batch again, and its file stays as it is. Raises PolicyError where there is a
    checkpoint of another training.
    """
    state = studio.state(0)
    width, heads = NETWORKS[network]
    sizes = Sizes(state.latent.shape[1], *(0 if value is None else value.shape[-1]
                                           for value in (state.text, state.pooled)),
                  studio.decisions, len(studio.borders), width, heads)
    made = DecisionNetwork(sizes).start(start_logits(sizes.decisions, settings.start_interval), settings.seed)
    training = Training(made.to(state.latent.device), studio.borders, studio, len(studio.captions), settings, workers)
    card = Card(fingerprint_of(studio.model), sizes, studio.borders, studio.start, studio.sampling.steps,
                {"reward": studio.reward.name, "foreseen": studio.predicted, **studio.origin,
                 **asdict(studio.sampling)}, versions())
    kept = path.with_suffix(CHECKPOINT)
    if kept.is_file():
        checkpoint.resume(kept, card, training)
    saved = training.progress.batches

    def after(progress: Progress, batches: int) -> None:
        nonlocal saved
        on_batch(progress, batches)
        if training.epoch_ended and workers.rank == 0:
            checkpoint.save(kept, card, training)
            saved = progress.batches
    if training.finished:
        on_batch(training.progress, training.batches)
    try:
        training.run(after)
    finally:
        if workers.rank == 0 and training.progress.batches > saved:
            checkpoint.save(kept, card, training)
    made.load_state_dict(training.best)
    card = _finished(card, training)
    if workers.rank == 0 and not _is_of(path, card):
        policy_file.write(path, card, made)
    return card


def _is_of(path: Path, card: Card) -> bool:
    """Whether the file is that of this training, as far as it has come."""
    try:
        return path.is_file() and policy_file.read(path).card == card
    except policy_file.PolicyError:
        return False


def _finished(card: Card, training: Training) -> Card:
    """With what the training took and came to."""
    progress, best = training.progress, training.progress.best
    outcome = {} if best is None else {"saving": best.saving, "quality": best.quality}
    return Card(**{**vars(card), "training": {
        **card.training, **asdict(training.settings), "captions": len(training.trained_on),
        "batches_done": progress.batches, "rollouts_done": progress.rollouts, "minutes": progress.seconds / 60,
        "macs": progress.macs, **outcome}})
