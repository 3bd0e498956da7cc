"""Looks at the whole stack, again and again, and tells somebody what is wrong."""
