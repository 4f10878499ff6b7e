import type { Sample } from "./simulated-day.ts";

const panels: readonly { readonly title: string; readonly unit: string; readonly value: (sample: Sample) => number }[] = [
	{ title: "memory of the daemon (RSS)", unit: "MB", value: ({ rssMb }) => rssMb },
	{ title: "open descriptors", unit: "", value: ({ descriptors }) => descriptors },
	{ title: "a cycle with something to do (median)", unit: "ms", value: ({ cycleMs }) => cycleMs },
	{ title: "loose objects", unit: "", value: ({ looseObjects }) => looseObjects },
	{ title: "packs", unit: "", value: ({ packs }) => packs },
	{ title: "repository", unit: "MB", value: ({ repositoryMb }) => repositoryMb },
	{ title: "saved versions and kept files", unit: "MB", value: ({ keptMb }) => keptMb },
];

const [width, height, left, right, top, gap] = [720, 110, 60, 20, 40, 34] as const;

/** The next "nice" number, so that an axis ends there. */
function ceiling(value: number): number {
	const step = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((factor) => factor * step).find((limit) => limit >= value) ?? value;
}

/** The samples of a day as an SVG picture: one panel a quantity, all of them from zero. */
export function plot(samples: readonly Sample[], caption: string): string {
	const hours = samples.at(-1)?.hours ?? 1;
	const total = top + panels.length * (height + gap) + 20;
	const x = (sample: Sample) => left + ((width - left - right) * sample.hours) / hours;
	const parts = panels.map(({ title, unit, value }, index) => {
		const y0 = top + index * (height + gap) + 16;
		const limit = ceiling(Math.max(...samples.map(value).filter(Number.isFinite)));
		const y = (sample: Sample) => y0 + height * (1 - value(sample) / limit);
		const line = samples
			.filter((sample) => Number.isFinite(value(sample)))
			.map((sample) => `${x(sample).toFixed(1)},${y(sample).toFixed(1)}`)
			.join(" ");
		return [
			`<text x="${left}" y="${y0 - 5}" class="title">${title}${unit === "" ? "" : `, ${unit}`}</text>`,
			`<path d="M${left} ${y0}V${y0 + height}H${width - right}" class="axis"/>`,
			`<text x="${left - 6}" y="${y0 + 8}" class="number">${limit}</text><text x="${left - 6}" y="${y0 + height}" class="number">0</text>`,
			`<polyline points="${line}" class="line"/>`,
		].join("\n");
	});
	const ticks = Array.from({ length: 7 }, (_, index) => (hours * index) / 6).map(
		(hour) =>
			`<text x="${left + ((width - left - right) * hour) / hours}" y="${total - 8}" class="tick">${Math.round(hour * 10) / 10} h</text>`,
	);
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12">
<title>${caption}</title>
<style>.title{fill:#444}.number{fill:#666;text-anchor:end}.tick{fill:#666;text-anchor:middle}.axis{fill:none;stroke:#999}.line{fill:none;stroke:#1f6feb;stroke-width:1.5}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="20" font-size="13">${caption}</text>
${[...parts, ...ticks].join("\n")}
</svg>
`;
}
