"""How a policy is trained; the defaults are the paper's (BlockDance, section 4.1)."""

from dataclasses import dataclass

BASELINES = ("none", "mean", "greedy")


@dataclass(frozen=True)
class Settings:
    """quality_weight: lambda of the reward R = C + lambda * Q.

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
