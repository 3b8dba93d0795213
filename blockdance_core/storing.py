"""A method with a choice of how its hidden states are kept."""

from dataclasses import dataclass, replace

from .plan import Plan, Transformer
from .policy import Policy
from .schedule import Schedule
from .storage import Storage


@dataclass(frozen=True)
class Storing:
    """The plan of `policy`, with what it stores kept by `storage`."""
    policy: Policy
    storage: Storage

    @property
    def name(self) -> str:
        return self.policy.name if self.storage.dtype == "model" else f"{self.policy.name}, {self.storage.dtype} cache"

    def plan(self, schedule: Schedule, transformer: Transformer) -> Plan:
        return replace(self.policy.plan(schedule, transformer), storage=self.storage)


def with_storage(policy: Policy, dtype: str, offload: str) -> Policy:
    """The policy itself for the default storage. Raises ValueError for names that are not known."""
    storage = Storage(dtype, offload)
    return policy if storage == Storage() else Storing(policy, storage)
