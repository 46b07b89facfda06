package identity

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// Bounds of RSA keys in bits: below is weak, above costs too much to check
// for somebody who is not known yet.
const (
	minRSA = 2048
	maxRSA = 8192
)

// plainKey returns the key that a certificate certifies, or key itself.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// checkKey says why key cannot take part in a delegation, nil if it can.
func checkKey(key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		if err := checkPlainKey(cert.SignatureKey); err != nil {
			return fmt.Errorf("its authority: %w", err)
		}
	}
	return checkPlainKey(plainKey(key))
}

func checkPlainKey(key ssh.PublicKey) error {
	switch t := key.Type(); t {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		return checkRSA(key)
	default:
		return fmt.Errorf("keys of type %s are not accepted", t)
	}
}

func checkRSA(key ssh.PublicKey) error {
	k, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return errors.New("not an RSA key")
	}
	pub, ok := k.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return errors.New("not an RSA key")
	}
	if n := pub.N.BitLen(); n < minRSA || n > maxRSA {
		return fmt.Errorf("RSA keys of %d bits are not accepted, only %d to %d", n, minRSA, maxRSA)
	}
	return nil
}

// isHardware reports whether a key lives in a security key, which wants a touch.
func isHardware(key ssh.PublicKey) bool {
	t := plainKey(key).Type()
	return t == ssh.KeyAlgoSKED25519 || t == ssh.KeyAlgoSKECDSA256
}

// describe names a key as users know it.
func describe(key ssh.PublicKey) string {
	return key.Type() + " " + ssh.FingerprintSHA256(plainKey(key))
}

// plainSigner signs as the plain key of a certificate's signer.
type plainSigner struct{ ssh.Signer }

func (s plainSigner) PublicKey() ssh.PublicKey { return plainKey(s.Signer.PublicKey()) }

// SignWithAlgorithm implements ssh.AlgorithmSigner, which RSA keys need.
func (s plainSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	a, ok := s.Signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("the key does not sign with %s", algorithm)
	}
	return a.SignWithAlgorithm(rand, data, algorithm)
}
