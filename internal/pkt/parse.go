package pkt

import (
	"slices"
	"strings"
)

// A parser reads a script by recursive descent.
type parser struct {
	scanner
	script  *Script
	symbols []string // that "#ifdef" knows
	depth   int      // of nested expressions
}

// Parse reads a script. name is what its errors, which are of type *Error, call it. Symbols are those for which
// "#ifdef" lets a part of the script stand: "Linux", "FreeBSD".
func Parse(name, src string, symbols ...string) (script *Script, err error) {
	p := &parser{scanner: scanner{file: name, src: src, line: 1, defines: usualDefines()}, script: &Script{Name: name}, symbols: symbols}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			script, err = nil, e
		default:
			panic(e)
		}
	}()
	for p.next() != 0 {
		p.item()
	}
	return p.script, nil
}

// usualDefines are what those who run scripts define for all of them.
func usualDefines() map[string]string {
	return map[string]string{"MSS": "1460", "TFO_COOKIE": "0000000000000000"}
}

// item reads an event, an option or a command.
func (p *parser) item() {
	switch c := p.next(); {
	case c == '+' || c == '*' || c == '.' || isDigit(c):
		p.event()
	case p.at("--"):
		p.option()
	case c == '`':
		line := p.line
		p.ignore(line, p.shell())
	case c == '#':
		p.directive()
	case isLetter(c) && len(p.script.Events) == 0:
		line := p.line
		p.ignore(line, strings.TrimSpace(p.toEndOfLine()))
	default:
		p.fail("expected an event, got %s", p.sight())
	}
}

// directive reads a line of the C preprocessor, through which FreeBSD's scripts go.
func (p *parser) directive() {
	line := p.line
	text := strings.TrimSpace(p.toEndOfLine())
	word, symbol, _ := strings.Cut(text, " ")
	known := slices.Contains(p.symbols, strings.TrimSpace(symbol))
	switch {
	case word == "#ifdef" && !known, word == "#ifndef" && known:
		p.skip(true)
	case word == "#else":
		p.skip(false) // what stands before it was not
	case word == "#ifdef", word == "#ifndef", word == "#endif":
	default:
		p.ignore(line, text)
	}
}

// skip steps over lines up to the end of a condition, or to what stands otherwise.
func (p *parser) skip(toElse bool) {
	for depth := 0; p.rest() != ""; {
		text := strings.TrimSpace(p.toEndOfLine())
		switch {
		case strings.HasPrefix(text, "#if"):
			depth++
		case strings.HasPrefix(text, "#endif"):
			if depth--; depth < 0 {
				return
			}
		case strings.HasPrefix(text, "#else") && depth == 0 && toElse:
			return
		}
		if p.rest() != "" {
			p.step(1)
		}
	}
}

func (p *parser) ignore(line int, text string) {
	p.script.Ignored = append(p.script.Ignored, Ignored{line, text})
}

// option reads "--name=value" or "--name".
func (p *parser) option() {
	o := Option{Line: p.line}
	p.want("--")
	o.Name = p.word()
	if strings.HasPrefix(p.rest(), "=") {
		p.step(1)
		o.Value = p.optionValue()
	}
	if name, value, ok := strings.Cut(o.Value, "="); ok && o.Name == "define" {
		p.defines[name] = value
	}
	p.script.Options = append(p.script.Options, o)
}

// optionValue reads up to the next space that is not quoted.
func (p *parser) optionValue() string {
	start, quote := p.pos, byte(0)
	for p.rest() != "" {
		c := p.rest()[0]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '`'):
			quote = c
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			return p.src[start:p.pos]
		}
		p.step(1)
	}
	return p.src[start:p.pos]
}

// shell reads a command between backquotes.
func (p *parser) shell() string { return p.quoted("`", "command") }

// quoted reads up to a closing quote that no backslash stands before.
func (p *parser) quoted(quote, what string) string {
	p.want(quote)
	for n := 0; n < len(p.rest()); n++ {
		switch p.rest()[n] {
		case '\\':
			n++
		case quote[0]:
			text := p.step(n)
			p.step(1)
			return text
		}
	}
	p.fail("a %s without its end, %s", what, quote)
	return ""
}

