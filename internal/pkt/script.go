package pkt

import (
	"fmt"
	"time"

	"landline/wire"
)

// A Script is what Parse makes of a file.
type Script struct {
	Name    string
	Options []Option
	Events  []Event
	Ignored []Ignored // lines that are none of the language
}

// An Option is a line such as "--ip_version=ipv6".
type Option struct {
	Line        int
	Name, Value string
}

// An Ignored is something in a script that has no effect here.
type Ignored struct {
	Line int
	Text string
}

// An Event is something that happens in a script, or that it expects.
type Event struct {
	Line int
	When When
	Do   any // a *Packet, *Call, Shell or Code
}

// A Shell is a command of the system's shell.
type Shell string

// A Code is a piece of Python about tcpi_… fields.
type Code string

// A When says when an event has to happen.
type When struct {
	Relative bool // to the event before
	Any      bool // whenever it does
	From, To time.Duration
}

func (w When) String() string {
	sign := ""
	if w.Relative {
		sign = "+"
	}
	switch {
	case w.Any:
		return "*"
	case w.From == w.To:
		return sign + seconds(w.From)
	}
	return sign + seconds(w.From) + "~" + sign + seconds(w.To)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.6f", d.Seconds()) }

// A Packet is one that a script sends in, or expects to come out; or one that came out, in
// the script's numbers.
type Packet struct {
	Out bool // from the host
	IP  IPFields

	// One of these is set.
	TCP  *TCPFields
	UDP  *UDPFields
	ICMP *ICMPFields

	Unsupported string // what of it cannot be run, if anything
}

// IPFields are what the IP header says. Zeros say nothing.
type IPFields struct {
	TOS, TOSMask uint8 // the bits in the mask are those of TOS
	ECT          bool  // the low bits of TOS are ECT(0) or ECT(1)
	TTL          uint8
	FlowLabel    uint32
	HasFlowLabel bool
}

// Ports are those that a packet names. Zeros are for the script's only connection.
type Ports struct{ Src, Dst uint16 }

// TCPFields are what a TCP header says.
type TCPFields struct {
	Ports      Ports
	Flags      wire.TCPFlags
	Seq, Ack   uint32
	SeqIs      SeqIs
	Len        int
	Window     int // -1 if it may be anything
	Urgent     uint16
	Options    []TCPOption
	AnyOptions bool // "<...>"

	data []byte // of one that came out
}

// A SeqIs says what Seq of TCPFields means.
type SeqIs uint8

const (
	SeqRelative SeqIs = iota // to the first number of its sender
	SeqAbsolute              // as it lies on the wire: "0:0(0)!"
	SeqAny                   // nothing: "...(0)"
)

// A TCPOption is one of a TCP header.
type TCPOption struct {
	Kind uint8
	Data []byte // behind kind and length; for SACK and timestamps the fields below count

	SACK       []Block
	Val, Ecr   uint32
	AnyVal     bool
	AbsoluteEc bool
}

// A Block is one of SACK.
type Block struct{ Start, End uint32 }

// UDPFields are what a UDP header says.
type UDPFields struct {
	Ports Ports
	Len   int // of the payload

	data []byte // of one that came out
}

// ICMPFields are what an ICMP message of either version says.
type ICMPFields struct {
	Type, Code string
	MTU        int // 0 if there is none
	ID         uint16
	Quote      *Quote
}

// A Quote is the packet that an ICMP error is about.
type Quote struct {
	Protocol wire.Protocol
	Seq      uint32 // of TCP
	Len      int    // of the payload
}

// A Call is a system call, with what must come of it.
type Call struct {
	Name   string
	Args   []Expr
	Blocks bool // it returns at End, and not at once
	End    time.Duration
	Result Expr
	Errno  string // "EAGAIN", or nothing
}

// An Expr is an argument of a call.
type Expr struct {
	Kind ExprKind
	Name string // in a struct: of the field
	Num  int64
	Text string // of a word or string; what a function is called
	List []Expr // what an array, a struct, a function or an "or" is made of
}

// An ExprKind says what an Expr is.
type ExprKind uint8

const (
	Ellipsis ExprKind = iota // "...", whatever it is
	Number
	Word     // a constant of the system
	String   // bytes
	Array    // [1, 2]
	Struct   // {fd=4, events=POLLIN}
	Function // htons(8080)
	Or       // a|b
)
