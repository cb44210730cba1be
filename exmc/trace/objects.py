"""Paths on the file systems of fsspec, where objects are put whole and folders are but the beginnings of names."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from exmc.errors import StoreError, suggest
from exmc.late import Late

if TYPE_CHECKING:
    import fsspec
    from fsspec import registry
else:
    fsspec, registry = Late("fsspec"), Late("fsspec.registry")

_OPTIONS = {"use_listings_cache": False}
# With more than one at once, s3fs asks for the size of each object before it reads it: twice as many requests.
_OPTIONS_OF = {"s3": {"max_concurrency": 1}, "s3a": {"max_concurrency": 1}}
# File systems without an exclusive put look first and put then; of the threads of one process still only one gets it.
_CREATING = threading.Lock()


def options_of(protocol: str) -> dict[str, Any]:
    """What file systems are opened with: others write, so that a listing of before is no answer."""
    return _OPTIONS | _OPTIONS_OF.get(protocol, {})


@dataclass(frozen=True, slots=True, order=True)
class ObjectPath:
    """A place on a file system of fsspec, such as ``s3://bucket/runs/x``, with those methods of `Path` that runs need.

    An object appears whole or not at all, and can be put only if nothing is there (`create`): by one request on S3,
    Google Cloud Storage and Azure; elsewhere the file system looks first and puts then. Credentials are those of
    the file system's own configuration.

    All methods raise `OSError` where the storage failed and may be asked again, and `StoreError` where the user must do
    something: install a package, or give credentials.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self.url}/{name}")

    # Names

    @property
    def protocol(self) -> str:
        """What stands before ``://``."""
        return self.url.partition("://")[0]

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The last dot of the name and what follows it."""
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> ObjectPath:
        """The place without its last part."""
        return ObjectPath(self.url.rpartition("/")[0])

    def with_name(self, name: str) -> ObjectPath:
        """The place of that name beside this one."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> ObjectPath:
        """The place with another suffix."""
        return self.parent / f"{self.stem}{suffix}"

    def absolute(self) -> ObjectPath:
        """Itself: no URL is relative."""
        return self

    def resolve(self) -> ObjectPath:
        """Itself: there are no symbolic links."""
        return self

    def is_symlink(self) -> bool:
        """Never."""
        return False

    # Objects

    def read_bytes(self) -> bytes:
        """The object; raises `FileNotFoundError` if there is none."""
        return bytes(self._ask(lambda fs, key: fs.cat_file(key)))

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object as text."""
        return self.read_bytes().decode(encoding)

    def tail(self, count: int) -> tuple[int, bytes]:
        """The size of the object, and its last `count` bytes."""
        size = int(self._ask(lambda fs, key: fs.size(key)))
        return size, bytes(self._ask(lambda fs, key: fs.cat_file(key, start=max(size - count, 0), end=size)))

    def write_bytes(self, content: bytes) -> None:
        """Put `content` here, whatever was here before."""
        self._put(content, "overwrite")

    def write_text(self, text: str, encoding: str = "utf-8") -> None:
        """Put `text` here."""
        self.write_bytes(text.encode(encoding))

    def create(self, content: bytes) -> bool:
        """Put `content` here unless something is; whether it was put."""
        with contextlib.nullcontext() if self._file_system().async_impl else _CREATING:
            try:
                self._put(content, "create")
            except FileExistsError:
                return False
        return True

    def copy(self, target: ObjectPath) -> None:
        """Copy the object to `target`, within the storage; raises `FileNotFoundError` if there is none."""
        source = self._key()
        target._into_folder(lambda fs, key: fs.cp_file(source, key))

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            self._ask(lambda fs, key: fs.rm_file(key))
        except FileNotFoundError:
            if not missing_ok:
                raise

    # Folders

    def exists(self) -> bool:
        """Whether there is an object here, or some below."""
        return bool(self._ask(lambda fs, key: fs.exists(key)))

    def is_file(self) -> bool:
        """Whether there is an object here."""
        return bool(self._ask(lambda fs, key: fs.isfile(key)))

    def is_dir(self) -> bool:
        """Whether there are objects below."""
        return bool(self._ask(lambda fs, key: fs.isdir(key)))

    def iterdir(self) -> Iterator[ObjectPath]:
        """What is here, one level deep, objects and folders, in order of names; nothing if nothing is."""
        try:
            found = self._ask(lambda fs, key: fs.ls(key, detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return
        own = self._key()
        # Some stores list an empty object for the folder itself.
        names = {str(name).rstrip("/").rpartition("/")[2] for name in found if str(name).rstrip("/") != own}
        yield from (self / name for name in sorted(names))

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """What is here, with names like `pattern`; a pattern with slashes goes as many levels down."""
        head, _, rest = pattern.partition("/")
        for path in self.iterdir():
            if fnmatch.fnmatchcase(path.name, head):
                yield from path.glob(rest) if rest else (path,)

    def rglob(self, pattern: str) -> Iterator[ObjectPath]:
        """The objects below, at any depth, with names like `pattern`."""
        try:
            found = self._ask(lambda fs, key: fs.find(key))
        except FileNotFoundError:
            return
        own = self._key()
        for name in sorted(str(n) for n in found):
            below = self / name.removeprefix(own).lstrip("/")
            if name != own and fnmatch.fnmatchcase(below.name, pattern):
                yield below

    def remove_all(self) -> None:
        """Delete every object below, if there are any."""
        with contextlib.suppress(FileNotFoundError):
            self._ask(lambda fs, key: fs.rm(key, recursive=True))

    # The file system

    def require(self) -> None:
        """Raise `StoreError` unless there is a file system for this URL; nothing is asked of the storage."""
        self._file_system()

    def _file_system(self) -> Any:
        # fsspec keeps one instance for each protocol and process.
        try:
            return fsspec.filesystem(self.protocol, **options_of(self.protocol))
        except ImportError:
            package = str(registry.known_implementations[self.protocol]["class"]).split(".")[0]
            message = f"{self.protocol}:// needs a package that is not installed."
            raise StoreError(
                message, where=(self.url,), remedy=f"pip install {package}, on every worker, too."
            ) from None
        except ValueError as error:
            if self.protocol in registry.known_implementations:
                raise StoreError(f"{error}.", where=(self.url,)) from None
            message = f"there is no file system for {self.protocol}://."
            near = suggest(self.protocol, registry.known_implementations)
            remedy = near if near.startswith("Did") else "There are s3://, gs://, az:// and all others of fsspec."
            raise StoreError(message, where=(self.url,), remedy=remedy) from None
        except Exception as error:
            raise self._refused(error) from error

    def _put(self, content: bytes, mode: str) -> None:
        self._into_folder(lambda fs, key: fs.pipe_file(key, bytes(content), mode=mode))

    def _into_folder(self, call: Callable[[Any, str], Any]) -> None:
        """Do what makes an object here, the folder first where that must be."""
        try:
            self._ask(call)
        except FileNotFoundError:
            # Those of object stores are asynchronous and have no folders; theirs would make a bucket.
            if self._file_system().async_impl:
                raise
            self._ask(lambda fs, key: fs.makedirs(fs._parent(key), exist_ok=True))
            self._ask(call)

    def _key(self) -> str:
        return str(self._file_system()._strip_protocol(self.url))

    def _ask(self, call: Callable[[Any, str], Any]) -> Any:
        """What `call` returns of the file system and the object's key; whatever it raises becomes one of two kinds."""
        fs = self._file_system()
        try:
            return call(fs, str(fs._strip_protocol(self.url)))
        except PermissionError as error:
            raise self._refused(error) from error
        except OSError:
            raise
        except Exception as error:
            # Each file system has exceptions of its own, for want of credentials and for a network that is down.
            if "credential" in f"{type(error).__name__} {error}".lower():
                raise self._refused(error) from error
            raise OSError(errno.EIO, f"{type(error).__name__}: {error}", self.url) from error

    def _refused(self, error: Exception) -> StoreError:
        return StoreError(
            f"the storage refuses access: {str(error).rstrip('.') or type(error).__name__}.",
            where=(self.url,),
            remedy=f"Give credentials as fsspec's file system for {self.protocol}:// takes them: in its environment "
            "variables, or in ~/.config/fsspec/.",
        )
