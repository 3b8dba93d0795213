"""Run one API-format prompt on a ComfyUI server over HTTP and its websocket."""

import asyncio
import json
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

TEXT_MESSAGE = 3  # BinaryEventTypes.TEXT: lines that nodes show below themselves
SILENCE = 600  # seconds without any message after which the server counts as lost

Progress = Callable[[str, int, int], None]  # node id, value, maximum


class PromptError(RuntimeError):
    """The server refused a prompt, or a node failed; the message names the node and the reason."""


class ServerLost(RuntimeError):
    """The connection to the server broke while a prompt ran."""


@dataclass
class Result:
    """What came of a prompt, by node id."""
    images: dict[str, list[bytes]] = field(default_factory=dict)  # encoded files
    texts: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of each node that was executed, not cached


def submit(url: str, prompt: dict[str, dict], on_progress: Progress | None = None) -> Result:
    """Run `prompt` and wait for it. Raises PromptError and ServerLost."""
    try:
        return asyncio.run(_submit(url, prompt, on_progress))
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        raise ServerLost(f"lost the ComfyUI server at {url}: {error or type(error).__name__}") from error


async def _submit(url: str, prompt: dict[str, dict], on_progress: Progress | None) -> Result:
    client = uuid.uuid4().hex
    result = Result()
    async with aiohttp.ClientSession() as session:
        # Connected before the prompt is posted, so that no message is missed
        async with session.ws_connect(f"{url}/ws", params={"clientId": client}, max_msg_size=0) as socket:
            prompt_id = await _post(session, url, prompt, client)
            await _follow(socket, prompt_id, result, on_progress)
        async with session.get(f"{url}/history/{prompt_id}") as response:
            outputs = (await response.json())[prompt_id]["outputs"]
        for node, output in outputs.items():
            for image in output.get("images", ()):
                async with session.get(f"{url}/view", params=image) as response:
                    response.raise_for_status()
                    result.images.setdefault(node, []).append(await response.read())
    return result


async def _post(session: aiohttp.ClientSession, url: str, prompt: dict[str, dict], client: str) -> str:
    async with session.post(f"{url}/prompt", json={"prompt": prompt, "client_id": client}) as response:
        answer = await response.json()
        if response.status != 200:
            raise PromptError(_refusal(answer, prompt))
        return answer["prompt_id"]


def _refusal(answer: dict, prompt: dict[str, dict]) -> str:
    lines = [f"ComfyUI refused the prompt: {answer['error']['message']} {answer['error']['details']}".rstrip()]
    for node, problem in (answer.get("node_errors") or {}).items():
        for error in problem["errors"]:
            lines.append(f"  {_name(prompt, node)}: {error['message']}: {error['details']}")
    return "\n".join(lines)


def _name(prompt: dict[str, dict], node: str) -> str:
    title = prompt.get(node, {}).get("_meta", {}).get("title")
    return f"node {node} ({title})" if title else f"node {node}"


async def _follow(
        socket: aiohttp.ClientWebSocketResponse, prompt_id: str, result: Result, on_progress: Progress | None) -> None:
    """Collect messages until the prompt has ended."""
    running, started = None, 0.
    while True:
        message = await socket.receive(timeout=SILENCE)
        now = time.perf_counter()
        if message.type == aiohttp.WSMsgType.BINARY:
            if text := _node_text(message.data):
                result.texts.setdefault(text[0], []).append(text[1])
            continue
        if message.type != aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientConnectionError("the websocket was closed while a prompt ran")
        event = json.loads(message.data)
        kind, data = event["type"], event["data"]
        if data.get("prompt_id") != prompt_id:
            continue
        if kind == "progress" and on_progress:
            on_progress(data["node"], data["value"], data["max"])
        elif kind == "executing":
            if running is not None:
                result.seconds[running] = now - started
            running, started = data["node"], now
            if running is None:
                return
        elif kind == "execution_error":
            raise PromptError(
                f"node {data['node_id']} ({data['node_type']}) failed: {data['exception_message'].strip()}\n"
                + "".join(data["traceback"]))
        elif kind == "execution_interrupted":
            raise PromptError(f"the prompt was interrupted at node {data['node_id']} ({data['node_type']})")


def _node_text(data: bytes) -> tuple[str, str] | None:
    """(node id, text) of a binary message, None when it is not a text: u32 kind, u32 id length, id, text."""
    if len(data) < 8 or struct.unpack_from(">I", data)[0] != TEXT_MESSAGE:
        return None
    end = 8 + struct.unpack_from(">I", data, 4)[0]
    return data[8:end].decode(), data[end:].decode()
