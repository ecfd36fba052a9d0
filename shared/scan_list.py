"""The list of scans: which scans an app has, from `scans.json` in the state container.

The file holds what `SCANS` would hold. Whoever runs scans or commands reads it here: the timer, the
command line and every worker. The last valid version of the file is kept beside it. It stays in use
while the newest version is wrong, so that a typing error in the element of one tenant does not stop
the scans of all others.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.core.audit.attention import WrongList
from shared.core.errors import SettingsError, StoreUnavailable
from shared.ports import ListedScans, ScanListStore
from shared.settings import LIST, read_settings, sets_scans

Environ = Mapping[str, str]
Adapt = Callable[[str], str]
"""Returns the text of a list as whoever reads it can use it."""


@dataclass(slots=True)
class Known:
    """What a process remembers of the file between its runs.

    Attributes:
        was_read: whether the file, or its absence, is known at all.
        file: the file as it was last read; None if it does not exist.
        kept: the version that is kept, if this process has read or written it.
        none_kept: whether no version was kept when this process looked.
    """

    was_read: bool = False
    file: ListedScans | None = None
    kept: bytes | None = None
    none_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanList:
    """Which scans there are.

    Attributes:
        environ: the settings, and among them the list in use if there is a file.
        wrong: why the newest version of the file is not in use; None if it is.
    """

    environ: Environ
    wrong: WrongList | None = None


class ListReader:
    """Reads the list of an app. An unchanged file costs one conditional request."""

    def __init__(self, store: ScanListStore, known: Known, *, adapt: Adapt | None = None) -> None:
        """Read from a store, with what is known from earlier reads.

        Args:
            store: the state container of the app.
            known: is filled by each read.
            adapt: changes the text of the list before it is used.
        """
        self._store = store
        self._known = known
        self._adapt = adapt or (lambda text: text)

    def read(self, environ: Environ, *, keeps: bool = False) -> ScanList:
        """Return the list in use.

        Args:
            environ: the settings.
            keeps: whether to keep the newest version if it is valid.

        Raises:
            SettingsError: the file is wrong, or set together with SCANS, and no version of it that
                is valid was kept.
            StoreUnavailable: storage cannot be reached or refuses, and nothing says which scans
                there are.
        """
        try:
            self._look()
        except StoreUnavailable:
            if not self._known.was_read and not sets_scans(environ):
                raise
        file = self._known.file
        if file is None:
            return self._without_file(environ)
        try:
            newest = self._valid(environ, file.content)
        except SettingsError as error:
            older = self._older(environ, file.content)
            if older is None:
                raise
            wrong = WrongList(since=file.changed, problems=error.problems)
            return ScanList(environ=older, wrong=wrong)
        if keeps:
            self._keep(file.content)
        return ScanList(environ=newest)

    def _look(self) -> None:
        """Read the file unless it is the one that is known."""
        known = self._known
        found = self._store.read(known.file.etag if known.file else None)
        if found is None or found.content is not None:
            known.file = found
        known.was_read = True

    def _without_file(self, environ: Environ) -> ScanList:
        """Return the scans of the settings, unless a file was in use and is gone."""
        known = self._known
        if sets_scans(environ) or known.none_kept or not known.was_read:
            return ScanList(environ=environ)
        known.kept = self._store.kept()
        known.none_kept = known.kept is None
        if known.kept is None:
            return ScanList(environ=environ)
        gone = (
            f"{LIST} is gone: upload it again. If the settings are to say which scans there are, "
            "delete scans-in-use.json, too"
        )
        wrong = WrongList(since=None, problems=(gone,))
        return ScanList(environ=self._valid(environ, known.kept), wrong=wrong)

    def _valid(self, environ: Environ, content: bytes | None) -> Environ:
        """Return the settings with a version of the list.

        Raises:
            SettingsError: they are wrong.
        """
        try:
            text = (content or b"").decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SettingsError(
                [f"{LIST} is not UTF-8 ({error.reason}): save it as UTF-8"]
            ) from None
        listed = {**environ, LIST: self._adapt(text)}
        read_settings(listed)
        return listed

    def _older(self, environ: Environ, newest: bytes | None) -> Environ | None:
        """Return the settings with the version that was kept; None if it does not help."""
        kept = self._known.kept = self._store.kept()
        if kept is None or kept == newest:
            return None
        try:
            return self._valid(environ, kept)
        except SettingsError:
            return None

    def _keep(self, content: bytes | None) -> None:
        """Keep a valid version, unless it is kept already."""
        known = self._known
        if content is None or known.kept == content:
            return
        with suppress(StoreUnavailable):  # The next run tries again.
            if self._store.kept() != content:
                self._store.keep(content)
            known.kept, known.none_kept = content, False
