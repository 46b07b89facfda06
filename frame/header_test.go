package frame_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"landline/frame"
)

func TestTakesStrictJSON(t *testing.T) {
	for _, tt := range []struct{ name, header string }{
		{"empty object", `{}`},
		{"space everywhere", " \t\r\n{ \"a\" :\n1 , \"b\" : [ 1 ,\t[ ] ] , \"c\" : { } } \r\n"},
		{"every kind of value", `{"a":"x","b":0,"c":-1,"d":true,"e":false,"f":[1,"x",true],"g":{"h":[{}]}}`},
		{"brackets and commas in a text", `{"a":"}],{[\"","b":1}`},
		{"every escape", `{"a":"\"\\\/\b\f\n\r\t\u00e9\u00E9"}`},
		{"a backslash before the end", `{"a":"\\","b":"\\\\"}`},
		{"a surrogate pair", `{"a":"\ud83d\ude00 \uD83D\uDE00"}`},
		{"the character that stands for a fault", `{"a":"` + "\ufffd" + `\ufffd"}`},
		{"text beyond ASCII", `{"a":"線 ` + "\u2028\U0010ffff\x7f" + `"}`},
		{"the greatest numbers", `{"a":9007199254740991,"b":-9007199254740991}`},
		{"4 deep", `{"a":[{"b":[1]}]}`},
		{"64 members", members(64)},
		{"64 members and 64 more inside", `{"inner":` + members(64) + `,` + members(63)[1:]},
		{"a name of 32", `{"` + strings.Repeat("z", 32) + `":1}`},
		{"the same name on two floors", `{"a":{"a":{"a":1}}}`},
		{"65,536 bytes", fill(frame.MaxHeader)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := next(encode(tt.header, ""))
			if err != nil {
				t.Fatal(err)
			}
			checkAgainstJSON(t, h)
		})
	}
}

