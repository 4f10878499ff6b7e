import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { ChannelError } from "../delivery/channel.ts";
import { type Answer, botError, HttpReceiver, messageSent } from "../testing/http-receiver.ts";
import { postJson } from "./http.ts";
import { telegramChannel } from "./telegram.ts";

const token = "123456:AAF-secret_of_the_bot";
const receivers: HttpReceiver[] = [];
const closers: (() => void)[] = [];
const savedEnv = { ...process.env };

afterEach(async () => {
	process.env = { ...savedEnv };
	for (const close of closers.splice(0)) close();
	for (const receiver of receivers.splice(0)) await receiver.close();
});

async function listen(...answers: Answer[]): Promise<HttpReceiver> {
	const receiver = await HttpReceiver.listen(...answers);
	receivers.push(receiver);
	return receiver;
}

async function refused(promise: Promise<void>): Promise<ChannelError> {
	const error = await promise.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(ChannelError);
	expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain("secret_of_the_bot");
	return error as ChannelError;
}

const delivery = (text: string) => ({ text, items: [], node: "helios" });

describe("sendMessage", () => {
	test("sendMessage: a text → POSTed as JSON with chat_id and plain text", async () => {
		const server = await listen(messageSent);
		await telegramChannel({ apiUrl: `${server.url}/`, token, chatId: "512366713" }).send(delivery("helios: *bold* <b>x</b> ✅"));
		expect(server.received).toHaveLength(1);
		expect(server.received[0]).toMatchObject({ method: "POST", url: `/bot${token}/sendMessage` });
		expect(server.received[0]?.headers["content-type"]).toBe("application/json");
		expect(server.bodies()[0]).toEqual({
			chat_id: 512366713,
			text: "helios: *bold* <b>x</b> ✅",
			link_preview_options: { is_disabled: true },
		});
	});

	test("sendMessage: a channel → named by its @name", async () => {
		const server = await listen(messageSent);
		await telegramChannel({ apiUrl: server.url, token, chatId: "@alerts_of_caleb" }).send(delivery("x"));
		expect(server.bodies()[0]).toMatchObject({ chat_id: "@alerts_of_caleb" });
	});

	test("sendMessage: over 4,096 characters → several messages, cut between lines", async () => {
		const server = await listen(messageSent);
		const lines = Array.from({ length: 300 }, (_, i) => `line ${i} ${"ä".repeat(30)}`);
		await telegramChannel({ apiUrl: server.url, token, chatId: "1" }).send(delivery(lines.join("\n")));
		const texts = server.bodies().map((body) => (body as { text: string }).text);
		expect(texts.length).toBeGreaterThan(2);
		for (const text of texts) expect(text.length).toBeLessThanOrEqual(4_096);
		expect(texts.join("\n").split("\n")).toEqual(lines);
	});
});

