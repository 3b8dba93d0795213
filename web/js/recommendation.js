/** A button on Feature Similarity that hands its recommendation to BlockDance Patch. */

import { app } from "../../../scripts/app.js";
import { tell } from "./actions.js";
import { learnWords, words } from "./words.js";

const VIEWER = "BlockDanceSimilarity", PATCH = "BlockDancePatch";

app.registerExtension({
    name: "blockdance.recommendation",

    init: learnWords,

    nodeCreated(node) {
        if (node.comfyClass !== VIEWER) return;
        let settings;
        const button = node.addWidget("button", "blockdance_take", null, () => settings && take(node, settings));
        button.serialize = false;
        button.options.serialize = false;
        const show = () => {
            button.label = settings ? words(`Use block ${settings.block_index}, ${settings.start} to ${settings.end}`)
                : words("Use the recommendation (after a run)");
            button.disabled = !settings;
        };
        show();
        const { onExecuted } = node;
        node.onExecuted = function (output) {
            onExecuted?.call(this, output);
            settings = output.recommended?.[0];
            show();
            node.setDirtyCanvas(true, true);
        };
    },
});

/** Into each patch of this graph, or into a new one. @param {object} viewer @param {Record<string, number>} settings */
function take(viewer, settings) {
    const found = viewer.graph.nodes.filter((node) => node.comfyClass === PATCH);
    const patches = found.length ? found : [added(viewer)];
    for (const patch of patches) {
        for (const [name, value] of Object.entries(settings)) {
            const widget = patch.widgets.find((widget) => widget.name === name);
            widget.value = value;
            widget.callback?.(value);
        }
    }
    app.extensionManager.workflow.activeWorkflow?.changeTracker?.captureCanvasState?.();
    app.canvas.setDirty(true, true);
    tell(found.length ? words(`BlockDance Patch has the recommended settings now`)
        : words("A BlockDance Patch with the recommended settings is below: connect it to the sampler"));
}

/** A patch below the viewer, with the model that the probe got. */
function added(viewer) {
    const patch = LiteGraph.createNode(PATCH);
    patch.pos = [viewer.pos[0], viewer.pos[1] + viewer.size[1] + 60];
    viewer.graph.add(patch);
    const probe = viewer.getInputNode(0);
    const [link] = [probe?.inputs?.find(({ type }) => type === "MODEL")?.link].filter((link) => link != null);
    const { origin_id, origin_slot } = link === undefined ? {} : viewer.graph.getLink(link);
    viewer.graph.getNodeById(origin_id)?.connect(origin_slot, patch, "model");
    return patch;
}
