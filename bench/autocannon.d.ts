declare module "autocannon" {
	export interface Result {
		/** Answers in each second. */
		requests: { average: number; total: number };
		/** Milliseconds. */
		latency: { p50: number; p99: number };
		non2xx: number;
		errors: number;
	}
	export default function autocannon(options: { url: string; connections: number; duration: number; expectBody?: string }): Promise<Result>;
}
