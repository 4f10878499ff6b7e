/** Traces in which the exploration has found a loss, each cured since. */
export const failuresFound: readonly string[] = [
	// A write in place right after the swap was recorded in the index as the checkout's own: no git saw it.
	"notes change c11=rewrite-stale",
	"notes change cg5=truncate-stale",
	"notes change c13=append",
	// A directory that was made right before the swap went to the backup with what was in it.
	"notes change c7=directory",
	// A file was made executable between the look and the swap, or before the look.
	"notes change c3=chmod",
	"notes change c5=chmod",
	"notes change c7=chmod",
	// What a merge of a late write left out was in no commit and in no saved version.
	"json change c1=append",
	"json change c7=append",
	"json change g5=open-append",
	"json change end=append-old",
	// A file was made in the place of a directory that came in: its path was held with nothing to hold, by no end.
	"notes directory c14=rewrite-stale",
	// What was written late to a file that is a directory by now had no place, and the nodes did not come to rest.
	"notes directory c5=open-append",
];
