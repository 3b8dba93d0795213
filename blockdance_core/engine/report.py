"""What a run has executed: counted, not planned."""

from dataclasses import dataclass, field
from statistics import median

from .. import words
from ..closeness import closeness
from ..plan.plan import Plan, Reuse, SkipModel, Transformer
from . import headline


@dataclass
class Evaluation:
    """One call of the denoiser; it may take several passes (conditions apart, areas, context windows)."""
    step: int
    reuse: Reuse | SkipModel | None  # as decided; a pass that had nothing stored computed in full all the same
    executed: int = 0  # blocks computed, over all passes
    total: int = 0  # blocks that the passes would have computed without reuse
    passes: int = 0
    misses: int = 0  # passes that were to reuse but had nothing stored
    macs: int = 0  # multiply-accumulates of the model, computed, over all passes that could be counted
    total_macs: int = 0  # those that these passes would have taken without reuse
    stored: dict[Reuse | SkipModel, None] = field(default_factory=dict)  # what its passes kept for later evaluations
    cache_bytes: int = 0  # held when it ended
    seconds: float = 0.  # host time; on a GPU the work may finish later

    @property
    def is_full(self) -> bool:
        """Whether blocks were called and none replaced."""
        return 0 < self.total == self.executed


@dataclass
class Report:
    """A run's own account. Seconds are those of the whole sampling, bytes the most that the cache has held.

    shape: of the latent. full_seconds: what a full run of the same model and size took; None where none was seen.
    provenance: what it takes to make the same picture again: versions, and the digest of the profile. way: of sampling,
    as of Schedule.
    """
    method: str
    transformer: Transformer
    plan: Plan
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.
    cache_bytes: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what went another way than usual, with the same result
    outcome: str = ""  # what came of the run beside its picture
    uncounted: list[str] = field(default_factory=list)  # what the MACs leave out, and why
    planning_seconds: float = 0.  # host time that the plan took, before the run and in it
    shape: tuple[int, ...] = ()
    full_seconds: float | None = None
    provenance: dict[str, str] = field(default_factory=dict)
    way: str = ""

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
    def macs(self) -> int:
        return sum(evaluation.macs for evaluation in self.evaluations)

    @property
    def total_macs(self) -> int:
        return sum(evaluation.total_macs for evaluation in self.evaluations)

    @property
    def share(self) -> float:
        """Executed blocks as a fraction of all."""
        return self.executed / self.total if self.total else 1.

    @property
    def work(self) -> float:
        """What was computed as a fraction of all: by multiply-accumulates where these were counted, else by blocks."""
        return self.macs / self.total_macs if self.total_macs else self.share

    @property
    def is_full(self) -> bool:
        """Whether everything was computed. Where an evaluation called no block, another cache has stood in for it."""
        return bool(self.evaluations) and all(evaluation.is_full for evaluation in self.evaluations)

    @property
    def is_whole(self) -> bool:
        """Whether evaluations are replaced as a whole, so that no block of them runs."""
        decisions = [decision for decision in self.plan.decisions if decision.reuse]
        return bool(decisions) and all(len(decision.reuse.span) == self.transformer.depth for decision in decisions)

    @property
    def pace(self) -> float | None:
        """Seconds of an evaluation that computes everything, the first apart; None where there is no other."""
        computed = [evaluation.seconds for evaluation in self.evaluations[1:] if evaluation.is_full]
        return median(computed) if computed else None

    @property
    def warm_seconds(self) -> float:
        """Seconds, where the first evaluation takes no longer than others do: it also loads and compiles, which the
        first run of a model does and later ones do not."""
        pace = self.pace
        return self.seconds if pace is None else self.seconds - max(0., self.evaluations[0].seconds - pace)

    @property
    def closeness(self) -> str:
        """How close the picture is expected to be to that of a full run, in words; empty where nothing is known."""
        return "" if self.plan.expected is None or self.is_full else str(closeness(self.plan.expected))

    @property
    def headline(self) -> str:
        """The run, or the plan where nothing was executed yet, in one short sentence."""
        if not self.evaluations:
            plan, depth = self.plan, self.transformer.depth
            share = plan.computed_blocks(depth) / max(1, depth * plan.steps)
            return headline.of_evaluations(len(plan.reused_steps), plan.steps, self.is_whole, share)
        if self.is_full:
            return headline.full(self.warm_seconds)
        if self.full_seconds is not None:
            return headline.faster(self.full_seconds, self.warm_seconds)
        skipped = sum(not evaluation.total for evaluation in self.evaluations)
        if skipped and self.total and not self.reused:
            return headline.of_another_cache(skipped, len(self.evaluations))
        return headline.of_evaluations(self.reused, len(self.evaluations), self.is_whole, self.work)

    def repeat(self, evaluation: Evaluation) -> None:
        """Account for an evaluation of which nothing was computed: it would have taken what the latest full one did."""
        full = next((past for past in reversed(self.evaluations) if past.passes), evaluation)
        evaluation.total, evaluation.total_macs = full.total, full.total_macs

    def line(self) -> str:
        """One line for the log and the node."""
        steps = "" if len(self.evaluations) == self.plan.steps else f" in {words.count(self.plan.steps, 'step')}"
        parts = [] if self.full_seconds is None or self.is_full else [self.headline]
        parts += [f"{self.reused} of {len(self.evaluations)} evaluations{steps} reused, "
                 f"{self.executed} of {self.total} blocks executed ({self.share:.0%}), {self.seconds:.2f} s, "
                 f"cache {self.cache_bytes / 2 ** 20:.1f} MiB"]
        if self.misses:
            parts.append(f"{words.count(self.misses, 'pass', 'passes')} had nothing stored yet and computed in full")
        parts.extend(filter(None, (
            self.plan.note, self.closeness, self._speed(), self.outcome, *self.notes, *self.failures)))
        return "; ".join(dict.fromkeys(parts))

    def _speed(self) -> str:
        """How much faster it was where evaluations are replaced as a whole and not as many were as the plan has."""
        made, computed = len(self.evaluations), len(self.evaluations) - self.reused
        if not self.is_whole or not computed or (made, self.reused) == (self.plan.steps, len(self.plan.reused_steps)):
            return ""
        return f"this run: {made / computed:.2f}x, {computed} of {made} evaluations computed"

    @property
    def _unit(self) -> tuple[str, float]:
        return ("TMACs", 1e12) if self.total_macs >= 1e12 else ("GMACs", 1e9)

    def savings(self) -> str:
        """The multiply-accumulates that reuse has saved, in words, and what could not be counted."""
        parts = list(self.uncounted)
        if self.total_macs:
            saved, (name, unit) = self.total_macs - self.macs, self._unit
            parts.insert(0, f"saved {saved / unit:.4g} of {self.total_macs / unit:.4g} {name} "
                            f"({saved / self.total_macs:.0%})")
        return "; ".join(parts)

    def text(self) -> str:
        """The line, the savings, and one more line for each evaluation."""
        name, unit = self._unit
        rows = [f"{'evaluation':>10} {'step':>5} {'blocks':>9} {'seconds':>8} {'MiB':>7} {name + ' saved':>11}  "
                "decision"]
        for number, evaluation in enumerate(self.evaluations):
            blocks = f"{evaluation.executed}/{evaluation.total}"
            saved = f"{(evaluation.total_macs - evaluation.macs) / unit:.4g}" if evaluation.total_macs else "-"
            rows.append(f"{number:>10} {evaluation.step:>5} {blocks:>9} {evaluation.seconds:>8.3f} "
                        f"{evaluation.cache_bytes / 2 ** 20:>7.1f} {saved:>11}  {_decision(evaluation)}")
        made_with = ", ".join(f"{name} {value}" for name, value in self.provenance.items())
        head = [f"{self.method} on {self.transformer.name}", self.line(), self.savings(), *filter(None, [made_with])]
        return "\n".join([*head, "", *rows])

    def as_dict(self) -> dict:
        """All of it, for JSON."""
        return {
            "method": self.method, "model": self.transformer.name, "stacks": list(self.transformer.stacks),
            "steps": self.plan.steps, "executed_blocks": self.executed, "total_blocks": self.total,
            "share_of_blocks": self.share, "macs": self.macs, "total_macs": self.total_macs,
            "uncounted": self.uncounted, "seconds": self.seconds, "cache_bytes": self.cache_bytes,
            "misses": self.misses, "note": self.plan.note, "outcome": self.outcome, "notes": self.notes,
            "failures": self.failures,
            "plan": [
                {"step": step, "reuse": _reuse(decision.reuse), "store": [_reuse(reuse) for reuse in decision.store]}
                for step, decision in enumerate(self.plan.decisions)],
            "evaluations": [
                {"step": evaluation.step, "reuse": _reuse(evaluation.reuse), "executed": evaluation.executed,
                 "total": evaluation.total, "macs": evaluation.macs, "total_macs": evaluation.total_macs,
                 "passes": evaluation.passes, "misses": evaluation.misses,
                 "stored": [_reuse(reuse) for reuse in evaluation.stored], "cache_bytes": evaluation.cache_bytes,
                 "seconds": evaluation.seconds}
                for evaluation in self.evaluations],
            "planning_seconds": self.planning_seconds, "shape": list(self.shape), "full_seconds": self.full_seconds,
            "headline": self.headline, "expected_quality": self.plan.expected, "closeness": self.closeness,
            "provenance": self.provenance,
        }


def _reuse(reuse: Reuse | SkipModel | None) -> dict | None:
    kind = "output" if isinstance(reuse, SkipModel) else reuse and reuse.kind.value
    return reuse and {"first": reuse.span.first, "last": reuse.span.last, "kind": kind}


def _decision(evaluation: Evaluation) -> str:
    """What it did, in words."""
    did = [f"stored {_named(reuse)}" for reuse in evaluation.stored]
    if (reuse := evaluation.reuse) is None or evaluation.executed >= evaluation.total:
        did.insert(0, "computed")
    elif isinstance(reuse, SkipModel):
        did.insert(0, "forecast from earlier steps")
    else:
        did.insert(0, f"reused {_named(reuse)}")
    if evaluation.misses:
        did.append(f"{evaluation.misses} of {evaluation.passes} passes had nothing stored")
    return ", ".join(did)


def _named(reuse: Reuse | SkipModel) -> str:
    if isinstance(reuse, SkipModel):
        return "the output"
    return f"the {reuse.kind.value} of blocks {reuse.span.first}-{reuse.span.last}"
