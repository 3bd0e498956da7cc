"""Published: the pointer, what audits said, digests of the files, the analysts' file."""
