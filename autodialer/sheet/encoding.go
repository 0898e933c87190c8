package sheet

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// window is how much of a file is looked at to find its encoding, and again to find
// its delimiter.
const window = 64 << 10

// encodings by their names in reports. UTF-8 is nil: it is passed on and looked at by
// whoever uses a cell.
var encodings = map[string]encoding.Encoding{
	"utf-8":          nil,
	"utf-16le":       utf.UTF16(utf.LittleEndian, utf.UseBOM),
	"utf-16be":       utf.UTF16(utf.BigEndian, utf.UseBOM),
	"windows-1250":   charmap.Windows1250,
	"windows-1251":   charmap.Windows1251,
	"windows-1252":   charmap.Windows1252,
	"windows-1253":   charmap.Windows1253,
	"windows-1254":   charmap.Windows1254,
	"windows-1257":   charmap.Windows1257,
	"koi8-r":         charmap.KOI8R,
	"koi8-u":         charmap.KOI8U,
	"cp866":          charmap.CodePage866,
	"iso-8859-1":     charmap.ISO8859_1,
	"iso-8859-2":     charmap.ISO8859_2,
	"iso-8859-5":     charmap.ISO8859_5,
	"iso-8859-15":    charmap.ISO8859_15,
	"x-mac-cyrillic": charmap.MacintoshCyrillic,
}

// aliases of encodings, written without anything but letters and digits.
var aliases = map[string]string{
	"utf8bom": "utf-8", "ascii": "utf-8", "usascii": "utf-8", "utf16": "utf-16le", "unicode": "utf-16le",
	"cp1250": "windows-1250", "cp1251": "windows-1251", "1251": "windows-1251", "win1251": "windows-1251", "ansi": "windows-1251",
	"cp1252": "windows-1252", "1252": "windows-1252", "win1252": "windows-1252",
	"ibm866": "cp866", "866": "cp866", "dos": "cp866", "latin1": "iso-8859-1", "maccyrillic": "x-mac-cyrillic",
}

// encodingNamed gives the name of an encoding as [Report] has it.
func encodingNamed(name string) (string, error) {
	key := letters(name)
	if full, ok := aliases[key]; ok {
		return full, nil
	}
	for full := range encodings {
		if letters(full) == key {
			return full, nil
		}
	}
	names := slices.Sorted(maps.Keys(encodings))
	return "", invalid("encoding", "the encoding %q is not known: it is one of %s", short(name), strings.Join(names, ", "))
}

// letters keeps the letters and digits of a name, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

var marks = []struct {
	mark, name string
}{
	{"\xef\xbb\xbf", "utf-8"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// decoded reads a text of any encoding as UTF-8. While there is nothing but ASCII it is
// passed on; the first byte that is not, with what follows it, decides.
type decoded struct {
	src  *bufio.Reader // of window bytes
	out  io.Reader     // nil until it is decided
	name string        // of the encoding; "" until it is decided
}

// newDecoded begins to read; name is "" for an encoding that is to be found.
func newDecoded(r io.Reader, name string) (*decoded, error) {
	d := &decoded{src: bufio.NewReaderSize(r, window)}
	head, err := d.src.Peek(window)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if name != "" {
		if name, err = encodingNamed(name); err != nil {
			return nil, err
		}
	}
	marked := ""
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			marked = m.name
		}
	}
	switch {
	case marked != "":
		name = marked // whoever named another was wrong
	case name == "":
		name = wide(head)
	}
	if name == "" {
		return d, nil
	}
	if marked == "utf-8" {
		if _, err := d.src.Discard(len(marks[0].mark)); err != nil {
			return nil, fmt.Errorf("skip the byte order mark: %w", err)
		}
	}
	d.decide(name)
	return d, nil
}

// wide finds UTF-16 without a mark: every second byte of western text and of all digits
// is zero.
func wide(head []byte) string {
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch half := len(head) / 2; {
	case half < 4:
	case zeros[1] > half/10 && zeros[0] == 0:
		return "utf-16le"
	case zeros[0] > half/10 && zeros[1] == 0:
		return "utf-16be"
	}
	return ""
}

