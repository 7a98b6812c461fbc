"""Classic BPF: programs by which the kernel drops what a socket would have to read for nothing.

Belongs here: instructions, and giving a program to a socket. Does not: the programs.
"""

import ctypes
import socket
import struct

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # asm-generic/socket.h
INSTRUCTION_BYTES = 8  # struct sock_filter, linux/filter.h


def attach(to: socket.socket, program: bytes) -> None:
    """Let a program judge what arrives from now on, an array of `struct sock_filter`.

    It takes the place of one from before. Raises OSError.
    """
    code = ctypes.create_string_buffer(program, len(program))
    size = len(program) // INSTRUCTION_BYTES
    option = struct.pack("@HP", size, ctypes.addressof(code))  # struct sock_fprog
    to.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)


def detach(of: socket.socket) -> None:
    """Let everything arrive from now on. Raises OSError, as where there is no program."""
    of.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction; `then` and `otherwise` are how many to skip."""
    return struct.pack("=HBBI", code, then, otherwise, value)
