package frame_test

import (
	"bytes"
	"fmt"
	"io"

	"landline/frame"
)

func Example() {
	var wire bytes.Buffer // any byte stream
	var h frame.Builder
	w := frame.NewWriter(&wire)
	w.Frame(h.Reset().Str("kind", "greeting").Int("call", 1), []byte("hello"))
	w.Frame(h.Reset().Str("kind", "end"), nil)

	r := frame.NewReader(&wire)
	for {
		head, err := r.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(r)
		fmt.Printf("%s %q\n", head, body)
	}
	// Output:
	// {"kind":"greeting","call":1,"size":5} "hello"
	// {"kind":"end"} ""
	// EOF
}
