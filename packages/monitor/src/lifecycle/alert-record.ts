import { alertSchema, severities } from "@robust-sync/workspace";
import * as z from "zod/mini";

const optionalTime = z.optional(z.nullable(z.string()));

/**
 * One alert as it is kept in monitor_status.json: the fields of the contract, and what the lifecycle needs to go on after
 * a restart as if there had been none. Times are RFC 3339.
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
	/** What people were told last and not yet taken back; null: nothing. */
	announced: z.optional(z.nullable(z.enum(severities))),
	/** It was announced when no channel was configured: it still has to be sent. */
	unheard: z._default(z.boolean(), false),
	/** How many of the reminder times have passed and are told. */
	reminders: z._default(z.number(), 0),
	/** It came back soon after it was resolved. */
	flapping: z._default(z.boolean(), false),
	/** An event and not a state. */
	once: z._default(z.boolean(), false),
	/** Which event was told. */
	occurrence: z.optional(z.string()),
});

/** An alert with its memory. `pending`: seen, not yet for long enough; `firing`; `resolved`. */
export type AlertRecord = z.infer<typeof alertRecordSchema>;

/** Something to tell people about one alert. */
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
	/** When this happened: fired, or was over. */
	readonly at: number;
	readonly once: boolean;
	/** When the next word about it is due at the latest, milliseconds since the epoch; for channels that let alerts expire. */
	readonly expiresAt: number;
	/** Told along with another alert as part of the same story. */
	readonly network: boolean;
	/** It was told before with this lower severity. */
	readonly escalatedFrom?: AlertRecord["severity"] | undefined;
}
