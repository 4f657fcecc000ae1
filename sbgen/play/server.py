"""The server of `sbgen play`: one page, for this machine and whoever knows its token. ::

page -- bytes of an image --> /answer --> reference: each layer; a board: scores
     -- the same, repeated -> /rate   --> images per second
"""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..compiler import reference
from ..errors import SbgenError
from .answerers import Answerer

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["HOST", "Played", "application"]

#: The only address that the server listens at.
HOST = "127.0.0.1"

_NAMES = (HOST, "localhost")

#: Seconds that one measurement of the rate takes.
_RATE_SECONDS = 0.3

#: Images at once while the rate is measured.
_MOST_IMAGES = 4096

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self';"
    " frame-ancestors 'none'"
)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a server answers for.

    Parameters
    ----------
    network : Network
    page : str
        The whole page, with the token that its requests have.
    answerers : sequence of Answerer
        A request names one by its place.
    token : str
    """

    network: "Network"
    page: str
    answerers: Sequence[Answerer]
    token: str


class _Guard:
    """Refuses requests from another machine, for another name of this one, or without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._refusal(Request(scope))):
            await PlainTextResponse(f"{why}\n", status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, request: Request) -> str | None:
        if request.client is None or request.client.host != HOST:
            return "this page is for the machine that it runs on; open it there"
        # A page of another site that has its name resolved to this machine still sends its own name.
        if request.url.hostname not in _NAMES:
            return f"this page is at http://{HOST}, not at another name"
        token = request.query_params.get("token", "")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return "the address must have the token that sbgen play printed; open that address"
        return None


def application(played: Played) -> Starlette:
    """The ASGI application."""

    async def page(request: Request) -> Response:
        return HTMLResponse(
            played.page, headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
        )

    async def answer(request: Request) -> Response:
        return await _answered(request, played, _answer)

    async def rate(request: Request) -> Response:
        return await _answered(request, played, _rate)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/answer", answer, methods=["POST"]),
            Route("/rate", rate, methods=["POST"]),
        ],
        middleware=[Middleware(_Guard, token=played.token)],
    )


async def _answered(
    request: Request, played: Played, work: Callable[["Network", Answerer, np.ndarray], dict[str, Any]]
) -> Response:
    """What `work` makes of the image in a request; a problem that the user can solve is in `error`."""
    place = request.query_params.get("by", "0")
    if not place.isdecimal() or int(place) >= len(played.answerers):
        return JSONResponse({"error": f"there is no answerer {place!r:.20}"}, status_code=400)
    pixels = np.frombuffer(await _body(request, played.network.pixels + 1), np.uint8)
    if len(pixels) != played.network.pixels:
        return JSONResponse({"error": f"an image must have {played.network.pixels:,} bytes"}, status_code=400)
    try:
        found = await run_in_threadpool(work, played.network, played.answerers[int(place)], pixels)
    except SbgenError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
    return JSONResponse(found)


async def _body(request: Request, most: int) -> bytes:
    """At most the first `most` bytes of a request, however long it is."""
    body = bytearray()
    async for part in request.stream():
        body += part[: most - len(body)]
        if len(body) >= most:
            break
    return bytes(body)


def _answer(network: "Network", answerer: Answerer, pixels: np.ndarray) -> dict[str, Any]:
    """Each layer's output by the reference, the answerer's scores, and whether they are the reference's."""
    outputs = reference.run(network, pixels[None])
    start = time.monotonic()
    scores = answerer.scores(pixels[None])
    seconds = time.monotonic() - start
    return {
        "scores": scores[0].tolist(),
        "decision": reference.decide(network, scores)[0].tolist(),
        "equal": bool(np.array_equal(scores, outputs[-1])),
        "seconds": seconds,
        "layers": [
            _packed(output[0], bits=maximum == 1)
            for output, maximum in zip(outputs, network.maxima[1:], strict=True)
        ],
    }


def _packed(output: np.ndarray, *, bits: bool) -> dict[str, Any]:
    """An output as JSON: bits as `numpy.packbits` packs them, other integers as int64."""
    data = np.packbits(output.astype(bool), axis=None) if bits else output.astype("<i8")
    return {
        "shape": list(output.shape),
        "bits": bits,
        "data": base64.b64encode(data.tobytes()).decode("ascii"),
    }


def _rate(network: "Network", answerer: Answerer, pixels: np.ndarray) -> dict[str, Any]:
    """How many copies of an image the answerer scores, and in how many seconds."""
    count, images, start = 1, 0, time.monotonic()
    while (seconds := time.monotonic() - start) < _RATE_SECONDS:
        answerer.scores(np.broadcast_to(pixels, (count, len(pixels))))
        images += count
        count = min(2 * count, _MOST_IMAGES)
    return {"images": images, "seconds": seconds}
