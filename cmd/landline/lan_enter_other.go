//go:build !linux

package main

import (
	"errors"
	"net/http"
)

func goInside() {}

func (a *app) lanEnter(*enterFlags, []string) error {
	return errors.New("lan enter: only Linux has network namespaces")
}

func (c *control) enter(http.ResponseWriter, *http.Request) error {
	return &controlError{Code: codeFailed, Message: "only Linux has TAPs"}
}
