// Package upper is the classic pair of programs: a server that answers in capitals, and its client. It teaches that
// TCP carries a stream of bytes in which what was written has no borders: one Write may be several Reads, and several
// one. So both ends read line by line, and know that nothing more comes by the other's end of the stream, io.EOF.
//
// It knows package net's signatures alone. Which network its connections are on, the programs upper-server and
// upper-client choose.
package upper

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
)

// Serve answers the clients of a listener, one after another; those that wait stand in the listener's queue. It
// returns when the listener fails or is closed.
func Serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		answer(c)
	}
}

// answer answers each line of a client, until its end of the stream or a line that is too long.
func answer(c net.Conn) {
	defer c.Close()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if _, err := fmt.Fprintln(c, strings.ToUpper(lines.Text())); err != nil {
			return // the client has left
		}
	}
}

// Ask sends each line of in and copies the line that answers it to out.
func Ask(c net.Conn, in io.Reader, out io.Writer) error {
	defer c.Close()
	answers := bufio.NewReader(c)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if _, err := fmt.Fprintln(c, lines.Text()); err != nil {
			return err
		}
		answer, err := answers.ReadString('\n')
		if err == io.EOF {
			return io.ErrUnexpectedEOF // the server has left without an answer
		} else if err != nil {
			return err
		}
		io.WriteString(out, answer)
	}
	return lines.Err()
}
