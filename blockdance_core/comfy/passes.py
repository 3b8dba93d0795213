"""One pass of a model within an evaluation: its blocks intercepted as the decision says, its MACs counted."""

import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Hashable

import torch
from comfy.model_base import BaseModel
from torch.nn import Module

from ..engine.blocks import Chain
from ..engine.cache import Anchor, Cache, Stored
from ..engine.controller import Controller
from ..engine.gate import Gate, Sight
from ..engine.interception import Diverged, Interception, Recorder, Replay
from ..engine.macs import MacAccount, MacCounter
from ..engine.moved_latent import MovingParts
from ..engine.report import Evaluation, Report
from ..plan.plan import COMPUTE, Decision, SkipModel
from ..words import article, count
from .memory import SpanStore, keeping
from .messages import Messages
from .models.architectures import Family, UnsupportedModel
from .pass_key import identity
from .uncounted import can_count


@dataclass
class Current:
    """The evaluation that is going on. time: in that of a flow; latent: the sampler's, (B, C, ...)."""
    evaluation: Evaluation
    decision: Decision
    time: float
    latent: torch.Tensor
    call: int = 0  # of calc_cond_batch, which guidance may ask several times
    occurrences: dict[Hashable, int] = field(default_factory=dict)  # the latest pass of each key


