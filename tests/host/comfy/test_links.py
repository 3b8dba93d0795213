"""What ComfyUI asks a node before it runs, while the values of linked inputs are not known: it gives None for them."""

import asyncio
import inspect

import folder_paths
import pytest

from blockdance.nodes import BlockDanceExtension, ada, profiles

ASKED = "validate_inputs", "fingerprint_inputs"
NODES = [node for node in asyncio.run(BlockDanceExtension().get_node_list())
         if any(question in vars(node) for question in ASKED)]


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path) -> None:
    """Those of the pack, empty."""
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {**folder_paths.folder_names_and_paths})
    monkeypatch.setattr(folder_paths, "models_dir", str(tmp_path))
    profiles.register()
    ada.register()


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("question", ASKED)
def test_any_input_may_be_linked(node, question):
    asked = vars(node).get(question)
    if asked is None:
        return
    parameters = [name for name, parameter in inspect.signature(asked.__func__).parameters.items()
                  if name != "cls" and parameter.kind is not inspect.Parameter.VAR_KEYWORD]
    answer = getattr(node, question)(**dict.fromkeys(parameters))
    assert answer is True or question == "fingerprint_inputs" and isinstance(answer, str)
