package main

import (
	"io"
)

// escapeKeys are what may follow the escape character, and what it means.
type escapeKeys struct {
	char byte                        // 0 for none
	keys map[byte]func() (left bool) // left: what is typed after it is not for the command
}

// typed reads what is typed at a terminal, but for what is meant for landline: the escape
// character at the beginning of a line, and the key after it.
type typed struct {
	r io.Reader
	escapeKeys
	left   bool // what follows is for nobody here
	inLine bool // something has been typed of the line
	held   bool // the escape character has been typed, and waits for what follows
}

// Read is io.Reader's. A piece in which all was meant for landline is none.
func (t *typed) Read(p []byte) (int, error) {
	for {
		// One place is for an escape character that was held.
		n, err := t.r.Read(p[:max(len(p)/2, 1)])
		kept := t.sift(append([]byte(nil), p[:n]...), p[:0])
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// sift appends to dst what of typed is not for landline: at most a byte more than there is.
func (t *typed) sift(typed, dst []byte) []byte {
	for _, key := range typed {
		switch {
		case t.left:
			return dst
		case t.held:
			t.held = false
			if act := t.keys[key]; act != nil {
				t.left = act() // and the line has not begun
				continue
			}
			if key != t.char {
				dst = append(dst, t.char)
			}
			t.inLine = true
		case key == t.char && t.char != 0 && !t.inLine:
			t.held = true
			continue
		}
		t.inLine = key != '\r' && key != '\n'
		dst = append(dst, key)
	}
	return dst
}
