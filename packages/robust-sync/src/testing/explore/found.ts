/** Traces in which the exploration once found a loss. */
export const failuresFound: readonly string[] = [
	// A write in place right after the swap was recorded in the index as the checkout's own: no git saw it.
	"notes change c11=rewrite-stale",
	"notes change cg5=truncate-stale",
	"notes change c13=append",
	// A directory that was made right before the swap went to the backup with its content.
	"notes change c7=directory",
	// A file was made executable between the read and the swap, or before the read.
	"notes change c3=chmod",
	"notes change c5=chmod",
	"notes change c7=chmod",
	// The content that the merge of a late write left out was in no commit and in no saved version.
	"json change c1=append",
	"json change c7=append",
	"json change g5=open-append",
	"json change end=append-old",
	// A file was made in the place of an incoming directory: its path was held with nothing to hold, for ever.
	...[14, 15, 16].map((call) => `notes directory c${call}=rewrite-stale`),
	// A write from before an earlier checkout, right before the swap: it was committed on the version between.
	"notes change-twice c5=rename-stale",
	"json change-twice c7=rewrite-stale",
	// A late write to a file that has become a directory had no place, and the nodes did not converge.
	"notes directory c5=open-append",
	// A program removed the file before the checkout, and wrote it again after it from what it had read: the incoming change was taken back.
	"notes change c4=unlink-next",
	// A directory was replaced by a file: the cycle failed, and all other paths waited. At a deletion every later cycle failed, too.
	"notes pair c14=directory-gone",
	"notes delete c4=rename c7=directory-gone",
	// The same while the checkout gave a program's directory its place back.
	"notes change c10=directory c12=directory-gone",
	// git read the file between a write in place and the search for lost updates: the version counted as read, and was taken back a minute later.
	"json change-apart 3=rewrite-stale",
	// The same in the first cycle of the next process, which read the files that the one before had placed.
	"json change-restart late=rename-stale",
	// A program wrote on from what another one had made of our version: its base was the version before, and a line was there twice.
	"notes change-twice fend=truncate-stale c8=rewrite",
	// A program wrote, into a file that was replaced since, what it had read before another program's write: a line was there twice.
	"notes change-twice fend=open-rewrite 3=truncate-stale",
	// A late write was merged, and a write from the version before both came right before the swap for that merge: its base was the version between.
	"notes change c8=patch-old c30=rename-stale",
	"json change-twice fc8=drop-newest fc36=rewrite-stale",
	// A program renamed a file that was just placed over one that was about to be replaced, and had it open: the kept file was a copy of it.
	"notes pair c14=open-append c18=over-other",
	"notes pair c20=open-append c22=swap-other",
];
