package pkt

import (
	"strings"
	"time"

	"landline/tcp"
)

// Numbers that code compares fields of TCP_INFO with.
var infoConstants = map[string]int64{
	"True": 1, "False": 0,
	"TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8, "TCPI_OPT_ECN_SEEN": 16,
	"TCPI_OPT_SYN_DATA": 32,
	"TCP_CA_Open":       0, "TCP_CA_Disorder": 1, "TCP_CA_CWR": 2, "TCP_CA_Recovery": 3, "TCP_CA_Loss": 4,
	"TCP_INFINITE_SSTHRESH": infiniteThreshold,
}

// infoFields are the fields of TCP_INFO that Linux has. Code with those that are not known here is ignored.
var infoFields = func() map[string]bool {
	all := map[string]bool{}
	for _, field := range strings.Fields(`
		state ca_state retransmits probes backoff options snd_wscale rcv_wscale delivery_rate_app_limited fastopen_client_fail
		rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv last_ack_recv
		pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans
		pacing_rate max_pacing_rate bytes_acked bytes_received segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out
		delivery_rate busy_time rwnd_limited sndbuf_limited delivered delivered_ce bytes_sent bytes_retrans dsack_dups reord_seen
		rcv_ooopack snd_wnd rcv_wnd rehash total_rto total_rto_recoveries total_rto_time received_ce delivered_e1_bytes
		delivered_e0_bytes delivered_ce_bytes received_e1_bytes received_e0_bytes received_ce_bytes accecn_fail_mode accecn_opt_seen`) {
		all[field] = true
	}
	return all
}()

const infiniteThreshold = 0x7fffffff

// infoStates are the numbers that Linux has for states, and the names that scripts have for them.
var infoStates = map[string]struct {
	number int64
	names  []string
}{
	"ESTABLISHED":  {1, []string{"ESTABLISHED"}},
	"SYN-SENT":     {2, []string{"SYN_SENT"}},
	"SYN-RECEIVED": {3, []string{"SYN_RECV", "SYN_RECEIVED"}},
	"FIN-WAIT-1":   {4, []string{"FIN_WAIT1", "FIN_WAIT_1"}},
	"FIN-WAIT-2":   {5, []string{"FIN_WAIT2", "FIN_WAIT_2"}},
	"TIME-WAIT":    {6, []string{"TIME_WAIT"}},
	"CLOSED":       {7, []string{"CLOSE", "CLOSED"}},
	"CLOSE-WAIT":   {8, []string{"CLOSE_WAIT"}},
	"LAST-ACK":     {9, []string{"LAST_ACK"}},
	"LISTEN":       {10, []string{"LISTEN"}},
	"CLOSING":      {11, []string{"CLOSING"}},
}

// lookup returns the value of a name in code: a field of TCP_INFO of the connection that the script is at, a constant,
// or a variable of the script.
func (r *runner) lookup(name string) (int64, bool) {
	if field, ok := strings.CutPrefix(name, "tcpi_"); ok {
		i, ok := r.info()
		if !ok {
			return 0, false
		}
		return infoField(&i, field)
	}
	if n, ok := infoConstants[name]; ok {
		return n, true
	}
	if state, ok := cutState(name); ok {
		for _, s := range infoStates {
			for _, n := range s.names {
				if n == state {
					return s.number, true
				}
			}
		}
	}
	n, ok := r.vars[name]
	return n, ok
}

func cutState(name string) (string, bool) {
	if s, ok := strings.CutPrefix(name, "TCPI_"); ok {
		return s, true
	}
	return strings.CutPrefix(name, "TCP_")
}

// info returns how the connection is doing that the script is at, if it has a socket.
func (r *runner) info() (tcp.Info, bool) {
	for _, o := range r.fds {
		if s, ok := o.(*socket); ok && s.stream && s.flow != nil && s.flow == r.current && s.connection() != nil {
			return s.connection().Info(), true
		}
	}
	for _, i := range r.tcp.Conns() {
		if r.current != nil && i.Local == r.current.local && i.Remote == r.current.remote {
			return i, true
		}
	}
	return tcp.Info{}, false
}

// infoField returns a field of TCP_INFO, in the units of Linux: segments, and microseconds.
func infoField(i *tcp.Info, field string) (int64, bool) {
	segments := func(bytes int) int64 { return int64((bytes + i.SendMSS - 1) / max(i.SendMSS, 1)) }
	micros := func(d time.Duration) int64 { return d.Round(time.Microsecond).Microseconds() }
	switch field {
	case "state":
		return infoStates[i.State].number, true
	case "ca_state":
		return caState(i), true
	case "backoff":
		return int64(i.Backoff), true
	case "options":
		return truth(i.Timestamps) | truth(i.SACK)<<1 | truth(i.Scaling)<<2, true
	case "snd_wscale":
		return int64(i.SendScale), true
	case "rcv_wscale":
		return int64(i.ReceiveScale), true
	case "rto":
		return micros(i.RTO), true
	case "rtt":
		return micros(i.RTT), true
	case "rttvar":
		return micros(i.RTTVar), true
	case "min_rtt":
		return micros(i.MinRTT), true
	case "snd_mss":
		return int64(i.SendMSS), true
	case "rcv_mss":
		return int64(i.ReceiveMSS), true
	case "unacked":
		return segments(i.InFlight), true
	case "sacked":
		return segments(i.SACKed), true
	case "lost":
		return segments(i.Lost), true
	case "retrans":
		return segments(i.Retransmits), true
	case "snd_cwnd":
		return int64(i.CongestionWindow / max(i.SendMSS, 1)), true
	case "snd_ssthresh":
		if i.SlowStartThreshold == 0 {
			return infiniteThreshold, true
		}
		return int64(i.SlowStartThreshold / max(i.SendMSS, 1)), true
	case "notsent_bytes":
		return int64(i.Unsent), true
	case "snd_wnd":
		return int64(i.SendWindow), true
	case "rcv_wnd":
		return int64(i.ReceiveWindow), true
	}
	return 0, false
}

// caState returns what Linux would call the state of congestion control.
func caState(i *tcp.Info) int64 {
	switch {
	case i.InRecovery && i.Backoff > 0:
		return infoConstants["TCP_CA_Loss"]
	case i.InRecovery:
		return infoConstants["TCP_CA_Recovery"]
	case i.SACKed > 0:
		return infoConstants["TCP_CA_Disorder"]
	}
	return infoConstants["TCP_CA_Open"]
}
