import { afterEach } from "@jest/globals";
import { monitorStatusSchema, readState } from "@robust-sync/workspace";
import { NodeFixture } from "./node-fixture.ts";

const nodes: NodeFixture[] = [];

/** A node that is removed after the test. @param env its configuration */
export function newNode(env: Record<string, string> = {}): NodeFixture {
	const node = new NodeFixture(env);
	nodes.push(node);
	return node;
}
afterEach(() => {
	for (const node of nodes.splice(0)) node.remove();
});

/** A step of time in which the node's services and its peer are alive. */
export const well = (node: NodeFixture) => () => {
	node.beat();
	node.hear("chad");
};

/** Several steps as one. */
export const all =
	(...steps: (() => void)[]) =>
	() => {
		for (const each of steps) each();
	};

/** What the monitor has written. @throws if that is not valid */
export function statusFile(node: NodeFixture) {
	const read = readState(node.paths.monitorStatus, monitorStatusSchema);
	if (read.kind !== "ok") throw new Error(`monitor_status.json: ${JSON.stringify(read)}`);
	return read.state;
}