// event reads a time and what happens then.
func (p *parser) event() {
	e := Event{Line: p.line, When: p.when()}
	switch {
	case p.at("<"), p.at(">"):
		e.Do = p.packet()
	case p.at("`"):
		e.Do = Shell(p.shell())
	case p.take("%{"):
		e.Do = Code(p.until("}%", "piece of code"))
	default:
		e.Do = p.call(e.When)
	}
	if out, ok := e.Do.(*Packet); (e.When.Any || e.When.From != e.When.To) && !(ok && out.Out) {
		p.line = e.Line
		p.fail("only a packet that comes out may have %s as its time", e.When)
	}
	p.script.Events = append(p.script.Events, e)
}

// when reads "0.1", "+.1", "0.1~0.2", "+.1~+.2" or "*".
func (p *parser) when() (w When) {
	if p.take("*") {
		w.Any = true
		return w
	}
	w.Relative = p.take("+")
	w.From = p.seconds()
	w.To = w.From
	if p.take("~") {
		if p.take("+") != w.Relative {
			p.fail("both ends of a range must be relative, or neither")
		}
		w.To = p.seconds()
	}
	if w.To < w.From {
		p.fail("the range %s is backwards", w)
	}
	return w
}

// call reads a system call: "read(4, ..., 1000) = 1000", "... 0.2 accept(3, ..., ...) = 4".
func (p *parser) call(w When) *Call {
	c := &Call{}
	if p.take("...") {
		c.Blocks, c.End = true, p.seconds()
		if c.End < w.From {
			p.fail("the call ends before it begins")
		}
	}
	if !p.atWord() {
		p.fail("expected a packet, a call, a command or code, got %s", p.sight())
	}
	c.Name = p.word()
	p.want("(")
	c.Args = p.exprs(")")
	p.want("=")
	c.Result = p.expr()
	if p.at("E") {
		c.Errno = p.word()
	}
	if p.take("(") { // a note for the reader
		p.until(")", "note")
	}
	return c
}

// exprs reads a list up to its end.
func (p *parser) exprs(end string) (all []Expr) {
	for !p.take(end) {
		if len(all) > 0 {
			p.want(",")
		}
		all = append(all, p.expr())
	}
	return all
}

// maxDepth is how deeply expressions may be nested.
const maxDepth = 32

// expr reads an expression.
func (p *parser) expr() Expr {
	if p.depth++; p.depth > maxDepth {
		p.fail("expressions are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	e := p.operand()
	if p.at("|") && !p.at("||") {
		e = Expr{Kind: Or, Name: e.Name, List: []Expr{e}}
		for p.take("|") {
			e.List = append(e.List, p.operand())
		}
	}
	return e
}

func (p *parser) operand() Expr {
	switch c := p.next(); {
	case p.take("..."):
		return Expr{Kind: Ellipsis}
	case p.take("["):
		return Expr{Kind: Array, List: p.exprs("]")}
	case p.take("{"):
		return Expr{Kind: Struct, List: p.exprs("}")}
	case c == '"':
		return p.strings()
	case p.take("-"):
		return Expr{Kind: Number, Num: -int64(p.number(1 << 62))}
	case isDigit(c):
		return Expr{Kind: Number, Num: int64(p.number(1<<63 - 1))}
	case isLetter(c):
		return p.named()
	}
	p.fail("expected a value, got %s", p.sight())
	return Expr{}
}

// strings reads strings, which become one. Dots behind it say that there is more, and nothing else.
func (p *parser) strings() Expr {
	e := Expr{Kind: String}
	for p.at(`"`) {
		e.Text += unescape.Replace(p.quoted(`"`, "string"))
	}
	p.take("...")
	return e
}

var unescape = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t", `\0`, "\x00", `\"`, `"`, `\\`, `\`)

// named reads what begins with a word: a constant, a function, or a field and its value.
func (p *parser) named() Expr {
	name := p.word()
	if value, ok := p.defines[name]; ok {
		delete(p.defines, name) // it does not stand for itself
		defer func() { p.defines[name] = value }()
		return p.defined(value)
	}
	e := Expr{Kind: Word, Text: name}
	if p.take("(") {
		e.Kind, e.List = Function, p.exprs(")")
	}
	if p.at("=") && !p.at("==") {
		p.want("=")
		e = p.expr()
		e.Name = name
	}
	return e
}

// defined reads what a symbol of --define stands for.
func (p *parser) defined(value string) Expr {
	inner := &parser{scanner: scanner{file: p.file, src: value, line: p.line, defines: p.defines}, depth: p.depth}
	if inner.next() == 0 {
		return Expr{Kind: Word}
	}
	return inner.expr()
}
