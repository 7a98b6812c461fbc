"""gRPC over unix sockets, without TLS: the one door to grpclib, and to protobuf's own types.

Belongs here: connections, deadlines, the mapping of everything that goes wrong to one error. Does
not: messages and methods (`purelb.runtime.ipam`).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from grpclib.client import Channel as GrpcChannel
from grpclib.client import StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.server import Server, Stream

from purelb.runtime.errors import PurelbError

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Content = TypeVar("Content", bound=Message)

GRACE_SECONDS = 1.0  # that our own deadline is behind the one the server is told


class RpcError(PurelbError):
    """A call did not end OK. `status` is a gRPC status by its name, such as "UNAVAILABLE".

    A call that could not be sent or got no answer is UNAVAILABLE or DEADLINE_EXCEEDED; it may have
    had its effect all the same.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Reply]):
    """One method: its path, and the classes of its messages, one of each or a stream of them."""

    path: str
    request: type[Request]
    reply: type[Reply]


class Channel:
    """A connection to one socket, made when it is first needed and again whenever it breaks."""

    def __init__(self, socket: str) -> None:
        self._channel = GrpcChannel(path=socket)

    async def call(self, method: Method[Request, Reply], request: Request, seconds: float) -> Reply:
        """Call a method and return its reply; raises RpcError and nothing else."""
        send = UnaryUnaryMethod(self._channel, method.path, method.request, method.reply)
        async with _mapped(seconds):
            return await send(request, timeout=seconds)

    async def list(
        self, method: Method[Request, Reply], request: Request, seconds: float
    ) -> tuple[Reply, ...]:
        """Call a method that answers with a stream and return all of it; raises RpcError."""
        send = UnaryStreamMethod(self._channel, method.path, method.request, method.reply)
        async with _mapped(seconds):
            return tuple(await send(request, timeout=seconds))

    async def feed(
        self, method: Method[Request, Reply], requests: Iterable[Request], seconds: float
    ) -> Reply:
        """Call a method with a stream of requests and return its reply; raises RpcError."""
        send = StreamUnaryMethod(self._channel, method.path, method.request, method.reply)
        async with _mapped(seconds):
            return await send([*requests], timeout=seconds)

    async def watch(
        self, method: Method[Request, Reply], request: Request
    ) -> AsyncGenerator[Reply, None]:
        """Call a method whose answers never end; raises RpcError when they do.

        The caller closes the generator (`contextlib.aclosing`).
        """
        send = UnaryStreamMethod(self._channel, method.path, method.request, method.reply)
        async with _mapped(None), send.open() as stream:
            await stream.send_message(request, end=True)
            async for reply in stream:
                yield reply
        raise RpcError("UNAVAILABLE", "the stream has ended")

    def close(self) -> None:
        """Drop the connection."""
        self._channel.close()


@contextlib.asynccontextmanager
async def _mapped(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(None if seconds is None else seconds + GRACE_SECONDS):
            yield
    except GRPCError as error:
        raise RpcError(error.status.name, error.message or "") from error
    except TimeoutError as error:
        raise RpcError("DEADLINE_EXCEEDED", f"no answer within {seconds:g} s") from error
    except (OSError, StreamTerminatedError) as error:
        raise RpcError("UNAVAILABLE", str(error) or repr(error)) from error
    except Exception as error:  # a peer that does not speak gRPC fails in many ways
        raise RpcError("INTERNAL", repr(error)) from error


@dataclass(frozen=True, slots=True)
class Answering(Generic[Request, Reply]):
    """A method and the coroutine function that answers it; RpcError is sent as its status."""

    method: Method[Request, Reply]
    answer: Callable[[Request], Awaitable[Reply]]


def pack(message: Message) -> AnyMessage:
    """Return a message as the content of an Any."""
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def unpack(packed: AnyMessage, kind: type[Content]) -> Content | None:
    """Return the content of an Any if it is of this kind."""
    message = kind()
    return message if packed.Unpack(message) else None


@contextlib.asynccontextmanager
async def serving(socket: Path, *methods: Answering[Any, Any]) -> AsyncIterator[None]:
    """Answer calls on a unix socket until the end of the block; a stale socket is replaced."""
    _remove(socket)
    server = Server([_Service(methods)])
    await server.start(path=str(socket))
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()
        _remove(socket)


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


class _Service:
    """What grpclib serves: a mapping from paths to handlers."""

    def __init__(self, methods: tuple[Answering[Any, Any], ...]) -> None:
        self._methods = methods

    def __mapping__(self) -> Mapping[str, Handler]:
        return {each.method.path: _handler(each) for each in self._methods}


def _handler(each: Answering[Request, Reply]) -> Handler:
    async def handle(stream: "Stream[Request, Reply]") -> None:
        request = await stream.recv_message()
        if request is None:
            return
        try:
            reply = await each.answer(request)
        except RpcError as error:
            raise GRPCError(Status[error.status], error.message) from error
        await stream.send_message(reply)

    return Handler(handle, Cardinality.UNARY_UNARY, each.method.request, each.method.reply)
