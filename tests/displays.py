"""Displays of commands, for tests: one remembers what it is told, one does not."""


class Silent:
    """A `Display` that shows nothing."""

    def say(self, text: str) -> None:
        """Drop it."""

    def progress(self, text: str) -> None:
        """Drop it."""

    def tick(self, text: str) -> None:
        """Drop it."""


class Said(Silent):
    """A `Display` that remembers what stays on the screen."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Remember a line."""
        self.lines.append(text)

    def progress(self, text: str) -> None:
        """Remember a line."""
        self.lines.append(text)
