"""The documentation's site: its pages from docs/, from the README and from the code, and who serves them."""
