/** The timeline on every patch node: the plan while widgets change, the run while it samples, and what came of it. */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { ANEW, menuOf } from "./actions.js";
import { nodeAt, nodesIn } from "./graph.js";
import { agree, settle } from "./quality.js";
import { TIMELINE, View } from "./view.js";
import { learnWords } from "./words.js";

/** @typedef {import("./map.js").Report} Report */
/**
 * @typedef {{workflow: string | null, node: string, settings: Record<string, unknown>, phase: import("./map.js").Phase,
 *     report: Report, model: object, written?: string, steps?: number}} Run  `steps` is the sampler's widget at the
 *     time, `written` its plan as text
 */

const NAME = "blockdance.timeline";
const PLAN = "/blockdance/plan";
const MARGIN = 8; // around the widget, in the classic renderer
const PAUSE = 120; // milliseconds without a change before a plan is asked for
const KEPT = 20; // runs that survive a reload of the page
const PLAN_SIZE = [420, 480]; // of a new BlockDance Plan, whose text is read and written

/** The latest run of each node, by workflow and execution id, the newest last. @type {Map<string, Run>} */
const runs = new Map();
/** The nodes that get a timeline. @type {Set<string>} */
let patches = new Set();
/** @type {WeakMap<object, {view: View, asked?: string, timer?: number, plan?: string}>} */
const timelines = new WeakMap();

app.registerExtension({
    name: NAME,

    async init() {
        const [found] = await Promise.all([ask(), learnWords()]);
        patches = new Set(found);
    },

    setup() {
        for (const [key, run] of JSON.parse(sessionStorage.getItem(NAME) ?? "[]")) runs.set(key, run);
        api.addEventListener(NAME, ({ detail }) => receive(detail));
        api.addEventListener("execution_error", stop);
        api.addEventListener("execution_interrupted", stop);
        api.addEventListener("graphChanged", refreshAll);
    },

    nodeCreated(node) {
        if (!patches.has(node.comfyClass)) return;
        const view = new View((event) => {
            // Nodes 2.0 hands the wheel on by itself
            if (!LiteGraph.vueNodesMode) app.canvas.processMouseWheel(event);
        }, () => grow(node));
        const height = () => view.height + 2 * MARGIN;
        const widget = node.addDOMWidget(TIMELINE, TIMELINE, view.root, {
            serialize: false, hideOnZoom: false, margin: MARGIN, getMinHeight: height,
            getMaxHeight: () => view.isFlat ? height() : undefined,
        });
        widget.serialize = false; // options.serialize is for the prompt, this one for the saved workflow
        timelines.set(node, { view });
        for (const widget of node.widgets) {
            const { callback } = widget;
            widget.callback = function (...values) {
                const result = callback?.apply(this, values);
                agree(node, widget.name);
                refresh(node);
                return result;
            };
        }
        for (const change of ["onConfigure", "onConnectionsChange"]) {
            const before = node[change];
            node[change] = function (...values) {
                const result = before?.apply(this, values);
                settle(node);
                return result;
            };
        }
        if (node.comfyClass === "BlockDancePlan") node.setSize(PLAN_SIZE);
        refresh(node);
    },

    getNodeMenuItems(node) {
        if (!timelines.has(node)) return [];
        const run = runOf(node), current = run && isOf(run, node) ? run : undefined;
        return menuOf(node, current, current?.written ?? timelines.get(node).plan);
    },

    afterConfigureGraph: refreshAll,
});

/** @param {Run} run */
function receive(run) {
    const workflow = run.workflow ?? app.rootGraph.id;
    const key = `${workflow}/${run.node}`;
    const node = workflow === app.rootGraph.id ? nodeAt(run.node) : undefined;
    run.steps = node ? stepsOf(node) : runs.get(key)?.steps;
    runs.delete(key);
    runs.set(key, run);
    if (run.phase === "finished") remember();
    if (timelines.has(node)) refresh(node);
}

/** A run that failed or was interrupted sends no more. */
function stop() {
    for (const run of runs.values()) if (run.phase === "running") run.phase = "stopped";
    refreshAll();
}

