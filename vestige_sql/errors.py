"""Every error that this package raises on purpose.

Each says what happened, to which object, what state the data is in and what to do next. The command line
prints the message and the hint and exits with ``exit_code``.
"""

from __future__ import annotations


class VestigeError(Exception):
    """The base of them all: ``str(error)`` is the message, ``hint`` says what to do next (or is empty)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(VestigeError):
    """The command or call was put together wrongly; nothing was looked at."""

    exit_code = 2


class ModelNotFound(VestigeError):
    """No model by that name in a folder, in the hub's cache or on the hub."""


class ModelUnsupported(VestigeError):
    """The model was found, but it asks for something that the encoder does not do, such as max pooling."""


class DimensionMismatch(VestigeError):
    """The dimension asked for is not the dimension that the model gives."""


class ModelMismatch(VestigeError):
    """The registry names another model than the one at hand; only a re-embedding may change it."""


class BadEmbedding(VestigeError):
    """The model returned NaN, infinity, a zero vector or the wrong shape; nothing was put in place.

    ``row`` is the place of the text among those that were to be encoded, or of the first of the call that went wrong.
    """

    def __init__(self, message: str, hint: str = "", row: int | None = None) -> None:
        super().__init__(message, hint)
        self.row = row


class EncoderError(VestigeError):
    """The model could not be run on some texts; no vectors came of it."""


class TargetError(VestigeError):
    """The target table cannot be re-embedded as it stands; nothing was written."""


class VersionMismatch(VestigeError):
    """The database is at another version of this package than the one that runs; nothing was written."""


class ServerError(VestigeError):
    """PostgreSQL refused, or could not be reached; the message is the server's."""


class ServerLost(ServerError):
    """The connection to PostgreSQL broke, or none could be made, while rows were encoded on other machines."""


class EngineError(VestigeError):
    """Ray could not be started or reached, or it has no worker left; what is staged stays."""


class RunInProgress(VestigeError):
    """Another process is at work on the same target."""


class StagedForAnother(VestigeError):
    """The run under way is for another model, dimension, column or mode than the one asked for."""


class FilesChanged(VestigeError):
    """The step files that the run under way has run so far have another text by now."""


class CheckFailed(VestigeError):
    """A check in the SQL steps did not hold, so the transaction was rolled back."""


class LockNotAvailable(VestigeError):
    """The table could not be locked in the time allowed; the sessions in the way are named."""


class RecallTooLow(VestigeError):
    """The new index finds less of what an exact search finds than was asked for."""


class IndexInvalid(VestigeError):
    """An INVALID index of the name to build is in the way, and this mode never drops one on its own."""


class SourceError(VestigeError):
    """The SQLite database cannot be read, or is none of Vestige's, or is too old."""
