/** A JSON document as its writer sees it, with the exact lexemes. */
export type Model =
	| { readonly kind: "scalar"; readonly lexeme: string }
	| { readonly kind: "array"; readonly items: Model[]; readonly inline: boolean }
	| { readonly kind: "object"; readonly members: [string, Model][] };

/** The style of a program that prints JSON. */
export interface Layout {
	/** Empty: all on one line. */
	readonly indent: "" | "  " | "    " | "\t";
	readonly lineEnd: "\n" | "\r\n";
	readonly bom: boolean;
	readonly finalLineEnd: boolean;
	/** A comment above about every n-th member; 0: none. */
	readonly commentEvery: number;
}

/** One change by an agent. Positions are modulo the length. */
export type Edit =
	| {
			readonly op: "set" | "add" | "remove" | "move";
			readonly place: number;
			readonly at: number;
			readonly value: Model;
			readonly key: string;
	  }
	| { readonly op: "append"; readonly place: number; readonly value: Model; readonly key: string };

export function scalar(lexeme: string): Model {
	return { kind: "scalar", lexeme };
}

export function print(model: Model, layout: Layout): string {
	const comma = layout.indent === "" ? ", " : ",";
	const write = (node: Model, before: string, path: string): string => {
		if (node.kind === "scalar") return node.lexeme;
		const [open, close] = node.kind === "array" ? "[]" : "{}";
		const children =
			node.kind === "array"
				? node.items.map((item) => (inner: string) => write(item, inner, path))
				: node.members.map(([key, value]) => (inner: string) => {
						const here = `${path}/${JSON.stringify(key)}`;
						const comment =
							layout.commentEvery > 0 && here.length % layout.commentEvery === 0 ? `// about ${here}${layout.lineEnd}${inner}` : "";
						return `${comment}${JSON.stringify(key)}: ${write(value, inner, here)}`;
					});
		if (children.length === 0) return `${open}${close}`;
		const oneLine = layout.indent === "" || (node.kind === "array" && node.inline && node.items.every((item) => item.kind === "scalar"));
		if (oneLine) return `${open}${children.map((child) => child(before)).join(", ")}${close}`;
		const inner = before + layout.indent;
		const lines = children.map((child) => {
			return inner + child(inner);
		});
		return `${open}${layout.lineEnd}${lines.join(comma + layout.lineEnd)}${layout.lineEnd}${before}${close}`;
	};
	return (layout.bom ? "\uFEFF" : "") + write(model, "", "") + (layout.finalLineEnd ? layout.lineEnd : "");
}

function copy(model: Model): Model {
	if (model.kind === "array") return { ...model, items: model.items.map(copy) };
	if (model.kind === "object") return { ...model, members: model.members.map(([key, value]) => [key, copy(value)]) };
	return model;
}

type Container = Exclude<Model, { kind: "scalar" }>;

function containers(model: Model): Container[] {
	if (model.kind === "scalar") return [];
	const inside = model.kind === "array" ? model.items : model.members.map(([, value]) => value);
	return [model, ...inside.flatMap(containers)];
}

function idsOf(items: readonly Model[]): (string | undefined)[] {
	return items.map((item) => {
		const member = item.kind === "object" ? item.members.find(([key]) => key === "id") : undefined;
		return member?.[1].kind === "scalar" ? member[1].lexeme : undefined;
	});
}

/** Applies edits to a copy; an edit that would repeat a key or an id, or remove an id, does nothing. */
export function apply(model: Model, edits: readonly Edit[]): Model {
	const edited = copy(model);
	for (const edit of edits) {
		const all = containers(edited);
		const container = all[edit.place % all.length];
		if (container === undefined) continue;
		if (container.kind === "object") editObject(container.members, edit);
		else editArray(container.items, edit);
	}
	return edited;
}

function editObject(members: [string, Model][], edit: Edit): void {
	const size = members.length;
	const free = !members.some(([key]) => key === edit.key);
	if (edit.op === "append" || (edit.op === "add" && size === 0)) {
		if (free) members.push([edit.key, copy(edit.value)]);
	} else if (edit.op === "add") {
		if (free) members.splice(edit.at % (size + 1), 0, [edit.key, copy(edit.value)]);
	} else if (size > 0) {
		const at = edit.at % size;
		if (edit.op === "move") members.push(...members.splice(at, 1));
		else if (members[at]![0] === "id") return;
		else if (edit.op === "remove") members.splice(at, 1);
		else members[at] = [members[at]![0], copy(edit.value)];
	}
}

function editArray(items: Model[], edit: Edit): void {
	const size = items.length;
	const ids = idsOf(items);
	const [id] = idsOf([edit.value]);
	const named = size > 0 && ids.every((known) => known !== undefined);
	const fits = named ? id !== undefined && !ids.includes(id) : id === undefined || size === 0;
	if (edit.op === "append" || edit.op === "add") {
		if (fits) items.splice(edit.op === "add" ? edit.at % (size + 1) : size, 0, copy(edit.value));
	} else if (size > 0) {
		const at = edit.at % size;
		if (edit.op === "move") items.push(...items.splice(at, 1));
		else if (edit.op === "remove") items.splice(at, 1);
		else if (!named && fits) items[at] = copy(edit.value);
	}
}

const COMPACT: Layout = { indent: "", lineEnd: "\n", bom: false, finalLineEnd: false, commentEvery: 0 };

/** Does some array repeat an element? */
export function repeats(model: Model): boolean {
	return containers(model).some((container) => {
		if (container.kind === "object") return false;
		const items = container.items.map((item) => JSON.stringify(JSON.parse(print(item, COMPACT))));
		return new Set(items).size < items.length;
	});
}

/** Are there arrays whose elements have no identity, with something in them that can be changed? */
export function hasNameless(model: Model): boolean {
	return containers(model).some(
		(container) =>
			container.kind === "array" &&
			container.items.some((item) => item.kind !== "scalar") &&
			idsOf(container.items).some((id) => id === undefined),
	);
}

/** Are there lists of scalars? If one was moved and others replaced, their correspondence cannot be known. */
export function hasScalarList(model: Model): boolean {
	return containers(model).some(
		(container) => container.kind === "array" && container.items.filter(({ kind }) => kind === "scalar").length > 2,
	);
}
