"""The plan for the widgets of a node as they are at the moment, for the timeline on it (web/js/timeline.js)."""

import asyncio

from aiohttp import web

from ..blockdance_core.report import Report
from ..blockdance_core.schedule import Schedule
from ..blockdance_core.words import count
from .patch import PatchNode

MOST_STEPS, MOST_BLOCKS = 200, 1000  # a timeline of more steps has less than two pixels for each


def serve(routes: web.RouteTableDef, nodes: list[type[PatchNode]]) -> None:
    """Offer the ids of these nodes as GET /blockdance/plan, and their plans as POST.

    POST takes {"node": id, "settings": values of its inputs, "steps": number or null, "model": fields of its
    Transformer or null} and answers {"report": of a run that has executed nothing, "hint"} or {"error"}.
    """
    by_id = {node.__name__: node for node in nodes}

    @routes.get("/blockdance/plan")
    async def ids(_: web.Request) -> web.Response:
        return web.json_response(list(by_id))

    @routes.post("/blockdance/plan")
    async def plan(request: web.Request) -> web.Response:
        try:
            asked = await request.json()
            # In a thread: Auto's plan of so many steps takes seconds, in which the server has others to serve
            answer = await asyncio.to_thread(
                _answer, by_id[asked["node"]], asked["settings"], asked["steps"], asked["model"])
        except (KeyError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f"not a request for a plan: {error!r}")
        except ValueError as error:
            answer = {"error": str(error)}
        return web.json_response(answer)


def _answer(node: type[PatchNode], settings: dict, steps: int | None, model: dict | None) -> dict:
    """Raises ValueError, with the reason for the user, where there is no plan."""
    policy, transformer = node.policy(**settings), node.EXAMPLE
    hints = []
    if model is not None:
        transformer = type(transformer)(**{name: tuple(value) if isinstance(value, list) else value
                                           for name, value in model.items()})
    else:
        hints.append(f"for {transformer.name} as an example, until a run has shown the model")
    if steps is None:
        steps = node.preview_steps(**settings)
        hints.append(f"{count(steps, 'step')}, as no sampler is connected")
    if steps > MOST_STEPS:
        hints.append(f"for {MOST_STEPS} steps in place of {steps}")
    steps = min(max(1, steps), MOST_STEPS)
    if not 1 <= transformer.depth <= MOST_BLOCKS:
        raise ValueError(f"no plan for a model of {count(transformer.depth, 'block')}")
    plan = policy.plan(Schedule.even(steps), transformer)
    return {"report": Report(policy.name, transformer, plan).as_dict(), "hint": "; ".join(hints)}
