/**
 * Sentences in the user's language: those of the page and those that the server sends, which are English.
 *
 * locales/<language>/main.json has, under "blockdance", English sentences with {names} for what varies, and what stands
 * for them; what is found for a name is translated in turn. The first that fits counts, so those that say least stand
 * last. A sentence that nobody has translated stays as it is.
 */

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

/** @type {{pattern: RegExp, names: string[], translation: string}[]} */
let templates = [];

/** @type {Promise<void> | undefined} */
let learning;

/** Before anything is shown. A change of the language reloads the page. */
export const learnWords = () => learning ??= learn();

async function learn() {
    const response = await api.fetchApi("/i18n").catch(() => undefined);
    const languages = response?.ok ? await response.json() : {};
    const own = languages[app.extensionManager.setting.get("Comfy.Locale")]?.blockdance ?? {};
    templates = Object.entries(own).map(([english, translation]) => {
        const parts = english.split(/\{(\w+)\}/), names = parts.filter((_, index) => index % 2);
        const pattern = parts.map((part, index) => index % 2 ? "(.+?)" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
        return { pattern: new RegExp(`^${pattern.join("")}$`, "i"), names, translation };
    });
}

/** A sentence in the user's language. @param {string} english @returns {string} */
export function words(english) {
    for (const { pattern, names, translation } of templates) {
        const found = english.match(pattern);
        if (found) return translation.replace(/\{(\w+)\}/g, (_, name) => words(found[names.indexOf(name) + 1]));
    }
    return english;
}

/** Several sentences that are joined by semicolons. @param {string} english */
export function sentences(english) {
    return english.split("; ").map(words).join(words("; "));
}

/** @param {string} text */
export function capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
}
