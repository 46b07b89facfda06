package identity

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentTimeout is the usual Timeout. listTimeout is for the
// list of keys, which asks nobody anything.
const (
	agentTimeout = 30 * time.Second
	listTimeout  = 5 * time.Second
)

// An agentConn is a connection to an agent and the keys found there.
type agentConn struct {
	conn    net.Conn // nil if there is no agent
	stop    func() bool
	signers []ssh.Signer
}

func (a *agentConn) close() {
	if a.conn != nil {
		a.stop()
		a.conn.Close()
	}
}

// agentKeys returns the agent's signers, asking it once. An agent that cannot be asked is
// noted in f.skipped.
func (f *finder) agentKeys() []ssh.Signer {
	if f.agent == nil {
		a, err := f.dialAgent()
		if err != nil {
			f.skipped = append(f.skipped, fmt.Errorf("the agent: %w", err))
		}
		f.agent = a
	}
	return f.agent.signers
}

// dialAgent returns the agent's connection, never nil.
func (f *finder) dialAgent() (*agentConn, error) {
	a := &agentConn{}
	socket := f.Agent
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		return a, nil
	}
	conn, err := (&net.Dialer{Timeout: listTimeout}).DialContext(f.ctx, "unix", socket)
	if err != nil {
		return a, err
	}
	a.conn = conn
	a.stop = context.AfterFunc(f.ctx, func() { conn.Close() })
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = agentTimeout
	}
	conn.SetDeadline(time.Now().Add(min(timeout, listTimeout)))
	// Without a Close to call, the client of package agent needs no goroutine.
	signers, err := agent.NewClient(struct{ io.ReadWriter }{conn}).Signers()
	if err != nil {
		return a, err
	}
	conn.SetDeadline(time.Time{}) // each signature sets its own
	for _, s := range signers {
		if s := f.agentSigner(s, conn, timeout); s != nil {
			a.signers = append(a.signers, s)
		}
	}
	return a, nil
}

// agentSigner makes s a signer that keeps to the timeout, nil if it is not to be used.
func (f *finder) agentSigner(s ssh.Signer, conn net.Conn, timeout time.Duration) ssh.Signer {
	// The agent's client hands out a key as bytes with a type; a certificate must be seen as one.
	key, err := ssh.ParsePublicKey(s.PublicKey().Marshal())
	if err != nil {
		return nil // of a type that is not understood here
	}
	if isHardware(key) && !f.Hardware {
		f.skipped = append(f.skipped, fmt.Errorf("%s: it wants a touch", describe(key)))
		return nil
	}
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return nil
	}
	return &agentSigner{AlgorithmSigner: as, key: key, conn: conn, timeout: timeout}
}

// An agentSigner is a key of the agent's. Each signature has its time.
type agentSigner struct {
	ssh.AlgorithmSigner
	key     ssh.PublicKey
	conn    net.Conn
	timeout time.Duration
}

func (s *agentSigner) PublicKey() ssh.PublicKey { return s.key }

func (s *agentSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	s.conn.SetDeadline(time.Now().Add(s.timeout))
	return s.AlgorithmSigner.Sign(rand, data)
}

func (s *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	s.conn.SetDeadline(time.Now().Add(s.timeout))
	return s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}
