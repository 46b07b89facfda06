package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// protocol is what both sides name in ALPN.
const protocol = "landline/1"

// tlsConfig returns what both sides have in common. The caller sets
// VerifyConnection, in which alone the peer is judged.
func (d *Delegation) tlsConfig(now func() time.Time) *tls.Config {
	return &tls.Config{
		Time:         now,
		Certificates: []tls.Certificate{d.cert},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{protocol},

		// The hybrid with ML-KEM-768 first, so that what is recorded today cannot
		// be read when X25519 falls, as OpenSSH has it by default. It adds 2.3 kB
		// and a quarter to the handshake's time (BenchmarkHandshake). Nothing
		// else but X25519, for peers whose TLS does not have it yet.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519},

		// Full records from the start: bulk copies are what a line is for, and
		// an answer of a few bytes is one small record anyway.
		DynamicRecordSizingDisabled: true,
	}
}

// checkProtocol checks that the peer speaks landline. A peer that
// names nothing in ALPN gets past crypto/tls.
func checkProtocol(cs tls.ConnectionState) error {
	if cs.NegotiatedProtocol != protocol {
		return fmt.Errorf("%w: the peer does not speak %s", ErrMalformed, protocol)
	}
	return nil
}

// Refused reports whether err, met on the first Read or Write after
// [Client.Handshake], says that the server did not let this client in.
func Refused(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	const badCertificate, certificateRequired = tls.AlertError(42), tls.AlertError(116)
	s := op.Err.Error()
	return s == badCertificate.Error() || s == certificateRequired.Error()
}

// lingerTime and lingerBytes bound how long a refused peer is listened to.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// linger closes a refused connection so that the alert arrives: a connection
// closed with unread data is reset, and a reset overtakes what was sent.
func linger(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || ctx.Err() != nil || half.CloseWrite() != nil {
		return
	}
	deadline := time.Now().Add(lingerTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	raw.SetReadDeadline(deadline)
	discard(raw, lingerBytes)
}

// discard reads at most n bytes and throws them away.
func discard(c net.Conn, n int) {
	var buf [4096]byte
	for n > 0 {
		m, err := c.Read(buf[:])
		if err != nil {
			return
		}
		n -= m
	}
}
