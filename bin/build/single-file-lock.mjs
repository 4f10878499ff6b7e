// One build or installation at a time in a clone, by any process.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

function read(file) {
	try {
		return readFileSync(file, "utf8");
	} catch {
		return null;
	}
}

/** When a process was started, in ticks since boot (proc_pid_stat(5)); "" where that is not known. */
function startOf(pid) {
	const stat = read(`/proc/${pid}/stat`);
	return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

/** A holder writes its name into the file at once; an empty file this old was left by a power cut. */
const namelessForMs = 10_000;

/** A pid alone does not identify a process: after a boot another one may have it. */
function isHeld(file) {
	const text = read(file);
	if (text === null) return false;
	const [pid, start] = text.split(/\s/);
	if (!Number(pid)) return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < namelessForMs;
	if (Number(pid) === process.pid) return startOf(pid) === (start ?? "");
	try {
		process.kill(Number(pid), 0);
	} catch (error) {
		if (error.code !== "EPERM") return false;
	}
	return startOf(pid) === (start ?? "");
}

/** Takes the lock if no live process holds it. A dead holder's is replaced by rename; of two that do so, the last one has it. */
async function tryTake(file) {
	const mine = `${process.pid} ${startOf(process.pid)}\n`;
	try {
		writeFileSync(file, mine, { flag: "wx" });
		return true;
	} catch (error) {
		if (error.code !== "EEXIST") throw error;
	}
	if (isHeld(file)) return false;
	const replacement = `${file}.${process.pid}`;
	writeFileSync(replacement, mine);
	renameSync(replacement, file);
	await sleep(200);
	return read(file) === mine;
}

/**
 * Runs `work` while holding the lock `file`; waits as long as another living process holds it.
 * @param isDone called before each try: if true, `work` is not needed any more
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
