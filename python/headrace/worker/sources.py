"""Imports an app from what its revision was made of, where the files on disk say something else by now.

Modules keep the paths that they have on disk, so that what an app reads beside its code (templates, data) is found as ever.
While a file is as the revision knows it, it is imported the usual way.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import ModuleType
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union


class Source(NamedTuple):
    """A folder of the app, and the folder with what the revision has of it. Both absolute."""

    folder: str
    kept: str


_sources: List[Source] = []


def install(sources: Sequence[Source]) -> None:
    """Have imports from these folders look at what is kept of them. Again, it does nothing."""
    if _sources or not sources:
        return
    import pkgutil

    _sources.extend(sources)
    # Frameworks find their plugins, commands and migrations by listing packages.
    pkgutil.iter_importer_modules.register(_Finder, _Finder.modules)  # type: ignore[attr-defined]
    sys.path_hooks.insert(0, _hook)
    sys.path_importer_cache.clear()


def is_file(path: str) -> bool:
    """Whether there is a file for imports: a kept one counts, one that came later does not."""
    place = _place(os.path.dirname(path))
    if place is None:
        return os.path.isfile(path)
    return os.path.isfile(os.path.join(place, os.path.basename(path)))


def spec_of(name: str, path: str) -> Optional[ModuleSpec]:
    """The spec of a module that is named by its file."""
    place = _place(os.path.dirname(path))
    if place is not None:
        kept = os.path.join(place, os.path.basename(path))
        if os.path.isfile(kept) and not _same(path, kept):
            return importlib.util.spec_from_file_location(name, path, loader=_Loader(name, path, kept))
    return importlib.util.spec_from_file_location(name, path)


def _place(folder: str) -> Optional[str]:
    """Where a folder is kept; None when it is not."""
    path = os.path.abspath(folder)
    for source in _sources:
        if path == source.folder or path.startswith(source.folder.rstrip(os.sep) + os.sep):
            place = os.path.join(source.kept, os.path.relpath(path, source.folder))
            return place if os.path.isdir(place) else None
    return None


def _hook(path: str) -> "_Finder":
    place = _place(path)
    if place is None:
        raise ImportError("not a folder of the app", path=path)
    return _Finder(os.path.abspath(path), place)


def _read(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _same(path: str, kept: str) -> bool:
    return _read(path) == _read(kept)


class _Loader(SourceFileLoader):
    """Loads the kept text of a file under the file's own name."""

    def __init__(self, fullname: str, path: str, kept: str) -> None:
        super().__init__(fullname, path)
        self._kept = kept

    def get_data(self, path: Any) -> bytes:
        if path != self.path:
            return super().get_data(path)
        with open(self._kept, "rb") as file:
            data = file.read()
        import linecache

        # Tracebacks quote the file; without a time, the entry is not compared with what is on disk.
        lines = importlib.util.decode_source(data).splitlines(True)
        linecache.cache[self.path] = (len(data), None, lines, self.path)
        return data

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        # Without the time of the source no bytecode is read or written: what is cached is another text's.
        raise OSError(f"{path} is not imported from disk")


class _Finder(FileFinder):
    """Finds what one folder has for imports. It is one of the usual kind, because tools look at that."""

    def __init__(self, folder: str, kept: str) -> None:
        super().__init__(
            folder,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (SourceFileLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )
        self._folder = folder
        self._kept = kept

    def modules(self, prefix: str = "") -> Iterator[Tuple[str, bool]]:
        """Modules and packages of the folder, as `pkgutil.iter_modules` wants them: name, and whether it is a package."""
        found: Dict[str, bool] = {}
        for name in _names(self._kept):
            if name.endswith(".py") and name != "__init__.py":
                found.setdefault(name[: -len(".py")], False)
            elif os.path.isfile(os.path.join(self._kept, name, "__init__.py")):
                found[name] = True
        for name in _names(self._folder):
            for suffix in EXTENSION_SUFFIXES:
                if name.endswith(suffix):
                    found.setdefault(name[: -len(suffix)].partition(".")[0], False)
        for name in sorted(found):
            if name.isidentifier():
                yield prefix + name, found[name]

    def find_spec(self, fullname: str, target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        tail = fullname.rpartition(".")[2]
        for base, folder in ((os.path.join(tail, "__init__.py"), os.path.join(self._folder, tail)), (f"{tail}.py", None)):
            if os.path.isfile(os.path.join(self._kept, base)):
                return self._spec(fullname, base, folder)
        found = super().find_spec(fullname, target)
        if found is not None:
            # A source file that the revision does not know came later.
            return None if isinstance(found.loader, SourceFileLoader) else found
        if not os.path.isdir(os.path.join(self._kept, tail)):
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [os.path.join(self._folder, tail)]
        return spec

    def _spec(self, fullname: str, base: str, package: Optional[str]) -> Optional[ModuleSpec]:
        path, kept = os.path.join(self._folder, base), os.path.join(self._kept, base)
        search: Union[List[str], None] = None if package is None else [package]
        loader = SourceFileLoader(fullname, path) if _same(path, kept) else _Loader(fullname, path, kept)
        return importlib.util.spec_from_file_location(fullname, path, loader=loader, submodule_search_locations=search)