func (d *decoded) decide(name string) {
	d.name, d.out = name, d.src
	if e := encodings[name]; e != nil {
		d.out = transform.NewReader(d.src, e.NewDecoder())
	}
}

// encoding is what the text turned out to be; UTF-8 if it is all ASCII.
func (d *decoded) encoding() string {
	if d.name == "" {
		return "utf-8"
	}
	return d.name
}

func (d *decoded) Read(p []byte) (int, error) {
	if d.out != nil {
		return d.out.Read(p)
	}
	if _, err := d.src.Peek(1); err != nil {
		return 0, err
	}
	head, _ := d.src.Peek(min(d.src.Buffered(), len(p)))
	n := slices.IndexFunc(head, func(b byte) bool { return b >= utf8.RuneSelf })
	if n < 0 {
		n = len(head)
	}
	if n == 0 && len(p) > 0 {
		ahead, err := d.src.Peek(window)
		if err != nil && err != io.EOF {
			return 0, err
		}
		d.decide(guess(ahead))
		return d.out.Read(p)
	}
	return d.src.Read(p[:n])
}

// guess says what a text that is not ASCII is encoded in.
func guess(text []byte) string {
	whole, broken := 0, 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1 && utf8.FullRune(text[i:]):
			broken++
		case size > 1:
			whole++
		}
		i += size
	}
	if broken == 0 || whole > 10*broken {
		return "utf-8"
	}
	best, most := "windows-1251", 0
	for i, name := range []string{"windows-1251", "windows-1252", "cp866", "koi8-r"} {
		runes := []rune{}
		for _, b := range text {
			runes = append(runes, encodings[name].(*charmap.Charmap).DecodeByte(b))
		}
		if score := likely(runes); i == 0 || score > most {
			best, most = name, score
		}
	}
	return best
}

// frequent are the letters of Russian with how often they are met, per thousand.
var frequent = map[rune]int{
	'о': 110, 'е': 85, 'а': 80, 'и': 74, 'н': 67, 'т': 63, 'с': 55, 'р': 47, 'в': 45, 'л': 44, 'к': 35, 'м': 32, 'д': 30, 'п': 28, 'у': 26, 'я': 20,
	'ы': 19, 'ь': 17, 'г': 17, 'з': 16, 'б': 16, 'ч': 15, 'й': 12, 'х': 10, 'ж': 9, 'ш': 7, 'ю': 6, 'ц': 5, 'щ': 4, 'э': 3, 'ф': 3, 'ё': 2, 'ъ': 1,
}

// likely says how much a text looks like one that somebody wrote in Russian or a western
// language. What a wrong encoding makes shows in rare letters, words of two scripts,
// capitals behind small letters, runs of accents, and signs that nobody types.
func likely(text []rune) int {
	const wrong = -120
	score, accents := 0, 0
	var last rune
	for _, r := range text {
		cyrillic, was := unicode.Is(unicode.Cyrillic, r), unicode.Is(unicode.Cyrillic, last)
		accent := r >= utf8.RuneSelf && unicode.Is(unicode.Latin, r)
		if accent {
			accents++
		} else {
			accents = 0
		}
		switch {
		case cyrillic && unicode.Is(unicode.Latin, last), was && unicode.Is(unicode.Latin, r):
			score += wrong
		case cyrillic && unicode.IsUpper(r) && was && unicode.IsLower(last):
			score += wrong
		case cyrillic && unicode.IsUpper(r):
			score += frequent[unicode.ToLower(r)] * 4 / 5
		case cyrillic:
			score += frequent[r]
		case accents > 2:
			score += wrong
		case accent:
			score += 40
		case r < utf8.RuneSelf, strings.ContainsRune("№«»—–…“”„’°§\u00a0€₽", r):
		default:
			score += wrong
		}
		last = r
	}
	return score
}
