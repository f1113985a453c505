"""How the service says no."""

from __future__ import annotations

import traceback

import grpc


class RefusalError(Exception):
    """A call, or an operation, that ends with a status other than OK."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def number(self) -> int:
        """The code's number, as google.rpc.Status has it."""
        number: int = self.code.value[0]
        return number


def invalid(message: str) -> RefusalError:
    """INVALID_ARGUMENT: the request itself is wrong."""
    return RefusalError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(what: str) -> RefusalError:
    """NOT_FOUND, in Dataproc's words (mozilla/telemetry-airflow pull request 916 shows them)."""
    return RefusalError(grpc.StatusCode.NOT_FOUND, f"Not found: {what}")


def already_exists(doing: str, what: str) -> RefusalError:
    """ALREADY_EXISTS, in Dataproc's words (GoogleCloudPlatform/golang-samples pull request 1686 shows them)."""
    return RefusalError(grpc.StatusCode.ALREADY_EXISTS, f"Already exists: Failed to {doing}: {what}")


def precondition(message: str) -> RefusalError:
    """FAILED_PRECONDITION: right in itself, but not now."""
    return RefusalError(grpc.StatusCode.FAILED_PRECONDITION, message)


def as_refusal(error: Exception) -> RefusalError:
    """An error of a thread, which nobody sees, as one that is seen."""
    if isinstance(error, RefusalError):
        return error
    text = "".join(traceback.format_exception(error))
    return RefusalError(grpc.StatusCode.INTERNAL, f"the server is broken: {text}")
