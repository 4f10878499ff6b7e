import { gunzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { SecretFinder } from "./finder.ts";
import { seeded } from "./testing/generated-secrets.ts";

const finder = new SecretFinder();
/** The secret in the databases below. */
const gap = "@".repeat(20);
const drawn = ["kR7vQ2xWm9TzB4nLp8Hd", "Zq3tVb8KxW5mRj7Ly2Pc", "Hd9wNf4GsT6kQz1XvB7r"];

/**
 * Databases that SQLite wrote, compressed: users(id, name, password, n), settings(k, v) and notes(a), whose one value is on overflow pages;
 * each has one gap. WITHOUT ROWID: users(n, name primary key, password, filler), settings(v, k primary key), notes(id, a, api_key).
 */
const databases = {
	utf8: gunzipSync(
		Buffer.from(
			`
		H4sIAAAAAAACA+2Vy0rDQBSG5yS9eKloFAki6hEXVhHxVm+rVunOhTfQnUQ7akw7Kcl4W4gILnQn+AKC7yC+gjsfwAdwJ7hyac60JQoFd95/kjPky/xnMjkzydLCnC05br
		pewZI4yjQGwNKIjLFIcEZZKL3MKgL2sSJscAMayAydDC5hPmh+kIb0mGmakJHWep4LV3JfhcjsYjaznMXlzMxcFhVKWij5gezLaDGzowNWlMPnUtpiy6+0+jtfhSYdZR3A
		vVIKB+I06ElK5dj1ueeroL1zK5S0c2gLybe4h0XPLljeITr8cACFVeDlrEXL9/ddL6cu6WFR7ObzQRdy9lFtEpBg8AQPcAc3cA0XcAQ7sAJjgMGNP6TmRJS1t2r0ZnF4WL
		iC9780179hQ8R6m7rroqwtVWJT6SrqSRq1QZeybZJcXWmjJkQThNpXjXiIxgmZRSMWohShljMjGqIxQo1XRiREo4Tqbw09RCOE4veGFiI1Hf2xEQjVKKRmQ/XX4J7BcxD+
		9eOFmt6Vsor2mnQdLqotzgToZqvc5gWeszyH6g9wzILjX5+v0z3Qz0uf588Plf87ftH4vzCoXTeN1fYdcpHDbxdeAQZpcMcACgAA
	`,
			"base64",
		),
	),
	utf16le: gunzipSync(
		Buffer.from(
			`
		H4sIAAAAAAACA+1Vz2sTQRT+3m42G22LgojoEpxFxESsWqvWHwip4q0IahF7CBLbWJe2SUw3asFLe9KLF/8BverJm0ePHv0nBP0PvAh+s2R30tHSIAiB5Jud2Tfzzcybee
		/NzN3bc1FcV4+a7bVarKbhQAQVpQDkmH0YuN22FA52Rw6nF8UzvT2MMFCYYB7HFuSbfJEP8lqeyLzMyBH8wme8I/HfURz3UC46HayjjjYUppgaaDLXcfJncewP+mxGn9h/
		da+H49Ue+jIqfaZjpWAPB/fOfSmb+WglKFjkTEYG9wPfIi9m5KFWkLfICxl54GXgWeT5jNz3NshZ5HRGjn0KXIs8l5H+18CxSGND9/th0WTBkMaC2v+OvIf8YDHCAOOa40
		5Va2ghwgPEdN8K3dfoO9oPihsWYzzmoDXmJdQYCSuJ/0UK4DfUeBWJ+2bhGc3apm0UhkEi8hPJw34PcgYf+ftnJOHzwvHDyUnZDBfcfBiG0okZZQ+xmgRqk0Fb5w1kpNwN
		3MFNzGKepWI5i+uYS2TTqcQpVCI/Z1k2Oszc+laLmSIOW2bNrrs767G7lngkjLZTlJ9u0755S3y9s62qUZ9eq+s9krOzStOpRLXaH1q5VrHcvZ1bLCOeUn1CN1jXB30jWU
		yDbfr0bl9ii61618bDKZsaUv87XOxqd5ZUZ1l7zR+OaB9Jf5M0BneN5pm7wlq/T51KRujxI2k36TeLTK79AA4AAA==
	`,
			"base64",
		),
	),
	withoutRowid: gunzipSync(
		Buffer.from(
			`
		H4sIAAAAAAACA+2WS08TURTHz5kylBYriI8RFb2AaEkMdjqdPlYCBlYkILLUkMHewoR2ppm5vHbiwrhz69L4CYyfwaUxGLcujJ/EO9M2LQ9xjmEj6T+dc2dOf+eczH3NffpkwRac
		VVyvZglmgAKIMM0YAKjySkJbPc2rJYS/S4WpF5iSNzH4DPga07I5c63F4pqm4f64sNaq3HEF90PT83h5bmZljq3MzC7MsdCVtstM8F3B6p5ds7w9tsn3HjAr9Mm2bq9KR/g0yXZs
		seFuCea5O3b5mRLXRkZwvz+s4XMhbGfdb7WxQ5Va3vR2M+/msZpHsu9i4w0Ww+xbPvf80CiH8oautMNsR+Z0rBpvpq9bvr/jeuXmY8WuVrnX+q9dMx2ETB6prARjg+WgG/vwC75r
		3HZ1xoo/VIdx9FEwgkbmtuM6nLkVZovKnyRjetsx2cyVaDFqO0bPJCPEBAtcwa+AP6Tp6j9XKqZpYoPXeL1q2c54bMJcl4t9a21VuJvcmT5Bwfgjfgf56+p86I2iDrx9bu5WXWed
		nWYkm0iGH/kxwG/4AT2cxSH4BZ/gFSxLZ6j2jpIpJSLsKB18sY/GF+I0Pt9L402Vxud6aLwRo/FZJQI/pQ4nmrweDe9r4pmI+38C5gHfYx2ncRB+wkfYhnk8oEy5jq9OcShC1ZLk
		zQZfuHTSthSh9/T8IKm3dXOAxucu0ngjReOzF2i83k/jS5ejjL8c6ASww+P/EpaANWZAxxmkNEKqny3eovGFmzQ+f4PGm8M0Pnedxhsajc9eo/H61WhnwAxl5TbW/xLgwbEZ8E/q
		OOeW7pPezyjeo/GFCRqfv0vjzXEanxuj8cYojc8yGq/fiTZfkqefErrmPJtgzXb74dyYk85Sp+7XvwHuyoegABQAAA==
	`,
			"base64",
		),
	),
} as const;
const encodingOf = (name: keyof typeof databases) => (name === "utf16le" ? name : "utf8");

function withSecrets(name: keyof typeof databases): Buffer {
	const encoding = encodingOf(name);
	const bytes = Buffer.from(databases[name]);
	for (const secret of drawn) Buffer.from(secret, encoding).copy(bytes, bytes.indexOf(Buffer.from(gap, encoding)));
	return bytes;
}

test.each(["utf8", "utf16le", "withoutRowid"] as const)("SQLite, %s: by column, by key, on overflow pages → found", (encoding) => {
	expect(new Set(finder.matches(withSecrets(encoding)).map(({ value }) => value))).toEqual(new Set(drawn));
	expect(finder.matches(databases[encoding])).toEqual([]);
});

test("SQLite: damaged anywhere → searched without an error, in linear time", () => {
	const random = seeded(4);
	const started = process.cpuUsage();
	for (let round = 0; round < 400; round++) {
		const bytes = withSecrets((["utf8", "utf16le", "withoutRowid"] as const)[round % 3] ?? "utf8");
		for (let index = 0; index < 1 + (round % 40); index++)
			bytes[16 + Math.floor(random() * (bytes.length - 16))] = Math.floor(random() * 256);
		expect(() => finder.matches(bytes.subarray(0, 512 + Math.floor(random() * bytes.length)))).not.toThrow();
	}
	const { user, system } = process.cpuUsage(started);
	expect((user + system) / 1000).toBeLessThan(10_000);
});
