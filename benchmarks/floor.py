"""The minimal ASGI server of this protocol: parses the JSON and answers JSON of the same shape.

The same uvicorn, HTTP parser and event loop as the model server, without checks, model, metrics or limits.
"""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import uvicorn

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer a constant label for each row."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    document = orjson.loads(body) if body else {"inputs": [{"shape": [1]}]}
    rows = document["inputs"][0]["shape"][0]
    answer = orjson.dumps(
        {
            "model_name": "floor",
            "model_version": "1",
            "outputs": [
                {"name": "label", "datatype": "INT64", "shape": [rows], "data": [1] * rows},
                {"name": "probabilities", "datatype": "FP64", "shape": [rows, 2], "data": [0.25, 0.75] * rows},
            ],
        }
    )
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
