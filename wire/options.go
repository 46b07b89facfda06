package wire

// Options walks the options of an IPv4 or TCP header, which have one form: a
// kind, and for all but two kinds a length and data (RFC 791, Section 3.1; RFC
// 9293, Section 3.1). It allocates nothing. Its use:
//
//	for o := t.Options(); o.Next(); {
//		switch o.Kind() { … }
//	}
//
// The walk ends at the end-of-list option, at the end of the header, or at an
// option whose length is impossible, whatever its kind: then Err tells. "TCP
// implementations MUST be prepared to handle an illegal option length (e.g.,
// zero)" (RFC 9293, Section 3.1, MUST-7); the options before it are good.
type Options struct {
	all   []byte // the option area
	at    int    // where the current option begins
	next  int    // where the next one does
	fault Fault  // what a bad length is called
	bad   bool
}

// Kinds of option that consist of one byte. No-operation is not shown by Next.
const (
	optEnd  = 0
	optNone = 1
)

// Next goes to the next option that says something and reports whether there is
// one.
func (o *Options) Next() bool {
	for !o.bad && o.next < len(o.all) {
		o.at = o.next
		switch o.all[o.at] {
		case optEnd:
			o.next = len(o.all)
			return false
		case optNone:
			o.next++
		default:
			return o.take()
		}
	}
	return false
}

// take checks the length of the option at o.at and steps over it.
func (o *Options) take() bool {
	rest := o.all[o.at:]
	if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
		o.bad = true
		return false
	}
	o.next = o.at + int(rest[1])
	return true
}

// Kind returns the kind of the current option.
func (o *Options) Kind() uint8 { return o.all[o.at] }

// Data returns what the current option holds after its kind and length, up to
// 38 bytes.
func (o *Options) Data() []byte { return o.all[o.at+2 : o.next] }

// Bytes returns the whole of the current option.
func (o *Options) Bytes() []byte { return o.all[o.at:o.next] }

// Offset returns where in the option area the current option begins, or the bad
// one after an error.
func (o *Options) Offset() int { return o.at }

// Err returns ErrIPv4Option or ErrTCPOption if the walk ended at an impossible
// length.
func (o *Options) Err() error {
	if o.bad {
		return o.fault
	}
	return nil
}

// pad4 appends zeros, which end a list of options, until b is a multiple of 4
// bytes longer than n.
func pad4(b []byte, n int) []byte {
	for (len(b)-n)&3 != 0 {
		b = append(b, 0)
	}
	return b
}
