/** The element on the node: what the run comes to, the map with its axes, a legend, and what else there is to know. */

import { columns, depthOf, draw, isStrip, legend } from "./map.js";
import { capital, sentences, words } from "./words.js";

/** @typedef {import("./map.js").Report} Report */
/** @typedef {import("./map.js").Phase} Phase */

export const TIMELINE = "blockdance_timeline"; // the widget's name
const USUAL = 150; // pixels that it takes, as long as it was not laid out
const MAP = 84, STRIP = 40; // pixels of the map with its axis, at least
const GAP = 4, PADDING = 6;
const SMALL = "font-size: 10px; color: var(--descrip-text);";
const MOST_NOTES = 130; // pixels; what is longer can be scrolled
// What a note says first, where a headline says it already
const SAID = /^[^;:]*?, \d+ dB expected(?=;|$)(; )?/;

export class View {
    /** @param {(event: WheelEvent) => void} onWheel @param {() => void} onHeight when it needs more or less of it */
    constructor(onWheel, onHeight) {
        this.title = element("div", "font-weight: 600;");
        this.closeness = element("div", "");
        this.map = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        this.map.setAttribute("preserveAspectRatio", "none");
        this.map.setAttribute("role", "img");
        // Without size containment its viewBox gives it a height by its width, and Nodes 2.0 a node of that height
        this.map.style.cssText = "grid-area: map; width: 100%; height: 100%; min-height: 0; contain: size;";
        this.blocks = element("div", `grid-area: blocks; flex-direction: column;
            justify-content: space-between; text-align: right; line-height: 1; ${SMALL}`);
        this.steps = element("div", `grid-area: steps; display: flex; justify-content: space-between; ${SMALL}`);
        this.legend = element("div", `display: flex; flex-wrap: wrap; column-gap: 10px; ${SMALL}`);
        this.note = element("div", `flex: none; overflow: hidden auto; overflow-wrap: anywhere;
            max-height: ${MOST_NOTES}px; ${SMALL}`);
        this.grid = element("div", `display: grid; gap: 2px 5px;
            grid: "blocks map" 1fr ". steps" auto / auto 1fr;`, this.blocks, this.map, this.steps);
        this.root = element("div", `display: flex; flex-direction: column; gap: ${GAP}px; box-sizing: border-box;
            padding: ${PADDING}px 8px; border-radius: 8px; overflow: hidden; font-size: 12px;
            line-height: 1.3; color: var(--input-text); background: var(--component-node-widget-background, var(--comfy-input-bg));`,
            this.title, this.closeness, this.grid, this.legend, this.note);
        this.root.className = "blockdance-timeline";
        this.root.addEventListener("wheel", onWheel, { passive: true });
        this.height = USUAL;
        const observer = new ResizeObserver(() => this.#measure(onHeight));
        for (const part of [this.root, ...this.root.children]) observer.observe(part);
        this.show({ phase: "planned" });
    }

    /** Whether more height than it needs is of no use to it. */
    get isFlat() {
        return this.root.dataset.strip === "true";
    }

    /** @param {{report?: Report, phase: Phase, error?: string, hint?: string}} content */
    show({ report, phase, error, hint }) {
        this.root.dataset.phase = error ? "error" : phase;
        this.root.style.minHeight = `${report || error ? 0 : USUAL}px`;
        const note = error ?? sentences(notesOf(report, phase, hint).join("; "));
        this.note.textContent = this.note.title = capital(note);
        this.note.style.order = error ? "-1" : "";
        this.note.style.color = error ? "var(--error-text)" : "var(--descrip-text)";
        this.title.style.display = report ? "block" : "none";
        this.grid.style.display = report ? "grid" : "none";
        this.legend.style.display = report ? "flex" : "none";
        this.closeness.textContent = report && phase === "finished" ? closenessOf(report) : "";
        this.closeness.style.display = this.closeness.textContent ? "" : "none";
        if (report) this.#draw(report, phase);
    }

    /** @param {Report} report @param {Phase} phase */
    #draw(report, phase) {
        const shown = columns(report, phase), strip = isStrip(shown, report.stacks);
        this.root.dataset.strip = strip;
        this.grid.style.flex = strip ? "none" : "1";
        this.grid.style.columnGap = strip ? "0" : "5px";
        this.grid.style.minHeight = `${strip ? STRIP : MAP}px`;
        this.blocks.style.display = strip ? "none" : "flex";
        this.title.textContent = capital(words(titleOf(report, phase)));
        this.map.setAttribute("aria-label", this.title.textContent);
        draw(this.map, shown, report.stacks, phase);
        this.blocks.replaceChildren(...labels("0", words("block"), depthOf(report.stacks) - 1));
        this.steps.replaceChildren(...labels("0", words("evaluation"), shown.length - 1));
        this.legend.replaceChildren(...legend(shown).map(([label, color]) => element("span", "", element("span",
            `display: inline-block; width: 8px; height: 8px; margin-right: 4px; background: ${color};`), label)));
    }

    /** What its parts need, whatever it was given. @param {() => void} onHeight */
    #measure(onHeight) {
        if (!this.root.offsetHeight) return; // out of sight
        const parts = [...this.root.children].filter((part) => part.offsetHeight);
        const needed = parts.reduce((sum, part) => sum + GAP + (part === this.grid
            ? parseFloat(this.grid.style.minHeight) : part.offsetHeight), 2 * PADDING - GAP);
        if (Math.abs(needed - this.height) < 1) return;
        this.height = needed;
        onHeight();
    }
}

/** What to know beside the headline, the most important first. @param {Report} [report] @param {Phase} phase */
export function notesOf(report, phase, hint) {
    if (!report) return [hint].filter(Boolean);
    const note = report.closeness && phase === "finished" ? report.note.replace(SAID, "") : report.note;
    const notes = [...report.failures, report.outcome, note, hint, ...report.notes];
    if (phase === "finished") {
        if (!/ s$/.test(report.headline)) notes.push(`${report.seconds.toFixed(2)} s of sampling`);
        if (report.cache_bytes) notes.push(`${(report.cache_bytes / 2 ** 20).toFixed(1)} MiB kept between evaluations`);
    }
    return [...new Set(notes.filter(Boolean))];
}

/** @param {Report} report */
export function closenessOf({ closeness, expected_quality }) {
    return closeness && capital(words(`expected: ${closeness} (${expected_quality.toFixed(0)} dB)`));
}

/** @param {Report} report @param {Phase} phase */
export function titleOf(report, phase) {
    const count = report.evaluations.length;
    if (phase === "planned") return `plan: ${report.headline}`;
    if (phase === "stopped") return `stopped in evaluation ${count}`;
    if (phase === "finished") return report.headline.replace("->", "\u2192");
    const step = report.evaluations.at(-1).step + 1;
    return count === step ? `evaluation ${count} of ${report.steps}`
        : `evaluation ${count}, step ${step} of ${report.steps}`;
}

/** @param {...(string | number)} texts */
function labels(...texts) {
    return texts.map((text) => element("span", "", `${text}`));
}

/** @param {string} tag @param {string} style @param {...(Node | string)} children */
export function element(tag, style, ...children) {
    const made = document.createElement(tag);
    made.style.cssText = style;
    made.append(...children);
    return made;
}
