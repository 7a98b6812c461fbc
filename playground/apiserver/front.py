"""The HTTP entrance: resources go to Api, everything else is answered here.

Belongs here: health, version, discovery, OpenAPI, and turning unforeseen errors into a 500. Does
not: anything about objects.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web

from playground.apiserver import answers, calls, discovery, openapi
from playground.apiserver.api import Api
from playground.apiserver.calls import NOWHERE, Place
from playground.apiserver.errors import ApiError, NoSuchPathError, internal
from playground.apiserver.kinds import Registry

logger = logging.getLogger(__name__)
SWAGGER_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
HEALTH = ("/healthz", "/readyz", "/livez")


@dataclass(frozen=True, slots=True)
class Front:
    """Handles every request of the server."""

    api: Api
    registry: Registry

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        place = calls.place_of(request.path)
        if place is NOWHERE:
            place = Place(plural=request.path)
            answer = self._answer_document
        else:
            answer = self.api.answer
        try:
            return await answer(request, place)
        except ConnectionError:
            return web.Response()  # nobody is there to read it, and aiohttp finds out quietly
        except ApiError as error:
            return answers.failure(error)
        except NoSuchPathError:
            return web.Response(status=404, text="404 page not found\n")
        except Exception as error:
            logger.exception("request failed", extra={"path": request.path})
            return answers.failure(internal(repr(error)))

    async def _answer_document(self, request: web.BaseRequest, place: Place) -> web.StreamResponse:
        await self.api.count(request, place)
        path = request.path.rstrip("/")
        if path.startswith(HEALTH):
            return web.Response(text="ok")
        if path == "/version":
            return answers.json(discovery.VERSION)
        if path.startswith("/openapi"):
            return self._openapi(path, request.headers.get("Accept", ""))
        accept = request.headers.get("Accept", "")
        found = discovery.document(path, accept, self.registry)
        if found is None:
            raise NoSuchPathError(path)
        body, media_type = found
        response = answers.json(body)
        response.headers["Content-Type"] = media_type
        return response

    def _openapi(self, path: str, accept: str) -> web.Response:
        if path == "/openapi/v3":
            return answers.json(openapi.index(self.registry))
        if path == "/openapi/v2" and SWAGGER_PROTOBUF in accept:
            body = openapi.swagger_protobuf(self.registry)
            return web.Response(body=body, content_type=SWAGGER_PROTOBUF.replace("@", "."))
        if path == "/openapi/v2":
            return answers.json(openapi.swagger(self.registry))
        document = openapi.document(path.removeprefix("/openapi/v3/"), self.registry)
        if document is None:
            raise NoSuchPathError(path)
        return answers.json(document)
