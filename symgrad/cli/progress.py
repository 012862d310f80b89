"""Progress on standard error, where that is a terminal; nothing elsewhere."""

from __future__ import annotations

import sys


class Progress:
    """One line that says what is being done; `done` removes it."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Replace the line."""
        if self.shown:
            sys.stderr.write(f"\r\x1b[K{text} …")
            sys.stderr.flush()

    def done(self) -> None:
        """Remove the line."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
