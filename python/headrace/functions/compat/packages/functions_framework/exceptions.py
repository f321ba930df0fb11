"""The exceptions of functions-framework."""


class FunctionsFrameworkException(Exception):
    """The base of all."""


class InvalidConfigurationException(FunctionsFrameworkException):
    """No target."""


class InvalidTargetTypeException(FunctionsFrameworkException):
    """The target is no function."""


class MissingSourceException(FunctionsFrameworkException):
    """No such file."""


class MissingTargetException(FunctionsFrameworkException):
    """The file has no such function."""


class EventConversionException(FunctionsFrameworkException):
    """An event has no equivalent."""


class RequestTimeoutException(FunctionsFrameworkException):
    """The time of a request is over."""
