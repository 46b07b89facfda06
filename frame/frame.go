// Package frame puts messages on a byte stream, which has no borders of its own.
//
// A TCP stream is a row of bytes: what was written in two pieces may arrive in
// one, and what was written in one may arrive in many ("sticky packets"). The
// cure is a fixed-size length, a header that is a dictionary, then the body:
//
//	uint32, little-endian: n, 2 to 65,536 | n bytes: a JSON object | size bytes: the body
//
// The header's member "size" is the length of the body, 0 to 1,048,576 (1 MiB);
// without it there is no body. In Python a whole message is
//
//	head = json.dumps({"kind": "hello", "size": len(body)}).encode()
//	sock.sendall(struct.pack("<I", len(head)) + head + body)
//
// The header is JSON as RFC 8259 has it, and stricter, so that two readers never
// disagree about what it says: see [Header].
//
// This package knows nothing of what messages mean; package remote does.
package frame

import "fmt"

// The bounds of a frame, in bytes.
const (
	MinHeader = 2       // "{}"
	MaxHeader = 1 << 16 // 65,536
	MaxBody   = 1 << 20 // 1 MiB

	prefixLen = 4
)

// An Error says how a peer broke the format. After it the stream's position is
// unknown and the connection is to be closed.
type Error struct {
	Reason string
}

func (e *Error) Error() string { return "frame: " + e.Reason }

func errorf(format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...)}
}
