#!/usr/bin/env python3
"""Run a command through `landline serve --unix PATH`; the protocol is remote/SPEC.md."""
import json, os, socket, struct, sys

def send(sock, body=b"", **header):
    head = json.dumps(header | {"size": len(body)}).encode()
    sock.sendall(struct.pack("<I", len(head)) + head + body)


def receive(stream):
    length = stream.read(4)
    if len(length) < 4:
        raise EOFError("the connection ended before the command did")
    header = json.loads(stream.read(struct.unpack("<I", length)[0]))
    return header, stream.read(header.get("size", 0))


def run(sock, argv):
    """Returns the exit message, and how many bytes of each output came."""
    stream, got = sock.makefile("rb"), {1: 0, 2: 0}
    send(sock, kind="hello", version=1, software="client.py")
    args = b"".join(os.fsencode(arg) + b"\0" for arg in argv)
    send(sock, args, kind="run", call=1, job=os.urandom(16).hex(), args=len(argv))
    while True:
        m, body = receive(stream)
        if m["kind"] == "data":  # print it, then let as much more come
            out, fd = (sys.stdout, sys.stderr)[m["fd"] - 1].buffer, m["fd"]
            out.write(body)
            out.flush()
            got[fd] += len(body)
            send(sock, kind="credit", call=1, fd=fd, limit=got[fd] + (1 << 20))
        elif m["kind"] == "ping":
            send(sock, kind="pong", token=m["token"])
        elif m["kind"] == "goodbye":
            raise EOFError("the server ended the connection: " + m.get("error", m["reason"]))
        elif m["kind"] == "exit":
            send(sock, kind="goodbye", reason="done")
            return m, got


def main(path, *argv):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        m, got = run(sock, argv)
    if got[1] < m.get("stdout_bytes", 0) or got[2] < m.get("stderr_bytes", 0):
        raise EOFError("not all of the output came")
    if m.get("error"):
        print("client.py:", m["error"], file=sys.stderr)
    codes = {"signalled": 128 + m.get("signal_number", 0), "timeout": 124}
    return m.get("code", 0) if m["reason"] in ("exited", "refused") else codes.get(m["reason"], 125)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else "usage: client.py PATH COMMAND [ARG...]")
    except (OSError, EOFError) as e:
        print("client.py:", getattr(e, "strerror", e), file=sys.stderr)
        sys.exit(125)
