package main

import (
	"io"
	"net"
	"sync"
	"time"

	"landline"
)

const (
	// maxClients is how many connections a service has at once.
	maxClients = 128
	// stillness is how long a connection may stand still: one that nobody uses, or whose client has
	// vanished, must not take the place of another for ever.
	stillness = 5 * time.Minute
)

// accept serves clients, each by itself, until the listener is closed.
func (m *machine) accept(l *landline.TCPListener, name string) {
	places := make(chan struct{}, maxClients)
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		select {
		case places <- struct{}{}:
			m.busy.Go(func() {
				attend(name, c)
				<-places
			})
		default:
			c.SetLinger(0) // a client that is reset can come again; one that waits knows nothing
			c.Close()
		}
	}
}

// attend serves a client to its end.
func attend(name string, c *landline.TCPConn) {
	if converse(name, c) != nil {
		c.SetLinger(0) // nobody waits any more for what is still to be sent
	}
	c.Close()
}

// converse answers on a connection until the client has sent all. The error is why it could not.
func converse(name string, conn net.Conn) (err error) {
	c := restless{conn}
	switch name {
	case "upper":
		err = shout(c, c)
	case "echo":
		_, err = io.Copy(c, c)
	case "discard":
		_, err = io.Copy(io.Discard, c)
	case "chargen":
		err = babble(c)
	}
	return err
}

// A restless connection fails if it stands still.
type restless struct{ net.Conn }

func (r restless) Read(b []byte) (int, error) {
	r.SetReadDeadline(time.Now().Add(stillness))
	return r.Conn.Read(b)
}

func (r restless) Write(b []byte) (int, error) {
	r.SetWriteDeadline(time.Now().Add(stillness))
	return r.Conn.Write(b)
}

// shout writes what it reads in capitals, as it comes: only a character that was cut waits for its
// rest.
func shout(w io.Writer, r io.Reader) error {
	b := make([]byte, 32<<10)
	for cut := 0; ; {
		n, err := r.Read(b[cut:])
		n += cut
		if cut = 0; err == nil {
			cut = cutLength(b[:n])
		}
		if _, err := w.Write(upper(b[:n-cut])); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		copy(b, b[n-cut:n])
	}
}

// babble writes lines until the client leaves: "any data received is thrown away" (RFC 864), and a
// client that has sent all may still read.
func babble(c restless) error {
	var all []byte
	for n := range chargenLines {
		all = append(all, chargen(n)...)
	}
	var reader sync.WaitGroup
	reader.Go(func() { io.Copy(io.Discard, c.Conn) }) // it need not send anything
	for {
		if _, err := c.Write(all); err != nil {
			c.SetReadDeadline(time.Unix(0, 0))
			reader.Wait()
			return err
		}
	}
}
