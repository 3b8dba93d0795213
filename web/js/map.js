/**
 * The picture of a run: evaluations from left to right, blocks from top to bottom; one row where every evaluation is
 * computed or left out as a whole.
 *
 * @typedef {{first: number, last: number, kind: "feature" | "delta" | "output"}} Reuse
 * @typedef {{step: number, reuse: Reuse | null, store: Reuse[]}} Planned
 * @typedef {{step: number, reuse: Reuse | null, stored: Reuse[], executed: number, total: number, passes: number,
 *     misses: number, macs: number, total_macs: number, cache_bytes: number, seconds: number}} Evaluation
 * @typedef {{method: string, model: string, stacks: number[], steps: number, executed_blocks: number,
 *     total_blocks: number, seconds: number, cache_bytes: number, note: string, outcome: string, notes: string[],
 *     failures: string[], macs: number, total_macs: number, uncounted: string[], headline: string, closeness: string, expected_quality: number | null,
 *     provenance: Record<string, string>, plan: Planned[], evaluations: Evaluation[]}} Report  as Report.as_dict() in
 *     blockdance_core/engine/report.py makes it
 * @typedef {"planned" | "running" | "finished" | "stopped"} Phase
 * @typedef {{reuse: Reuse | null, partly: boolean, state: "done" | "current" | "ahead", deed: string, text: string}}
 *     Column  `deed` is what it does in the user's language, `text` the same with its step
 */

import { capital, words } from "./words.js";

/** The colors of the report's picture, blockdance_core/figures/run_map.py. */
const CELLS = {
    computed: ["computed", "#4a72ad"],
    feature: ["reused", "#35b18b"],
    delta: ["change reused", "#bd6fd6"],
    output: ["forecast", "#5cc8e0"],
    partly: ["partly reused", "#a7c957"],
};
const GAP = .1; // of a column

/** @param {Report} report @param {Phase} phase @returns {Column[]} */
export function columns(report, phase) {
    const current = phase === "running" ? report.evaluations.length - 1 : -1;
    const done = report.evaluations.map((evaluation, index) => executed(evaluation, index === current));
    if (phase === "finished") return done;
    const next = report.evaluations.length ? report.evaluations.at(-1).step + 1 : 0;
    return [...done, ...report.plan.slice(next).map(planned)];
}

/** @param {Evaluation} evaluation @param {boolean} current @returns {Column} */
function executed({ step, reuse, executed, total, misses, seconds }, current) {
    if (current) return { reuse, partly: false, state: "current", ...told(step, "being computed") };
    const reused = executed < total ? reuse : null, { deed, text } = told(step, deedOf(reused));
    const part = executed > 0 && executed < total ? `, ${words(`${executed} of ${total} blocks`)}` : "";
    return {
        reuse: reused, partly: reused !== null && misses > 0, state: "done", deed,
        text: `${text}${part}, ${(seconds * 1000).toFixed(0)} ms`,
    };
}

/** @param {Planned} planned @returns {Column} */
function planned({ step, reuse }) {
    return { reuse, partly: false, state: "ahead", ...told(step, deedOf(reuse)) };
}

/** @param {number} step @param {string} deed */
function told(step, deed) {
    return { deed: words(deed), text: words(`step ${step}: ${deed}`) };
}

/** @param {Reuse | null} reuse */
function deedOf(reuse) {
    if (!reuse) return "computed";
    const { first, last, kind } = reuse;
    return kind === "output" ? "forecast from earlier steps" : `${kind} of blocks ${first} to ${last} reused`;
}

/** Whether no column tells one block from another. @param {Column[]} columns @param {number[]} stacks */
export function isStrip(columns, stacks) {
    const depth = depthOf(stacks);
    return columns.every(({ reuse }) => !reuse || (reuse.first === 0 && reuse.last === depth - 1));
}

/** @param {SVGElement} svg @param {Column[]} columns @param {number[]} stacks @param {Phase} phase */
export function draw(svg, columns, stacks, phase) {
    const depth = depthOf(stacks);
    svg.setAttribute("viewBox", `0 0 ${columns.length} ${depth}`);
    const bars = columns.map((column, x) => drawn(column, x, depth, phase));
    svg.replaceChildren(...bars, ...isStrip(columns, stacks) ? [] : borders(stacks, columns.length));
}

/** @param {number[]} stacks */
export function depthOf(stacks) {
    return stacks.reduce((sum, count) => sum + count, 0);
}

/** @param {Column} column @param {number} x @param {number} depth @param {Phase} phase */
function drawn(column, x, depth, phase) {
    const bar = (cell, top, height) => shape("rect", {
        x: x + GAP / 2, y: top, width: 1 - GAP, height, fill: CELLS[cell][1],
    });
    const faint = phase !== "planned" && column.state === "ahead";
    const group = shape("g", { "data-state": column.state, "data-cell": cellOf(column), opacity: faint ? .35 : 1 });
    const title = shape("title", {});
    title.textContent = capital(column.text);
    group.append(title, bar("computed", 0, depth));
    const { reuse } = column;
    if (reuse) group.append(bar(cellOf(column), reuse.first, reuse.last - reuse.first + 1));
    if (column.state === "current") {
        group.append(shape("rect", {
            x, y: 0, width: 1, height: depth, fill: "none", stroke: "var(--input-text)", "stroke-width": 2,
            "vector-effect": "non-scaling-stroke",
        }));
    }
    return group;
}

/** @param {Column} column @returns {keyof typeof CELLS} */
function cellOf({ reuse, partly }) {
    return reuse ? partly ? "partly" : reuse.kind : "computed";
}

/** Lines between stacks, as between the double and the single blocks of Flux; a U-Net has too many to draw. */
function borders(stacks, width) {
    let y = 0;
    return stacks.length > 3 ? [] : stacks.slice(0, -1).map((count) => shape("line", {
        x1: 0, x2: width, y1: y += count, y2: y, stroke: "var(--comfy-input-bg)", "stroke-width": 2,
        "vector-effect": "non-scaling-stroke",
    }));
}

/** The kinds of cells in these columns. @param {Column[]} columns @returns {[string, string][]} label and color */
export function legend(columns) {
    const found = new Set(["computed", ...columns.map(cellOf)]);
    return Object.keys(CELLS).filter((cell) => found.has(cell)).map((cell) => [words(CELLS[cell][0]), CELLS[cell][1]]);
}

function shape(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
}
