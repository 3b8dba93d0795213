"""What a run has executed: counted, not planned."""

from dataclasses import dataclass, field

from .plan import Plan, Reuse, Transformer


@dataclass
class Evaluation:
    """One call of the denoiser; it may take several passes (conditions apart, areas, context windows)."""
    step: int
    reuse: Reuse | None  # as decided; a pass that had nothing stored computed in full all the same
    executed: int = 0  # blocks computed, over all passes
    total: int = 0  # blocks that the passes would have computed without reuse
    passes: int = 0
    misses: int = 0  # passes that were to reuse but had nothing stored
    seconds: float = 0.  # host time; on a GPU the work may finish later


@dataclass
class Report:
    """A run's own account. Seconds are those of the whole sampling, bytes the most that the cache has held."""
    method: str
    transformer: Transformer
    plan: Plan
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.
    cache_bytes: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def executed(self) -> int:
        return sum(evaluation.executed for evaluation in self.evaluations)

    @property
    def total(self) -> int:
        return sum(evaluation.total for evaluation in self.evaluations)

    @property
    def reused(self) -> int:
        return sum(evaluation.executed < evaluation.total for evaluation in self.evaluations)

    @property
    def misses(self) -> int:
        return sum(evaluation.misses for evaluation in self.evaluations)

    def line(self) -> str:
        """One line for the log and the node."""
        share = self.executed / self.total if self.total else 1.
        parts = [f"{self.reused} of {len(self.evaluations)} evaluations reused, "
                 f"{self.executed} of {self.total} blocks executed ({share:.0%}), {self.seconds:.2f} s, "
                 f"cache {self.cache_bytes / 2 ** 20:.1f} MiB"]
        if self.misses:
            parts.append(f"{self.misses} passes had nothing stored yet and were computed in full")
        parts.extend(filter(None, (self.plan.note, *self.failures)))
        return "; ".join(parts)
