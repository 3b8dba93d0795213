/** Auto's quality in words and its two numbers say the same: a word sets the numbers, another number is "custom". */

const CUSTOM = "custom";

/** After a widget was changed by hand. @param {object} node @param {string} changed its name */
export function agree(node, changed) {
    const numbers = numbersOf(node);
    if (!numbers) return;
    if (changed === "quality") {
        for (const [name, value] of Object.entries(numbers)) widgetOf(node, name).value = value;
    } else if (changed in numbers) {
        settle(node);
    }
}

/** The numbers count where the word says something else, as in workflows of before there was one. */
export function settle(node) {
    const numbers = numbersOf(node);
    if (!numbers) return;
    const linked = node.inputs.some((input) => input.link != null && input.widget?.name in numbers);
    const differ = Object.entries(numbers).some(([name, value]) => widgetOf(node, name).value !== value);
    if (linked || differ) widgetOf(node, "quality").value = CUSTOM;
}

/** What the node's word stands for, as the server has it. @returns {Record<string, number> | undefined} */
function numbersOf(node) {
    return node.constructor.nodeData?.input?.optional?.quality?.[1]?.numbers?.[widgetOf(node, "quality")?.value];
}

function widgetOf(node, name) {
    return node.widgets.find((widget) => widget.name === name);
}
