"""The protobuf library's names used here, in one place because it comes without type information."""

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

__all__ = ["GetMessageClass", "Message", "json_format"]
