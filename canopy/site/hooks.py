"""What mkdocs asks while it builds: pages that are made, links that move, and mermaid's script."""

from __future__ import annotations

from importlib.resources import files as resources
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from canopy.site.links import RENAMED, code_pages, site_links
from canopy.site.references import command_reference, error_reference, setting_reference
from contracts.stack_settings import PROJECT

# Files are made by mkdocs itself: mkdocs-gen-files 0.6 brings a second mkdocs, properdocs, for the same.
MERMAID = "assets/mermaid.js"
# The theme's search is a dialog without a name.
SEARCH = 'data-md-component="search" role="dialog" aria-label="Search"'
READMES = {page: file for file, page in RENAMED.items() if file.startswith("README")}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds what is not in docs/: the README, the references, the files that pages link to, mermaid."""
    made = {page: (PROJECT / file).read_text() for page, file in READMES.items()}
    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    texts |= {READMES[page]: text for page, text in made.items()}
    for origin, text in texts.items():
        made |= code_pages(text, origin)
    made["reference/commands.md"] = command_reference()
    made["reference/settings.md"] = setting_reference()
    made["reference/errors.md"] = error_reference()
    made[MERMAID] = resources("mermaidx").joinpath("assets/mermaid.js").read_text()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Turns links to files of the repository into links to pages."""
    name = page.file.src_uri
    if page.file.generated_by and name not in READMES:
        return markdown
    return site_links(markdown, READMES.get(name, f"docs/{name}"), name)


def on_post_page(output: str, *, page: Page, **_: Any) -> str:
    """Loads mermaid from the site itself, where a page has a diagram; the theme would fetch it elsewhere."""
    output = output.replace('data-md-component="search" role="dialog"', SEARCH, 1)
    if '<pre class="mermaid">' not in output:
        return output
    script = f'<script src="{"../" * page.url.count("/")}{MERMAID}"></script>'
    return output.replace("</head>", f"{script}</head>", 1)
