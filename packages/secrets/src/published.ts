import { createHash, ECDH } from "node:crypto";

/**
 * Fingerprints of keys and tokens that packages of npm and Debian ship in tests and documents: they are public, so they are
 * not secret. Of the value, never of a path: another key in the same place is a secret.
 */
const known = new Set<string>(
	`
		031baa2594cd 0d419e1fc82e 0f95a2582d3d 1140fe458fef 18bfcb5ffa49 18e0f2373da6 1a3ba29027cd 1e696c322eb9 2084a656a5cf 2a86c8947a8b
		2c5ea9d74bfb 2f0a49445ca0 379912ea9966 39cdf06f7e70 3a062ef44b71 4c1df0bee0b5 52c79ac72885 575a669206f7 5acda1845356 5ba894e3c491
		61979dc907d4 629c2512b862 631ddb73a186 6c1691e91dab 6efdf2828070 706d1c285ade 732fd502c518 751e77d92872 7844a86c6b53 7b2bcaeb4fbe
		81dbceaeb26a 8248693d1979 8b60b3160b7c 8b8292ec48a3 91d045de235c 970d72420b80 98de6a2d8dee 9bdb862ee887 a172e9ac2540 a2892040c87e
		b0a86c9b2dea b267ba2b01fa b77f4f1939ab bd3beffab198 be211335a672 bee4de775396 c2c5361af3ab c3eca96429c4 c55f85cfa3ca c878720dca5c
		c95503a26c2d cc3ace96f6e7 cdbf18a22c67 d04ff2e3dc13 d64146ccb358 d92e60d827a2 e1592e531e50 eccfba560cba ee01271ee22f ef1800261d85
		f131f5496d22 f7334e37ed8e fd2b62107e3f ff360947c8a5
	`
		.split(/\s+/)
		.filter(Boolean),
);

/** The hash of a value, without the characters that formats put around and into it. */
function fingerprintOf(value: string): string {
	const body = value
		.replace(/^-{4,5} ?BEGIN [A-Z0-9 ]{0,40}-{4,5}/, "")
		.replaceAll(/(?:Proc-Type|DEK-Info|Comment|Version): [^\n\\]{0,80}/g, "")
		.replace(/-{4,5} ?END.*$/s, "")
		.replaceAll(/\\+[nrt]/g, "")
		.replaceAll(/[^A-Za-z0-9+/]/g, "");
	return createHash("sha256").update(body, "latin1").digest("hex").slice(0, 12);
}

/** Curves by the bytes of their points, uncompressed (SEC 1, section 2.3.3). */
const curves: Readonly<Record<number, readonly string[]>> = { 65: ["prime256v1", "secp256k1"], 97: ["secp384r1"], 133: ["secp521r1"] };

/** Whether it is a public key: a point of a curve, as applications get it to receive messages. */
function isCurvePoint(value: string): boolean {
	const isHex = value.startsWith("04");
	if (!isHex && !value.startsWith("B")) return false;
	if (!/^[\w+/-]{86,266}={0,2}$/.test(value)) return false;
	const bytes = Buffer.from(value, isHex ? "hex" : "base64");
	return (curves[bytes.length] ?? []).some((curve) => {
		try {
			return ECDH.convertKey(bytes, curve).length > 0;
		} catch {
			return false;
		}
	});
}

/** Whether a value is one of these, or public by its nature. */
export const isPublished = (value: string): boolean => known.has(fingerprintOf(value)) || isCurvePoint(value);

/** Whether it is an RSA key of less than 1,024 bits: it protects nothing, and is made for tests. Its length is in its first bytes. @param all with its frame */
export function isToyKey(all: string, value: string): boolean {
	const whole = value.slice(0, 400).replaceAll(/\\+[nrt]|[^A-Za-z0-9+/]/g, "");
	return whole.startsWith("MIIB") && (/BEGIN RSA/.test(all.slice(0, 40)) || /^.{0,24}BgkqhkiG9w0BAQEF/.test(whole));
}
