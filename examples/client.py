#!/usr/bin/env python3
"""Run a command through `landline serve --unix PATH`, in plain Python.

    client.py PATH COMMAND [ARG...]

The protocol is remote/SPEC.md: a length, a JSON header, a body.
"""
import json
import os
import socket
import struct
import sys

WINDOW = 1 << 20


def send(sock, body=b"", **header):
    header["size"] = len(body)
    head = json.dumps(header).encode()
    sock.sendall(struct.pack("<I", len(head)) + head + body)


def receive(stream):
    length = stream.read(4)
    if len(length) < 4:
        sys.exit("client.py: the connection ended before the command did")
    header = json.loads(stream.read(struct.unpack("<I", length)[0]))
    return header, stream.read(header.get("size", 0))


def run(path, argv):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    stream = sock.makefile("rb")
    send(sock, kind="hello", version=1, software="client.py")
    args = b"".join(os.fsencode(arg) + b"\0" for arg in argv)
    send(sock, args, kind="run", call=1, job=os.urandom(16).hex(), args=len(argv))
    while True:
        m, body = receive(stream)
        if m["kind"] == "data":  # print it, then let as much more come
            out = (sys.stdout, sys.stderr)[m["fd"] - 1].buffer
            out.write(body)
            out.flush()
            send(sock, kind="credit", call=1, fd=m["fd"], limit=m["offset"] + len(body) + WINDOW)
        elif m["kind"] == "ping":
            send(sock, kind="pong", token=m["token"])
        elif m["kind"] == "goodbye":
            sys.exit("client.py: the server ended the connection: " + m.get("error", m["reason"]))
        elif m["kind"] == "exit":
            if m.get("error"):
                print("client.py:", m["error"], file=sys.stderr)
            return 128 + m["signal_number"] if "signal_number" in m else m.get("code", 125)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
