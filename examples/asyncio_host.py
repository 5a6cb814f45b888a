"""The SDK in an asyncio web application. The pipeline works on its own threads, so the event loop is never blocked.

pip install starlette uvicorn
python examples/asyncio_host.py
curl --data-binary @examples/group.jpg http://127.0.0.1:8000/detect
"""

from asyncio import to_thread, wrap_future
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from maskcheck import ImageError, ImageTooLarge, MaskPipeline

MAX_UPLOAD = 20_000_000  # bytes
MAX_PICTURES = 18  # held in memory, at work or waiting; more are refused


def create_app(pipeline: MaskPipeline) -> Starlette:
    """The application. It loads the models of `pipeline` before the first request."""
    pictures = 0

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await to_thread(pipeline.warm_up)
        yield

    async def detect(request: Request) -> JSONResponse:
        nonlocal pictures
        if pictures >= MAX_PICTURES:
            return JSONResponse({"error": "too many pictures; try again"}, 503, {"Retry-After": "1"})
        pictures += 1
        try:
            data = bytearray()
            async for part in request.stream():
                data += part
                if len(data) > MAX_UPLOAD:
                    return JSONResponse({"error": f"more than {MAX_UPLOAD} bytes"}, 413)
            result = await wrap_future(pipeline.submit(bytes(data)))  # requests at the same time share batches
        except ImageError as error:
            return JSONResponse({"error": str(error)}, 413 if isinstance(error, ImageTooLarge) else 400)
        finally:
            pictures -= 1
        return JSONResponse(result.to_dict())

    return Starlette(routes=[Route("/detect", detect, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    import uvicorn  # only this program needs a server

    with MaskPipeline() as pipeline:
        uvicorn.run(create_app(pipeline), host="127.0.0.1", port=8000)
