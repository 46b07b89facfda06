package remote

import "io"

// A lender can show its bytes where they lie, as a recvStream does.
type lender interface {
	lend(limit int) ([]byte, error)
}

// An intake is what an inbox reads from: a stream whose bytes are used where they
// lie, or if it is no lender, where they are put.
type intake struct {
	src   io.Reader
	most  int               // bytes to take at once; if zero, no bound
	ahead func() error      // if not nil, is called before the stream is read
	after func(n int) error // if not nil, is called after n bytes were
	rest  []byte            // taken and not yet used
	own   []byte            // where they are put
}

const intakeBuffer = 64 << 10

// Read reads what is there, and from the stream only if that is nothing.
func (in *intake) Read(p []byte) (int, error) {
	b, err := in.Lend(len(p))
	return copy(p, b), err
}

// Lend is Read without a copy: see [frame.Lender].
func (in *intake) Lend(limit int) ([]byte, error) {
	if len(in.rest) == 0 {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	p := in.rest[:min(limit, len(in.rest))]
	in.rest = in.rest[len(p):]
	return p, nil
}

func (in *intake) fill() (err error) {
	if in.ahead != nil {
		if err := in.ahead(); err != nil {
			return err
		}
	}
	if in.rest, err = in.take(); err != nil {
		return err
	}
	if in.after != nil {
		return in.after(len(in.rest))
	}
	return nil
}

// take takes the next bytes of the stream, never none.
func (in *intake) take() ([]byte, error) {
	if l, ok := in.src.(lender); ok {
		return l.lend(in.bound(largeBlock))
	}
	if in.own == nil {
		in.own = make([]byte, in.bound(intakeBuffer))
	}
	for {
		n, err := in.src.Read(in.own)
		if n > 0 {
			return in.own[:n], nil // an error comes again
		}
		if err != nil {
			return nil, err
		}
	}
}

func (in *intake) bound(n int) int {
	if in.most > 0 {
		return min(n, in.most)
	}
	return n
}
