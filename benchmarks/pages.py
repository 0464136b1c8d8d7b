"""Put the measured tables where people read them: ``benchmarks/*.md`` and the README.

    python -m benchmarks.pages

In the README a table stands between ``<!-- NAME -->`` and ``<!-- end NAME -->``; of the cases it
shows those that have a target.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.cases import RESULTS, markdown

ROOT = Path(__file__).parent
README = ROOT.parent / "README.md"
TITLES = {
    "demo": "The demo: Complete Journey, a grocer's year",
    "online_retail": "The second shop: UCI Online Retail",
    "encoders": "The encoders: pictures and words",
    "graph": "The graph: vectors from who took what, and from facts",
    "retrieval": "Retrieval: the index, its filters and its changes",
    "rerank": "The reranker: time and scene",
    "serving": "Serving: under load, under fire",
    "explain": "Reasons and the assistant",
    "compare": "The comparison: everyone on four data sets",
}


def main() -> None:
    """Write the pages of every benchmark that has results."""
    readme = README.read_text("utf-8")
    for name, title in TITLES.items():
        if not (RESULTS / f"{name}.json").is_file():
            continue
        cases = markdown(name)
        table = (RESULTS / f"{name}_table.md").read_text("utf-8").strip()
        page = f"# {title}\n\n{table}\n\n## Cases\n\n{cases}\n"
        (ROOT / f"{name}.md").write_text(page, "utf-8")
        readme = _between(readme, f"{name} table", _short(table))
        readme = _between(readme, f"{name} cases", markdown(name, aimed_only=True))
    README.write_text(readme, "utf-8")


def _short(table: str) -> str:
    """The table without its title: the README has its own."""
    return "\n".join(line for line in table.splitlines() if not line.startswith("**")).strip()


def _between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


if __name__ == "__main__":
    main()
