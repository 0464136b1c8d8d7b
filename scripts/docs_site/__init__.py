"""The documentation's site: ``python -m scripts.docs_site``, or ``make docs``.

What stands in ``docs`` and ``benchmarks`` is written by hand; the references are made from the
code (docstrings, the server's OpenAPI document, the commands) and the figures from the result
files, so that neither can differ from what it describes. All of it is gathered in ``build/docs``,
as plain Markdown with links that hold there, and built from ``mkdocs.yml``.
"""
