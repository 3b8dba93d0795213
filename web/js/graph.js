/** The nodes of the workflow that is shown, those inside of subgraphs included. */

import { app } from "../../../scripts/app.js";

/** The node with an execution id; inside subgraphs it is a path such as "5:12". @param {string} path */
export function nodeAt(path) {
    let graph = app.rootGraph, node;
    for (const id of path.split(":")) {
        node = graph?.getNodeById(id);
        graph = node?.subgraph;
    }
    return node;
}

/** Every node. */
export function* nodesIn(graph = app.rootGraph) {
    for (const node of graph.nodes) {
        yield node;
        if (node.subgraph) yield* nodesIn(node.subgraph);
    }
}
