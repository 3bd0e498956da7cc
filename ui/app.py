"""The entry of the UI: `streamlit run ui/app.py`."""

from __future__ import annotations

import streamlit as st

from ui.session import language_switch, session

PAGES = {"pipeline": ":material/route:", "model": ":material/insights:", "predict": ":material/forest:"}


def main() -> None:
    """Shows the navigation, the language switch and the page that was asked for."""
    st.set_page_config(page_title="Canopy", page_icon=":material/forest:", layout="wide")
    texts = session().texts
    page = st.navigation(
        [
            st.Page(f"views/{name}.py", title=texts(f"page.{name}"), icon=icon, url_path=name)
            for name, icon in PAGES.items()
        ]
    )
    with st.sidebar:
        language_switch(texts("app.language"))
        st.caption(texts("app.tagline"))
    page.run()


if __name__ == "__main__":
    main()
