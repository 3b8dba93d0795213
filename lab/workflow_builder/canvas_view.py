"""Where nodes are on the page: brought to a place of its window, as large as asked."""

from typing import NamedTuple

from ...tests.browser.comfy_page import ComfyPage


class Box(NamedTuple):
    """Of a node, in pixels of the window."""
    left: int
    top: int
    right: int
    bottom: int


def bring_to(page: ComfyPage, ids: list[int], scale: float, left: int, top: int) -> list[Box]:
    """Move the graph so that these nodes begin at (left, top); a box for each. What comes to the nodes has come."""
    found = page.evaluate("""([ids, scale, left, top]) => {
        const boxes = ids.map((id) => [...app.graph.getNodeById(id).getBounding()]);
        const x = Math.min(...boxes.map((box) => box[0])), y = Math.min(...boxes.map((box) => box[1]));
        app.canvas.ds.scale = scale;
        app.canvas.ds.offset = [left / scale - x, top / scale - y];
        app.canvas.deselectAll();
        app.canvas.setDirty(true, true);
        return boxes.map(([bx, by, width, height]) => [bx, by, bx + width, by + height].map(
            (edge, number) => Math.round(number % 2 ? top + (edge - y) * scale : left + (edge - x) * scale)));
    }""", [ids, scale, left, top])
    page.page.wait_for_timeout(1500)  # the plan arrives
    return [Box(*edges) for edges in found]


def shrink(page: ComfyPage, ids: list[int]) -> None:
    """Make nodes with a timeline and no text as small as they can be: what they say after a run may be less than
    before."""
    page.evaluate("""(ids) => {
        for (const node of ids.map((id) => app.graph.getNodeById(id))) {
            const tells = node.widgets.some(({ name }) => name === "blockdance_timeline");
            const text = node.widgets.some(({ type }) => type === "customtext");
            if (tells && !text) node.setSize([node.size[0], node.computeSize()[1]]);
        }
        app.canvas.setDirty(true, true);
    }""", ids)
    page.page.wait_for_timeout(500)
