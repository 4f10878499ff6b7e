// One build or installation at a time in a clone, whoever asks for it.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

function read(file) {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return null;
	}
}

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === "EPERM";
	}
}

/** Takes the lock if nobody living holds it. A dead holder's is replaced by rename; of two that do so, the last one has it. */
async function tryTake(file) {
	const mine = `${process.pid}\n`;
	try {
		writeFileSync(file, mine, { flag: "wx" });
		return true;
	} catch (error) {
		if (error.code !== "EEXIST") throw error;
	}
	const holder = Number(read(file));
	if (holder === process.pid || holder === 0 || isAlive(holder)) return false;
	const replacement = `${file}.${process.pid}`;
	writeFileSync(replacement, mine);
	renameSync(replacement, file);
	await sleep(200);
	return read(file) === mine;
}

/**
 * Runs `work` while holding the lock `file`; waits as long as another living process holds it.
 * @param isDone asked before each try: when it says true, `work` is not needed any more
 */
export async function withLock(file, isDone, work) {
	mkdirSync(path.dirname(file), { recursive: true });
	while (!isDone()) {
		if (!(await tryTake(file))) {
			await sleep(100);
			continue;
		}
		try {
			if (!isDone()) await work();
		} finally {
			rmSync(file, { force: true });
		}
		return;
	}
}
