package main

import (
	"os"
	"os/exec"
)

// canEnter reports whether this user can make what `landline lan enter` needs.
func canEnter() bool {
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	tun.Close()
	cmd := exec.Command("true")
	cmd.SysProcAttr = namespaces(false)
	return cmd.Run() == nil
}
