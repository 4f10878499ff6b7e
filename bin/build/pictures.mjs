// Makes the pictures of the README from a real run of the demo: `npm run pictures [-- DIRECTORY]` (default docs/pictures). Needs chromium.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readArguments } from "./arguments.mjs";
import { root } from "./bootstrap.mjs";

const columns = 118;
const [characterWidth, lineHeight, margin] = [7.83, 19, 18];

/**
 * Runs the demo and leaves it running.
 * @returns its lines with the second each was printed in, its directory, the page of its first node, and a function that ends it
 */
function runDemo() {
	return new Promise((resolve, reject) => {
		const begun = performance.now();
		const lines = [];
		let rest = "";
		const demo = spawn(process.execPath, [path.join(root, "deploy/demo.mjs"), "--keep"], { stdio: ["ignore", "pipe", "inherit"] });
		demo.stdout.setEncoding("utf8").on("data", (text) => {
			const parts = `${rest}${text}`.split("\n");
			rest = parts.pop();
			for (const line of parts) lines.push({ text: line, at: (performance.now() - begun) / 1000 });
		});
		demo.on("error", reject);
		demo.on("close", (code) => {
			const find = (pattern) => lines.map(({ text }) => pattern.exec(text)?.[1]).find(Boolean);
			const directory = find(/between them, in (\/\S+)/);
			const page = find(/(http:\/\/\S+)\s+\(helios's page\)/);
			const pids = find(/^ {2}kill ([\d ]+)$/);
			if (code !== 0 || !directory || !page || !pids) return reject(new Error(`the demo ended with ${code}`));
			const end = () => {
				for (const pid of pids.split(" ")) process.kill(Number(pid));
				rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
			};
			return resolve({ lines, directory, page, end });
		});
	});
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function classOf(text) {
	if (text.startsWith("$ ") || /^\d\. /.test(text)) return "head";
	return text.startsWith("  ok ") ? "fact" : "note";
}

/**
 * A recording as an SVG that plays itself once: each line appears when it was printed. With reduced motion it shows the end.
 * @param lines `{ text, at }`, `at` in seconds
 */
export function recording(lines) {
	const height = Math.ceil(lines.length * lineHeight + 2 * margin);
	const width = Math.ceil(columns * characterWidth + 2 * margin);
	const rows = lines.map(({ text, at }, index) => {
		const y = (margin + (index + 0.75) * lineHeight).toFixed(1);
		const shown = text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
		const [, mark, body] = /^( {2}ok)(.*)$/.exec(shown) ?? [null, "", shown];
		const content = `${mark ? `<tspan class="ok">${mark}</tspan>` : ""}${escaped(body)}`;
		return `<text class="${classOf(text)}" x="${margin}" y="${y}" style="animation-delay:${at.toFixed(2)}s">${content}</text>`;
	});
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
		"<title>The demo: two nodes and a hub at work</title>",
		"<style>",
		"text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:#c9d1d9;opacity:0;animation:show .01s forwards}",
		".head{font-weight:700;fill:#fff}.note{fill:#8b949e}.ok{fill:#3fb950}",
		"@keyframes show{to{opacity:1}}",
		"@media (prefers-reduced-motion:reduce){text{animation:none;opacity:1}}",
		"</style>",
		`<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
		...rows,
		"</svg>",
		"",
	].join("\n");
}

/** The lines of the picture: from the command to the last result; the demo's directory has a short name. */
function shownLines(lines, directory) {
	const begin = lines.findIndex(({ text }) => text.startsWith("robust-sync demo:"));
	const end = lines.findIndex(({ text }) => text.startsWith("What lost a merge"));
	const shown = lines.slice(begin, end).map(({ text, at }) => ({ text: text.replaceAll(directory, "/tmp/demo"), at }));
	while (shown.at(-1)?.text === "") shown.pop();
	return [{ text: "$ bash deploy/setup.sh --demo", at: 0 }, ...shown];
}

/** A page as a person sees it, light and dark. */
async function photograph(page, to) {
	const { chromium } = createRequire(path.join(root, "packages/health-server/package.json"))("playwright-core");
	const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
	try {
		for (const colorScheme of ["light", "dark"]) {
			const context = await browser.newContext({ viewport: { width: 1100, height: 820 }, colorScheme });
			const tab = await context.newPage();
			await tab.goto(page);
			await tab.waitForSelector("main");
			await tab.screenshot({ path: path.join(to, `page-${colorScheme}.png`) });
			await context.close();
		}
	} finally {
		await browser.close();
	}
}

/** Runs the demo and writes `demo.svg`, `page-light.png` and `page-dark.png` into the directory `to`. */
export async function makePictures(to) {
	const { lines, directory, page, end } = await runDemo();
	try {
		mkdirSync(to, { recursive: true });
		writeFileSync(path.join(to, "demo.svg"), recording(shownLines(lines, directory)));
		await photograph(page, to);
	} finally {
		end();
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const found = readArguments({ usage: "usage: npm run pictures -- [DIRECTORY] (default docs/pictures)\n", positionals: true });
	if (found !== null) await makePictures(path.resolve(found.positionals[0] ?? path.join(root, "docs/pictures")));
}
