"""People's tables: whatever wrote them, read into the contract's columns, or refused with a sentence."""
