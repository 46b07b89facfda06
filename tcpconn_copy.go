package landline

import "io"

// ReadFrom sends all that r has. If that is a *net.TCPConn or *net.UnixConn, it is read to where it is sent from; io.Copy hides
// from ReadFrom that it is.
func (c *TCPConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.readFrom(r)
	if err != nil {
		err = c.wrap("readfrom", err)
	}
	return n, err
}

// WriteTo writes all that arrives to w, from where it lies.
func (c *TCPConn) WriteTo(w io.Writer) (total int64, err error) {
	for {
		b, err := c.conn.Lend()
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, c.wrap("writeto", c.fail("read", "read", err))
		}
		n, err := w.Write(b)
		c.conn.TakeBack(n)
		total += int64(n)
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, c.wrap("writeto", err)
		}
	}
}

// copyFrom sends all that r has by way of a buffer.
func (c *TCPConn) copyFrom(r io.Reader) (int64, error) { return io.Copy(onlyWriter{c}, r) }

type onlyWriter struct{ io.Writer }
