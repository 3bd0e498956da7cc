"""Requests and replies: routes, bodies, files, errors, metrics."""
