/** What a right click on a patch node offers beside ComfyUI's own: measure anew, copy the plan, open the report. */

import { app } from "../../../scripts/app.js";
import { element } from "./view.js";
import { capital, sentences, words } from "./words.js";

/** @typedef {import("./timeline.js").Run} Run */

export const ANEW = "measure anew"; // a value of Auto's profile

/** @param {object} node @param {Run} [run] its latest @param {string} [plan] as text */
export function menuOf(node, run, plan) {
    const profile = node.widgets.find(({ name }) => name === "profile");
    const finished = run?.phase === "finished";
    return [
        ...profile ? [{ content: words("Measure anew"), callback: () => measureAnew(profile) }] : [],
        { content: words("Copy plan"), disabled: !plan, callback: () => copy(plan) },
        { content: words("Open report"), disabled: !finished, callback: () => openReport(run) },
    ];
}

/** Queue the workflow once with this choice; the widget keeps the user's own. */
async function measureAnew(profile) {
    const own = profile.value;
    profile.value = ANEW;
    try {
        await app.queuePrompt(0);
    } finally {
        profile.value = own;
        profile.callback?.(own);
    }
}

/** @param {string} text */
async function copy(text) {
    try {
        await navigator.clipboard.writeText(text);
    } catch { // the page has no clipboard but over https and on this machine
        const area = element("textarea", "position: fixed; opacity: 0;");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
    }
    tell(words("The plan is copied: paste it into BlockDance Plan, or keep it as a text file"));
}

/** @param {string} text */
export function tell(text) {
    app.extensionManager.toast.add({ severity: "info", summary: "BlockDance", detail: text, life: 5000 });
}

/** @param {Run} run */
function openReport({ report, text }) {
    const close = element("button", BUTTON, words("Close"));
    const heading = capital(words(report.headline.replace("->", "\u2192")));
    const dialog = element("dialog", `max-width: min(900px, 90vw); max-height: 85vh; overflow: auto; padding: 16px 20px;
        border: 1px solid var(--border-color); border-radius: 8px; color: var(--input-text); background: var(--comfy-menu-bg);`,
        element("h3", "margin: 0 0 8px; font-size: 16px;", heading),
        element("p", "margin: 0 0 8px; font-size: 12px;", sentences(report.note)),
        element("pre", "margin: 0 0 12px; font-size: 11px; line-height: 1.5; white-space: pre-wrap; user-select: text;", text),
        close);
    dialog.className = "blockdance-report";
    close.onclick = () => dialog.close();
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

const BUTTON = `padding: 6px 14px; border: 1px solid var(--border-color); border-radius: 6px; cursor: pointer;
    color: var(--input-text); background: var(--comfy-input-bg);`;
