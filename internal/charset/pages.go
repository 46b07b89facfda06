package charset

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// codePage is an encoding under its name and the other names it goes by.
type codePage struct {
	names []string
	enc   encoding.Encoding
}

// decoder returns a new decoder of the page. It holds back at most what may
// still become a character.
func (p codePage) decoder() transform.Transformer {
	dec := p.enc.NewDecoder()
	switch p.enc {
	case unicode.UTF8:
		return utf8Decoder{dec}
	case simplifiedchinese.GB18030, japanese.EUCJP:
		return lineDecoder{dec}
	}
	return dec
}

// findPage finds a code page by any of its names.
func findPage(name string) (codePage, bool) {
	name = plain(name)
	for _, p := range codePages() {
		for _, n := range p.names {
			if plain(n) == name {
				return p, true
			}
		}
	}
	return codePage{}, false
}

// plain reduces a name to its lower-case letters and digits.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		}
		return -1
	}, name)
}

// codePages lists every encoding, East Asian ones first, with the spellings of
// Windows (cp and the page's number) and of nl_langinfo. It is made when asked
// for: a table in a variable, or x/text's htmlindex, would cost every start of
// the program, also those that decode nothing.
func codePages() []codePage {
	return []codePage{
		{[]string{"utf-8", "cp65001"}, unicode.UTF8},
		{[]string{"gbk", "gb2312", "cp936", "windows-936"}, simplifiedchinese.GBK},
		{[]string{"gb18030", "cp54936"}, simplifiedchinese.GB18030},
		{[]string{"big5", "big5-hkscs", "cp950"}, traditionalchinese.Big5},
		{[]string{"shift_jis", "sjis", "windows-31j", "cp932"}, japanese.ShiftJIS},
		{[]string{"euc-jp", "cp20932", "cp51932"}, japanese.EUCJP},
		{[]string{"euc-kr", "uhc", "cp949", "cp51949"}, korean.EUCKR},
		{[]string{"utf-16le", "utf-16", "cp1200"}, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)},
		{[]string{"utf-16be", "cp1201"}, unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
		{[]string{"cp437", "ibm437"}, charmap.CodePage437},
		{[]string{"cp850", "ibm850"}, charmap.CodePage850},
		{[]string{"cp852", "ibm852"}, charmap.CodePage852},
		{[]string{"cp855", "ibm855"}, charmap.CodePage855},
		{[]string{"cp858", "ibm858"}, charmap.CodePage858},
		{[]string{"cp860", "ibm860"}, charmap.CodePage860},
		{[]string{"cp862", "ibm862"}, charmap.CodePage862},
		{[]string{"cp863", "ibm863"}, charmap.CodePage863},
		{[]string{"cp865", "ibm865"}, charmap.CodePage865},
		{[]string{"cp866", "ibm866"}, charmap.CodePage866},
		{[]string{"windows-874", "cp874", "tis-620"}, charmap.Windows874},
		{[]string{"windows-1250", "cp1250"}, charmap.Windows1250},
		{[]string{"windows-1251", "cp1251"}, charmap.Windows1251},
		{[]string{"windows-1252", "cp1252"}, charmap.Windows1252},
		{[]string{"windows-1253", "cp1253"}, charmap.Windows1253},
		{[]string{"windows-1254", "cp1254"}, charmap.Windows1254},
		{[]string{"windows-1255", "cp1255"}, charmap.Windows1255},
		{[]string{"windows-1256", "cp1256"}, charmap.Windows1256},
		{[]string{"windows-1257", "cp1257"}, charmap.Windows1257},
		{[]string{"windows-1258", "cp1258"}, charmap.Windows1258},
		{[]string{"iso-8859-1", "latin1", "cp28591"}, charmap.ISO8859_1},
		{[]string{"iso-8859-2", "latin2", "cp28592"}, charmap.ISO8859_2},
		{[]string{"iso-8859-3", "latin3", "cp28593"}, charmap.ISO8859_3},
		{[]string{"iso-8859-4", "latin4", "cp28594"}, charmap.ISO8859_4},
		{[]string{"iso-8859-5", "cp28595"}, charmap.ISO8859_5},
		{[]string{"iso-8859-6", "cp28596"}, charmap.ISO8859_6},
		{[]string{"iso-8859-7", "cp28597"}, charmap.ISO8859_7},
		{[]string{"iso-8859-8", "cp28598"}, charmap.ISO8859_8},
		{[]string{"iso-8859-9", "latin5", "cp28599"}, charmap.ISO8859_9},
		{[]string{"iso-8859-10", "latin6"}, charmap.ISO8859_10},
		{[]string{"iso-8859-13", "latin7", "cp28603"}, charmap.ISO8859_13},
		{[]string{"iso-8859-14", "latin8"}, charmap.ISO8859_14},
		{[]string{"iso-8859-15", "latin9", "cp28605"}, charmap.ISO8859_15},
		{[]string{"iso-8859-16", "latin10"}, charmap.ISO8859_16},
		{[]string{"koi8-r", "cp20866"}, charmap.KOI8R},
		{[]string{"koi8-u", "cp21866"}, charmap.KOI8U},
		{[]string{"macintosh", "cp10000"}, charmap.Macintosh},
	}
}
