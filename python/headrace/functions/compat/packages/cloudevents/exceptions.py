"""What reading an event raises."""

from headrace.functions.errors import BadRequest as GenericException

InvalidRequiredFields = GenericException
MissingRequiredFields = GenericException
InvalidStructuredJSON = GenericException
DataUnmarshallerError = GenericException

__all__ = [
    "DataUnmarshallerError",
    "GenericException",
    "InvalidRequiredFields",
    "InvalidStructuredJSON",
    "MissingRequiredFields",
]