function remember() {
    const finished = [...runs].filter(([, run]) => run.phase === "finished").slice(-KEPT);
    try {
        sessionStorage.setItem(NAME, JSON.stringify(finished));
    } catch (error) {
        if (error.name !== "QuotaExceededError") throw error; // full: a reload shows the plan instead
    }
}

function refreshAll() {
    for (const node of nodesIn()) if (timelines.has(node)) refresh(node);
}

/** Show the node's latest run, or the plan if its settings have changed since. */
function refresh(node) {
    const timeline = timelines.get(node);
    clearTimeout(timeline.timer);
    const run = runOf(node);
    if (run && isOf(run, node)) {
        timeline.asked = undefined;
        show(node, { report: run.report, phase: run.phase });
    } else {
        timeline.timer = setTimeout(() => preview(node, run), PAUSE);
    }
}

/** Ask the server for the plan, since only Python knows how plans are made. */
async function preview(node, run) {
    const timeline = timelines.get(node);
    const body = JSON.stringify({
        node: node.comfyClass, settings: settingsOf(node, run), steps: stepsOf(node) ?? run?.steps ?? null,
        model: run?.model ?? null,
    });
    if (!node.graph || timeline.asked === body) return;
    timeline.asked = body;
    const plan = await ask({ method: "POST", body });
    if (timeline.asked !== body) return;
    timeline.plan = plan?.written;
    show(node, { ...plan, phase: "planned" });
}

/** The server's answer; nothing if it has none. @param {RequestInit} [options] */
async function ask(options) {
    const response = await api.fetchApi(PLAN, options).catch(() => undefined);
    return response?.ok ? response.json() : undefined;
}

function show(node, content) {
    timelines.get(node).view.show(content);
    node.setDirtyCanvas(true, true);
}

/** Give a node the height that it needs, if it has less. Nodes 2.0 does so by itself. */
function grow(node) {
    if (LiteGraph.vueNodesMode || node.flags.collapsed) return;
    const [width, height] = node.size, [, least] = node.computeSize();
    if (least > height) node.setSize([width, least]);
    node.setDirtyCanvas(true, true);
}

/** @returns {Run | undefined} */
function runOf(node) {
    const here = ([key, run]) => key === `${app.rootGraph.id}/${run.node}` && nodeAt(run.node) === node;
    return [...runs].filter(here).at(-1)?.[1];
}

/** Whether the run had the node's present settings. @param {Run} run */
function isOf(run, node) {
    const settings = Object.entries(settingsOf(node, run)), steps = stepsOf(node);
    const same = ([name, value]) => run.settings[name] === value || (name === "profile" && run.settings[name] === ANEW);
    return settings.every(same) && (run.steps ?? steps) === steps;
}

/** The values of the node's widgets; of one that a link sets, what it was in the latest run. @param {Run} [run] */
function settingsOf(node, run) {
    const linked = new Set(node.inputs.filter((input) => input.link != null).map((input) => input.widget?.name));
    const widgets = node.widgets.filter((widget) => widget.serialize !== false);
    return Object.fromEntries(widgets.map(({ name, value }) =>
        [name, linked.has(name) && run ? run.settings[name] : value]));
}

/** The `steps` widget of the sampler or scheduler that the node's model goes to. @returns {number | undefined} */
function stepsOf(node) {
    const nodes = [node];
    for (const from of nodes) {
        const sigmas = from.inputs?.findIndex(({ type }) => type === "SIGMAS") ?? -1;
        for (const candidate of [from, sigmas < 0 ? undefined : from.getInputNode(sigmas)]) {
            const steps = candidate?.widgets?.find(({ name }) => name === "steps");
            if (steps) return steps.value;
        }
        for (const { type, links } of from.outputs ?? []) {
            if (type !== "MODEL" && type !== "GUIDER") continue;
            for (const link of links ?? []) {
                const to = from.graph?.getNodeById(from.graph.getLink(link)?.target_id);
                if (to && !nodes.includes(to)) nodes.push(to);
            }
        }
    }
}
