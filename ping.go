package landline

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"landline/ip"
)

// A PingConfig says what Ping sends.
type PingConfig struct {
	// Size is how many bytes it carries, up to 65,507 over IPv4 and 65,487 over IPv6. If zero, 56; if
	// negative, none.
	Size int
	// Seq is its number, which comes back.
	Seq uint16
	// TTL is how many routers it may pass, less one. If zero, 64.
	TTL uint8
	// DontFragment refuses what is too long for the path, in place of cutting it. If false, it
	// is cut.
	DontFragment bool
}

const (
	defaultPing = 56
	maxPing4    = 65507
	maxPing6    = 65487
)

// A PingReply is what came back.
type PingReply struct {
	From netip.Addr    // who answers
	Seq  uint16        // of the PingConfig
	TTL  uint8         // what is left of it
	Size int           // in bytes, without headers
	RTT  time.Duration // from the call to the answer
}

// Ping sends an ICMP echo request to a host, a name or a literal address, and waits for the
// answer until ctx is done: without a deadline it may wait for ever, for what is lost is not
// sent again.
//
// The error is a *net.OpError around what came in place of an answer: EHOSTUNREACH, ENETUNREACH,
// EMSGSIZE, net.ErrClosed; Timeout reports whether it is the deadline of ctx. If somebody on the way sent the error,
// the PingReply says who.
func (h *Host) Ping(ctx context.Context, host string, cfg PingConfig) (PingReply, error) {
	addrs, err := h.hostAddrs(ctx, both, host)
	if err != nil {
		return PingReply{}, &net.OpError{Op: "ping", Net: "ip", Err: err}
	}
	path, err := h.pathTo(addrs)
	if err != nil {
		return PingReply{}, &net.OpError{Op: "ping", Net: "ip", Addr: ipAddr(addrs[0]), Err: inCall("connect", err)}
	}
	p := pinger{path: path, cfg: cfg, answers: make(chan answer, 1), payload: pingPayload(cfg.Size)}
	reply, err := p.ping(ctx, h)
	if err != nil {
		network := "ip4:icmp"
		if path.Dst().Is6() {
			network = "ip6:ipv6-icmp"
		}
		err = &net.OpError{Op: "ping", Net: network, Source: ipAddr(path.Src()), Addr: ipAddr(path.Dst()), Err: err}
	}
	return reply, err
}

// pathTo returns the way to the first address that there is a way to.
func (h *Host) pathTo(addrs []netip.Addr) (ip.Path, error) {
	var first error
	for _, a := range addrs {
		path, err := h.stack.Path(netip.Addr{}, a, nil)
		if err == nil {
			return path, nil
		}
		if first == nil {
			first = err
		}
	}
	return ip.Path{}, first
}

func ipAddr(a netip.Addr) net.Addr { return &net.IPAddr{IP: a.AsSlice(), Zone: a.Zone()} }

// pingPayload returns bytes of which no two that lie close are the same.
func pingPayload(size int) []byte {
	if size == 0 {
		size = defaultPing
	}
	b := make([]byte, max(size, 0))
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// A pinger sends one ping.
type pinger struct {
	path    ip.Path
	cfg     PingConfig
	payload []byte
	sent    time.Time
	answers chan answer // one is enough
}

type answer struct {
	reply PingReply
	err   error
}

func (p *pinger) ping(ctx context.Context, h *Host) (PingReply, error) {
	if p.path.Dst().Is4() && len(p.payload) > maxPing4 || len(p.payload) > maxPing6 {
		return PingReply{}, inCall("sendto", syscall.EMSGSIZE)
	}
	p.sent = time.Now()
	echo, err := h.stack.OpenEcho(p.hear)
	if err != nil {
		return PingReply{}, inCall("socket", err)
	}
	defer echo.Close()
	header := ip.Header{TTL: p.cfg.TTL, DontFragment: p.cfg.DontFragment}
	if err := echo.Send(&p.path, header, p.cfg.Seq, p.payload); err != nil {
		return PingReply{}, inCall("sendto", err)
	}
	select {
	case a := <-p.answers: // on a cable the answer comes before Send returns
		return a.reply, a.err
	default:
	}
	select {
	case a := <-p.answers:
		return a.reply, a.err
	case <-h.gone:
		return PingReply{}, net.ErrClosed
	case <-ctx.Done():
		return PingReply{}, mapContext(ctx.Err())
	}
}

// hear is called with what comes for the ping.
func (p *pinger) hear(e ip.EchoReply) {
	var a answer
	switch {
	case e.Fault != nil:
		a = answer{PingReply{From: e.Fault.From, Seq: e.Seq}, inCall("recvfrom", e.Fault.Err.Errno)}
	case e.Seq == p.cfg.Seq && bytes.Equal(e.Payload, p.payload):
		a.reply = PingReply{p.path.Dst(), e.Seq, e.TTL, len(e.Payload), time.Since(p.sent)}
	default:
		return // damaged, or not an answer to this
	}
	select {
	case p.answers <- a:
	default:
	}
}
