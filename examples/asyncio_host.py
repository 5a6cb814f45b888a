"""The SDK in an asyncio web application: pictures are looked at on threads, and the event loop is never blocked.

pip install starlette uvicorn
python examples/asyncio_host.py
curl --data-binary @examples/group.jpg http://127.0.0.1:8000/detect
"""

from asyncio import get_running_loop
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from maskcheck import ImageError, ImageTooLarge, MaskPipeline

MAX_UPLOAD = 20_000_000  # bytes
AT_ONCE = 2  # pictures looked at; a third would only take the CPUs from these
WAITING = 16  # pictures held in memory until their turn comes; more are sent away


def create_app(pipeline: MaskPipeline) -> Starlette:
    """The application; its threads share `pipeline`, which is loaded before the first request."""
    threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="pictures")
    held = 0

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await get_running_loop().run_in_executor(threads, pipeline.warm_up)
        with threads:
            yield

    async def detect(request: Request) -> JSONResponse:
        nonlocal held
        if held >= AT_ONCE + WAITING:
            return JSONResponse({"error": "too many pictures; try again"}, 503, {"Retry-After": "1"})
        held += 1
        try:
            picture = bytearray()
            async for part in request.stream():
                picture += part
                if len(picture) > MAX_UPLOAD:
                    return JSONResponse({"error": f"more than {MAX_UPLOAD} bytes"}, 413)
            result = await get_running_loop().run_in_executor(threads, pipeline, bytes(picture))
        except ImageError as error:
            return JSONResponse({"error": str(error)}, 413 if isinstance(error, ImageTooLarge) else 400)
        finally:
            held -= 1
        return JSONResponse(result.to_dict())

    return Starlette(routes=[Route("/detect", detect, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    import uvicorn  # only the program needs a server

    uvicorn.run(create_app(MaskPipeline()), host="127.0.0.1", port=8000)
