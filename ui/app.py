"""The frame of every page: navigation, language, style."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.session import language_switch, session

PAGES = {
    "pipeline": ":material/route:",
    "quality": ":material/verified:",
    "models": ":material/insights:",
    "predict": ":material/forest:",
    "lineage": ":material/account_tree:",
    "lake": ":material/database:",
}
PICTURES = Path(__file__).with_name("pictures")
# Streamlit leaves a tenth of the width and of the height empty; the pipeline needs the room. On a narrow
# screen its sidebar hides the navigation, and once opened covers the page: links on the page serve there.
STYLE = """
<style>
[data-testid="stMainBlockContainer"] { max-width: 84rem; padding: 3.5rem clamp(1rem, 4vw, 3rem) 4rem; }
[data-testid="stCaptionContainer"] { color: inherit; opacity: .85; }
[data-testid="stMain"] [data-variant="segmented_control"] p { color: var(--canopy-ink); font-weight: 600; }
[class*="st-key-live_"] [data-stale="true"] { opacity: 1 !important; }
.st-key-answer h2 { font-size: 1.9rem; padding-top: 0; }
.stApp { --canopy-ink: light-dark(#1d2721, #e7ede9); }
.st-key-landings a { background: none; padding-left: 0; }
.st-key-landings a p { font-weight: 400; text-decoration: underline; text-underline-offset: .2em; }
@media (max-width: 640px) {
  [data-testid="stHorizontalBlock"]:has([data-testid="stMetric"]) > [data-testid="stColumn"] {
    min-width: calc(50% - 1rem); flex: 1 1 calc(50% - 1rem);
  }
}
@media (min-width: 768px) { .st-key-pages { display: none; } }
@media (max-width: 767px) { [data-testid="stMainBlockContainer"] { padding-top: 4.5rem; } }
</style>
"""


def main() -> None:
    """Shows the navigation, the language switch and the page that was asked for."""
    # A named icon would be fetched from a font service; nothing here leaves this machine.
    icon = str(PICTURES / "canopy.svg")
    st.set_page_config(page_title="Canopy", page_icon=icon, layout="wide")
    st.logo(str(PICTURES / "name.svg"), size="large", icon_image=icon)
    st.html(STYLE)
    language_switch(st.sidebar)
    texts = session().texts
    st.sidebar.caption(texts("app.tagline"))
    pages = [
        st.Page(f"views/{name}.py", title=texts(f"page.{name}"), icon=icon, url_path=name)
        for name, icon in PAGES.items()
    ]
    chosen = st.navigation(pages)
    with st.container(horizontal=True, key="pages"):
        for page in pages:
            st.page_link(page)
    chosen.run()


if __name__ == "__main__":
    main()
