"""The binary tensor data extension of the Open Inference Protocol: tensors as bytes behind the JSON.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steadfit_server.protocol.errors import InvalidInputError, RequestError, quoted

EXTENSION = "binary_tensor_data"
"""Name of the extension in the server's metadata."""
HEADER = b"inference-header-content-length"
"""Header with the length of the JSON, in bytes; the tensors follow."""
_SIZE = "binary_data_size"

_DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.uint8),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
_LENGTH = struct.Struct("<I")


def json_size(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> int:
    """Return the length of the JSON at the begin of a body.

    Raises
    ------
    RequestError
        400 if the header is no length of a part of the body.
    """
    text = dict(headers).get(HEADER)
    if text is None:
        return len(body)
    if not text.isdigit() or int(text) > len(body):
        given = quoted(text.decode("latin-1"))
        raise RequestError(400, f"Inference-Header-Content-Length is {given}, but the body has {len(body)} bytes.")
    return int(text)


def attach(tensors: Mapping[str, dict[str, Any]], binary: memoryview) -> None:
    """Set the `data` of each input that has binary data to its bytes, in the order of the inputs.

    Raises
    ------
    InvalidInputError
        The sizes do not fit the bytes.
    """
    begin = 0
    for name, tensor in tensors.items():
        parameters = tensor.get("parameters")
        size = parameters.get(_SIZE) if isinstance(parameters, dict) else None
        if size is None:
            continue
        where = f"Input {quoted(name)}"
        if type(size) is not int or size < 0:
            raise InvalidInputError(f"{where}: '{_SIZE}' must be a number of bytes.")
        if "data" in tensor:
            raise InvalidInputError(f"{where} has both 'data' and '{_SIZE}'.")
        if begin + size > len(binary):
            raise InvalidInputError(f"{where}: its {size} bytes of binary data are not all in the body.")
        tensor["data"] = binary[begin : begin + size]
        begin += size
    if begin < len(binary):
        raise InvalidInputError(f"The body has {len(binary) - begin} bytes behind the JSON that belong to no input.")


def decode(where: str, data: memoryview, datatype: str, elements: int) -> NDArray[Any]:
    """Return the elements of a tensor: numbers, or for BYTES texts.

    Raises
    ------
    InvalidInputError
        The bytes are not those of so many elements.
    """
    if datatype == "BYTES":
        return _texts(where, data, elements)
    dtype = _DTYPES[datatype]
    if len(data) != elements * dtype.itemsize:
        raise InvalidInputError(
            f"{where}: {len(data)} bytes of binary data do not fill its shape, which takes"
            f" {elements * dtype.itemsize} of {datatype}."
        )
    values = np.frombuffer(data, dtype)
    if datatype != "BOOL":
        return values
    if (values > 1).any():
        row = int((values > 1).argmax())
        raise InvalidInputError(f"{where}: element {row} is the byte {values[row]}, but BOOL takes 0 and 1.")
    return values.astype(np.bool_)


def encode(data: list[Any] | NDArray[Any], datatype: str) -> bytes:
    """Return the elements of a tensor as bytes."""
    if datatype != "BYTES":
        return np.asarray(data).astype(_DTYPES[datatype]).tobytes()
    texts = [str(element).encode() for element in data]
    return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))


def _texts(where: str, data: memoryview, elements: int) -> NDArray[Any]:
    texts = np.empty(elements, object)
    begin = 0
    for row in range(elements):
        if begin + _LENGTH.size > len(data):
            raise InvalidInputError(f"{where}: the binary data have {row} texts, but its shape has {elements}.")
        (size,) = _LENGTH.unpack_from(data, begin)
        begin += _LENGTH.size
        if begin + size > len(data):
            raise InvalidInputError(f"{where}: row {row} is longer than the binary data.")
        try:
            texts[row] = str(data[begin : begin + size], "utf-8")
        except UnicodeDecodeError:
            raise InvalidInputError(f"{where}: row {row} is no text in UTF-8.") from None
        begin += size
    if begin < len(data):
        raise InvalidInputError(f"{where}: {len(data) - begin} bytes of binary data follow the last text.")
    return texts
