/**
 * The picture of a run: evaluations from left to right, blocks from top to bottom.
 *
 * @typedef {{first: number, last: number, kind: "feature" | "delta" | "output"}} Reuse
 * @typedef {{step: number, reuse: Reuse | null, store: Reuse[]}} Planned
 * @typedef {{step: number, reuse: Reuse | null, stored: Reuse[], executed: number, total: number, passes: number,
 *     misses: number, seconds: number}} Evaluation
 * @typedef {{method: string, model: string, stacks: number[], steps: number, executed_blocks: number,
 *     total_blocks: number, seconds: number, cache_bytes: number, note: string, outcome: string, failures: string[],
 *     plan: Planned[], evaluations: Evaluation[]}} Report  as Report.as_dict() in blockdance_core/engine/report.py makes it
 * @typedef {"planned" | "running" | "finished" | "stopped"} Phase
 * @typedef {{reuse: Reuse | null, stored: Reuse[], partly: boolean, state: "done" | "current" | "ahead",
 *     text: string}} Column
 */

/** The colors of the report's picture, blockdance_core/figures/run_map.py. */
const CELLS = {
    computed: ["computed", "#4a72ad"],
    stored: ["stored", "#f0a830"],
    feature: ["feature reused", "#35b18b"],
    delta: ["delta reused", "#bd6fd6"],
    output: ["output forecast", "#5cc8e0"],
    partly: ["partly reused", "#a7c957"],
};
const LEAST_STORED = 1 / 24, MOST_STORED = 1 / 4; // of the height, so that one block of many is seen, and not alone
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
function executed({ step, reuse, stored, executed, total, misses, seconds }, current) {
    if (current) return { reuse, stored: [], partly: false, state: "current", text: `step ${step}: being computed` };
    const reused = executed < total ? reuse : null;
    return {
        reuse: reused, stored, partly: reused !== null && misses > 0, state: "done",
        text: `step ${step}: ${reused ? words(reused) : "computed"}, ${executed} of ${total} blocks, `
            + `${(seconds * 1000).toFixed(0)} ms`,
    };
}

/** @param {Planned} planned @returns {Column} */
function planned({ step, reuse, store }) {
    return {
        reuse, stored: store, partly: false, state: "ahead",
        text: `step ${step}: ${reuse ? words(reuse) : "computed"}`,
    };
}

/** @param {Reuse} reuse */
function words({ first, last, kind }) {
    return kind === "output" ? "output forecast from earlier steps" : `${kind} of blocks ${first}-${last} reused`;
}

/** @param {SVGElement} svg @param {Column[]} columns @param {number[]} stacks @param {Phase} phase */
export function draw(svg, columns, stacks, phase) {
    const depth = stacks.reduce((sum, count) => sum + count, 0);
    svg.setAttribute("viewBox", `0 0 ${columns.length} ${depth}`);
    const bars = columns.map((column, x) => drawn(column, x, depth, phase));
    svg.replaceChildren(...bars, ...borders(stacks, columns.length));
}

/** @param {Column} column @param {number} x @param {number} depth @param {Phase} phase */
function drawn(column, x, depth, phase) {
    const bar = (cell, top, height) => shape("rect", {
        x: x + GAP / 2, y: top, width: 1 - GAP, height, fill: CELLS[cell][1],
    });
    const faint = phase !== "planned" && column.state === "ahead";
    const group = shape("g", { "data-state": column.state, opacity: faint ? .35 : 1 });
    const title = shape("title", {});
    title.textContent = column.text;
    group.append(title, bar("computed", 0, depth));
    const { reuse } = column;
    if (reuse) group.append(bar(column.partly ? "partly" : reuse.kind, reuse.first, reuse.last - reuse.first + 1));
    const height = Math.min(Math.max(1, depth * LEAST_STORED), depth * MOST_STORED);
    for (const { last } of column.stored) group.append(bar("stored", last + 1 - height, height));
    if (column.state === "current") {
        group.append(shape("rect", {
            x, y: 0, width: 1, height: depth, fill: "none", stroke: "var(--input-text)", "stroke-width": 2,
            "vector-effect": "non-scaling-stroke",
        }));
    }
    return group;
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
    const found = new Set(["computed"]);
    for (const { reuse, stored, partly } of columns) {
        if (stored.length) found.add("stored");
        if (reuse) found.add(partly ? "partly" : reuse.kind);
    }
    return Object.keys(CELLS).filter((cell) => found.has(cell)).map((cell) => CELLS[cell]);
}

function shape(name, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
}
