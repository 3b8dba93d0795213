"""Run one API-format prompt on a ComfyUI server over HTTP and its websocket."""

import asyncio
import json
import struct
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import quote

import aiohttp

from .errors import Interrupted, MissingNodes, PromptError, Refused, ServerLost
from .graph import Prompt, name

TEXT_MESSAGE = 3  # BinaryEventTypes.TEXT: lines that nodes show below themselves
HEARTBEAT = 120  # seconds between pings; a server that loads a large model may be slow to answer one
POLL = 15.  # seconds without a message after which we ask whether the prompt still exists
BLOCKED = "ExecutionBlocked"  # the one kind of error after which the server goes on with the rest of the prompt
TIMEOUT = aiohttp.ClientTimeout(sock_read=300, sock_connect=10)  # a large video may take longer than any one answer

Progress = Callable[[str, int, int], None]  # node id, value, maximum


@dataclass(frozen=True)
class File:
    name: str
    data: bytes
    saved: bool = True  # among the server's outputs; previews are not


@dataclass
class Result:
    """What came of a prompt, by node id."""
    files: dict[str, list[File]] = field(default_factory=dict)  # pictures, videos, sound, as the server encoded them
    written: dict[str, list[str]] = field(default_factory=dict)  # text outputs, such as those of BlockDance Report
    texts: dict[str, list[str]] = field(default_factory=dict)  # lines shown on nodes while they worked
    seconds: dict[str, float] = field(default_factory=dict)  # of each node that was executed, not cached
    problems: list[str] = field(default_factory=list)  # what kept single outputs back while the rest was made

    @property
    def images(self) -> dict[str, list[bytes]]:
        """The files without their names."""
        return {node: [file.data for file in files] for node, files in self.files.items()}


def submit(url: str, prompt: Prompt, on_progress: Progress | None = None, prompt_id: str = "") -> Result:
    """Run `prompt` and wait for it; Ctrl-C stops it on the server, too. prompt_id: a new one, by which it can be
    cancelled meanwhile.

    Raises PromptError or one of its kinds, and ServerLost. Outputs that could not be made or fetched while others were
    are no reason to lose those: they are `problems` of the result.
    """
    prompt_id = prompt_id or str(uuid.uuid4())  # ours, so that it can be stopped before the server has answered
    try:
        with _reaching(url):
            return asyncio.run(_submit(url, prompt, prompt_id, on_progress))
    except KeyboardInterrupt:
        cancel(url, prompt_id)
        raise


def cancel(url: str, prompt_id: str) -> None:
    """Stop a prompt, whether it runs or waits. One that has ended, or a server that is gone, is no error."""
    async def stop() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            await _cancel(session, url, prompt_id)
    with suppress(aiohttp.ClientError, asyncio.TimeoutError):
        asyncio.run(stop())


def object_info(url: str, classes: Iterable[str]) -> dict[str, dict]:
    """The server's description of those of these node classes that it has. Raises ServerLost."""
    async def ask() -> dict[str, dict]:
        found: dict[str, dict] = {}
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            for node_class in sorted(set(classes)):
                async with session.get(f"{url}/object_info/{quote(node_class, safe='')}") as response:
                    response.raise_for_status()
                    found |= await response.json()
        return found
    with _reaching(url):
        return asyncio.run(ask())


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ConnectionTimeoutError) as error:
        raise ServerLost(f"no server answers at {url} ({error or type(error).__name__}): start ComfyUI, or name the "
                         "address that it listens on") from error
    except aiohttp.ClientResponseError as error:
        raise ServerLost(f"{url} does not answer as ComfyUI does: {error.status} {error.message} for "
                         f"{error.request_info.url}") from error
    except (aiohttp.ClientError, asyncio.TimeoutError) as error:
        raise ServerLost(f"lost the ComfyUI server at {url}: {error or type(error).__name__}") from error


async def _submit(url: str, prompt: Prompt, prompt_id: str, on_progress: Progress | None) -> Result:
    client = uuid.uuid4().hex
    result = Result()
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        # Connected before the prompt is posted, so that no message is missed
        async with session.ws_connect(
                f"{url}/ws", params={"clientId": client}, max_msg_size=0, heartbeat=HEARTBEAT) as socket:
            await _post(session, url, {"prompt": prompt, "client_id": client, "prompt_id": prompt_id})
            follower = _Follower(prompt, prompt_id, result, on_progress)
            while not await follower.ended(socket):
                await _check_exists(session, url, prompt_id)
        async with session.get(f"{url}/history/{prompt_id}") as response:
            outputs = (await response.json())[prompt_id]["outputs"]
        await _fetch(session, url, prompt, outputs, result)
    return result


async def _post(session: aiohttp.ClientSession, url: str, body: dict) -> None:
    async with session.post(f"{url}/prompt", json=body) as response:
        answer = await response.json()
        if response.status == 200 and not answer.get("node_errors"):
            return
    if response.status == 200:  # the server runs the outputs that it finds nothing wrong with
        await _cancel(session, url, body["prompt_id"])
        answer["error"] = {"type": "", "message": "some of its outputs failed validation", "details": ""}
    kind = MissingNodes if answer["error"]["type"] == "missing_node_type" else Refused
    raise kind(_refusal(answer, body["prompt"]))


