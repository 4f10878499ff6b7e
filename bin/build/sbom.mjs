import { readFileSync } from "node:fs";
import path from "node:path";

const dependencyDirectory = /^(.*node_modules\/\.pnpm\/[^/]+\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;

/** Hash of each locked package, hexadecimal, by `name@version`. */
function lockedHashes(from) {
	const lockfile = readFileSync(path.join(from, "pnpm-lock.yaml"), "utf8");
	const entry = /^ {2}'?((?:@[^/\s]+\/)?[^@\s]+@[^'(:\s]+)'?:\n {4}resolution: \{integrity: sha512-([^},\s]+)/gm;
	return new Map(Array.from(lockfile.matchAll(entry), ([, name, hash]) => [name, Buffer.from(hash, "base64").toString("hex")]));
}

function licenceOf({ license }) {
	const text = typeof license === "object" ? license.type : license;
	return / (AND|OR|WITH) /.test(text ?? "") ? { expression: text } : { license: { id: text ?? "NOASSERTION" } };
}

function component(directory, from, hashes, usedBy) {
	const manifest = JSON.parse(readFileSync(path.resolve(from, directory, "package.json"), "utf8"));
	const { name, version } = manifest;
	const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
	const hash = hashes.get(`${name}@${version}`);
	return {
		type: "library",
		"bom-ref": purl,
		name,
		version,
		purl,
		licenses: [licenceOf(manifest)],
		...(hash ? { hashes: [{ alg: "SHA-512", content: hash }] } : {}),
		properties: [{ name: "robust-sync:bundled-in", value: [...usedBy].sort().join(" ") }],
	};
}

/**
 * The software bill of materials of the bundles, in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): the packages whose code is in them,
 * not all that were installed to make them. Without time or serial number, so that the same bundles give the same bytes.
 * @param inputsOf for each executable the files that were bundled into it, relative to the clone
 * @param from the clone
 */
export function sbom(inputsOf, from, version) {
	const usedBy = new Map();
	for (const [executable, inputs] of inputsOf) {
		for (const input of inputs) {
			const directory = dependencyDirectory.exec(input)?.[1];
			if (directory !== undefined) usedBy.set(directory, (usedBy.get(directory) ?? new Set()).add(executable));
		}
	}
	const hashes = lockedHashes(from);
	const components = [...usedBy].map(([directory, bundles]) => component(directory, from, hashes, bundles));
	return {
		$schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
		bomFormat: "CycloneDX",
		specVersion: "1.6",
		version: 1,
		metadata: {
			component: {
				type: "application",
				"bom-ref": `pkg:npm/robust-sync@${version}`,
				name: "robust-sync",
				version,
				purl: `pkg:npm/robust-sync@${version}`,
				licenses: [{ license: { id: "MIT" } }],
			},
		},
		components: components.sort((a, b) => (a.purl < b.purl ? -1 : a.purl > b.purl ? 1 : 0)),
	};
}
