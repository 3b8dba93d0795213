"""What the server tells the timeline on a node: plans on request, and events while a run samples."""

import asyncio
import json
import uuid
from functools import partial
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import aiohttp
import pytest

from blockdance.demo import workflow
from blockdance.tests.server.test_pack import get

PIXART = {"name": "PixArtMS", "stacks": [28]}
DEFAULTS = {"N": 2, "block_index": -1, "start": .4, "end": .95}


def ask(comfyui, settings=DEFAULTS, node="BlockDancePatch", steps=None, model=None) -> dict:
    body = json.dumps({"node": node, "settings": settings, "steps": steps, "model": model}).encode()
    with build_opener(ProxyHandler({})).open(Request(comfyui.url + "/blockdance/plan", body), timeout=30) as response:
        return json.load(response)


def reused(steps: list[dict]) -> list[int]:
    return [entry["step"] for entry in steps if entry["reuse"]]


def test_every_patch_offers_plans(comfyui):
    patches = json.loads(get(comfyui, "/blockdance/plan"))
    nodes = json.loads(get(comfyui, "/object_info"))
    folders = "model/patch/blockdance", "model/patch/blockdance/papers"
    assert set(patches) == {name for name, node in nodes.items() if node["category"] in folders}


def test_a_plan_for_steps_and_model(comfyui):
    answer = ask(comfyui, steps=30, model=PIXART)
    assert reused(answer["report"]["plan"]) == list(range(12, 29, 2))
    assert answer["report"]["model"] == "PixArtMS" and answer["report"]["evaluations"] == [] and not answer["hint"]


def test_what_is_not_known_is_assumed_and_said(comfyui):
    answer = ask(comfyui)
    assert answer["report"]["stacks"] == [28] and answer["report"]["steps"] == 20
    assert "PixArt as an example" in answer["hint"] and "no sampler" in answer["hint"]


def test_a_long_run_is_shown_by_a_shorter_one(comfyui):
    answer = ask(comfyui, steps=5000, model=PIXART)
    assert answer["report"]["steps"] == 200 and answer["hint"] == "for 200 steps in place of 5000"


def test_a_unet_has_an_example_of_its_own(comfyui):
    answer = ask(comfyui, {"N": 2, "depth": 2, "mode": "delta", "start": 0., "end": 1.}, "DeltaCacheUNetPatch")
    assert len(answer["report"]["stacks"]) == 25
    assert {entry["reuse"]["kind"] for entry in answer["report"]["plan"] if entry["reuse"]} == {"delta"}


def test_settings_that_do_not_fit_are_explained(comfyui):
    assert "PixArtMS has 28 blocks" in ask(comfyui, DEFAULTS | {"block_index": 28}, model=PIXART)["error"]
    assert "N is 0" in ask(comfyui, DEFAULTS | {"N": 0})["error"]
    assert "100000 blocks" in ask(comfyui, model={"name": "huge", "stacks": [100000]})["error"]


@pytest.mark.parametrize("request_", [
    {"node": "KSampler"}, {"settings": {"no": "such input"}}, {"settings": None}, {"steps": "many"}, {"model": [1]}])
def test_nonsense_is_refused(comfyui, request_):
    with pytest.raises(HTTPError, match="400"):
        ask(comfyui, **request_)


async def follow(url: str, prompt: dict, extra: dict | None = None) -> list[dict]:
    """The timeline's events of a prompt, as the page that queued it gets them."""
    client, events = uuid.uuid4().hex, []
    connect = partial(aiohttp.ClientSession.ws_connect, url=f"{url}/ws", params={"clientId": client})
    async with aiohttp.ClientSession() as session, connect(session) as socket:
        body = {"prompt": prompt, "client_id": client, "extra_data": extra or {}}
        async with session.post(f"{url}/prompt", json=body) as answer:
            prompt_id = (await answer.json())["prompt_id"]
        while True:
            message = await socket.receive(timeout=60)
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            if event["type"] == "blockdance.timeline":
                events.append(event["data"])
            elif event["type"] == "executing" and event["data"]["node"] is None \
                    and event["data"]["prompt_id"] == prompt_id:
                return events


def test_a_run_sends_what_it_executes_to_the_page_that_queued_it(comfyui):
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", seed=77)
    *running, finished = asyncio.run(follow(comfyui.url, prompt, {"extra_pnginfo": {"workflow": {"id": "mine"}}}))
    assert [event["phase"] for event in running] == ["running"] * len(running) and finished["phase"] == "finished"
    assert len(running[0]["report"]["evaluations"]) == 1  # the first is told at once, then no more than ten a second
    counts = [len(event["report"]["evaluations"]) for event in running]
    assert counts == sorted(set(counts))
    assert len(running) <= 2 + finished["report"]["seconds"] * 10
    assert reused(finished["report"]["evaluations"]) == list(range(12, 29, 2))
    assert finished["report"]["executed_blocks"] == 651 and finished["report"]["total_blocks"] == 840
    assert (finished["workflow"], finished["node"]) == ("mine", workflow.node_id(prompt, workflow.PATCH))
    assert finished["settings"] == DEFAULTS and finished["model"] == PIXART


@pytest.mark.parametrize("extra", [{"extra_pnginfo": None}, {"extra_pnginfo": {"workflow": None}}])
def test_a_prompt_may_say_that_it_has_no_workflow(comfyui, extra):
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", seed=78 + bool(extra["extra_pnginfo"]), steps=4)
    finished = asyncio.run(follow(comfyui.url, prompt, extra))[-1]
    assert finished["phase"] == "finished" and finished["workflow"] is None


def test_the_plan_is_what_is_then_executed(comfyui):
    settings = {"N": 3, "first_block": 2, "n_cached": 11, "start": .2, "end": .9}
    prompt = workflow.load()
    workflow.exchange_patch(prompt, "DeltaCachePatch", settings)
    finished = asyncio.run(follow(comfyui.url, prompt))[-1]
    plan = ask(comfyui, settings, "DeltaCachePatch", 30, finished["model"])["report"]["plan"]
    assert reused(plan) == reused(finished["report"]["evaluations"]) != []
    assert finished["report"]["plan"] == plan


def test_a_prompt_without_a_page_runs_all_the_same(comfyui):
    prompt = workflow.load()
    workflow.set_inputs(prompt, "Sampler", seed=78, steps=8)

    async def run() -> dict:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{comfyui.url}/prompt", json={"prompt": prompt}) as answer:
                prompt_id = (await answer.json())["prompt_id"]
            for _ in range(300):
                async with session.get(f"{comfyui.url}/history/{prompt_id}") as answer:
                    if history := await answer.json():
                        return history[prompt_id]
                await asyncio.sleep(.1)
    assert asyncio.run(run())["status"]["status_str"] == "success"
