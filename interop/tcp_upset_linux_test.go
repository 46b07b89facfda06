package interop

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// On a wire that loses nothing and keeps the order, we send a segment again for one of these reasons only: nothing has
// been heard for so long that the last one goes as a probe (RFC 8985, Section 7), or that the retransmission timer has
// expired; or the window was shut. Neither end reports a hole, and we do not acknowledge twice what did not come twice; a kernel
// that has much to do does so now and then. How long a busy machine takes is not for a test to say, but it sees which segment it
// was.

// A tcpFrame is a frame of a capture, in tshark's relative numbers.
type tcpFrame struct {
	number, stream string
	ours           bool // it comes from us
	at             int  // by the clock of its sender, in milliseconds: the timestamp
	seq, ack, size int  // size counts SYN and FIN
	window         int
	flags          int
	sack           string // the right edges
}

const (
	outbound                           = 2
	flagFIN, flagSYN, flagRST, flagACK = 1, 2, 4, 16
	leastRTO                           = 190 // milliseconds: of both ends, and a little less
)

// tcpFrames returns the TCP frames of the capture, and complains of all frames that are bad.
func (r *rig) tcpFrames() (all []tcpFrame) {
	r.Helper()
	args := []string{"-Y", "(tcp and not icmp and not icmpv6) or " + badFrames, "-T", "fields", "-E", "separator=|"}
	for _, f := range []string{"frame.number", "tcp.stream", "frame.packet_flags_direction", "tcp.options.timestamp.tsval", "tcp.seq", "tcp.ack", "tcp.len",
		"tcp.window_size", "tcp.flags", "tcp.options.sack_re", "ip.checksum.status", "tcp.checksum.status", "tcp.checksum", "_ws.malformed"} {
		args = append(args, "-e", f)
	}
	for line := range strings.Lines(r.tshark(args...)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(f) != 14 || f[1] == "" || f[10] == "0" || f[11] == "0" && f[12] != "0xffff" || f[13] != "" {
			r.Errorf("tshark finds fault with frame %s", line)
			continue
		}
		number := func(k int) int {
			n, _ := strconv.ParseInt(f[k], 0, 64)
			return int(n)
		}
		p := tcpFrame{number: f[0], stream: f[1], ours: number(2) == outbound, at: number(3), seq: number(4), ack: number(5), size: number(6),
			window: number(7), flags: number(8), sack: f[9]}
		p.size += p.flags&flagFIN + p.flags&flagSYN>>1
		all = append(all, p)
	}
	if len(all) == 0 {
		r.Error("tshark sees no segments")
	}
	return all
}

// A way is one direction of a connection.
type way struct {
	seen   bool
	last   tcpFrame // an acknowledgment without text
	window int
	end    int        // behind the last number that was sent
	sent   []tcpFrame // in the order of their numbers
	refuse int        // what came before it the other end may have dropped, as it had no room after all
	asked  int        // how many acknowledgments may say nothing new
}

// ask notes that something goes the other way which has to be answered. Now and then the kernel does it twice.
func (w *way) ask() { w.asked += 2 }

// upsets returns what happened on a calm wire without a reason.
func upsets(frames []tcpFrame) (all []string) {
	type name struct {
		stream string
		ours   bool
	}
	ways := map[name]*way{}
	get := func(n name) *way {
		if ways[n] == nil {
			ways[n] = &way{}
		}
		return ways[n]
	}
	for k := range frames {
		f := &frames[k]
		if reason := get(name{f.stream, f.ours}).upset(f, get(name{f.stream, !f.ours})); reason != "" {
			all = append(all, fmt.Sprintf("frame %s, ours %v, seq %d, %d long: %s", f.number, f.ours, f.seq, f.size, reason))
		}
	}
	return all
}

// upset takes a frame, and says what is wrong with it. back is the other direction.
func (w *way) upset(f *tcpFrame, back *way) (reason string) {
	if f.flags&flagRST != 0 {
		return ""
	}
	for edge := range strings.SplitSeq(f.sack, ",") {
		if n, _ := strconv.Atoi(edge); n > f.ack && f.ack >= back.refuse {
			reason = "it reports a hole"
		}
	}
	switch {
	case f.size == 0 && w.seen && f.seq < w.end:
		back.ask() // whether somebody is there, or whether the window is open
		w.ask()
	case f.size == 0:
		if w.seen && w.last.ack == f.ack && w.last.window == f.window && w.last.size == 0 && w.last.flags == f.flags {
			if w.asked--; w.asked < 0 {
				w.asked = 0
				if f.ours {
					reason = "the acknowledgment is a duplicate"
				}
			}
		}
	case f.seq < w.end:
		back.ask()
		tail := f.seq+f.size == w.end && f.size <= 1460
		if f.ours && !tail && f.seq >= w.refuse && !w.late(f) {
			reason = "it is sent again too early"
		}
	default:
		if w.seen && f.seq > w.end {
			reason = fmt.Sprintf("it follows on %d, which is not in the capture", w.end)
		}
		if back.window == 0 {
			back.ask() // a probe
		}
		w.end = f.seq + f.size
		w.sent = append(w.sent, *f)
	}
	if f.ack+f.window < back.end {
		back.refuse = back.end
	}
	w.window = f.window
	w.last, w.seen = *f, true
	return reason
}

// late reports whether the retransmission timer may have expired since what f carries was last sent.
func (w *way) late(f *tcpFrame) bool {
	k := sort.Search(len(w.sent), func(k int) bool { return f.seq < w.sent[k].seq+w.sent[k].size })
	since := f.at - w.sent[k].at
	w.sent[k].at = f.at
	return since >= leastRTO
}
