import { fileStamp } from "@robust-sync/system/file-stamp";
import { type PeerState, peerStateSchema, readState, type StateRead } from "@robust-sync/workspace";

/** Reads the state file of a peer. */
export type PeerFileReader = (file: string) => StateRead<PeerState>;

/** A reader that reads and checks a file again only when it was replaced: a hundred peers change their files once a minute. */
export function peerFileReader(): PeerFileReader {
	const known = new Map<string, { signature: string; read: StateRead<PeerState> }>();
	return (file) => {
		const signature = signatureOf(file);
		const last = known.get(file);
		if (signature !== null && last?.signature === signature) return last.read;
		const read = readState(file, peerStateSchema);
		if (signature !== null) known.set(file, { signature, read });
		return read;
	};
}

/** null: its stamp cannot be read. */
function signatureOf(file: string): string | null {
	try {
		return fileStamp(file) ?? "missing";
	} catch {
		return null;
	}
}
