"""The UI behind the rule of who may ask, as `python -m ui` serves it."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from contracts.hosts import HostGuard, allowed_hosts
from ui.settings import UiSettings
from ui.uploads import bound_uploads

bound_uploads()
app = st.App("app.py", middleware=[Middleware(HostGuard, allowed=allowed_hosts(UiSettings().allowed_hosts))])
