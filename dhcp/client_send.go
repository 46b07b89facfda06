package dhcp

import (
	"math"
	"net/netip"
	"time"
)

// enter goes to another state, without a timer.
func (c *Client) enter(s State) {
	c.state, c.tries, c.timer = s, 0, time.Time{}
}

// wait goes to INIT, to leave it after a time.
func (c *Client) wait(now time.Time, d time.Duration) {
	c.enter(Init)
	c.timer = now.Add(d)
}

// newExchange chooses a transaction number that answers to older messages do not have.
func (c *Client) newExchange(now time.Time) {
	c.xid = c.rand.Uint32()
	c.began, c.secs, c.sent = now, 0, now
}

// init is the arrow from INIT to SELECTING.
func (c *Client) init(now time.Time) Output {
	c.newExchange(now)
	c.server = netip.Addr{}
	c.enter(Selecting)
	return c.discover(now)
}

func (c *Client) discover(now time.Time) Output {
	c.tick(now)
	c.backOff(now)
	return c.broadcast(Discover)
}

// requestTries is how often an offer is asked for. "A client retransmitting as
// described in section 4.1 might retransmit the DHCPREQUEST message four times, for a
// total delay of 60 seconds, before restarting" (RFC 2131, Section 3.1, step 5).
const requestTries = 4

// request asks for what was offered. Its seconds are those of the DHCPDISCOVER, as
// Section 4.4.1 wants it for the relays' sake.
func (c *Client) request(now time.Time) Output {
	c.backOff(now)
	return c.broadcast(Request)
}

// rebootTries is how often a client asks for the address that it had. After twelve
// seconds it is more likely that this is another network, or that nobody remembers.
const rebootTries = 2

// reboot is the arrow from INIT-REBOOT, which is left at once, to REBOOTING.
func (c *Client) reboot(now time.Time) Output {
	c.newExchange(now)
	c.server = netip.Addr{}
	c.enter(Rebooting)
	return c.rebootAgain(now)
}

// rebootAgain sends, or gives up. A lease that is in use is then kept: "the client MAY
// choose to use the previously allocated network address and configuration parameters
// for the remainder of the unexpired lease" (RFC 2131, Section 3.2, step 4).
func (c *Client) rebootAgain(now time.Time) Output {
	switch {
	case c.tries < rebootTries:
		c.tick(now)
		c.backOff(now)
		return c.broadcast(Request)
	case c.held:
		c.server = c.lease.ServerID
		c.enter(Bound)
		c.timer = c.lease.Renew
		return Output{}
	}
	return c.init(now)
}

// renew asks for more time: the server until T2, then everybody. Each request is an
// exchange of its own, so that it is known which one is answered.
func (c *Client) renew(now time.Time) Output {
	began := c.began
	if c.state == Bound {
		began = now
	}
	c.newExchange(now)
	c.began = began
	c.tick(now)
	c.wanted = c.lease.Addr.Addr()
	if passed(now, c.lease.Rebind) {
		c.state = Rebinding
		c.timer = halfWay(now, c.lease.Expiry)
		return c.broadcastFrom(c.wanted, Request)
	}
	c.state = Renewing
	c.timer = halfWay(now, c.lease.Rebind)
	return c.unicast(Request)
}

// minRenew is how long a client waits at least for an answer in RENEWING and
// REBINDING.
const minRenew = time.Minute

// halfWay returns the time of the next request: "the client SHOULD wait one-half of the
// remaining time until T2 (in RENEWING state) and one-half of the remaining lease time
// (in REBINDING state), down to a minimum of 60 seconds" (RFC 2131, Section 4.4.5). It
// is not later than the end of the state.
func halfWay(now, end time.Time) time.Time {
	left := end.Sub(now)
	return now.Add(min(max(left/2, minRenew), left))
}

// tick sets the seconds that the client has been trying for.
func (c *Client) tick(now time.Time) {
	c.secs = uint16(min(max(now.Sub(c.began)/time.Second, 0), math.MaxUint16))
}

