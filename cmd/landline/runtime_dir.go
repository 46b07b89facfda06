package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// runtimePath returns the folder of this user's sockets, which need not be there.
func runtimePath() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if filepath.IsAbs(dir) { // which is how the rule for it has it
		return filepath.Join(dir, "landline")
	}
	return filepath.Join(os.TempDir(), "landline-"+strconv.Itoa(os.Getuid()))
}

// runtimeDir returns the folder of this user's sockets, and makes it if it is not there. Nobody else may have a hand in it,
// for who can put a socket where ours is expected would get what we send.
func runtimeDir() (string, error) {
	dir := runtimePath()
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return "", &hinted{fmt.Errorf("folder of sockets %s: %w", dir, bare(err)), "XDG_RUNTIME_DIR names the folder that it is in"}
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("folder of sockets %s: %w", dir, bare(err))
	}
	if err := checkPrivate(info); err != nil {
		return "", &hinted{fmt.Errorf("folder of sockets %s: %w", dir, err), "move it out of the way, or name another place with XDG_RUNTIME_DIR"}
	}
	return dir, nil
}
