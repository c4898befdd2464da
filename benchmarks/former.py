"""What a page of figures says when the files that it measured are no longer those that ship."""

FORMER = "These are figures of a former release; those of the present one, in one engine: [results.md](results.md)."