// backOff sets the timer for a retransmission: after 4 seconds, 8, 16, 32, 64, "the
// value of a uniform random number chosen from the range -1 to +1" more or less (RFC
// 2131, Section 4.1).
func (c *Client) backOff(now time.Time) {
	const first, last = 4 * time.Second, 64 * time.Second
	delay := min(first<<min(c.tries, 4), last)
	c.tries++
	c.timer = now.Add(delay - time.Second + c.random(2*time.Second))
}

// random returns a duration from 0 to d.
func (c *Client) random(d time.Duration) time.Duration {
	return time.Duration(c.rand.Int64N(int64(d) + 1))
}

var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// broadcast sends to everybody, as a machine without an address.
func (c *Client) broadcast(t Type) Output {
	return c.broadcastFrom(netip.IPv4Unspecified(), t)
}

func (c *Client) broadcastFrom(src netip.Addr, t Type) Output {
	return c.output(t, src, everybody)
}

// unicast sends to the server that gave the lease, from the address of the lease.
func (c *Client) unicast(t Type) Output {
	return c.output(t, c.lease.Addr.Addr(), c.lease.ServerID)
}

func (c *Client) output(t Type, src, dst netip.Addr) Output {
	c.buf = c.appendMessage(c.buf[:0], t)
	return Output{
		Message: c.buf,
		Src:     netip.AddrPortFrom(src, ClientPort),
		Dst:     netip.AddrPortFrom(dst, ServerPort),
	}
}

// appendMessage appends a message with what Table 5 of RFC 2131 wants in it.
func (c *Client) appendMessage(b []byte, t Type) []byte {
	asks := t == Discover || t == Request
	h := Header{Op: OpRequest, XID: c.xid, CHAddr: c.config.MAC}
	uses := t == Release || t == Request && (c.state == Renewing || c.state == Rebinding)
	if uses {
		h.CIAddr = c.lease.Addr.Addr()
	}
	if asks {
		h.Secs, h.Broadcast = c.secs, c.config.Broadcast && !uses
	}
	b = AppendType(AppendHeader(b, &h), t)
	b = AppendOption(b, OptClientID, c.config.ID)
	if !uses && c.wanted.IsValid() {
		b = AppendAddrs(b, OptRequestedAddr, c.wanted)
	}
	if server := c.namedServer(t); server.IsValid() {
		b = AppendAddrs(b, OptServerID, server)
	}
	if asks {
		b = c.appendWishes(b)
	}
	return AppendEnd(b, 0)
}

// namedServer returns the server that a message is for, although all hear it. A
// request names one only in REQUESTING: by that servers tell it from other requests
// (RFC 2131, Section 4.3.2).
func (c *Client) namedServer(t Type) netip.Addr {
	switch {
	case t == Release || t == Decline:
		return c.lease.ServerID
	case t == Request && c.state == Requesting:
		return c.server
	}
	return netip.Addr{}
}

func (c *Client) appendWishes(b []byte) []byte {
	b = AppendUint16(b, OptMaxSize, uint16(min(max(c.config.MTU, minMaxSize), math.MaxUint16)))
	if c.config.VendorClass != "" {
		b = AppendOption(b, OptVendorClass, c.config.VendorClass)
	}
	if c.config.HostName != "" {
		b = AppendOption(b, OptHostName, c.config.HostName)
	}
	return appendParameters(b)
}

// appendParameters appends the options that the client asks for. "The Classless Static
// Routes option code MUST appear in the parameter request list prior to both the
// Router option code and the Static Routes option code" (RFC 3442, Section 3).
func appendParameters(b []byte) []byte {
	return AppendOption(b, OptParameters, []byte{
		byte(OptSubnetMask), byte(OptRoutes), byte(OptRouters), byte(OptDNS), byte(OptHostName), byte(OptDomain),
		byte(OptSearch), byte(OptMTU), byte(OptBroadcast), byte(OptNTP), byte(OptLeaseTime), byte(OptT1), byte(OptT2),
	})
}