func TestRefusesLaxJSON(t *testing.T) {
	for _, tt := range []struct{ name, header, reason string }{
		{"two spaces", `  `, "not a JSON object"},
		{"a list", `[]`, "not a JSON object"},
		{"a text", `"size"`, "not a JSON object"},
		{"a number", `12`, "not a JSON object"},
		{"a byte order mark", "\ufeff{}", "not a JSON object"},
		{"two objects", `{}{}`, "2 bytes follow"},
		{"a NUL behind it", "{}\x00", "1 bytes follow"},
		{"cut in the object", `{"a":1`, "neither a comma nor an end"},
		{"cut in a name", `{"a`, "a name is"},
		{"cut in a text", `{"a":"b`, "does not end"},
		{"cut in an escape", `{"a":"\u12`, "unknown escape"},
		{"cut behind a backslash", `{"a":"\`, "unknown escape"},
		{"cut in a list", `{"a":[1,`, "not a value"},
		{"cut in a word", `{"a":tru`, "not a value"},
		{"the wrong bracket", `{"a":[1}]`, "neither a comma nor an end"},
		{"no name", `{:1}`, "not a name"},
		{"no value", `{"a":}`, "not a value"},
		{"no colon", `{"a" 1}`, "not a colon"},
		{"no comma", `{"a":1 "b":2}`, "neither a comma nor an end"},
		{"a comma too many in an object", `{"a":1,}`, "not a name"},
		{"a comma too many in a list", `{"a":[1,]}`, "not a value"},
		{"a comma first", `{,"a":1}`, "not a name"},
		{"a comment", `{"a":1/**/}`, "neither a comma nor an end"},
		{"apostrophes", `{'a':1}`, "not a name"},
		{"null", `{"a":null}`, "not a value"},
		{"NaN", `{"a":NaN}`, "not a value"},
		{"a vertical tab for space", "{\v}", "not a name"},

		{"a name twice", `{"size":0,"size":0}`, "the name size stands twice"},
		{"a name twice further in", `{"a":[{"b":1,"c":1,"b":1}]}`, "the name b stands twice"},
		{"a name twice, once escaped", `{"a":1,"\u0061":2}`, "a name is"},
		{"a capital first", `{"Size":1}`, "a name is"},
		{"capitals", `{"SIZE":1}`, "a name is"},
		{"a capital further in", `{"a":{"Size":1}}`, "a name is"},
		{"a letter that folds to s", `{"ſize":1}`, "a name is"},
		{"an empty name", `{"":1}`, "a name is"},
		{"a name of 33", `{"` + strings.Repeat("z", 33) + `":1}`, "a name is"},

		{"5 deep in objects", `{"a":{"a":{"a":{"a":{}}}}}`, "too deep"},
		{"5 deep in lists", `{"a":[[[[]]]]}`, "too deep"},
		{"a depth bomb of lists", `{"a":` + strings.Repeat("[", frame.MaxHeader-5), "too deep"},
		{"a depth bomb of objects", strings.Repeat(`{"a":`, frame.MaxHeader/5), "too deep"},
		{"65 members", members(65), "too many members"},
		{"65 members further in", `{"a":` + members(65) + `}`, "too many members"},
		{"as many members as fit", members(6000), "too many members"},

		{"a huge number", `{"a":1` + strings.Repeat("0", 60000) + `}`, "beyond"},
		{"one above the greatest", `{"a":9007199254740992}`, "beyond"},
		{"one below the least", `{"a":-9007199254740992}`, "beyond"},
		{"2⁶³", `{"a":9223372036854775808}`, "beyond"},
		{"2⁶⁴+1", `{"a":18446744073709551617}`, "beyond"},
		{"a fraction", `{"a":1.5}`, "not a whole number"},
		{"a whole number with a fraction", `{"a":1.0}`, "not a whole number"},
		{"an exponent", `{"a":1e3}`, "not a whole number"},
		{"a capital exponent", `{"a":1E3}`, "not a whole number"},
		{"a zero in front", `{"a":01}`, "not a number"},
		{"minus zero", `{"a":-0}`, "not a number"},
		{"a minus alone", `{"a":-}`, "not a number"},
		{"a plus", `{"a":+1}`, "not a value"},
		{"hexadecimal", `{"a":0x10}`, "neither a comma nor an end"},

		{"NUL in a text", "{\"a\":\"\x00\"}", "control character"},
		{"escaped NUL in a text", `{"a":"\u0000"}`, "U+0000"},
		{"a line end in a text", "{\"a\":\"\n\"}", "control character"},
		{"a high surrogate alone", `{"a":"\ud800"}`, "lone surrogate"},
		{"a high surrogate before a letter", `{"a":"\ud800x"}`, "lone surrogate"},
		{"two high surrogates", `{"a":"\ud800\ud800"}`, "lone surrogate"},
		{"a high surrogate before what is none", `{"a":"\ud800\ue000"}`, "lone surrogate"},
		{"a high surrogate before another escape", `{"a":"\ud800\n"}`, "lone surrogate"},
		{"a low surrogate alone", `{"a":"\udc00"}`, "lone surrogate"},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", "not UTF-8"},
		{"an overlong form", "{\"a\":\"\xc0\x80\"}", "not UTF-8"},
		{"a character cut short", "{\"a\":\"\xe7\xb7\"}", "not UTF-8"},
		{"Latin-1", "{\"a\":\"\xe9\"}", "not UTF-8"},
		{"an unknown escape", `{"a":"\x41"}`, "unknown escape"},
		{"a capital U", `{"a":"\U0041"}`, "unknown escape"},
		{"an escape that is not hexadecimal", `{"a":"\u00g0"}`, "unknown escape"},
		{"NUL escaped as itself", "{\"a\":\"\\\x00\"}", "unknown escape"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := next(encode(tt.header, ""))
			wantReason(t, err, tt.reason)
		})
	}
}

func TestMembersKeepTheirOrder(t *testing.T) {
	h := mustNext(t, `{ "b" : [ 1 , 2 ] , "a" : "}" , "c":{"d":1}}`)
	var got []string
	for name, v := range h.All() {
		got = append(got, string(name)+"="+string(v))
	}
	want := []string{`b=[ 1 , 2 ]`, `a="}"`, `c={"d":1}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name := range h.All() {
		if string(name) != "b" {
			t.Errorf("a loop that broke off went on to %s", name)
		}
		break
	}
}

func TestGetSeesTheOuterObjectOnly(t *testing.T) {
	h := mustNext(t, `{"a":{"x":1},"b":[{"x":2}],"c":"\"x\":3"}`)
	if v := h.Get("x"); v != nil {
		t.Errorf("x is %s, want nothing", v)
	}
}

func TestValuesAreWhatIsAskedFor(t *testing.T) {
	h := mustNext(t, `{"n":-7,"t":"a\u00e9\ud83d\ude00\n","p":"plain","y":true,"f":false,"l":["x","\ty"],"e":[]}`)
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v, want %#v", what, got, err, want)
		}
	}
	n, err := h.Get("n").Int(-7, -7)
	check("n", n, err, int64(-7))
	text, err := h.Get("t").Text(9)
	check("t", text, err, "aé😀\n")
	plain, err := h.Get("p").Bytes(5)
	check("p", plain, err, []byte("plain"))
	yes, err := h.Get("y").Bool()
	check("y", yes, err, true)
	no, err := h.Get("f").Bool()
	check("f", no, err, false)
	list, err := h.Get("l").Texts(2, 2)
	check("l", list, err, []string{"x", "\ty"})
	list, err = h.Get("e").Texts(0, 0)
	check("e", list, err, []string(nil))
}

func TestValuesRefuseWhatIsNotAskedFor(t *testing.T) {
	h := mustNext(t, `{"n":7,"t":"four","y":true,"l":["x","yy"],"m":["x",1],"o":{"a":1},"long":"`+strings.Repeat("\u202e", 99)+`"}`)
	asInt := func(lo, hi int64) func(frame.Value) error {
		return func(v frame.Value) error { _, err := v.Int(lo, hi); return err }
	}
	asText := func(limit int) func(frame.Value) error {
		return func(v frame.Value) error { _, err := v.Text(limit); return err }
	}
	asTexts := func(count, limit int) func(frame.Value) error {
		return func(v frame.Value) error { _, err := v.Texts(count, limit); return err }
	}
	asBool := func(v frame.Value) error { _, err := v.Bool(); return err }
	for _, tt := range []struct {
		member string
		read   func(frame.Value) error
		reason string
	}{
		{"n", asInt(8, 9), `"7" is not within 8 and 9`},
		{"n", asInt(0, 6), `"7" is not within 0 and 6`},
		{"n", asText(9), "where a text belongs"},
		{"n", asTexts(9, 9), "where a list belongs"},
		{"n", asBool, "where true or false belongs"},
		{"t", asInt(0, 9), "where a whole number belongs"},
		{"t", asText(3), "a text of 4 bytes, allowed are 3"},
		{"t", asBool, "where true or false belongs"},
		{"y", asInt(0, 9), "where a whole number belongs"},
		{"l", asTexts(1, 9), "a list of more than 1 texts"},
		{"l", asTexts(9, 1), "a text of 2 bytes, allowed are 1"},
		{"m", asTexts(9, 9), "where a text belongs"},
		{"o", asTexts(9, 9), "where a list belongs"},
		{"absent", asInt(0, 9), `"" stands where a whole number belongs`},
		{"absent", asText(9), `"" stands where a text belongs`},
		{"absent", asTexts(9, 9), `"" stands where a list belongs`},
		{"absent", asBool, `"" stands where true or false belongs`},
		{"long", asInt(0, 9), `\u202e`}, // the peer's text reaches no terminal as it came
	} {
		err := tt.read(h.Get(tt.member))
		wantReason(t, err, tt.reason)
	}
}

// members returns an object of n members.
func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i%10)
	}
	return "{" + b.String()[1:] + "}"
}

// fill returns a header of n bytes.
func fill(n int) string {
	const around = `{"a":""}`
	return `{"a":"` + strings.Repeat("x", n-len(around)) + `"}`
}

func mustNext(t *testing.T, header string) frame.Header {
	t.Helper()
	h, err := next(encode(header, ""))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// wantReason holds that err is an *Error that says reason.
func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var broken *frame.Error
	if !errors.As(err, &broken) {
		t.Errorf("got %v, want a *frame.Error saying %q", err, reason)
	} else if !strings.Contains(broken.Reason, reason) || err.Error() != "frame: "+broken.Reason {
		t.Errorf("got %q, want it to say %q", broken.Reason, reason)
	}
}
