"""Gather the pages and build the site: ``python -m scripts.docs_site [--pages-only]``."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.docs_site.gather import PAGES, ROOT, gather

BUILD = (sys.executable, "-m", "mkdocs", "build", "--strict", "--clean")


def main(arguments: list[str]) -> int:
    """Write ``build/docs``, and from it ``build/site``; any warning is an error."""
    count = gather(ROOT, PAGES)
    sys.stdout.write(f"{count} pages in {PAGES.relative_to(ROOT)}\n")
    if "--pages-only" in arguments:
        return 0
    # Material announces there what MkDocs 2 will break; pyproject.toml keeps MkDocs 1.
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "true", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(BUILD, cwd=ROOT, env=quiet, check=False)
    if done.returncode == 0:
        sys.stdout.write("the site: build/site/index.html\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
