package frame_test

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"landline/frame"
)

// FuzzReader reads frames from any bytes. Whatever they are: no panic, no byte
// taken beyond the frame, no more asked for than the frame still has, and every
// header that is taken means to encoding/json what it means here. The fuzzer
// spends most of its time on minimizing unless -fuzzminimizetime=10x holds it back.
func FuzzReader(f *testing.F) {
	stream, _ := record()
	f.Add(stream)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(encode(`{"size":-1}`, ""))
	f.Add(encode(`{"a":"\ud83d\ude00","size":2,"b":[1,{"c":[true]}]}`, "xy"))
	f.Add(encode(`{"a":"\ud800"}`, ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		src := &source{data: data}
		r := frame.NewReader(src)
		for {
			start := src.taken
			h, err := r.Next()
			if err != nil {
				if src.asked > frame.MaxHeader || src.taken > start+4+frame.MaxHeader {
					t.Fatalf("took %d bytes, asked for %d, for what is no frame", src.taken-start, src.asked)
				}
				return
			}
			checkAgainstJSON(t, h)
			size := r.Len()
			if src.taken != start+4+len(h) || size > frame.MaxBody {
				t.Fatalf("took %d bytes for a header of %d, body %d", src.taken-start, len(h), size)
			}
			n, err := io.Copy(io.Discard, r)
			if src.taken != start+4+len(h)+int(n) || int(n) > size {
				t.Fatalf("took %d bytes of a body of %d", n, size)
			}
			if err == nil && int(n) < size || err != nil && err != io.ErrUnexpectedEOF {
				t.Fatalf("%d bytes of a body of %d, then %v", n, size, err)
			}
		}
	})
}

// FuzzHeader tries bytes as a header alone, so that the fuzzer need not find the
// length; and what encoding/json makes of a header is a header again.
func FuzzHeader(f *testing.F) {
	for _, m := range session {
		f.Add(m.header)
	}
	f.Add(`{"a":"\ud83d\ude00 \u00e9","b":[1,{"c":[true,false,[]]}],"d":-9007199254740991}`)
	f.Add(`{"a":"<&>` + "\u2028" + `"}`)
	f.Fuzz(func(t *testing.T, header string) {
		h, err := next(encode(header, ""))
		if err != nil {
			return
		}
		checkAgainstJSON(t, h)
		again, err := json.Marshal(decodeJSON(t, h))
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > frame.MaxHeader {
			return // "<" grew to "\u003c"
		}
		if _, err := next(encode(string(again), "")); err != nil {
			t.Fatalf("%s is taken, %s is not: %v", h, again, err)
		}
	})
}

