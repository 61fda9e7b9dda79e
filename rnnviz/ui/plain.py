"""Words that may come from anywhere, a hostile link included, made safe to print."""

from __future__ import annotations


def literal(text: str) -> str:
    """Markdown that shows `text` as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]()<>#+-.!|~$:" else char for char in text)
