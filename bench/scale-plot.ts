/** One quantity over another, both on logarithmic scales. */
export interface Curve {
	name: string;
	points: [x: number, milliseconds: number][];
}

const [width, height, left, top, right, bottom] = [860, 460, 70, 20, 330, 40];
const colours = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#ff7f0e"];

const say = (value: number) => (value >= 1_000_000 ? `${value / 1_000_000} M` : value >= 1_000 ? `${value / 1_000} k` : String(value));

/** The curves as an SVG, which needs no script and no font of its own. */
export function drawCurves(curves: readonly Curve[]): string {
	const points = curves.flatMap((curve) => curve.points);
	const decades = (values: number[]) => [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))] as const;
	const [x0, x1] = decades(points.map(([x]) => x));
	const [y0, y1] = decades(points.map(([, y]) => y));
	const x = (value: number) => left + ((Math.log10(value) - x0) / Math.max(1, x1 - x0)) * (width - left - right);
	const y = (value: number) => height - bottom - ((Math.log10(value) - y0) / Math.max(1, y1 - y0)) * (height - top - bottom);
	const at = (value: number) => value.toFixed(1);
	const lines: string[] = [];
	for (let power = x0; power <= x1; power++) {
		const px = at(x(10 ** power));
		lines.push(
			`<path d="M${px} ${top}V${height - bottom}" class="grid"/><text x="${px}" y="${height - bottom + 18}" text-anchor="middle">${say(10 ** power)}</text>`,
		);
	}
	for (let power = y0; power <= y1; power++) {
		const py = at(y(10 ** power));
		lines.push(
			`<path d="M${left} ${py}H${width - right}" class="grid"/><text x="${left - 8}" y="${py}" dy="4" text-anchor="end">${say(10 ** power)} ms</text>`,
		);
	}
	for (const [index, { name, points }] of curves.entries()) {
		const colour = colours[index % colours.length];
		const path = points.map(([px, py], i) => `${i === 0 ? "M" : "L"}${at(x(px))} ${at(y(py))}`).join("");
		lines.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
		for (const [px, py] of points) lines.push(`<circle cx="${at(x(px))}" cy="${at(y(py))}" r="3" fill="${colour}"/>`);
		const ly = top + 16 + index * 20;
		lines.push(
			`<rect x="${width - right + 16}" y="${ly - 9}" width="12" height="10" fill="${colour}"/><text x="${width - right + 34}" y="${ly}">${name}</text>`,
		);
	}
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333">\n<title>milliseconds over size</title>\n<style>.grid{stroke:#ddd;fill:none}</style>\n<rect width="${width}" height="${height}" fill="#fff"/>\n${lines.join("\n")}\n</svg>\n`;
}
