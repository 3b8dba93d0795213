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
    stored: dict[Reuse, None] = field(default_factory=dict)  # what its passes kept for later evaluations
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

    @property
    def share(self) -> float:
        """Executed blocks as a fraction of all."""
        return self.executed / self.total if self.total else 1.

    def line(self) -> str:
        """One line for the log and the node."""
        steps = "" if len(self.evaluations) == self.plan.steps else f" in {self.plan.steps} steps"
        parts = [f"{self.reused} of {len(self.evaluations)} evaluations{steps} reused, "
                 f"{self.executed} of {self.total} blocks executed ({self.share:.0%}), {self.seconds:.2f} s, "
                 f"cache {self.cache_bytes / 2 ** 20:.1f} MiB"]
        if self.misses:
            parts.append(f"{self.misses} passes had nothing stored yet and were computed in full")
        parts.extend(filter(None, (self.plan.note, *self.failures)))
        return "; ".join(parts)

    def text(self) -> str:
        """The line, and one more for each evaluation."""
        rows = [f"{'evaluation':>10} {'step':>5} {'blocks':>9} {'seconds':>8}  decision"]
        for number, evaluation in enumerate(self.evaluations):
            blocks = f"{evaluation.executed}/{evaluation.total}"
            rows.append(f"{number:>10} {evaluation.step:>5} {blocks:>9} {evaluation.seconds:>8.3f}  "
                        f"{_decision(evaluation)}")
        return "\n".join([f"{self.method} on {self.transformer.name}", self.line(), "", *rows])

    def as_dict(self) -> dict:
        """All of it, for JSON. Work is counted in blocks: what a block costs depends on the size of the picture."""
        return {
            "method": self.method, "model": self.transformer.name, "stacks": list(self.transformer.stacks),
            "steps": self.plan.steps, "executed_blocks": self.executed, "total_blocks": self.total,
            "share_of_blocks": self.share, "seconds": self.seconds, "cache_bytes": self.cache_bytes,
            "misses": self.misses, "note": self.plan.note, "failures": self.failures,
            "plan": [
                {"step": step, "reuse": _reuse(decision.reuse), "store": [_reuse(reuse) for reuse in decision.store]}
                for step, decision in enumerate(self.plan.decisions)],
            "evaluations": [
                {"step": evaluation.step, "reuse": _reuse(evaluation.reuse), "executed": evaluation.executed,
                 "total": evaluation.total, "passes": evaluation.passes, "misses": evaluation.misses,
                 "stored": [_reuse(reuse) for reuse in evaluation.stored], "seconds": evaluation.seconds}
                for evaluation in self.evaluations],
        }


def _reuse(reuse: Reuse | None) -> dict | None:
    return reuse and {"first": reuse.span.first, "last": reuse.span.last, "kind": reuse.kind.value}


def _decision(evaluation: Evaluation) -> str:
    """What it did, in words."""
    words = [f"stored the {reuse.kind.value} of blocks {reuse.span.first}-{reuse.span.last}"
             for reuse in evaluation.stored]
    if (reuse := evaluation.reuse) and evaluation.executed < evaluation.total:
        words.insert(0, f"reused the {reuse.kind.value} of blocks {reuse.span.first}-{reuse.span.last}")
    else:
        words.insert(0, "computed")
    if evaluation.misses:
        words.append(f"{evaluation.misses} of {evaluation.passes} passes had nothing stored")
    return ", ".join(words)
