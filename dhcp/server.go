package dhcp

import (
	"errors"
	"net/netip"
	"time"

	"landline/wire"
)

// ServerConfig is what a Server has to know.
type ServerConfig struct {
	// ID is the server's address on its own network, by which clients know it. It must
	// lie in one of the subnets.
	ID netip.Addr

	// Subnets are the server's own network and those behind relays.
	Subnets []Subnet

	// Static are the clients that get one address, and always the same one.
	Static []Static

	// Names are host names that no client can have, such as the server's own. Some
	// names that programs trust, such as "localhost" and "wpad", are never given.
	Names []string

	// NotAuthoritative says that other servers may know more about the addresses here.
	// The server is then silent about a client that it does not know and that asks all
	// for an address that it had. Otherwise such a client is given the address if it
	// is free and told to drop it if it is not, so that it need not wait.
	NotAuthoritative bool

	// Allow, if it is not nil, is asked before an address is offered, given and given
	// for longer. An error refuses it: the client gets no offer, or is told the text of
	// the error and has to drop the address. It must not call the server.
	Allow func(Ask) error
}

// Subnet is a network in which addresses are given, and what its clients are told.
type Subnet struct {
	Prefix netip.Prefix // of up to 30 bits
	// Ranges are the addresses that are given to any client. The addresses of the
	// server, of routers, name servers and static clients may lie in them: they are
	// left out.
	Ranges []Range

	// LeaseTime is how long a lease lasts. A client may ask for less, down to two
	// minutes. If zero, it is an hour; it can be Forever.
	LeaseTime time.Duration

	Routers []netip.Addr // the preferred one first
	DNS     []netip.Addr // the preferred one first
	NTP     []netip.Addr // the preferred one first
	Routes  []Route      // beside those through Routers
	Domain  string
	Search  []string
	MTU     int // in bytes; if zero, it is not told
}

// Range is the addresses from First to Last, both included.
type Range struct{ First, Last netip.Addr }

// Static is a client that gets one address. It is known by its identifier, or if that
// is nil by its hardware address.
type Static struct {
	ClientID []byte
	MAC      wire.MAC
	Addr     netip.Addr
	Name     string // a label; if "", what the client says
}

// An Ask is a question whether a client may have an address.
type Ask struct {
	Type     Type // Discover: it would be offered; Request: it would be given
	Addr     netip.Addr
	Renewal  bool // the client has a lease of it
	MAC      wire.MAC
	ClientID []byte // nil if it has none
	HostName string // what the client calls itself, as a label, or ""
	Relay    netip.Addr
}

// A Decision is what a Server made of a message.
type Decision uint8

// The decisions.
const (
	Ignored   Decision = iota // no answer
	Offered                   // an address was offered
	Granted                   // an address was given
	Extended                  // an address was given for longer
	Denied                    // the client was told to drop an address
	Freed                     // the client gave its address back
	Withdrawn                 // the client says that another machine uses the address
	Informed                  // the client was told of the network, and has its own address
)

var decisionText = [...]string{
	"ignored", "offered", "granted", "extended", "denied", "freed", "withdrawn", "informed",
}

// String returns a word for the decision: "granted".
func (d Decision) String() string {
	if int(d) < len(decisionText) {
		return decisionText[d]
	}
	return "unknown decision"
}

// Why a Server ignores or denies. What ServerConfig.Allow says comes as it is.
var (
	ErrNotForServer = errors.New("not a message for a server")
	ErrHardware     = errors.New("no hardware address that could be answered")
	ErrClientID     = errors.New("client identifier too long")
	ErrNoSubnet     = errors.New("no such network here")
	ErrOtherServer  = errors.New("for another server")
	ErrNoAddress    = errors.New("it names no address")
	ErrExhausted    = errors.New("no address is free")
	ErrWrongNetwork = errors.New("address of another network")
	ErrTaken        = errors.New("address is not free")
	ErrOtherAddress = errors.New("client has another address")
	ErrUnknown      = errors.New("client is not known")
)

// A Reply is what the owner of a Server has to do: first to write Record, then to send
// Message.
type Reply struct {
	// Record, if it is not nil, is a line to be appended to the records. It must be
	// safe from a crash before Message is sent, so that a lease that a client knows of
	// is not forgotten. If it cannot be written, Message must not be sent.
	Record []byte

	// Message, if it is not nil, is to be sent by UDP from port 67 of Server.ID to To.
	// Both are valid until the server's next call.
	Message []byte
	To      Destination

	// What was decided, about whom, and why it was not what the client wanted. The
	// binding of an ignored message may lack its address.
	Decision Decision
	Binding  Binding
	Err      error

	// Ended are the leases that came to an end by the message, or were found to have done so. They are valid until the
	// server's next call.
	Ended []Binding
}

// A Destination is where a reply goes.
type Destination struct {
	Addr netip.AddrPort
	// MAC is where the frame goes, if it is not zero: the client does not answer ARP
	// yet, or all are to hear it. Otherwise the hardware address is found as usual.
	MAC wire.MAC
}

