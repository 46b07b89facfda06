package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/lan"
	"landline/link"
)

func (a *app) lanCaptureCommand() *cobra.Command {
	var name, port, file string
	cmd := &cobra.Command{
		Use:   "capture [flags]",
		Short: "Write the frames of a LAN that is up, for Wireshark",
		Long: `Capture writes what passes the ports of a LAN's switch from now on, in the pcapng format of
Wireshark, until Ctrl-C, or until the LAN ends or the reader goes away. Each port is an interface of the file,
so that a frame stands there as often as it passes one: where it comes in, and where it goes out. Ports that
come meanwhile are captured too.

The LAN does not wait for a reader who is slow: what does not fit into 32 MiB is left out, and counted in
the file.`,
		Example: `  landline lan capture | tshark -r -
  landline lan capture --port sock-1 -w shed.pcapng`,
		Args: none,
		RunE: func(*cobra.Command, []string) error { return a.lanCapture(name, port, file) },
	}
	lanFlag(cmd, &name)
	cmd.Flags().StringVar(&port, "port", "", "`NAME` of a port as lan ps has it (default all)")
	cmd.Flags().StringVarP(&file, "write", "w", "-", "`FILE` to write, - for standard output")
	cmd.RegisterFlagCompletionFunc("port", completeLAN(portNames))
	return cmd
}

// A sniffer writes the frames of ports to a file.
type sniffer struct {
	file *link.PcapNG

	mu    sync.Mutex
	stops map[*lan.Port]func()
}

// add has the frames of a port written from now on.
func (s *sniffer) add(p *lan.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stops[p] == nil {
		s.stops[p] = p.Capture(s.file)
	}
}

// keep forgets ports that are none of these any more.
func (s *sniffer) keep(there []*lan.Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.stops, func(p *lan.Port, _ func()) bool { return !slices.Contains(there, p) })
}

// stop ends that, and the file.
func (s *sniffer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stop := range s.stops {
		stop()
	}
	s.file.Close() // an error is the reader's, who has gone
}

// sniff begins to write the frames of a port, or of all and those that come, until unsniff, also after an error.
func (n *network) sniff(w io.Writer, port string) (*sniffer, error) {
	s := &sniffer{file: link.NewPcapNG(w, link.PcapConfig{}), stops: map[*lan.Port]func(){}}
	if port == "" {
		n.mu.Lock()
		n.sniffers[s] = true
		n.mu.Unlock()
	}
	found := port == ""
	for _, p := range n.lan.Ports() {
		if port != "" && p.Info().Name != port {
			continue
		}
		found = true
		s.add(p)
	}
	if !found {
		return s, &controlError{Code: codeNoPort, Message: "no such port"}
	}
	return s, nil
}

func (n *network) unsniff(s *sniffer) {
	n.mu.Lock()
	delete(n.sniffers, s)
	n.mu.Unlock()
	s.stop()
}

// plugged has a new port captured by all who capture all ports.
func (n *network) plugged(p *lan.Port) {
	n.mu.Lock()
	defer n.mu.Unlock()
	there := n.lan.Ports()
	for s := range n.sniffers {
		s.keep(there)
		s.add(p)
	}
}

// capture writes frames until the client sends no more or goes away, or the LAN ends. The file is whole in the end if the
// client is still there.
func (c *control) capture(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &flushed{w: w, rc: http.NewResponseController(w), decided: make(chan struct{})}
	s, err := c.network.sniff(out, r.URL.Query().Get("port"))
	out.refused = err != nil
	close(out.decided)
	if err == nil {
		s.file.Flush() // the client knows that it has begun
		<-r.Context().Done()
		out.rc.SetWriteDeadline(time.Now().Add(controlPatience))
	}
	c.network.unsniff(s)
	return err
}

// A flushed answer reaches the client at once. Nothing is written before it is decided that there is one.
type flushed struct {
	w       io.Writer
	rc      *http.ResponseController
	decided chan struct{} // closed once refused is set
	refused bool
}

func (f *flushed) Write(b []byte) (int, error) {
	<-f.decided
	if f.refused {
		return 0, net.ErrClosed
	}
	n, err := f.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, f.rc.Flush()
}

// lanCapture is the client's side.
func (a *app) lanCapture(name, port, file string) error {
	if file == "-" && isTerminal(os.Stdout) {
		return &hinted{errors.New("a capture is binary, and standard output is a terminal"), "-w all.pcapng, or | tshark -r -"}
	}
	err := a.follow(name, "capture?port="+url.QueryEscape(port), file == "-", func(r io.Reader) error {
		return a.save(r, file)
	})
	if e, ok := errors.AsType[*controlError](err); ok && e.Code == codeNoPort {
		return &hinted{fmt.Errorf("--port %s: no such port", port), "landline lan ps"}
	}
	return err
}

// save writes a capture to a file, or to standard output.
func (a *app) save(r io.Reader, file string) error {
	if file == "-" {
		_, err := io.Copy(&a.out, r)
		return err
	}
	f, err := createCapture("-w", file)
	if err != nil {
		return err
	}
	a.say("capturing to %s; Ctrl-C ends it", file)
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("-w %s: %w", file, bare(err))
	}
	return err
}
