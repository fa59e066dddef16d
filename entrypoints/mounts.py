"""Several wire contracts on one listener."""

from collections.abc import Callable

from entrypoints.operations.pages import App, Receive, Scope, Send


class BesideAnother:
    """A contract beside another one: under its `prefix` with all its paths, and at the root with those that are its
    own. The path decides, never a header."""

    def __init__(self, app: App, prefix: str, is_own: Callable[[str], bool], other: App) -> None:
        self._app = app
        self._prefix = prefix
        self._below = f"{prefix}/"
        self._is_own = is_own
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == self._prefix or path.startswith(self._below):
            # Changed in place, because who measures the request looks at the scope for the route.
            scope["path"] = path[len(self._prefix) :] or "/"
            scope["raw_path"] = _without_first(scope["raw_path"])
            scope["root_path"] = f"{scope.get('root_path', '')}{self._prefix}"
            await self._app(scope, receive, send)
        elif self._is_own(path):
            await self._app(scope, receive, send)
        else:
            await self._other(scope, receive, send)


class ByPath:
    """A contract beside another one, with the paths that are its own."""

    def __init__(self, app: App, is_own: Callable[[str], bool], other: App) -> None:
        self._app = app
        self._is_own = is_own
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._app if self._is_own(scope["path"]) else self._other)(scope, receive, send)


def _without_first(raw_path: bytes) -> bytes:
    """The path as it was sent, without its first segment."""
    _, slash, rest = raw_path.lstrip(b"/").partition(b"/")
    return slash + rest or b"/"
