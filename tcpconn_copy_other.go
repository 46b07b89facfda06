//go:build !unix

package landline

import "io"

func (c *TCPConn) readFrom(r io.Reader) (int64, error) { return c.copyFrom(r) }
