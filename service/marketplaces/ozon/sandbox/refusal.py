"""How Ozon says no: gRPC's number, words and an HTTP status."""


class RefusalError(Exception):
    """Ozon will not; nothing is done."""

    def __init__(self, code: int, message: str, http: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.http = code, message, http


def invalid(message: str) -> RefusalError:
    """The request itself is wrong."""
    return RefusalError(3, message)


def missing(message: str = "POSTING_NOT_FOUND") -> RefusalError:
    """There is no such thing in this cabinet."""
    return RefusalError(5, message, 404)


def refused(reason: str) -> RefusalError:
    """The request is well formed, and its time is past or not there yet."""
    return RefusalError(9, reason)


def repeated(reason: str) -> RefusalError:
    """What is asked is done already; 400, where `wordy` 409: somebody has seen each, neither is proved."""
    return RefusalError(6, reason)
