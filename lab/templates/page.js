// Open a template as a user does, put a node in front of each sampler, in subgraphs, too, and convert it.
// Gives the prompt before and after, and the types of nodes that this ComfyUI does not have.
async ({ workflow, patch }) => {
  const DRAWN = ["LATENT", "GUIDER", "IMAGE", "VIDEO", "AUDIO"];
  const SEEDS = ["seed", "noise_seed"];
  const OFF = [2, 4]; // muted, bypassed
  const FROM_OUTSIDE = -10; // the id of a subgraph's inputs as a link's origin, which some pages have as text
  const id = crypto.randomUUID(); // its name, too: the page may take one of the same name for the same
  await app.loadGraphData({ ...workflow, id }, true, false, id);
  const graphs = [app.graph, ...app.graph.subgraphs.values()];
  const unknown = new Set();
  for (const graph of graphs) {
    for (const node of graph.nodes) {
      if (!LiteGraph.registered_node_types[node.type] && !node.isSubgraphNode?.() && !OFF.includes(node.mode)) {
        unknown.add(node.type);
      }
    }
  }
  if (unknown.size) return { unknown: [...unknown] };
  const convert = async () => (await app.graphToPrompt()).output;
  const plain = await convert();
  const samples = (node) => {
    const given = (node.outputs ?? []).map(({ type }) => type);
    const seeded = (node.widgets ?? []).some(({ name }) => SEEDS.includes(name));
    return !node.isSubgraphNode?.() && !OFF.includes(node.mode)
      && given.some((type) => DRAWN.includes(type)) && (!given.includes("MODEL") || seeded);
  };
  let inserted = 0;
  for (const graph of graphs) {
    const before = new Map();
    for (const node of [...graph.nodes].filter(samples)) {
      node.inputs.forEach((input, slot) => {
        if (input.type !== "MODEL" || input.link == null) return;
        const link = graph.getLink(input.link);
        const source = `${link.origin_id}:${link.origin_slot}`;
        if (!before.has(source)) {
          const added = LiteGraph.createNode(patch);
          added.pos = [node.pos[0] - 40, node.pos[1] - 200];
          graph.add(added);
          if (Number(link.origin_id) === FROM_OUTSIDE) {
            graph.inputNode.slots[link.origin_slot].connect(added.inputs[0], added);
          } else {
            graph.getNodeById(link.origin_id).connect(link.origin_slot, added, 0);
          }
          before.set(source, added);
          inserted += 1;
        }
        before.get(source).connect(0, node, slot);
      });
    }
  }
  return { unknown: [], plain, inserted, prompt: await convert() };
}
