"""Proxies of the environment, as far as a client of HTTP cannot use them."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

SOCKS = re.compile(r"socks", re.IGNORECASE)
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")


def socks_wanted() -> str | None:
    """Returns what to install where a proxy is a SOCKS proxy; None where there is none, or it is
    installed."""
    name = next((name for name in PROXIES if SOCKS.match(os.environ.get(name, "").strip())), None)
    if name is None or find_spec("socksio"):
        return None
    remedy = "`.tools/bin/uv pip install --python .venv/bin/python socksio`"
    return f"{name} names a SOCKS proxy, which needs the package socksio: {remedy}, or unset it."
