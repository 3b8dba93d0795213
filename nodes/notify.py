"""The line of text on a node. The only place that talks to ComfyUI's PromptServer."""

from server import PromptServer


def show(text: str, node_id: str) -> None:
    """Show one line on a node, in place of the one before. Nothing of it is saved with the workflow."""
    PromptServer.instance.send_progress_text(text, node_id)
