/** The element on the node: a title, the map with its axes, a legend, and what else there is to know. */

import { columns, draw, legend } from "./map.js";

/** @typedef {import("./map.js").Report} Report */
/** @typedef {import("./map.js").Phase} Phase */

/** What the parts need, with three lines of notes; without notes the map takes their place. */
export const HEIGHT = 188;
const SMALL = "font-size: 10px; color: var(--descrip-text);";

export class View {
    /** @param {(event: WheelEvent) => void} onWheel */
    constructor(onWheel) {
        this.title = element("div", "font-weight: 600;");
        this.map = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        this.map.setAttribute("preserveAspectRatio", "none");
        this.map.setAttribute("role", "img");
        // Without size containment its viewBox gives it a height by its width, and Nodes 2.0 a node of that height
        this.map.style.cssText = "grid-area: map; width: 100%; height: 100%; min-height: 0; contain: size;";
        this.blocks = element("div", `grid-area: blocks; display: flex; flex-direction: column;
            justify-content: space-between; text-align: right; line-height: 1; ${SMALL}`);
        this.steps = element("div", `grid-area: steps; display: flex; justify-content: space-between; ${SMALL}`);
        this.legend = element("div", `display: flex; flex-wrap: wrap; column-gap: 10px; ${SMALL}`);
        this.note = element("div", `overflow: hidden; overflow-wrap: anywhere; display: -webkit-box; -webkit-box-orient: vertical;
            -webkit-line-clamp: 3; ${SMALL}`);
        this.grid = element("div", `flex: 1; min-height: 64px; display: grid; gap: 2px 5px;
            grid: "blocks map" 1fr ". steps" auto / auto 1fr;`, this.blocks, this.map, this.steps);
        this.root = element("div", `display: flex; flex-direction: column; gap: 4px; box-sizing: border-box;
            min-height: ${HEIGHT}px; padding: 6px 8px; border-radius: 8px; overflow: hidden; font-size: 12px;
            line-height: 1.3; color: var(--input-text); background: var(--component-node-widget-background, var(--comfy-input-bg));`,
            this.title, this.grid, this.legend, this.note);
        this.root.className = "blockdance-timeline";
        this.root.addEventListener("wheel", onWheel, { passive: true });
        this.show({ phase: "planned" });
    }

    /** @param {{report?: Report, phase: Phase, error?: string, hint?: string}} content */
    show({ report, phase, error, hint }) {
        const notes = [hint, report?.note, report?.outcome, ...report?.failures ?? []].filter(Boolean);
        const note = error ?? [...new Set(notes)].join("; ");
        this.root.dataset.phase = error ? "error" : phase;
        this.note.textContent = this.note.title = note;
        this.note.style.order = error ? "-1" : "";
        this.note.style.color = error ? "var(--error-text)" : "var(--descrip-text)";
        for (const part of [this.title, this.grid, this.legend]) part.style.visibility = report ? "" : "hidden";
        if (report) this.#draw(report, phase);
    }

    /** @param {Report} report @param {Phase} phase */
    #draw(report, phase) {
        const shown = columns(report, phase);
        const axis = phase === "finished" ? "evaluation" : "step";
        this.title.textContent = titleOf(report, phase);
        this.map.setAttribute("aria-label", this.title.textContent);
        draw(this.map, shown, report.stacks, phase);
        this.blocks.replaceChildren(...labels("0", "block", depthOf(report) - 1));
        this.steps.replaceChildren(...labels("0", axis, shown.length - 1));
        this.legend.replaceChildren(...legend(shown).map(([label, color]) => element("span", "", element("span",
            `display: inline-block; width: 8px; height: 8px; margin-right: 4px; background: ${color};`), label)));
    }
}

/** @param {Report} report @param {Phase} phase */
function titleOf(report, phase) {
    const count = report.evaluations.length;
    if (phase === "running") {
        const step = report.evaluations.at(-1).step + 1;
        return `${count === step ? "" : `Evaluation ${count}, `}Step ${step} of ${report.steps}`;
    }
    if (phase === "stopped") return `Stopped in evaluation ${count}`;
    const total = phase === "finished" ? report.total_blocks : depthOf(report) * report.steps;
    const skipped = report.plan.reduce((sum, { reuse }) => sum + (reuse ? reuse.last - reuse.first + 1 : 0), 0);
    const executed = phase === "finished" ? report.executed_blocks : total - skipped;
    const saving = `${(Math.max(1, total) / Math.max(1, executed)).toFixed(2)}x by blocks`;
    if (phase === "planned") return `Plan: ${saving}, ${Math.round(100 * executed / total)}% computed`;
    return `${saving}, ${report.seconds.toFixed(2)} s, ${(report.cache_bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** @param {Report} report */
function depthOf({ stacks }) {
    return stacks.reduce((sum, blocks) => sum + blocks, 0);
}

/** @param {...(string | number)} texts */
function labels(...texts) {
    return texts.map((text) => element("span", "", `${text}`));
}

/** @param {string} tag @param {string} style @param {...(Node | string)} children */
function element(tag, style, ...children) {
    const made = document.createElement(tag);
    made.style.cssText = style;
    made.append(...children);
    return made;
}
