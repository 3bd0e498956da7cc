"""Proof that each layer holds what the one before it does, and that readers see it.

A second opinion beside dbt's tests, on purpose: those look at what a build has just taken in, by the macros
that made it, so that a mistake in a macro is in both, and whoever changes a store later runs none of them.
Here each table is derived once more, in other words and from all rows. Shared with dbt are the contract, the
split's salt and the functions of `lake.coverage`, which have tests of their own.
"""
