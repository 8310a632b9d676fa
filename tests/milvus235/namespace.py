"""Runs a program in namespaces of its own, and one port of it on 127.0.0.1 outside. A program, not a module.

Milvus 2.3.5 listens on nine ports of all interfaces whatever it is told; in here nobody reaches them. A socket stays in
the namespace in which it was made: this process listens first, moves into the new namespace, and passes on what comes.
It also writes into /run and /tmp/milvus, where RUN-FOLDER is mounted for it.

    python namespace.py RUN-FOLDER PORT-FILE INNER-PORT HEALTH-PORT COMMAND...

Once `http://127.0.0.1:HEALTH-PORT/healthz` answers, PORT-FILE holds the outer port. Needs root, or a system on which
users may make namespaces. Whoever started it ends its process group, the program included.
"""

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
SCRATCH = Path("/tmp/milvus")
_BIND, _PRIVATE_AND_BELOW = 0x1000, 0x40000 | 0x4000
_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x41
NO_NAMESPACE = 77
"""Exit status: there is no namespace to be had."""


def enter(run_folder: str) -> None:
    """Moves this process into new namespaces with a loopback interface and a /run of its own. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.unshare(NEW_NETWORK | NEW_MOUNTS | (NEW_USER if user else 0)))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _checked(libc.mount(None, b"/", None, ctypes.c_ulong(_PRIVATE_AND_BELOW), None))
    _checked(libc.mount(run_folder.encode(), b"/run", None, ctypes.c_ulong(_BIND), None))
    SCRATCH.mkdir(exist_ok=True)
    # Another run that ends at this moment may take the folder away; Milvus can do without.
    libc.mount(run_folder.encode(), bytes(SCRATCH), None, ctypes.c_ulong(_BIND), None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(listening: socket.socket, port_file: Path, inner_port: int, health_port: int) -> None:
    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    while not await healthy(health_port):  # noqa: ASYNC110 - another process makes it so
        await asyncio.sleep(0.1)
    await asyncio.start_server(passed_on, sock=listening)
    draft = port_file.with_suffix(".part")
    draft.write_text(str(listening.getsockname()[1]))
    draft.rename(port_file)
    await asyncio.Event().wait()


async def healthy(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        writer.close()
    except OSError:
        return False
    return answer.split(b"\r\n", 1)[0].endswith(b"200 OK")


def main(run_folder: str, port_file: str, inner_port: str, health_port: str, *command: str) -> int:
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    try:
        enter(run_folder)
    except OSError as error:
        print(f"no network namespace: {error}", file=sys.stderr, flush=True)
        return NO_NAMESPACE
    asyncio.run(run(command, serve(listening, Path(port_file), int(inner_port), int(health_port))))
    return 1


async def run(command: Sequence[str], serving: Coroutine[None, None, None]) -> None:
    """Until the program ends."""
    passing_on = asyncio.create_task(serving)
    program = await asyncio.create_subprocess_exec(*command)
    status = await program.wait()
    passing_on.cancel()
    print(f"the program ended with {status}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
