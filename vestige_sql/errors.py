"""Every error that this package raises on purpose.

The message says what happened, and to which object. The hint says what state the data is in, and what to do next. The
command line prints both and exits with ``exit_code``.
"""

from __future__ import annotations


class VestigeError(Exception):
    """The base class: ``str(error)`` is the message, ``hint`` says what to do next (or is empty).

    The hint is a note of the exception too, so that whatever prints the traceback prints it: Alembic, Django, pytest.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(hint)


class UsageError(VestigeError):
    """The command or call is wrong; nothing was looked at."""

    exit_code = 2


class ModelNotFound(VestigeError):
    """No model by that name in a folder, in the hub's cache or on the hub."""


class ModelUnsupported(VestigeError):
    """The model is incomplete, or needs something that the encoder does not support, such as an image."""


class PromptNeeded(ModelUnsupported):
    """The card of the model's family asks for a prompt that its configuration lacks, and none was given."""


class DimensionMismatch(VestigeError):
    """The dimension asked for is not the model's."""


class ModelMismatch(VestigeError):
    """The model is not the one that made the vectors; only a re-embedding may change the registered model."""


class BadEmbedding(VestigeError):
    """The model returned NaN, infinity, a zero vector or the wrong shape; nothing was put in place.

    ``row`` is the index of the text among those to encode, or of the first text of the call that failed, or None.
    """

    def __init__(self, message: str, hint: str = "", row: int | None = None) -> None:
        super().__init__(message, hint)
        self.row = row


class EncoderError(VestigeError):
    """The model could not be run on some texts, and returned no vectors for them."""


class LimitReached(VestigeError):
    """The next texts would go over the tokens or the spending that were allowed; what is encoded stays staged."""


class TargetError(VestigeError):
    """The table, the database or the role cannot be used as it is; nothing was written."""


class VersionMismatch(VestigeError):
    """The database is at another version of this package than the one that runs; nothing was written."""


class ServerError(VestigeError):
    """PostgreSQL refused, or could not be reached; the message is the server's."""


class ServerLost(ServerError):
    """The connection to PostgreSQL broke or failed while rows were encoded on other machines."""


class EngineError(VestigeError):
    """Ray could not be started or reached, or ran out of workers; the staged vectors stay."""


class RunInProgress(VestigeError):
    """Another process is at work on the same target."""


class StagedForAnother(VestigeError):
    """The open run is for another model, dimension, column or mode than the one asked for."""


class FilesChanged(VestigeError):
    """Step files that the open run has already run have another text now."""


class CheckFailed(VestigeError):
    """A check did not hold. If it was in an SQL step, the transaction was rolled back."""


class LockNotAvailable(VestigeError):
    """The table could not be locked in the time allowed; the sessions in the way are named."""


class RecallTooLow(VestigeError):
    """The recall of the new index, or of a map of a bridge, against an exact search, is lower than asked for."""


class IndexInvalid(VestigeError):
    """An INVALID index has the name of the index to build, and this mode never drops one by itself."""


class SourceError(VestigeError):
    """The SQLite database cannot be read, is not Vestige's, or is too old."""


class ReportNotWritten(VestigeError):
    """What was asked for is done, and the file of --report could not be written."""
