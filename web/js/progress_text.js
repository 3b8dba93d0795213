/** The line of text that ComfyUI's page shows on a node that sends one: in the user's language, and not beside a timeline,
 *  which says the same. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { nodeAt } from "./graph.js";
import { TIMELINE } from "./view.js";
import { learnWords, sentences } from "./words.js";

const LINE = "$$node-text-preview"; // the page's widget for it
const OURS = /\/blockdance(\/|$)/; // where the node menu has our nodes; the rest of the path is translated

app.registerExtension({
    name: "blockdance.progress_text",

    init: learnWords,

    setup() {
        // Once the page has put its line there
        api.addEventListener("progress_text", ({ detail }) => queueMicrotask(() => settle(nodeAt(detail.nodeId))));
    },
});

function settle(node) {
    const line = node?.widgets?.find((widget) => widget.name === LINE);
    if (!line || !OURS.test(node.constructor.category)) return;
    if (node.widgets.some((widget) => widget.name === TIMELINE)) node.removeWidget(line);
    else line.value = sentences(line.value);
}
