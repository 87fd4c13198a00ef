"""The exceptions of backsight, by kind. The native module raises them by the name of the kind."""


class Error(Exception):
    """A call failed. The message says which file or process, the cause and, where there is one, the
    way out."""

    #: The name of the kind, as `backsight_status_name` of the C library has it.
    kind = "error"
    #: The number of the system call's error that made the call fail; None if none did.
    errno = None


class Closed(Error, ValueError):
    """The object was closed before."""

    kind = "handle"


class Forked(Error, RuntimeError):
    """The object was made before this process was forked: make another one here."""

    kind = "forked"


class BadOptions(Error, ValueError):
    """Options do not fit each other, or not the call."""

    kind = "options"


class BadArgument(Error, ValueError):
    """An argument has a value that it cannot have."""

    kind = "argument"


class InCallback(Error, RuntimeError):
    """The call was made from inside a callback, which waits for what it would ask."""

    kind = "in-callback"


class NoSuchProcess(Error, ProcessLookupError):
    """There is no such process, or it is hidden from this user."""

    kind = "no-such-process"


class ProcessGone(Error, ProcessLookupError):
    """The process has ended, or runs another program now."""

    kind = "process-gone"


class AccessDenied(Error, PermissionError):
    """This user may not do that."""

    kind = "denied"


class Unsupported(Error, NotImplementedError):
    """The kernel, or this build, cannot do that."""

    kind = "unsupported"


class InputOutputError(Error, OSError):
    """A system call failed: see `errno`."""

    kind = "io"


class NoSuchFile(InputOutputError, FileNotFoundError):
    """There is no such file."""


class Damaged(Error, ValueError):
    """A file or text is damaged, or not of the format that it should have."""

    kind = "malformed"


class UnknownFormat(Error, ValueError):
    """The format of a profile is not recognized, or does not exist."""

    kind = "format"


class LimitReached(Error):
    """A limit on memory was reached."""

    kind = "limit"


class InternalError(Error, RuntimeError):
    """backsight has a bug, which was caught. The object can only be closed. Please report it."""

    kind = "panic"


class NotFound(Error, LookupError):
    """There is no such module, thread or file of a build ID."""

    kind = "not-found"


KINDS = {
    error.kind: error
    for error in (
        Closed,
        Forked,
        BadOptions,
        BadArgument,
        InCallback,
        NoSuchProcess,
        ProcessGone,
        AccessDenied,
        Unsupported,
        InputOutputError,
        Damaged,
        UnknownFormat,
        LimitReached,
        InternalError,
        NotFound,
    )
}


def error_of(kind, errno, message):
    """Returns the exception for a failure of the native module."""
    made = (NoSuchFile if kind == "io" and errno == 2 else KINDS[kind])(message)
    made.errno = errno
    return made