// FuzzBuilder holds that what is built is read: the same members, the same body.
func FuzzBuilder(f *testing.F) {
	f.Add(int64(1), true, "text", "a,b", []byte("body"))
	f.Add(int64(-1<<53), false, "\x00\xff\"\\", "\x00,", []byte(nil))
	f.Fuzz(func(t *testing.T, n int64, yes bool, text, list string, body []byte) {
		texts := strings.Split(list, ",")
		var h frame.Builder
		h.Int("n", n).Str("text", text).Strs("list", texts).Bool("yes", yes)
		stream, err := frame.Append(nil, &h, body)
		if err != nil {
			if len(body) <= frame.MaxBody && len(h.String())+20 < frame.MaxHeader {
				t.Fatal(err)
			}
			return
		}
		var wire bytes.Buffer
		if err := frame.NewWriter(&wire).Frame(&h, body); err != nil || !bytes.Equal(wire.Bytes(), stream) {
			t.Fatalf("Frame wrote %q, %v, Append %q", wire.Bytes(), err, stream)
		}
		r := frame.NewReader(&wire)
		head, err := r.Next()
		if n >= 1<<53 || n <= -1<<53 {
			wantReason(t, err, "a number beyond")
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		gotN, err1 := head.Get("n").Int(n, n)
		gotText, err2 := head.Get("text").Text(frame.MaxHeader)
		gotList, err3 := head.Get("list").Texts(len(texts), frame.MaxHeader)
		gotYes, err4 := head.Get("yes").Bool()
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range texts {
			texts[i] = clean(texts[i])
		}
		if gotN != n || gotYes != yes || gotText != clean(text) || !slices.Equal(gotList, texts) {
			t.Fatalf("built %s, read %d %v %q %q", &h, gotN, gotYes, gotText, gotList)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("body %q, %v, want %q", got, err, body)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatalf("behind the frame: %v", err)
		}
	})
}

// clean is what of a text a header can hold.
func clean(s string) string {
	return strings.ReplaceAll(string([]rune(s)), "\x00", "\ufffd")
}

// checkAgainstJSON holds that encoding/json takes h and reads the same from it.
func checkAgainstJSON(t *testing.T, h frame.Header) {
	t.Helper()
	want := decodeJSON(t, h)
	seen := 0
	for name, v := range h.All() {
		seen++
		w, ok := want[string(name)]
		if !ok {
			t.Fatalf("%s: encoding/json sees no member %q", h, name)
		}
		if got := decodeJSON(t, frame.Header(`{"v":`+string(v)+`}`))["v"]; !reflect.DeepEqual(got, w) {
			t.Fatalf("%s: member %s is %s, encoding/json says %v", h, name, v, w)
		}
		if got := h.Get(string(name)); !bytes.Equal(got, v) {
			t.Fatalf("%s: Get says %s is %s, All says %s", h, name, got, v)
		}
		checkValue(t, v, w)
	}
	if seen != len(want) {
		t.Fatalf("%s: %d members, encoding/json sees %d", h, seen, len(want))
	}
}

// checkValue holds that v, read as what it is, is want, and reads as nothing else.
func checkValue(t *testing.T, v frame.Value, want any) {
	t.Helper()
	n, intErr := v.Int(-1<<53, 1<<53)
	yes, boolErr := v.Bool()
	text, textErr := v.Text(frame.MaxHeader)
	texts, listErr := v.Texts(frame.MaxHeader, frame.MaxHeader)
	var got any
	var err error
	var read int
	for _, e := range []error{intErr, boolErr, textErr, listErr} {
		if e == nil {
			read++
		}
	}
	switch w := want.(type) {
	case json.Number:
		got, err = n, intErr
		if want, err = w.Int64(); err != nil {
			t.Fatalf("%s is no whole number", v)
		}
	case bool:
		got, err = yes, boolErr
	case string:
		got, err = text, textErr
	case []any:
		list, ok := toTexts(w)
		if !ok {
			if read != 0 {
				t.Fatalf("%s was read as what it is not", v)
			}
			return
		}
		got, want, err = texts, list, listErr
	default:
		if read != 0 {
			t.Fatalf("%s was read as what it is not", v)
		}
		return
	}
	if err != nil || read != 1 || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %#v, %v, encoding/json says %#v", v, got, err, want)
	}
}

func toTexts(list []any) (texts []string, ok bool) {
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, true
}

// decodeJSON is encoding/json's reading of h, and checks on the way what Header
// promises and encoding/json would let pass.
func decodeJSON(t *testing.T, h frame.Header) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(h))
	d.UseNumber()
	v := walkJSON(t, d, 0)
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("%s: encoding/json sees more behind the object: %v", h, err)
	}
	var plain map[string]any
	p := json.NewDecoder(bytes.NewReader(h))
	p.UseNumber()
	if err := p.Decode(&plain); err != nil || !reflect.DeepEqual(v, any(plain)) {
		t.Fatalf("%s: encoding/json says %v, %v, its tokens %v", h, plain, err, v)
	}
	return plain
}

// walkJSON takes one value from d, token by token.
func walkJSON(t *testing.T, d *json.Decoder, depth int) any {
	t.Helper()
	token, err := d.Token()
	if err != nil {
		t.Fatalf("encoding/json refuses what was taken: %v", err)
	}
	if _, ok := token.(json.Delim); ok && depth == 4 {
		t.Fatal("nested more than 4 deep")
	}
	switch v := token.(type) {
	case nil:
		t.Fatal("null was taken")
	case string:
		if strings.Contains(v, "\x00") {
			t.Fatalf("%q was taken", v)
		}
	case json.Number:
		if n, err := v.Int64(); err != nil || n >= 1<<53 || n <= -1<<53 {
			t.Fatalf("%s was taken", v)
		}
	case json.Delim:
		if v == '[' {
			return walkList(t, d, depth+1)
		}
		return walkObject(t, d, depth+1)
	}
	return token
}

func walkList(t *testing.T, d *json.Decoder, depth int) any {
	t.Helper()
	list := []any{}
	for d.More() {
		list = append(list, walkJSON(t, d, depth))
	}
	d.Token()
	return list
}

func walkObject(t *testing.T, d *json.Decoder, depth int) any {
	t.Helper()
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, _ := token.(string)
		if err != nil || len(name) < 1 || len(name) > 32 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Fatalf("the name %q was taken: %v", name, err)
		}
		if _, twice := object[name]; twice || len(object) == 64 {
			t.Fatalf("the name %s stands twice, or is one too many", name)
		}
		object[name] = walkJSON(t, d, depth)
	}
	d.Token()
	return object
}
