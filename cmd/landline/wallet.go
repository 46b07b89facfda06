package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"landline/identity"
)

// A wallet has the user's keys sign once, for any number of lines and hosts. It may be used concurrently.
type wallet struct {
	signing sync.Mutex // held by the one that signs; the others wait for what it makes
	made    map[string]signed
}

// A signed is what came of asking keys to sign: an agent that refuses is not asked for each host.
type signed struct {
	own *identity.Delegation
	err error
}

// sign returns what the keys in files, or the usual ones if there are none, have signed or sign now. ask is
// as in identity.Keys.
func (w *wallet) sign(ctx context.Context, files []string, ask func(string) ([]byte, error)) (*identity.Delegation, error) {
	w.signing.Lock()
	defer w.signing.Unlock()
	name := strings.Join(files, "\x00")
	last, ok := w.made[name]
	switch {
	case !ok:
	case last.err == nil && time.Until(last.own.Expires()) > connectWithin:
		return last.own, nil
	case last.err != nil && (ask == nil || !errors.Is(last.err, identity.ErrPassphrase)):
		return nil, last.err
	}
	keys := identity.Keys{Files: files, Ask: ask}
	own, err := keys.Delegate(ctx, time.Hour, time.Now())
	if err != nil && ctx.Err() != nil {
		return nil, err // which says nothing of the keys
	}
	if w.made == nil {
		w.made = make(map[string]signed)
	}
	w.made[name] = signed{own, err}
	return own, err
}
