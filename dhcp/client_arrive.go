package dhcp

import (
	"net/netip"
	"time"
)

// takeOffer takes the first offer that a host can live on. Waiting for a better one
// would cost every start some seconds.
func (c *Client) takeOffer(now time.Time, m Message) Output {
	_, good := readLease(m)
	if c.state != Selecting || !good || !isUnicast(m.ServerID()) {
		return Output{}
	}
	c.wanted, c.server = m.YIAddr(), m.ServerID()
	c.enter(Requesting)
	c.sent = now
	return c.request(now)
}

// takeACK takes the lease, or the longer time, that was asked for.
func (c *Client) takeACK(now time.Time, m Message) Output {
	switch c.state {
	case Requesting, Rebooting, Renewing, Rebinding:
	default:
		return Output{}
	}
	lease, good := readLease(m)
	if !good || m.YIAddr() != c.wanted || !c.isFromServer(m) {
		return Output{}
	}
	if !lease.ServerID.IsValid() {
		lease.ServerID = c.server // of a server that said it only in its offer
	}
	lease.setTimes(m, c.sent, c.random)
	if !isUnicast(lease.ServerID) || lease.over(now) {
		return Output{}
	}
	return c.bind(&lease)
}

// bind is the arrow to BOUND. The lease began with the request, "the time at which
// the client sent the DHCPREQUEST message" (RFC 2131, Section 4.4.1).
func (c *Client) bind(lease *Lease) Output {
	e := Acquired
	if c.held {
		e = Changed
		if c.lease.same(lease) {
			e = Renewed
		}
	}
	c.lease, c.held, c.server, c.naks = lease, true, lease.ServerID, 0
	c.enter(Bound)
	c.timer = lease.Renew
	return Output{Event: e, Lease: lease}
}

// takeNAK begins anew: "If the client receives a DHCPNAK message, it cannot reuse its
// remembered network address" (RFC 2131, Section 3.2, step 4).
//
// A server that offers what it then refuses, and goes on so, is asked at once only the
// first time.
func (c *Client) takeNAK(now time.Time, m Message) Output {
	switch c.state {
	case Requesting, Rebooting, Renewing, Rebinding:
	default:
		return Output{}
	}
	if !c.isFromServer(m) {
		return Output{}
	}
	held := c.held
	c.wanted = netip.Addr{}
	c.naks++
	var out Output
	if c.naks == 1 {
		out = c.init(now)
	} else {
		c.wait(now, declineWait)
	}
	if held {
		out = c.lose(Refused, out)
	}
	c.lease = nil
	out.Text = m.Text()
	return out
}

// isFromServer reports whether m comes from the server that was asked, where only
// one was.
func (c *Client) isFromServer(m Message) bool {
	if c.state != Requesting && c.state != Renewing {
		return true
	}
	return m.Option(OptServerID) == nil || m.ServerID() == c.server
}
