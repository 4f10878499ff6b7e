import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it arrived. */
export interface Received {
	readonly method: string;
	readonly url: string;
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
}

/** How the server answers one request: a status with a body, never at all, or by cutting the connection. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | "silence" | "cut";

/** A server on loopback that records requests and answers with the given list; the last answer repeats. */
export class HttpReceiver {
	readonly received: Received[] = [];
	answers: Answer[];
	readonly #server: Server;

	private constructor(answers: Answer[]) {
		this.answers = answers;
		this.#server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				const { method = "", url = "", headers } = request;
				this.received.push({ method, url, headers, body: Buffer.concat(chunks).toString("utf8") });
				const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0];
				if (answer === "silence" || answer === undefined) return;
				if (answer === "cut") {
					request.socket.destroy();
					return;
				}
				const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {});
				response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
				response.end(text);
			});
		});
	}

	static async listen(...answers: Answer[]): Promise<HttpReceiver> {
		const receiver = new HttpReceiver(answers);
		await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
		return receiver;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	bodies(): unknown[] {
		return this.received.map((request) => JSON.parse(request.body) as unknown);
	}

	async close(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}

/** The Bot API's answer to an accepted `sendMessage` (core.telegram.org/bots/api#making-requests). */
export const messageSent: Answer = {
	status: 200,
	body: { ok: true, result: { message_id: 7, date: 1_771_380_000, chat: { id: 512366713, type: "private" }, text: "…" } },
};

/** The Bot API's answer to a refused one. */
export function botError(error_code: number, description: string, parameters?: object): Answer {
	return { status: error_code, body: { ok: false, error_code, description, ...(parameters ? { parameters } : {}) } };
}