// A Server gives addresses to clients (RFC 2131, Section 4.3). It must be made by
// NewServer. A client that was seen before gets its old address again, as long as it is
// free; otherwise addresses that nobody had come first, and then the one that
// has been free for the longest time.
//
// Its memory is bounded by the number of its addresses, and what has not led to a lease
// takes no more than 1,024 of them.
//
// Unlike RFC 2131, Section 2.2, it does not probe an address before it offers it, which
// would cost each client seconds: the client does. ServerConfig.Allow may know more.
type Server struct {
	config ServerConfig
	pools  []*pool
	local  *pool             // of the network that ID is in
	names  map[string]*entry // of leases that are not over; nil for names never given

	offers queue     // the oldest first
	timed  byTime    // leases and bad addresses that come to an end
	awake  time.Time // Next is not before it
	ended  []Binding // since the owner's call began

	options []byte // scratch: options of the reply
	message []byte
	record  []byte
}

// query is a message that is being answered.
type query struct {
	m       Message
	now     time.Time
	mac     wire.MAC
	client  string // the key that the client is known by
	pool    *pool
	unicast bool // it was sent to the server alone
}

// Arrive answers a message that came to port 67, sent to the address dst: the server's,
// or a broadcast address.
func (s *Server) Arrive(now time.Time, m Message, dst netip.Addr) Reply {
	s.ended = s.ended[:0]
	r := s.arrive(now, m, dst)
	r.Ended = s.ended
	return r
}

func (s *Server) arrive(now time.Time, m Message, dst netip.Addr) Reply {
	q, err := s.read(now, m, dst)
	if err != nil {
		return ignored(&q, netip.Addr{}, err)
	}
	switch m.Type() {
	case Discover:
		return s.discover(&q)
	case Request:
		return s.request(&q)
	case Decline:
		return s.decline(&q)
	case Release:
		return s.release(&q)
	case Inform:
		return s.inform(&q)
	}
	return ignored(&q, netip.Addr{}, ErrNotForServer)
}

// maxClientID is how long a client's identifier may be.
const maxClientID = 255

// read finds out whom a message is from, and what network it is about.
func (s *Server) read(now time.Time, m Message, dst netip.Addr) (query, error) {
	mac, ok := m.CHAddr()
	q := query{m: m, now: now, mac: mac, unicast: dst == s.config.ID}
	id := m.ClientID()
	switch {
	case m.Op() != OpRequest:
		return q, ErrNotForServer
	case !ok || mac.IsGroup() || mac == wire.MAC{}:
		return q, ErrHardware
	case len(id) > maxClientID:
		return q, ErrClientID
	}
	q.client = clientKey(id, mac)
	if q.pool = s.poolOf(&q); q.pool == nil {
		return q, ErrNoSubnet
	}
	return q, nil
}

// Kinds of key.
const (
	keyMAC = 'h'
	keyID  = 'i'
)

// clientKey is what a client is known by: "The client identifier [...] MUST be used as the
// key", or else the hardware address (RFC 2131, Section 4.2, shortened). An
// identifier of the type 1 is that hardware address again, so that a machine is one
// and the same before its system has started and after.
func clientKey(id []byte, mac wire.MAC) string {
	if id == nil || len(id) == 7 && id[0] == hardwareEthernet && wire.MAC(id[1:]) == mac {
		return string(keyMAC) + string(mac[:])
	}
	return string(keyID) + string(id)
}

// poolOf finds the network that the client is on: the relay's; that of the address
// which it uses, if its messages come from there; and otherwise the server's own
// (RFC 2131, Section 4.3.1).
func (s *Server) poolOf(q *query) *pool {
	if relay := q.m.GIAddr(); !relay.IsUnspecified() {
		return s.poolWith(relay)
	}
	uses := q.m.CIAddr()
	if uses.IsUnspecified() || !q.unicast && q.m.Type() == Request {
		return s.local
	}
	if p := s.poolWith(uses); p != nil {
		return p
	}
	return s.local
}

func (s *Server) poolWith(a netip.Addr) *pool {
	for _, p := range s.pools {
		if p.Prefix.Contains(a) {
			return p
		}
	}
	return nil
}

// allow asks ServerConfig.Allow.
func (s *Server) allow(q *query, e *entry) error {
	if s.config.Allow == nil {
		return nil
	}
	return s.config.Allow(Ask{
		Type: q.m.Type(), Addr: e.addr, Renewal: e.isLeasedTo(q), MAC: q.mac, ClientID: q.m.ClientID(),
		HostName: q.m.HostName(), Relay: q.m.GIAddr(),
	})
}

// ignored is no answer, to a client that would have liked to have an address.
func ignored(q *query, a netip.Addr, err error) Reply {
	return Reply{Err: err, Binding: Binding{Addr: a, MAC: q.mac}}
}
