"""BlockDance-Ada: a trained policy, and the patch that samples by it."""

from dataclasses import dataclass, replace

from comfy_api.latest import io

from ..blockdance_core.ada.policy import AdaPolicy
from ..blockdance_core.ada.policy_file import PolicyError, PolicyFile
from ..blockdance_core.host.fingerprint import fingerprint_of
from ..blockdance_core.plan import COMPUTE, Plan, Transformer
from ..blockdance_core.schedule import Schedule
from . import policies
from .patch import CATEGORY, TRANSFORMER, PatchNode


class BlockDanceAdaLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAdaLoader",
            display_name="Load BlockDance-Ada Policy",
            category=f"{CATEGORY}/ada",
            description="Load a policy that Train BlockDance-Ada has written, for the BlockDance-Ada Patch. A policy "
                        "is made for one model.",
            search_aliases=["blockdance", "ada", "policy", "adaptive"],
            inputs=[io.Combo.Input("policy", options=policies.files().names(),
                                   tooltip="A file in models/blockdance_ada, which Train BlockDance-Ada writes.")],
            outputs=[policies.Policy.Output(display_name="policy", tooltip="For the BlockDance-Ada Patch.")],
        )

    @classmethod
    def validate_inputs(cls, policy: str | None = None) -> bool | str:
        try:
            if policy is not None:  # None for a link
                policies.files().find(policy)
        except PolicyError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, policy: str | None = None) -> str:
        """A file may have changed under its name."""
        return policies.files().state(policy)  # None for a link: of all

    @classmethod
    def execute(cls, policy: str) -> io.NodeOutput:
        return io.NodeOutput(policies.load(policy))


@dataclass(frozen=True)
class _Unknown:
    """What is known of a run before there is a policy: that the policy will decide."""
    name: str = "BlockDance-Ada"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return Plan((COMPUTE,) * schedule.steps, "the steps to reuse are chosen while sampling, for each picture")


class BlockDanceAdaPatch(PatchNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BlockDanceAdaPatch",
            display_name="BlockDance-Ada Patch",
            category=CATEGORY,
            description="Makes a diffusion transformer faster by as much as the picture allows: a small network looks "
                        "at it once its structure has settled and chooses which of the later steps reuse the blocks "
                        "of earlier ones. Put it between the model loader and the sampler.",
            search_aliases=["blockdance", "ada", "adaptive", "speed up", "faster", "cache", "policy"],
            inputs=[
                io.Model.Input("model", tooltip=TRANSFORMER + " The one that the policy was trained on."),
                policies.Policy.Input("policy", tooltip="From Load BlockDance-Ada Policy or Train BlockDance-Ada."),
                io.Float.Input("threshold", default=.5, min=0., max=1., step=.01, optional=True, advanced=True,
                               tooltip="A step is computed where the policy gives it more than this. 0.5 is the "
                                       "paper's; more reuses more steps, in the policy's own order. 0.4 to 0.7 are "
                                       "sensible."),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="The same model, reusing blocks as the policy "
                                                                   "chooses.")],
            hidden=[io.Hidden.unique_id], not_idempotent=True,  # notify.py says why
        )

    @classmethod
    def policy(cls, policy: PolicyFile | None = None, threshold: float = .5) -> AdaPolicy | _Unknown:
        return _Unknown() if policy is None else replace(policy.policy, threshold=threshold)

    @classmethod
    def policy_for(cls, model, policy: PolicyFile, threshold: float = .5) -> AdaPolicy:
        policy.card.check(fingerprint_of(model), policy.source)
        return cls.policy(policy, threshold)
