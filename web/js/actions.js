/** What a right click on a patch node offers beside ComfyUI's own: measure anew, copy the plan, open the report. */

import { app } from "../../../scripts/app.js";
import { openReport } from "./report.js";
import { element } from "./view.js";
import { words } from "./words.js";

/** @typedef {import("./timeline.js").Run} Run */

export const ANEW = "measure anew"; // a value of Auto's profile

/** @param {object} node @param {Run} [run] its latest @param {string} [plan] as text */
export function menuOf(node, run, plan) {
    const profile = node.widgets.find(({ name }) => name === "profile");
    const finished = run?.phase === "finished";
    return [
        null, // a line between ComfyUI's own and these
        ...profile ? [{ content: words("Measure anew"), callback: () => measureAnew(profile) }] : [],
        { content: words("Copy plan"), disabled: !plan, callback: () => copy(plan) },
        { content: words("Open report"), disabled: !finished, callback: () => openReport(run.report) },
    ];
}

/** Queue the workflow once with this choice. The widget keeps the user's own, and so do the pictures: what they hold of
 *  the workflow is what the page shows. */
function measureAnew(profile) {
    profile.serializeValue = () => { // asked for the prompt, once this one's turn has come
        delete profile.serializeValue;
        return ANEW;
    };
    return app.queuePrompt(0);
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
