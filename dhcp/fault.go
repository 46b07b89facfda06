package dhcp

// A Fault is what is wrong with a message: the error of ParseMessage is one. Faults
// are small, comparable and not allocated, so they can count what a host drops.
type Fault uint8

// What can be wrong.
const (
	_              Fault = iota
	ErrShort             // the bytes end before the options begin
	ErrOp                // neither a request nor a reply
	ErrHardwareLen       // a hardware address of more than 16 bytes
	ErrCookie            // the options are not of the kind of RFC 2131
	ErrOption            // an option ends after the field that it is in
	ErrOverload          // an option that tells of more options is malformed

	// Faults is one more than the greatest Fault.
	Faults = iota
)

var faultText = [Faults]string{
	"no fault", "short", "operation", "hardware address length", "cookie", "option", "overload",
}

// String returns what is wrong: "option".
func (f Fault) String() string {
	if f >= Faults {
		return "unknown fault"
	}
	return faultText[f]
}

// Error returns "bad dhcp message: " and what String returns.
func (f Fault) Error() string { return "bad dhcp message: " + f.String() }
