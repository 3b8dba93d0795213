"""What a server has against a prompt, apart from files that are not there."""

import json
import re
import uuid
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from lab.headless import client
from lab.headless.graph import Prompt, name

FILE = re.compile(r"\.\w{2,12}$")
NO_FILE = re.compile(r"Invalid (image|audio|video|\w*) ?file|not found|does not exist", re.IGNORECASE)


@dataclass(frozen=True)
class Verdict:
    """missing: the nodes whose files are not there; complaints: all else, in words."""
    missing: frozenset[str]
    complaints: tuple[str, ...]


def judged(url: str, prompt: Prompt) -> Verdict:
    """Post it as the page does. What the server would run of it is taken out of its queue at once."""
    prompt_id = str(uuid.uuid4())
    body = json.dumps({"prompt": prompt, "prompt_id": prompt_id}).encode()
    request = Request(f"{url}/prompt", body, {"Content-Type": "application/json"})
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=600) as response:
            answer = json.load(response)
        client.cancel(url, prompt_id)
    except HTTPError as error:
        answer = json.load(error)
    errors = [(node, error) for node, problem in answer.get("node_errors", {}).items() for error in problem["errors"]]
    complaints = [f"{name(prompt, node)}: {error['message']}: {error['details']}" for node, error in errors
                  if not about_files(error)]
    if not errors and (problem := answer.get("error")):
        complaints.append(f"{problem['message']} {problem['details']}".strip())
    return Verdict(frozenset(node for node, error in errors if about_files(error)), tuple(complaints))


def about_files(error: dict) -> bool:
    """Whether an error of the server's validation says that a file is missing."""
    if error["type"] == "value_not_in_list":
        return bool(FILE.search(str(error.get("extra_info", {}).get("received_value", ""))))
    return error["type"] == "custom_validation_failed" and bool(NO_FILE.search(error["details"]))
