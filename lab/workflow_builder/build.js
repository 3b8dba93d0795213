/** Builds a workflow in the open page from graph.py's description, lays it out and returns it as the page saves it. */
async ({ workflow, pack }) => {
    const { system } = await (await fetch("/api/system_stats")).json();
    const core = { cnr_id: "comfy-core", ver: system.comfyui_version };
    const TITLE = LiteGraph.NODE_TITLE_HEIGHT;
    const SPACE = 40; // between nodes, and between groups; Nodes 2.0 puts buttons there
    const PADDING = 20; // between a group's frame and its nodes
    const CAPTION = 50; // height of a group's title
    const STEP = 10; // heights are multiples of it, as fonts differ in fractions of a pixel
    const PATIENCE = 30_000; // milliseconds

    const graph = app.graph;
    graph.clear();
    graph.id = workflow.id;
    const all = workflow.columns.flat().flatMap((group) => group.nodes);

    for (const described of all) {
        const node = LiteGraph.createNode(described.type);
        if (!node) throw new Error(`ComfyUI has no node ${described.type}`);
        node.id = described.id;
        graph.add(node);
        if (described.title) node.title = described.title;
        if (described.files.length) node.properties.models = described.files;
        const module = node.constructor.nodeData?.python_module ?? "";
        if (module === `custom_nodes.${pack.cnr_id}`) Object.assign(node.properties, pack);
        if (module === "nodes" || module.startsWith("comfy_extras.")) Object.assign(node.properties, core);
        for (const [name, { value }] of Object.entries(described.inputs)) {
            if (value === undefined) continue;
            const widget = node.widgets?.find((widget) => widget.name === name);
            if (!widget) throw new Error(`${described.type} has no widget ${name}, but ${node.widgets?.map((widget) => widget.name)}`);
            widget.value = value;
            widget.callback?.(value);
        }
        for (const widget of node.widgets ?? []) {
            if (widget.name === "control_after_generate") widget.value = "fixed";
        }
    }
    for (const described of all) {
        for (const [name, { node: source, slot }] of Object.entries(described.inputs)) {
            if (source === undefined) continue;
            const target = graph.getNodeById(described.id);
            const input = target.findInputSlot(name);
            if (input === -1) throw new Error(`${described.type} has no input ${name}`);
            if (!graph.getNodeById(source).connect(slot, target, input)) {
                throw new Error(`${described.type} does not take output ${slot} of node ${source} as ${name}`);
            }
        }
    }
    for (const { id, size } of all) {
        const node = graph.getNodeById(id);
        const least = node.computeSize();
        node.setSize(size ? [size[0], Math.max(size[1], least[1])] : least);
    }
    for (const column of workflow.columns) {
        const members = column.flatMap((group) => group.nodes).map(({ id }) => graph.getNodeById(id));
        const width = Math.max(...members.map((node) => node.size[0]));
        for (const node of members) node.setSize([width, node.size[1]]);
    }
    // Tall enough for both renderers
    const heights = await heightsInNodes2();
    for (const { id } of all) {
        const node = graph.getNodeById(id);
        node.setSize([node.size[0], Math.max(node.size[1], heights[id] - TITLE)]);
    }

    let x = 0;
    for (const column of workflow.columns) {
        const width = graph.getNodeById(column[0].nodes[0].id).size[0];
        let y = 0;
        for (const { title, nodes } of column) {
            const top = y;
            if (title) y += CAPTION;
            for (const { id } of nodes) {
                const node = graph.getNodeById(id);
                node.pos = [x, y + TITLE];
                y += TITLE + node.size[1] + SPACE;
            }
            if (!title) continue;
            const group = new LiteGraph.LGraphGroup(title);
            group.pos = [x - PADDING, top];
            group.size = [width + 2 * PADDING, y - top - SPACE + 2 * PADDING];
            graph.add(group);
            y += 2 * PADDING;
        }
        x += width + 2 * PADDING + SPACE;
    }
    app.canvas.setDirty(true, true);
    const saved = graph.serialize();
    const prompt = (await app.graphToPrompt()).output;
    return { saved, prompt };

    /** What the document shows, by node id, in pixels of the graph. */
    async function heightsInNodes2() {
        const { setting } = app.extensionManager;
        app.canvas.ds.scale = 1;
        await setting.set("Comfy.VueNodes.Enabled", true);
        const measured = await settled(() => Object.fromEntries(all.map(({ id }) => {
            const element = document.querySelector(`[data-node-id="${id}"]`);
            const height = element ? element.getBoundingClientRect().height / app.canvas.ds.scale : 0;
            return [id, Math.ceil(height / STEP) * STEP];
        })));
        await setting.set("Comfy.VueNodes.Enabled", false);
        await new Promise((resolve) => setTimeout(resolve, 300));
        return measured;
    }

    /** What is the same for a second, once the plans are there. */
    async function settled(measure) {
        let last, since = 0;
        for (let waited = 0; waited < PATIENCE; waited += 250) {
            await new Promise((resolve) => setTimeout(resolve, 250));
            const now = JSON.stringify(measure());
            since = now === last && planned() ? since + 250 : 0;
            last = now;
            if (since >= 1000) return JSON.parse(now);
        }
        throw new Error(`the nodes of ${workflow.id} do not come to rest: ${last}`);
    }

    function planned() {
        return [...document.querySelectorAll(".blockdance-timeline")].every((timeline) =>
            timeline.dataset.phase === "error" || timeline.querySelector("g"));
    }
}
