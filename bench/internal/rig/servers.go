package rig

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// A Server is a running server process.
type Server struct {
	pid  int
	log  string        // where it writes what it has to say
	dead chan struct{} // closed when it has ended
}

const sshdConfig = `Port %d
ListenAddress 0.0.0.0
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/id.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
PrintMotd no
Compression no
MaxStartups 1000:30:2000
SetEnv HOME=%[2]s/home
Subsystem sftp /usr/lib/openssh/sftp-server
`

const sshConfig = `Host *
Port %d
User %s
IdentityFile %[3]s/id
IdentitiesOnly yes
IdentityAgent none
StrictHostKeyChecking accept-new
UserKnownHostsFile %[3]s/known_hosts.ssh
GlobalKnownHostsFile /dev/null
GSSAPIAuthentication no
LogLevel ERROR
Compression no
Ciphers aes128-gcm@openssh.com
`

// StartSSH starts an sshd on all addresses and sets for clients: $CONF, a configuration that makes
// them as fast as they can be, $CONF.kex, the same with the default key exchange, $CONF.warm, the same with a connection
// that stands (ControlMaster),
// $NODES, the addresses of a fleet as a range, and, for rsync, RSYNC_RSH.
func (r *Rig) StartSSH() (*Server, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(r.Dir, "ssh_config")
	client := fmt.Sprintf(sshConfig, port, u.Username, r.Dir)
	err = errors.Join(
		r.makeKeys(),
		os.WriteFile(conf, []byte(client+"KexAlgorithms curve25519-sha256\n"), 0o600),
		os.WriteFile(conf+".kex", []byte(client), 0o600),
		os.WriteFile(conf+".warm", []byte(client+"KexAlgorithms curve25519-sha256\nControlPath "+r.Dir+"/control\n"), 0o600),
		os.WriteFile(filepath.Join(r.Dir, "sshd_config"), fmt.Appendf(nil, sshdConfig, port, r.Dir), 0o600))
	if err != nil {
		return nil, err
	}
	r.Set("CONF", conf)
	r.Set("NODES", fleetNodes())
	r.env = append(r.env, "RSYNC_RSH=ssh -F "+conf)
	s, err := r.start("sshd", "sshd -D -e -f $DIR/sshd_config")
	if err != nil {
		return nil, err
	}
	err = s.await(func() bool { return answers("tcp", fmt.Sprintf("127.0.0.1:%d", port)) })
	if err != nil {
		return nil, err
	}
	warm, err := r.start("warm", "ssh -F $CONF.warm -M -N 127.0.0.1")
	if err != nil {
		return nil, err
	}
	return s, warm.await(func() bool { return answers("unix", filepath.Join(r.Dir, "control")) })
}

// answers says whether somebody answers at an address.
func answers(network, addr string) bool {
	c, err := net.Dial(network, addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

var listening = regexp.MustCompile(`(?m)^landline: listening on (\S+),`)

// StartLandline starts `landline serve` and sets $HOST, its address, and $KEYS,
// the flags that tell a client of the keys.
func (r *Rig) StartLandline() (*Server, error) {
	if err := r.makeKeys(); err != nil {
		return nil, err
	}
	s, err := r.start("landline", serve+"--listen 127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	err = s.await(func() bool {
		said, _ := os.ReadFile(s.log)
		m := listening.FindSubmatch(said)
		if m != nil {
			r.Set("HOST", string(m[1]))
		}
		return m != nil
	})
	r.setKeys()
	return s, err
}

const serve = "landline serve --authorized-keys $DIR/id.pub --host-key $DIR/host "

func (r *Rig) setKeys() {
	r.Set("KEYS", "-i "+r.Dir+"/id --known-hosts "+r.Dir+"/known_hosts --accept-new")
}

// A fleet is so many servers with so many addresses each. One server takes 64 connections of an address that are
// not let in yet, and all come from 127.0.0.1 here.
const (
	fleetServers   = 20
	fleetAddresses = 50
	FleetHosts     = fleetServers * fleetAddresses
)

// fleetNodes is all addresses as a range.
func fleetNodes() string { return fmt.Sprintf("127.0.[1-%d].[1-%d]", fleetServers, fleetAddresses) }

// StartFleet starts servers with a thousand addresses, and sets $FLEET, all of them with the port, and $KEYS. It
// returns one of them.
func (r *Rig) StartFleet() (s *Server, err error) {
	port, err := FreePort()
	if err = errors.Join(err, r.makeKeys()); err != nil {
		return nil, err
	}
	r.Set("FLEET", fmt.Sprintf("%s:%d", fleetNodes(), port))
	r.setKeys()
	for i := range fleetServers {
		line := serve
		for j := range fleetAddresses {
			line += fmt.Sprintf(" --listen 127.0.%d.%d:%d", i+1, j+1, port)
		}
		if s, err = r.start(fmt.Sprintf("fleet-%d", i), line); err != nil {
			return nil, err
		}
		err := s.await(func() bool {
			said, _ := os.ReadFile(s.log)
			return len(listening.FindAll(said, -1)) == fleetAddresses
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeKeys makes a host's key and a user's.
func (r *Rig) makeKeys() error {
	for _, name := range []string{"host", "id"} {
		file := filepath.Join(r.Dir, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		// Not by Do: the empty passphrase is a word of its own.
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file).CombinedOutput(); err != nil {
			return fmt.Errorf("ssh-keygen: %w\n%s", err, out)
		}
	}
	return nil
}

// start starts a server that ends with this program, and is called so.
func (r *Rig) start(name, line string) (*Server, error) {
	cmd := r.Command(line)
	f, err := os.Create(filepath.Join(r.Dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{pid: cmd.Process.Pid, log: f.Name(), dead: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(s.dead)
	}()
	return s, nil
}

// await waits until the server is ready, 10 s at most.
func (s *Server) await(ready func() bool) error {
	late := time.After(10 * time.Second)
	for !ready() {
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-s.dead:
		case <-late:
		}
		said, _ := os.ReadFile(s.log)
		return fmt.Errorf("a server does not come up; %s says:\n%s", s.log, said)
	}
	return nil
}

// FreePort returns a TCP port of 127.0.0.1 that nobody has just now.
func FreePort() (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
