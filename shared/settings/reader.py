"""Reading settings one by one, and remembering everything that is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.access import Secret
from shared.core.errors import SettingsError
from shared.settings.table import Setting, Value

UNRESOLVED = "@Microsoft.KeyVault("
"""How a Key Vault reference begins when the platform could not resolve it."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads settings and collects problems, so that all of them are reported together.

    Attributes:
        source: the texts, by name.
        place: put before the name in a problem, to say which scan it is about.
        problems: found so far; readers of several scans share the list.
    """

    source: Mapping[str, str]
    place: str = ""
    problems: list[str] = field(default_factory=list)

    def value(self, setting: Setting[Value], default: str | None = None) -> Value:
        """Return a setting's value; after a problem, the value of its default.

        Args:
            setting: one that has a default.
            default: used instead of the one in the table.
        """
        fallback = default or setting.default or ""
        text = self.text(setting) or fallback
        try:
            return setting.parse(text)
        except (ValueError, RecursionError) as error:  # The latter for JSON that is too deep.
            found = f"is {text!r}" if setting.is_shown else "is invalid"
            self.problem(setting.name, f"{found}: {error}; {setting.hint}")
            return setting.parse(fallback)

    def text(self, setting: Setting[Value]) -> str | None:
        """Return the text of a setting, None when it is absent, empty or unresolved."""
        problem = self.unresolved(setting)
        if problem:
            self.problems.append(problem)
            return None
        return self.source.get(setting.name, "").strip() or None

    def unresolved(self, setting: Setting[Value]) -> str | None:
        """Return the problem with a Key Vault reference that was not resolved; None without one."""
        if not self.source.get(setting.name, "").strip().startswith(UNRESOLVED):
            return None
        return (
            f"{self.place}{setting.name} is an unresolved Key Vault reference: check that the "
            "vault and the secret exist and that the app's identity has the role Key Vault Secrets "
            "User"
        )

    def secret(self, setting: Setting[Secret]) -> Secret | None:
        """Return a secret, None when it is absent, empty or unresolved."""
        text = self.text(setting)
        return None if text is None else setting.parse(text)

    def require(self, setting: Setting[Value], value: object, hint: str) -> None:
        """Note a problem when a setting that is needed has no value."""
        if value is None and not self.unresolved(setting):
            self.problem(setting.name, f"is not set: {hint}")

    def problem(self, name: str, text: str) -> None:
        """Note a problem with the setting of this name."""
        self.problems.append(f"{self.place}{name} {text}")

    def require_no_problems(self) -> None:
        """Raise an error that names every problem, each once.

        Raises:
            SettingsError: there is at least one.
        """
        if self.problems:
            raise SettingsError(list(dict.fromkeys(self.problems)))