class Passes:
    """Carries out the passes of one run.

    give_up: called with the reason why nothing may be reused from now on; it sets the decision to COMPUTE. watch: None
    where nothing is reused anyway."""

    def __init__(self, report: Report, controller: Controller, family: Family, messages: Messages,
                 watch: MovingParts | None, give_up: Callable[[str], None]):
        self._report = report
        self._controller = controller
        self._family = family
        self._messages = messages
        self._watch = watch
        self._give_up = give_up
        self._store = SpanStore(report, messages)
        self._macs = MacAccount()
        self._most = 1  # passes of an evaluation so far
        self._counts_macs: bool | None = None
        self._interceptions: dict[int, Interception] = {}
        self._fits: dict[Module, bool] = {}
        self._lock = threading.Lock()

    def fits(self, diffusion_model: Module) -> bool:
        """Whether the plan is for this model, as far as its passes have shown."""
        return self._fits.get(diffusion_model, True)

    @property
    def cache(self) -> Cache:
        return self._store.cache

    def forget(self) -> None:
        """Nothing is reused any more."""
        self.cache.clear()
        self._watch = None

    def finish(self, current: Current) -> None:
        """After an evaluation: what passes that come no more have stored is let go, as windows that move would pile it
        up."""
        self._most = max(self._most, current.evaluation.passes)
        self.cache.limit(self._most)

    def apply_model(self, current: Current, forward: Callable, model: BaseModel, x, transformer_options: dict,
                    control: dict | None):
        """One pass, with the model's blocks intercepted as the decision says. `forward` may be called twice."""
        outer = self._interceptions.get(id(model))
        if outer is not None:
            with outer.suspended():
                return forward()
        chain = self._chain(model)
        if chain is None:
            return forward()
        if "ar_state" in transformer_options:
            self._messages.fail("frames are made one after the other from the keys and values of every block, so all "
                               "are computed")
            self._messages.leave_out("frames made one after the other")
            return self._pass(current, None, COMPUTE, forward, model, chain)
        if self._counts_macs is None:
            self._counts_macs = False
            with self._messages.survive("MACs are not counted"):
                self._counts_macs = can_count(model.diffusion_model, transformer_options, self._messages)
        key = self._key(current, model, x, transformer_options, control)
        if key is None:
            return self._pass(current, None, COMPUTE, forward, model, chain)
        if self._watch is not None:
            self._check_place(self._watch, current, key, x)
        return self._pass_or_again(current, key, forward, model, chain)

    def _key(self, current: Current, model: BaseModel, x, transformer_options: dict, control: dict | None
             ) -> Hashable | None:
        """What tells this pass from others of the evaluation, and is the same in the next; None if nothing does."""
        with self._messages.survive("a pass is computed, as nothing tells it from others"):
            key = identity(model, x, transformer_options, control), current.call
            with self._lock:
                occurrence = current.occurrences[key] = current.occurrences.get(key, -1) + 1
            return *key, occurrence
        return None

    def _check_place(self, watch: MovingParts, current: Current, key: Hashable, x) -> None:
        """Give up reusing where this pass shows another part of the latent than it did before."""
        reason = "it is not known which part of the latent a pass shows"
        with self._messages.survive(reason):
            watch.a_pass(key, x, current.latent)
            reason = watch.rings() if current.decision.may_reuse else ""
        if reason:
            self._give_up(reason)

    def _chain(self, model: BaseModel) -> Chain | None:
        """The blocks of a model; None where the plan does not fit it, as for another model in the negative pass."""
        diffusion_model = model.diffusion_model
        if diffusion_model not in self._fits:
            self._fits[diffusion_model] = self._fit(diffusion_model)
        return self._family.chain_of(diffusion_model) if self._fits[diffusion_model] else None

    def _fit(self, diffusion_model: Module) -> bool:
        """Whether the plan is for models like this."""
        planned = self._report.transformer
        try:
            found = self._family.transformer_of(diffusion_model)
        except UnsupportedModel as error:
            self._messages.fail(str(error))
            return False
        if found != planned:
            self._messages.fail(f"{article(found.name)} of {count(found.depth, 'block')} computes them all: the plan "
                               f"is for {planned.name} with {planned.depth}")
        return found == planned

    def _pass_or_again(self, current: Current, key: Hashable, forward: Callable, model: BaseModel, chain: Chain):
        """A pass that reuse cannot fail: if need be it is computed once more, in full."""
        decision = current.decision
        try:
            return self._pass(current, key, decision, forward, model, chain)
        except Diverged:
            if decision.reuse is not None:
                self.cache.drop(key, decision.reuse)
        except torch.OutOfMemoryError:
            if decision == COMPUTE:
                raise
            self._give_up("out of memory")
        return self._pass(current, key, COMPUTE, forward, model, chain)

    def _pass(self, current: Current, key: Hashable, decision: Decision, forward: Callable, model: BaseModel,
              chain: Chain):
        evaluation = current.evaluation
        stored = None if decision.reuse is None else self._store.get(key, decision.reuse, current.time)
        replay = None if stored is None else Replay(chain, decision.reuse, stored)
        spans = [reuse for reuse in decision.store if not isinstance(reuse, SkipModel)]
        recorders = tuple(Recorder(chain, reuse, keeping) for reuse in spans) if replay is None else ()
        gate = None
        if decision.undecided is not None and key is not None:
            gate = Gate(chain, decision.undecided, partial(self._enter, key), keeping)
        counter = MacCounter() if self._counts_macs and key is not None and key not in self._macs else None
        with Interception(chain, replay, recorders if gate is None else (gate,), counter) as interception:
            self._interceptions[id(model)] = interception
            try:
                with counter or nullcontext():
                    output = forward()
            finally:
                del self._interceptions[id(model)]
                with self._lock:
                    evaluation.executed += interception.executed
        replaced = 0
        if replay is not None:
            replay.finish()
            replaced = replay.replaced
        elif gate is not None:
            replaced = self._finish_gate(gate, key)
        if interception.executed:  # else another pack's cache has stood in for the model
            for recorder in recorders:
                with self._messages.survive("what blocks have computed is not stored", memory=False):
                    self._keep(current, key, recorder, model)
            if counter is not None:
                self._macs.enter(key, counter.macs, interception.macs)
                if counter.missed:
                    self._messages.leave_out(counter.missed)
        if interception.executed or replaced:
            self._macs.book(evaluation, key, (decision.reuse or decision.undecided).span if replaced else None)
        with self._lock:
            evaluation.total += interception.executed + replaced
            evaluation.passes += 1
            evaluation.misses += bool(evaluation.reuse and interception.executed and not replaced)
        return output

    def _enter(self, key: Hashable, sight: Sight) -> Stored | None:
        """What the controller puts in place of the span that a pass has come to."""
        with self._messages.survive("blocks are computed, as nothing was decided about them", memory=False):
            return self._controller.decide_in_pass(key, sight)
        return None

    def _finish_gate(self, gate: Gate, key: Hashable) -> int:
        """After a pass in which the controller has decided: how many blocks it replaced."""
        sight, stored = gate.finish()
        if stored is not None:
            with self._messages.survive("what blocks have computed is not kept", memory=False):
                self._controller.computed_span(key, sight, stored)
        elif not gate.replaced and sight is not None:
            self._messages.fail(f"blocks could not be stored ({gate.failure}), so they are computed")
        return gate.replaced

    def _keep(self, current: Current, key: Hashable, recorder: Recorder, model: BaseModel) -> None:
        stored = recorder.stored()
        if stored is None:
            span = recorder.reuse.span
            self._messages.fail(f"blocks {span.first}-{span.last} could not be stored "
                               f"({recorder.failure or 'the model did not run them exactly once'}), so they are "
                               "computed")
            return
        self._store.put(key, recorder.reuse, Anchor(current.time, stored), model, current.latent.shape)
        with self._lock:
            current.evaluation.stored[recorder.reuse] = None
