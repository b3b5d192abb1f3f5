"""A syslog receiver for tests, as a process of its own that can be killed: RFC 5425 over TLS or RFC 6587 over
TCP. Every message it has read goes into a file, durable, before the next one is read.

    python receiver.py PORT FILE [CERTIFICATE KEY [CLIENT_CA]]
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
import time


def take(connection: socket.socket, file: int) -> None:
    held = b""
    while True:
        data = connection.recv(65536)
        if not data:
            break
        held += data
        while b" " in held:
            length, _, rest = held.partition(b" ")
            if len(rest) < int(length):
                break
            os.write(file, rest[: int(length)] + b"\n")
            os.fsync(file)
            held = rest[int(length) :]
    if held:
        raise ValueError("a message was cut")
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()


def serve(link: socket.socket, context: ssl.SSLContext | None, file: int) -> None:
    try:
        if context is None:
            take(link, file)
        else:
            with context.wrap_socket(link, server_side=True, suppress_ragged_eofs=False) as secured:
                take(secured, file)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
    finally:
        link.close()


def main() -> None:
    port, path, *files = sys.argv[1:]
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[0], files[1])
        if len(files) > 2:
            context.load_verify_locations(files[2])
            context.verify_mode = ssl.CERT_REQUIRED
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    listener = socket.create_server(("127.0.0.1", int(port)))
    print(time.time(), flush=True)
    while True:
        link, _ = listener.accept()
        threading.Thread(target=serve, args=(link, context, file), daemon=True).start()


if __name__ == "__main__":
    main()
