"""Which of a guider's conditions apply at a sigma."""

from typing import Mapping


def active_at(sigma: float, conditions: Mapping[str, list]) -> tuple[tuple[str, int, int], ...]:
    """The name and number of each condition whose timestep range includes sigma, and how many ControlNets act on it."""
    return tuple((name, number, _controls(sigma, condition))
                 for name, conds in conditions.items() for number, condition in enumerate(conds or ())
                 if condition.get("timestep_end", 0.) <= sigma <= condition.get("timestep_start", float("inf")))


def _controls(sigma: float, condition: dict) -> int:
    control, count = condition.get("control"), 0
    while control is not None:
        start, end = getattr(control, "timestep_range", None) or (float("inf"), 0.)
        count += end <= sigma <= start
        control = getattr(control, "previous_controlnet", None)
    return count
