/** A run evaluation by evaluation, in a dialog: what the BlockDance Report node writes, in the user's language. */

import { columns, isStrip } from "./map.js";
import { closenessOf, element, notesOf, titleOf } from "./view.js";
import { capital, sentences, words } from "./words.js";

/** @typedef {import("./map.js").Report} Report */

const BUTTON = `padding: 6px 14px; border: 1px solid var(--border-color); border-radius: 6px; cursor: pointer;
    color: var(--input-text); background: var(--comfy-input-bg);`;
const CELL = "padding: 1px 14px 1px 0; white-space: nowrap; font-variant-numeric: tabular-nums;";
const MIB = 2 ** 20;

/** @param {Report} report of a finished run */
export function openReport(report) {
    const close = element("button", BUTTON, words("Close"));
    const notes = [closenessOf(report), ...[...notesOf(report, "finished"), savingsOf(report)].map((note) =>
        capital(sentences(note))), madeWith(report)].filter(Boolean);
    const dialog = element("dialog", `max-width: min(900px, 90vw); max-height: 85vh; overflow: auto; padding: 16px 20px;
        border: 1px solid var(--border-color); border-radius: 8px; color: var(--input-text);
        background: var(--comfy-menu-bg); user-select: text;`,
        element("h3", "margin: 0; font-size: 16px;", capital(words(titleOf(report, "finished")))),
        element("p", "margin: 0 0 8px; font-size: 12px; color: var(--descrip-text);", `${report.method}, ${report.model}`),
        ...notes.map((note) => element("p", "margin: 0 0 4px; font-size: 12px;", note)),
        tableOf(report), close);
    dialog.className = "blockdance-report";
    close.onclick = () => dialog.close();
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
}

/** The multiply-accumulates that were not computed, and what they leave out. @param {Report} report */
function savingsOf({ macs, total_macs, uncounted }) {
    const saved = total_macs - macs, [name, unit] = unitOf(total_macs);
    const counted = total_macs ? [`saved ${rounded(saved / unit)} of ${rounded(total_macs / unit)} ${name} `
        + `(${Math.round(100 * saved / total_macs)}%)`] : [];
    return [...counted, ...uncounted].join("; ");
}

/** @param {Report} report */
function madeWith({ provenance }) {
    const parts = Object.entries(provenance).map(([name, value]) => `${words(name)} ${value}`);
    return parts.length ? `${capital(words("made with"))}: ${parts.join(", ")}` : "";
}

/** A row for each evaluation; blocks where some of them are computed and others not. @param {Report} report */
function tableOf(report) {
    const shown = columns(report, "finished"), strip = isStrip(shown, report.stacks);
    const [name, unit] = unitOf(report.total_macs);
    const heads = ["evaluation", "step", ...strip ? [] : ["blocks"], "seconds", "MiB kept",
        ...report.total_macs ? [`${name} saved`] : [], "decision"];
    const rows = report.evaluations.map((evaluation, index) => [
        index, evaluation.step, ...strip ? [] : [`${evaluation.executed}/${evaluation.total}`],
        evaluation.seconds.toFixed(3), (evaluation.cache_bytes / MIB).toFixed(1),
        ...report.total_macs ? [rounded((evaluation.total_macs - evaluation.macs) / unit)] : [],
        shown[index].deed]);
    return element("table", "margin: 8px 0 12px; font-size: 11px; line-height: 1.5; border-collapse: collapse; text-align: left;",
        row("th", heads.map((head) => capital(words(head)))), ...rows.map((cells) => row("td", cells)));
}

function row(kind, cells) {
    return element("tr", "", ...cells.map((cell) => element(kind, CELL, `${cell}`)));
}

/** @param {number} macs of all @returns {[string, number]} */
function unitOf(macs) {
    return macs >= 1e12 ? ["TMACs", 1e12] : ["GMACs", 1e9];
}

function rounded(number) {
    return `${Number(number.toPrecision(4))}`;
}
