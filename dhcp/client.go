package dhcp

import (
	"crypto/rand"
	"encoding/binary"
	randv2 "math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

// ClientConfig is what a Client has to know. The zero value of each field but MAC
// will do.
type ClientConfig struct {
	MAC wire.MAC // of the interface

	// ID is what servers know the client by. If nil, it is made of MAC as RFC 4361
	// says. Whoever moves to another interface, and wants to keep the address, sets it.
	ID []byte

	HostName    string // to be told to servers; if "", none is
	VendorClass string // to be told to servers; if "", none is
	MTU         int    // of the interface, in bytes; if zero, 1500

	// Broadcast asks servers to broadcast their answers, for a host that cannot be
	// sent packets to an address that it does not have yet (RFC 2131, Section 4.1).
	Broadcast bool

	// Last is the lease that the host had when it ran last. If nil, it is a
	// stranger. A client asks for its old address first of all (Section 3.2).
	Last *Lease

	// Rand is for transaction numbers and for delays. If nil, it is seeded by the
	// system. It is for the client alone.
	Rand *randv2.Rand
}

// A State is where a Client is (RFC 2131, Figure 5). INIT-REBOOT is not among the
// states, as it is left at once.
type State uint8

// The states of the figure, and Stopped, in which the client does nothing.
const (
	Stopped    State = iota
	Init             // waits before it begins again
	Selecting        // asked for offers
	Requesting       // took an offer
	Rebooting        // asked for the address that it had
	Bound            // has a lease
	Renewing         // has a lease, and asks its server for more time
	Rebinding        // has a lease, and asks all servers for more time
)

var stateText = [...]string{
	"stopped", "init", "selecting", "requesting", "rebooting", "bound", "renewing", "rebinding",
}

// String returns the RFC's name for the state, in lower case: "bound".
func (s State) String() string {
	if int(s) < len(stateText) {
		return stateText[s]
	}
	return "unknown state"
}

// An Event is what has become of the lease.
type Event uint8

// The events.
const (
	Nothing  Event = iota
	Acquired       // there is a lease; the address may be used after it was probed
	Renewed        // the lease lasts longer and is otherwise the same
	Changed        // the lease lasts longer, and something else in it is new
	Expired        // it is over, since no server answered in time
	Refused        // it is over, since a server says so
	Declined       // it is over, since somebody else uses the address
	Released       // it is over, since the client gave it back
)

var eventText = [...]string{
	"nothing", "acquired", "renewed", "changed", "expired", "refused", "declined", "released",
}

// String returns a word for the event: "acquired".
func (e Event) String() string {
	if int(e) < len(eventText) {
		return eventText[e]
	}
	return "unknown event"
}

// Lost reports whether the address must not be used any more.
func (e Event) Lost() bool { return e >= Expired }

// An Output is what the owner of a Client has to do: first to send, then to see to
// the lease. The zero Output asks for nothing.
type Output struct {
	// Message, if it is not nil, is to be sent by UDP from Src to Dst. From 0.0.0.0 it
	// goes out as it is, to the hardware address ff:ff:ff:ff:ff:ff. It is valid until
	// the client's next call.
	Message  []byte
	Src, Dst netip.AddrPort

	Event Event
	// Lease is the lease that the event is about, even if it is over. It is not
	// changed later.
	Lease *Lease
	// Text is what the server says about why it refused, or "".
	Text string
}

// A Client gets an address and keeps it (RFC 2131, Section 4.4). It must be made by
// NewClient.
//
// Its calls return what there is to do. Two times are expected of the owner: Start
// when the interface is up, and Expire when Next has come.
type Client struct {
	config ClientConfig
	rand   *randv2.Rand
	buf    []byte

	state State
	timer time.Time // when Expire has something to do; zero for never
	xid   uint32
	began time.Time // of the attempt that secs counts from
	secs  uint16
	sent  time.Time // of the request that is waited for: the lease begins then
	tries int       // transmissions in this state
	naks  int       // since there was a lease

	wanted netip.Addr // the address that is asked for, or would be liked
	server netip.Addr // whose offer was taken, or who gave the lease

	// lease is the one that is in use if held is true, and otherwise the one that
	// was. It is replaced as a whole, never changed.
	lease *Lease
	held  bool
}

// NewClient returns a client that has not started.
func NewClient(config ClientConfig) *Client {
	c := &Client{config: config, rand: config.Rand, lease: config.Last}
	if c.config.ID == nil {
		c.config.ID = defaultID(config.MAC)
	}
	if c.config.MTU == 0 {
		c.config.MTU = 1500
	}
	if c.rand == nil {
		var seed [32]byte
		rand.Read(seed[:])
		c.rand = randv2.New(randv2.NewChaCha8(seed))
	}
	return c
}

// defaultID makes a client identifier of the type 255: four bytes for the interface,
// then a DUID for the machine, here of the kind that is made of a hardware address
// (RFC 4361, Section 6.1; RFC 8415, Section 11.4).
func defaultID(mac wire.MAC) []byte {
	const duidLL = 3
	b := append([]byte{255}, mac[2:]...)
	b = binary.BigEndian.AppendUint16(b, duidLL)
	b = binary.BigEndian.AppendUint16(b, hardwareEthernet)
	return append(b, mac[:]...)
}

// State returns where the client is.
func (c *Client) State() State { return c.state }

// Lease returns the lease that is in use, or nil.
func (c *Client) Lease() *Lease {
	if !c.held {
		return nil
	}
	return c.lease
}

// Next returns when Expire has something to do, or the zero time. A timer that does
// not run while the computer sleeps is late by as much; who wants to know sooner
// that a lease is over calls Expire every so often.
func (c *Client) Next() time.Time {
	if c.held && !c.lease.Expiry.IsZero() && c.lease.Expiry.Before(c.timer) {
		return c.lease.Expiry
	}
	return c.timer
}

// Start begins, and begins again where the network may have become another one: a
// lease that is not over is then asked for once more, and kept until a server
// refuses it (RFC 2131, Section 3.7).
//
// Unlike RFC 2131, Section 4.4.1, it does not wait for up to ten seconds first:
// somebody is waiting for the network, and a LAN can take all of its machines at
// once.
func (c *Client) Start(now time.Time) Output {
	c.naks = 0
	if c.held && c.lease.over(now) {
		return c.lose(Expired, c.init(now))
	}
	if c.lease != nil && c.lease.Addr.Addr().Is4() {
		c.wanted = c.lease.Addr.Addr()
		if !c.lease.over(now) {
			return c.reboot(now)
		}
	}
	return c.init(now)
}

// Stop ends all activity, and tells nobody. The lease may be handed to another Client
// as its Last.
func (c *Client) Stop() {
	c.state, c.timer, c.held = Stopped, time.Time{}, false
}

// Release gives the lease back, if there is one, and ends all activity (RFC 2131,
// Section 4.4.6). The message has to be sent while the host still has the address.
func (c *Client) Release(now time.Time) Output {
	if !c.held || c.lease.over(now) {
		c.Stop()
		return Output{}
	}
	c.newExchange(now)
	out := c.lose(Released, c.unicast(Release))
	c.Stop()
	return out
}

// declineWait is how long a client waits before it asks again: "The client SHOULD
// wait a minimum of ten seconds before restarting" (RFC 2131, Section 3.1, step 5).
const declineWait = 10 * time.Second

// Declined tells that another machine uses the address of the lease: when it was
// probed, or later (RFC 5227). "The client MUST send a DHCPDECLINE message to the
// server" (RFC 2131, Section 3.1, step 5). It does nothing without a lease.
func (c *Client) Declined(now time.Time) Output {
	if !c.held {
		return Output{}
	}
	c.newExchange(now)
	c.wanted, c.server = c.lease.Addr.Addr(), c.lease.ServerID
	out := c.lose(Declined, c.broadcast(Decline))
	c.wanted, c.lease = netip.Addr{}, nil
	c.wait(now, declineWait)
	return out
}

// lose adds to out that the lease is over.
func (c *Client) lose(e Event, out Output) Output {
	c.held = false
	out.Event, out.Lease = e, c.lease
	return out
}

// Expire does what is due: it sends again, or asks for more time, or finds that the
// lease is over. It may be called too early.
func (c *Client) Expire(now time.Time) Output {
	if c.held && c.lease.over(now) {
		return c.lose(Expired, c.init(now))
	}
	if !passed(now, c.timer) {
		return Output{}
	}
	switch c.state {
	case Init:
		return c.init(now)
	case Selecting:
		return c.discover(now)
	case Requesting:
		if c.tries >= requestTries {
			return c.init(now)
		}
		return c.request(now)
	case Rebooting:
		return c.rebootAgain(now)
	case Bound, Renewing, Rebinding:
		return c.renew(now)
	}
	return Output{}
}

// Arrive takes a message that came to port 68. Those that are not for this client, or
// answer nothing that it asked, are ignored.
func (c *Client) Arrive(now time.Time, m Message) Output {
	if c.held && c.lease.over(now) {
		return c.lose(Expired, c.init(now)) // whatever m says, it answers something older
	}
	if !c.isForUs(m) {
		return Output{}
	}
	switch m.Type() {
	case Offer:
		return c.takeOffer(now, m)
	case ACK:
		return c.takeACK(now, m)
	case NAK:
		return c.takeNAK(now, m)
	}
	return Output{}
}

// isForUs reports whether m is an answer to the client's last question. The
// identifier has to be ours where it is returned: "the client MUST compare" (RFC
// 6842, Section 3, in other words).
func (c *Client) isForUs(m Message) bool {
	mac, ok := m.CHAddr()
	id := m.Option(OptClientID)
	return m.Op() == OpReply && m.XID() == c.xid && ok && mac == c.config.MAC &&
		(id == nil || slices.Equal(id, c.config.ID))
}
