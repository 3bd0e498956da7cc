"""Writes which bytes the images of others are today: `make digests`.

A tag may be moved to other bytes by whoever owns it, a digest not. The file is read by Docker Compose beside
compose.yaml: COMPOSE_FILE=compose.yaml:compose.digests.yaml
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]+)\}")
BASE = re.compile(r"^ARG BASE=(\S+)$", re.MULTILINE)
OURS = "canopy-"
HEAD = (
    "# Made by `make digests`: read by Docker Compose with COMPOSE_FILE=compose.yaml:compose.digests.yaml\n"
)


def digest_of(image: str) -> str:
    """Returns the digest that a registry has for a tag; ends the program with what the engine says if it
    cannot."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        digest = str(json.loads(done.stdout)["digest"])
    except FileNotFoundError:
        sys.exit("`make digests` needs Docker with buildx, and the command `docker` is not there.")
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or "nothing").splitlines()[-1]
        sys.exit(f"The digest of {image} is not known: the engine says {said!r}. Is its registry reached?")
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        sys.exit(f"The digest of {image} is not known: {type(error).__name__}. Nothing was written.")
    if not DIGEST.fullmatch(digest):
        sys.exit(f"The digest of {image} is not known: {digest!r} is none. Nothing was written.")
    return digest


def pinned(image: str) -> str:
    """Returns an image by tag and digest; where a person may name another, what is taken without that."""
    if found := VARIABLE.fullmatch(image):
        return f"${{{found[1]}:-{found[2]}@{digest_of(found[2])}}}"
    return f"{image}@{digest_of(image)}"


def pinned_services(compose: dict[str, Any], base: str) -> dict[str, Any]:
    """Returns what compose.yaml's services are to have instead: images of others, and what ours are built
    on."""
    built_on = f"{base}@{digest_of(base)}"
    services: dict[str, Any] = {}
    for name, service in compose["services"].items():
        if not service["image"].startswith(OURS):
            services[name] = {"image": pinned(service["image"])}
        elif "build" in service:
            services[name] = {"build": {"args": {"BASE": built_on}}}
    return services


def main() -> None:
    """Asks for every digest first, then writes the file."""
    found = BASE.search((PROJECT / "Dockerfile").read_text())
    if found is None:
        sys.exit("The Dockerfile names no base: a line `ARG BASE=…` is missing.")
    compose = yaml.safe_load((PROJECT / "compose.yaml").read_text())
    services = pinned_services(compose, found[1])
    target = Path(sys.argv[1]) if sys.argv[1:] else PROJECT / "compose.digests.yaml"
    target.write_text(HEAD + yaml.safe_dump({"services": services}, sort_keys=True))
    sys.stdout.write(f"{len(services)} services are pinned in {target}.\n")


if __name__ == "__main__":
    main()