describe("answers of the Bot API", () => {
	const cases: [string, Answer, { misconfigured: boolean; retryAfterMs: number | null; message: RegExp }][] = [
		[
			"429 with a delay",
			botError(429, "Too Many Requests: retry after 7", { retry_after: 7 }),
			{ misconfigured: false, retryAfterMs: 7_000, message: /retry after 7/ },
		],
		[
			"a server error is for later",
			{ status: 502, body: "<html>Bad Gateway</html>" },
			{ misconfigured: false, retryAfterMs: null, message: /502/ },
		],
		[
			"an unknown chat is a configuration error",
			botError(400, "Bad Request: chat not found"),
			{ misconfigured: true, retryAfterMs: null, message: /chat not found: check CALEB_TELEGRAM_ID/ },
		],
		[
			"a wrong token as well",
			botError(401, "Unauthorized"),
			{ misconfigured: true, retryAfterMs: null, message: /Unauthorized: check TELEGRAM_BOT_TOKEN/ },
		],
		[
			"a bot that was blocked as well",
			botError(403, "Forbidden: bot was blocked by the user"),
			{ misconfigured: true, retryAfterMs: null, message: /blocked/ },
		],
		[
			"a token that is none as well",
			botError(404, "Not Found"),
			{ misconfigured: true, retryAfterMs: null, message: /check TELEGRAM_BOT_TOKEN/ },
		],
		[
			"a group that moved names its new id",
			botError(400, "Bad Request: group chat was upgraded to a supergroup chat", { migrate_to_chat_id: -1001234 }),
			{ misconfigured: true, retryAfterMs: null, message: /CALEB_TELEGRAM_ID=-1001234/ },
		],
		[
			"200 without ok is no delivery",
			{ status: 200, body: "<html>log in to the hotel's network</html>" },
			{ misconfigured: false, retryAfterMs: null, message: /not the Bot API's/ },
		],
		["a cut connection is for later", "cut", { misconfigured: false, retryAfterMs: null, message: /cut/ }],
	];
	test.each(cases)("Bot API: %s → error by its answer", async (_name, answer, expected) => {
		const server = await listen(answer);
		const error = await refused(telegramChannel({ apiUrl: server.url, token, chatId: "1" }).send(delivery("x")));
		expect({ misconfigured: error.misconfigured, retryAfterMs: error.retryAfterMs }).toEqual({
			misconfigured: expected.misconfigured,
			retryAfterMs: expected.retryAfterMs,
		});
		expect(error.message).toMatch(expected.message);
	});

	test("Bot API: an answer echoes the token → not in the error", async () => {
		const server = await listen({ status: 403, body: { ok: false, description: `no access to /bot${token}/sendMessage` } });
		expect((await refused(telegramChannel({ apiUrl: server.url, token, chatId: "1" }).send(delivery("x")))).message).toContain(
			"[redacted]",
		);
	});

	test("Bot API: closed port, unknown host → reported without the address", async () => {
		const server = await listen(messageSent);
		const { url } = server;
		await receivers.pop()?.close();
		expect((await refused(telegramChannel({ apiUrl: url, token, chatId: "1" }).send(delivery("x")))).message).toBe(
			"the connection was refused (ECONNREFUSED)",
		);
		await refused(telegramChannel({ apiUrl: "http://nowhere.invalid", token, chatId: "1" }).send(delivery("x")));
	});

	test("Bot API: accepts the request, no answer → can be aborted", async () => {
		const server = await listen("silence");
		const controller = new AbortController();
		const sending = refused(
			telegramChannel({ apiUrl: server.url, token, chatId: "1" }).send({ ...delivery("x"), signal: controller.signal }),
		);
		while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
		controller.abort();
		expect((await sending).misconfigured).toBe(false);
	});
});

describe("a proxy in the environment", () => {
	async function proxy(answer: (socket: Socket, head: string) => void): Promise<void> {
		const server = createServer((socket) => {
			socket.on("error", () => undefined);
			socket.once("data", (data) => answer(socket, data.toString("latin1")));
			closers.push(() => socket.destroy());
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		closers.push(() => server.close());
		process.env.HTTP_PROXY = `http://me:hunter22@127.0.0.1:${(server.address() as AddressInfo).port}`;
		process.env.NO_PROXY = "";
	}

	test("proxy: in the environment → asked for a tunnel, password in its own header", async () => {
		const server = await listen(messageSent);
		const heads: string[] = [];
		await proxy((socket, head) => {
			heads.push(head);
			const upstream = connect(Number(new URL(server.url).port), "127.0.0.1", () => {
				socket.write("HTTP/1.1 200 OK\r\n\r\n");
				socket.pipe(upstream).pipe(socket);
			});
			upstream.on("error", () => undefined);
		});
		await telegramChannel({ apiUrl: "http://api.telegram.example", token, chatId: "1" }).send(delivery("x"));
		expect(heads[0]).toMatch(/^CONNECT api\.telegram\.example:80 HTTP\/1\.1\r\n[\s\S]*proxy-authorization: Basic /i);
		expect(heads[0]).not.toContain(token);
		expect(server.received).toHaveLength(1);
	});

	test.each([
		["hangs up", (socket: Socket) => void socket.end()],
		["cuts the connection", (socket: Socket) => void socket.resetAndDestroy()],
		["refuses", (socket: Socket) => void socket.end("HTTP/1.1 407 No\r\n\r\n")],
		["talks nonsense", (socket: Socket) => void socket.end("hello\r\n\r\n")],
	])("proxy: %s → a failure at once, its password never named", async (_what, answer) => {
		let dialled = 0;
		await proxy((socket) => {
			dialled++;
			answer(socket);
		});
		const error = await refused(telegramChannel({ apiUrl: "http://api.telegram.example", token, chatId: "1" }).send(delivery("x")));
		expect(error.message).not.toContain("hunter22");
		expect(dialled).toBe(1);
	});

	test("proxy: no answer → given up after the time limit", async () => {
		await proxy(() => undefined);
		await expect(postJson("http://api.telegram.example", {}, { timeoutMs: 200 })).rejects.toThrow("no answer within 0.2 s");
	});

	test("proxy: NO_PROXY → left out", async () => {
		const server = await listen(messageSent);
		process.env.HTTP_PROXY = "http://127.0.0.1:1";
		process.env.NO_PROXY = "127.0.0.1";
		await telegramChannel({ apiUrl: server.url, token, chatId: "1" }).send(delivery("x"));
		expect(server.received).toHaveLength(1);
	});
});
