/** Auto's quality in words and its two numbers say the same: a word sets the numbers, another number is "custom". */

const CUSTOM = "custom";
const NUMBERS = ["speedup", "least_quality"]; // in the order in which a word has them

/** After a widget was changed by hand. @param {object} node @param {string} changed its name */
export function agree(node, changed) {
    const word = widgetOf(node, "quality"), numbers = numbersOf(node)?.[word?.value];
    if (changed === "quality" && numbers) {
        NUMBERS.forEach((name, index) => { widgetOf(node, name).value = numbers[index]; });
    } else if (NUMBERS.includes(changed)) {
        settle(node);
    }
}

/** The numbers count where the word says something else, as in workflows of before there was one. */
export function settle(node) {
    const word = widgetOf(node, "quality"), numbers = numbersOf(node)?.[word?.value];
    if (!numbers) return;
    const linked = node.inputs.some((input) => input.link != null && NUMBERS.includes(input.widget?.name));
    if (linked || NUMBERS.some((name, index) => widgetOf(node, name).value !== numbers[index])) word.value = CUSTOM;
}

/** What each word stands for, as the server has it. @returns {Record<string, number[]> | undefined} */
function numbersOf(node) {
    return node.constructor.nodeData?.input?.optional?.quality?.[1]?.numbers;
}

function widgetOf(node, name) {
    return node.widgets.find((widget) => widget.name === name);
}
