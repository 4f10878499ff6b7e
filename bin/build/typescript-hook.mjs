// `node --import ./bin/build/typescript-hook.mjs file.ts`: runs TypeScript sources; types are erased, not checked.
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

/** Module hook (node:module, "load"): a `.ts` or `.tsx` file becomes an ES module. */
export async function load(url, context, next) {
	if (!/\.tsx?$/.test(url)) return await next(url, context);
	const { code } = await transform(readFileSync(fileURLToPath(url), "utf8"), {
		loader: url.endsWith("x") ? "tsx" : "ts",
		jsxFactory: "h",
		target: "node20",
		sourcemap: "inline",
		sourcefile: fileURLToPath(url),
	});
	return { format: "module", shortCircuit: true, source: code };
}

if (process.execArgv.some((argument) => argument.includes("typescript-hook"))) register(import.meta.url);
