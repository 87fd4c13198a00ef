"""From stack addresses to functions and lines, on Linux.

Addresses are any sequence of integers; a buffer of unsigned 64-bit numbers, such as an array of
numpy's uint64 or `array.array("Q")`, which is not copied, and which nobody may write to during the
call; or bytes, as addresses are in memory.

Answers and places are sequences, and record batches of Arrow by its PyCapsule interface:
`pyarrow.record_batch(answers)`.

Each call works without Python's lock. Objects may be shared by threads, and are released by
`close`, by `with` or by the garbage collector. They cannot be pickled, nor used in a forked child.
"""

import copyreg as _copyreg
from collections.abc import Sequence as _Sequence

from ._backsight import (
    Answer,
    Answers,
    Frame,
    Index,
    Module,
    Place,
    Places,
    Process,
    Profile,
    Session,
    Snapshot,
    Symbol,
    SymbolOptions,
    Symbolizer,
    ThreadStack,
    __version__,
)
from ._errors import (
    AccessDenied,
    BadArgument,
    BadOptions,
    Closed,
    Damaged,
    Error,
    Forked,
    InCallback,
    InputOutputError,
    InternalError,
    LimitReached,
    NoSuchFile,
    NoSuchProcess,
    NotFound,
    ProcessGone,
    UnknownFormat,
    Unsupported,
)

__all__ = [
    "AccessDenied",
    "Answer",
    "Answers",
    "BadArgument",
    "BadOptions",
    "Closed",
    "Damaged",
    "Error",
    "Forked",
    "Frame",
    "InCallback",
    "Index",
    "InputOutputError",
    "InternalError",
    "LimitReached",
    "Module",
    "NoSuchFile",
    "NoSuchProcess",
    "NotFound",
    "Place",
    "Places",
    "Process",
    "ProcessGone",
    "Profile",
    "Session",
    "Snapshot",
    "Symbol",
    "SymbolOptions",
    "Symbolizer",
    "ThreadStack",
    "UnknownFormat",
    "Unsupported",
    "__version__",
]

_Sequence.register(Answers)
_Sequence.register(Places)



def _not_pickled(thing):
    raise TypeError(f"cannot pickle {type(thing).__name__!r} object: it is of this process alone")


for _name in __all__:
    _class = globals()[_name]
    if not isinstance(_class, type):
        continue
    if issubclass(_class, Error):
        # It is the package's, wherever it is defined.
        _class.__module__ = __name__
    else:
        _copyreg.pickle(_class, _not_pickled)
del _name, _class
