package pkt

import (
	"fmt"
	"slices"
	"strings"
)

// code runs a piece of Python, as far as it is of the kind that scripts have: what is assumed about integers and
// the fields of TCP_INFO. Anything else is ignored, and reported so.
func (r *runner) code(src string) error {
	for _, s := range statements(src) {
		e := &evaluator{src: s, names: r.lookup}
		if err := r.statement(e); err != nil {
			switch err.(type) {
			case notUnderstood:
				r.ignore(r.event.Line, strings.TrimSpace(s))
				continue
			case noField:
				return r.fail("%s", err)
			}
			return err
		}
	}
	return nil
}

// statements cuts a piece of code at newlines and semicolons that are not within brackets or strings, and
// leaves comments out. A backslash joins lines.
func statements(src string) (all []string) {
	src = strings.ReplaceAll(src, "\\\n", " ")
	var one strings.Builder
	depth, quote, comment := 0, byte(0), false
	end := func() {
		if s := strings.TrimSpace(one.String()); s != "" {
			all = append(all, s)
		}
		one.Reset()
	}
	for _, c := range []byte(src) {
		switch {
		case comment && c != '\n':
			continue
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '#':
			comment = true
			continue
		case c == '\n' || c == ';':
			if comment = false; depth == 0 {
				end()
				continue
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		}
		one.WriteByte(c)
	}
	end()
	return all
}

// statement runs one.
func (r *runner) statement(e *evaluator) error {
	switch word := e.word(); word {
	case "assert":
		return r.assert(e)
	case "print", "pass":
		return nil
	case "":
		return notUnderstood{}
	default:
		return r.assign(e, word)
	}
}

// assert fails if an expression is 0.
func (r *runner) assert(e *evaluator) error {
	start := e.pos
	n, err := e.expr()
	if err != nil {
		return err
	}
	text := strings.TrimSpace(e.src[start:e.pos])
	if e.sign(",") || e.atEnd() {
		if n == 0 {
			return r.fail("expected %s, got %s", text, e.usedText())
		}
		return nil
	}
	return notUnderstood{}
}

// assign runs "name = value", "name += value" and "name -= value".
func (r *runner) assign(e *evaluator, name string) error {
	old := r.vars[name]
	op := ""
	for _, o := range []string{"+=", "-=", "="} {
		if op == "" && e.sign(o) {
			op = o
		}
	}
	if op == "" || strings.HasPrefix(e.src[e.pos:], "=") {
		return notUnderstood{}
	}
	n, err := e.expr()
	if err != nil {
		return err
	}
	if !e.atEnd() {
		return notUnderstood{}
	}
	switch op {
	case "+=":
		n += old
	case "-=":
		n = old - n
	}
	r.vars[name] = n
	return nil
}

// notUnderstood is the error about code that is not of the kind that is run.
type notUnderstood struct{}

func (notUnderstood) Error() string { return "not understood" }

// noField is the error about a field that TCP_INFO does not have: a name that was mistyped, and what says so much
// must not be taken for an assertion that holds.
type noField string

func (f noField) Error() string { return "expected a field of tcp_info, got " + string(f) }

// An evaluator computes expressions of integers, in which 0 is false.
type evaluator struct {
	src   string
	pos   int
	depth int
	names func(string) (int64, bool)
	used  []string // names, with their values
}

func (e *evaluator) usedText() string {
	if len(e.used) == 0 {
		return "that it is not"
	}
	return strings.Join(e.used, ", ")
}

func (e *evaluator) space() {
	for e.pos < len(e.src) && strings.IndexByte(" \t\r\n", e.src[e.pos]) >= 0 {
		e.pos++
	}
}

func (e *evaluator) atEnd() bool {
	e.space()
	return e.pos == len(e.src)
}

// sign steps over an operator if it comes next.
func (e *evaluator) sign(op string) bool {
	e.space()
	if !strings.HasPrefix(e.src[e.pos:], op) {
		return false
	}
	e.pos += len(op)
	return true
}

// word steps over a word, and returns it.
func (e *evaluator) word() string {
	e.space()
	start := e.pos
	for e.pos < len(e.src) && isWord(e.src[e.pos]) {
		e.pos++
	}
	return e.src[start:e.pos]
}

// keyword steps over a word if it is the one given.
func (e *evaluator) keyword(want string) bool {
	start := e.pos
	if e.word() == want {
		return true
	}
	e.pos = start
	return false
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// expr computes "a or b", and what binds closer.
func (e *evaluator) expr() (int64, error) {
	if e.depth++; e.depth > maxDepth {
		return 0, notUnderstood{}
	}
	defer func() { e.depth-- }()
	n, err := e.and()
	for err == nil && e.keyword("or") {
		var m int64
		if m, err = e.and(); n == 0 {
			n = m
		}
	}
	return n, err
}

func (e *evaluator) and() (int64, error) {
	n, err := e.not()
	for err == nil && e.keyword("and") {
		var m int64
		if m, err = e.not(); n != 0 {
			n = m
		}
	}
	return n, err
}

func (e *evaluator) not() (int64, error) {
	if e.keyword("not") {
		n, err := e.not()
		return truth(n == 0), err
	}
	return e.comparison()
}

type comparison struct {
	sign string
	hold func(a, b int64) bool
}

var comparisons = []comparison{
	{"==", func(a, b int64) bool { return a == b }}, {"!=", func(a, b int64) bool { return a != b }},
	{"<=", func(a, b int64) bool { return a <= b }}, {">=", func(a, b int64) bool { return a >= b }},
	{"<", func(a, b int64) bool { return a < b }}, {">", func(a, b int64) bool { return a > b }},
}

// comparison computes "a < b", or a chain of them, all of which must hold.
func (e *evaluator) comparison() (int64, error) {
	a, err := e.binary(0)
	if err != nil {
		return 0, err
	}
	result, chain := a, false
	for {
		i := slices.IndexFunc(comparisons, func(c comparison) bool { return e.sign(c.sign) })
		if i < 0 {
			return result, nil
		}
		b, err := e.binary(0)
		if err != nil {
			return 0, err
		}
		holds := truth(comparisons[i].hold(a, b))
		if chain {
			holds &= result
		}
		result, chain, a = holds, true, b
	}
}

// operators, from those that bind least.
var operators = [...][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "//", "/", "%"}}

func (e *evaluator) binary(level int) (int64, error) {
	if level == len(operators) {
		return e.unary()
	}
	a, err := e.binary(level + 1)
	for err == nil {
		i := slices.IndexFunc(operators[level], e.sign)
		if i < 0 {
			break
		}
		var b int64
		if b, err = e.binary(level + 1); err == nil {
			a, err = compute(operators[level][i], a, b)
		}
	}
	return a, err
}

func compute(op string, a, b int64) (int64, error) {
	switch {
	case op == "|":
		return a | b, nil
	case op == "^":
		return a ^ b, nil
	case op == "&":
		return a & b, nil
	case op == "<<" && b >= 0 && b < 63:
		return a << b, nil
	case op == ">>" && b >= 0 && b < 63:
		return a >> b, nil
	case op == "+":
		return a + b, nil
	case op == "-":
		return a - b, nil
	case op == "*":
		return a * b, nil
	case b == 0:
		return 0, notUnderstood{}
	case op == "%":
		return a % b, nil
	case op == "/" || op == "//":
		return a / b, nil
	}
	return 0, notUnderstood{}
}

func (e *evaluator) unary() (int64, error) {
	switch {
	case e.sign("-"):
		n, err := e.unary()
		return -n, err
	case e.sign("~"):
		n, err := e.unary()
		return ^n, err
	case e.sign("("):
		n, err := e.expr()
		if err == nil && !e.sign(")") {
			err = notUnderstood{}
		}
		return n, err
	}
	return e.atom()
}

// atom returns a number, or the value of a name.
func (e *evaluator) atom() (int64, error) {
	word := e.word()
	if word == "" || strings.HasPrefix(e.src[e.pos:], ".") || strings.HasPrefix(e.src[e.pos:], "(") {
		return 0, notUnderstood{}
	}
	if isDigit(word[0]) {
		var n int64
		if _, err := fmt.Sscanf(word, "%v", &n); err != nil || len(word) > 18 {
			return 0, notUnderstood{}
		}
		return n, nil
	}
	n, ok := e.names(word)
	if field, of := strings.CutPrefix(word, "tcpi_"); of && !ok && !infoFields[field] {
		return 0, noField(word)
	}
	if !ok {
		return 0, notUnderstood{}
	}
	if used := fmt.Sprintf("%s = %d", word, n); !slices.Contains(e.used, used) {
		e.used = append(e.used, used)
	}
	return n, nil
}
