package lan

import (
	"errors"
	"net/netip"

	"landline/dns"
	"landline/wire"
)

// A Kind is what a machine asks the gateway for.
type Kind string

// The kinds.
const (
	KindLease   Kind = "lease"   // an address, Dst
	KindLookup  Kind = "lookup"  // what a name means
	KindTCP     Kind = "tcp"     // a connection to the world
	KindUDP     Kind = "udp"     // datagrams to the world
	KindEcho    Kind = "echo"    // pings to the world
	KindForward Kind = "forward" // what comes from the world, or by Connect
	KindAddress Kind = "address" // to have an address, Src, that another machine has; only in an Event
)

// An Ask is what somebody asks the gateway for: the one place where all that it does is decided.
type Ask struct {
	Kind Kind
	// Src is who asks, and Dst with whom it wants to speak, as the machine knows them. The ports of pings are 0. A
	// machine that asks for a lease has no address yet, and a program of the computer that Connect is called for has none.
	Src, Dst netip.AddrPort
	MAC      wire.MAC // of a machine that asks for a lease, or uses an address
	Name     string   // that is looked up, or that a machine which asks for a lease calls itself
	Type     dns.Type // of a lookup
}

// A Verdict is what came of an Ask.
type Verdict string

// The verdicts.
const (
	Allowed Verdict = "allowed" // it begins, or it is done if it is a lease or a lookup
	Refused Verdict = "refused" // by GatewayConfig.Allow, or by what the gateway is for: see Event.Err
	Ended   Verdict = "ended"   // it had been allowed
)

// An Event tells what came of an Ask.
type Event struct {
	Ask
	Verdict Verdict
	// Err says why it was refused, or what ended it. It is nil if it ended well.
	Err error
	// Sent and Received are the bytes that the machine sent and got, at the end of a flow.
	Sent, Received uint64
}

// Why a gateway refuses.
var (
	ErrOwnAddress = errors.New("the computer's loopback is not offered")
	ErrSameLAN    = errors.New("no machine of the LAN has the address")
	ErrManyFlows  = errors.New("too many flows")
	ErrManyLeases = errors.New("the port has as many addresses as are left for others")
	ErrNotKept    = errors.New("the client's address cannot be kept")
	ErrDuplicate  = errors.New("another machine has the address")
)

// allow decides, and tells.
func (g *Gateway) allow(a Ask) error {
	var err error
	if g.cfg.Allow != nil {
		err = g.cfg.Allow(a)
	}
	if err != nil {
		g.refused(a, err)
		return err
	}
	g.tell(Event{Ask: a, Verdict: Allowed})
	return nil
}

func (g *Gateway) refused(a Ask, err error) { g.tell(Event{Ask: a, Verdict: Refused, Err: err}) }

func (g *Gateway) tell(e Event) {
	if g.cfg.Events != nil {
		g.cfg.Events(e)
	}
}
