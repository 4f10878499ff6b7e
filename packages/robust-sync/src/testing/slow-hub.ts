import fs from "node:fs";
import path from "node:path";
import { expect } from "@jest/globals";
import { lostVersions, owned } from "@robust-sync/git/fixtures/owned-files";
import { Scratch, until } from "@robust-sync/git/fixtures/scratch";
import { parseConfig, WorkspacePaths } from "@robust-sync/workspace";
import { syncOnce } from "../commands/once.ts";
import type { CycleResult } from "../cycle/cycle.ts";

const nodes = ["helios", "chad"] as const;
type Name = (typeof nodes)[number];
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Two nodes and a hub that answers when a test permits. */
export class SlowHub extends Scratch {
	constructor() {
		super("slow-hub");
		this.hub();
		for (const name of nodes) this.init(name, this.path("hub.git"));
	}

	/** Both nodes have the initial files. */
	async start(): Promise<void> {
		this.writeAll("helios", "nobody", 1_000);
		await this.cycle("helios");
		await this.cycle("chad");
	}

	writeAged(file: string, content: string, secondsAgo: number): void {
		this.write(file, content);
		const time = Date.now() / 1000 - secondsAgo;
		fs.utimesSync(this.path(file), time, time);
	}

	writeAll(name: Name, by: string, secondsAgo = 0): void {
		for (const [file, content] of Object.entries(owned)) this.writeAged(`${name}/${file}`, content(by), secondsAgo);
	}

	async cycle(name: Name): Promise<CycleResult> {
		const paths = new WorkspacePaths(this.path(name));
		const outcome = await syncOnce({ paths, config: parseConfig({ NODE_NAME: name }), logger: silent as never });
		if (!outcome.ok) throw outcome.error;
		return outcome.result;
	}

	/** Makes the hub's programs for this node hang from now on. @returns functions that wait for one of them, and that release it */
	hang(name: Name, program: "upload-pack" | "receive-pack", times = 1) {
		const script = this.path(`${name}-${program}`);
		const at = (what: string) => this.path(`${name}-${program}.${what}`);
		for (let time = 0; time < times; time++) this.write(path.basename(at(`hold${time}`)), "");
		this.write(path.basename(at("count")), "");
		const body = `time=$(wc -c <"${at("count")}"); printf x >>"${at("count")}"; while [ -e "${at("hold")}$time" ]; do sleep 0.01; done`;
		this.write(path.basename(script), `#!/bin/sh\n${body}\nexec git-${program} "$@"\n`, 0o755);
		this.git(name, "config", `remote.origin.${program.replace("-", "")}`, script);
		return {
			waits: (time = 0) => until(() => fs.statSync(at("count")).size > time, `${program} ${time} of ${name}`),
			letGo: (time = 0) => fs.rmSync(at(`hold${time}`)),
		};
	}

	/** The later writer's files are on both nodes, and the other one's writes are in them or saved. */
	expectOutcome(winner: Name, loser: Name): void {
		for (const name of nodes) expect({ name, lost: lostVersions(this.path(name), winner, loser) }).toEqual({ name, lost: [] });
		expect(this.git("helios", "rev-parse", "HEAD")).toBe(this.git("chad", "rev-parse", "HEAD"));
	}
}
