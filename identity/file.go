package identity

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 16 << 20

// inSSHFolder returns the name of a file in the user's ~/.ssh.
func inSSHFolder(name string) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".ssh", name), nil
}

// readAll reads what is left of f, up to maxFile bytes.
func readAll(f *os.File) (string, error) {
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s is larger than %d bytes", f.Name(), maxFile)
	}
	return string(b), nil
}

// decodeKey decodes a key as text files hold it, its type and its base64,
// and checks that the two agree. The key itself may still be broken.
func decodeKey(typ, text string) ([]byte, error) {
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("its key is not base64: %w", err)
	}
	inside, _, err := cutString(blob)
	if err != nil || string(inside) != typ {
		return nil, fmt.Errorf("its key is not of the type that it says, %.40q", typ)
	}
	return blob, nil
}

// at names a line of a file.
func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// cutField cuts the first field, ended by spaces or tabs, from the front of s.
func cutField(s string) (field, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}
