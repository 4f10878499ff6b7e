import { alertSchema, severities } from "@robust-sync/workspace";
import * as z from "zod/mini";

const optionalTime = z.optional(z.nullable(z.string()));

/**
 * One alert as it is kept in monitor_status.json: the fields of the contract, and the state that the lifecycle needs to continue after
 * a restart without a gap. Times are RFC 3339.
 */
export const alertRecordSchema = z.extend(alertSchema, {
	title: z._default(z.string(), ""),
	detail: z._default(z.string(), ""),
	cause: z.optional(z.string()),
	action: z.optional(z.string()),
	/** When it was first seen in this incident. */
	seen_at: optionalTime,
	/** When it began to fire. */
	fired_at: optionalTime,
	/** Since when the condition has been gone, while the alert still fires. */
	clear_since: optionalTime,
	resolved_at: optionalTime,
	/** The severity that was last sent and not yet resolved; null: none. */
	announced: z.optional(z.nullable(z.enum(severities))),
	/** It was announced while no channel was configured: it still has to be sent. */
	unheard: z._default(z.boolean(), false),
	/** How many reminders have been sent. */
	reminders: z._default(z.number(), 0),
	/** It came back soon after it was resolved. */
	flapping: z._default(z.boolean(), false),
	/** An event and not a state. */
	once: z._default(z.boolean(), false),
	/** Identifies the event that was sent. */
	occurrence: z.optional(z.string()),
});

/** An alert with its state. `pending`: seen, but not yet for long enough; `firing`; `resolved`. */
export type AlertRecord = z.infer<typeof alertRecordSchema>;

/** A notification about one alert. */
export interface AlertEvent {
	readonly id: string;
	readonly kind: "firing" | "reminder" | "resolved";
	readonly severity: AlertRecord["severity"];
	readonly title: string;
	readonly detail: string;
	readonly cause?: string | undefined;
	readonly action?: string | undefined;
	/** When the condition began, milliseconds since the epoch. */
	readonly since: number;
	/** When this happened: fired, or was resolved. */
	readonly at: number;
	readonly once: boolean;
	/** When the next notification about it is due at the latest, milliseconds since the epoch; for channels that let alerts expire. */
	readonly expiresAt: number;
	/** Sent along with another alert that has the same cause. */
	readonly network: boolean;
	/** It was sent before with this lower severity. */
	readonly escalatedFrom?: AlertRecord["severity"] | undefined;
}