def _refusal(answer: dict, prompt: Prompt) -> str:
    problems = answer.get("node_errors") or {}
    details = "" if problems else answer["error"]["details"]
    lines = [f"ComfyUI refused the prompt: {answer['error']['message']} {details}".rstrip()]
    for node, problem in problems.items():
        for error in problem["errors"]:
            given = error.get("extra_info", {}).get("input_name")
            where = f"{name(prompt, node)}, input {given}" if given else name(prompt, node)
            details = "" if error["details"] == given else f": {error['details']}"
            lines.append(f"  {where}: {error['message']}{details}")
    return "\n".join(lines)


async def _cancel(session: aiohttp.ClientSession, url: str, prompt_id: str) -> None:
    for path, body in (("queue", {"delete": [prompt_id]}), ("interrupt", {"prompt_id": prompt_id})):
        async with session.post(f"{url}/{path}", json=body):
            pass


async def _check_exists(session: aiohttp.ClientSession, url: str, prompt_id: str) -> None:
    """Raises Interrupted for a prompt that neither runs nor waits nor has ended."""
    async with session.get(f"{url}/queue") as response:
        queue = await response.json()
    if any(entry[1] == prompt_id for entry in (*queue["queue_running"], *queue["queue_pending"])):
        return
    async with session.get(f"{url}/history/{prompt_id}") as response:  # it may have ended since the last message
        ended = prompt_id in await response.json()
    if not ended:
        raise Interrupted("the prompt is no longer in the server's queue: somebody took it out, or cleared the queue")


class _Follower:
    """Collects the messages about one prompt."""

    def __init__(self, prompt: Prompt, prompt_id: str, result: Result, on_progress: Progress | None):
        self._prompt = prompt
        self._prompt_id = prompt_id
        self._result = result
        self._on_progress = on_progress
        self._running: str | None = None
        self._started = 0.

    async def ended(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """Wait for the prompt to end; False when there was no message for POLL seconds."""
        while True:
            try:
                message = await socket.receive(timeout=POLL)
            except asyncio.TimeoutError:
                return False
            if message.type == aiohttp.WSMsgType.BINARY:
                # Any prompt's: those of others are told to all, too, but only while ours does not run
                if self._running is not None and (text := _node_text(message.data)):
                    self._result.texts.setdefault(text[0], []).append(text[1])
            elif message.type != aiohttp.WSMsgType.TEXT:
                raise aiohttp.ClientConnectionError("the websocket was closed while a prompt ran")
            elif self._ends(json.loads(message.data)):
                return True

    def _ends(self, event: dict) -> bool:
        kind, data = event.get("type"), event.get("data")
        if not isinstance(data, dict) or data.get("prompt_id") != self._prompt_id:  # packs send what they like
            return False
        if kind == "progress" and self._on_progress:
            self._on_progress(data["node"], data["value"], data["max"])
        elif kind == "executing":
            now = time.perf_counter()
            if self._running is not None:
                seconds = self._result.seconds
                seconds[self._running] = seconds.get(self._running, 0.) + now - self._started
            # A node that expands into others is counted as one
            self._running, self._started = data.get("display_node") or data["node"], now
            return self._running is None
        elif kind == "execution_error" and data["exception_type"] == BLOCKED:
            self._result.problems.append(f"{name(self._prompt, data['node_id'])} and what depends on it did not run: "
                                         f"{data['exception_message']}")
        elif kind == "execution_error":
            raise PromptError(f"{name(self._prompt, data['node_id'])} failed: {data['exception_type']}: "
                              f"{data['exception_message'].strip()}\n{''.join(data['traceback'])}")
        elif kind == "execution_interrupted":
            raise Interrupted(f"the prompt was interrupted at {name(self._prompt, data['node_id'])}")
        return False


async def _fetch(session: aiohttp.ClientSession, url: str, prompt: Prompt, outputs: dict[str, dict],
                 result: Result) -> None:
    """Files are listed under images, audio, gifs ...: whatever has a file name is one. Texts are plain strings."""
    for node, output in outputs.items():
        for kind, entries in output.items():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and "filename" in entry:
                    place = {key: entry[key] for key in ("filename", "subfolder", "type") if entry.get(key)}
                    async with session.get(f"{url}/view", params=place) as response:
                        if response.ok:
                            result.files.setdefault(node, []).append(
                                File(entry["filename"], await response.read(), entry.get("type") == "output"))
                        else:
                            result.problems.append(f"{name(prompt, node)}: the server does not give "
                                                   f"{entry['filename']}: {response.status} {response.reason}")
                elif kind == "text":
                    result.written.setdefault(node, []).append(str(entry))


def _node_text(data: bytes) -> tuple[str, str] | None:
    """(node id, text) of a binary message, None when it is not a text: u32 kind, u32 id length, id, text."""
    if len(data) < 8 or struct.unpack_from(">I", data)[0] != TEXT_MESSAGE:
        return None
    end = 8 + struct.unpack_from(">I", data, 4)[0]
    return data[8:end].decode(errors="replace"), data[end:].decode(errors="replace")
