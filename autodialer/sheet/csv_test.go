package sheet

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestCSV reads records: cells are divided by |, a fault is in braces behind them.
func TestCSV(t *testing.T) {
	long := strings.Repeat("x", 20)
	tests := []struct{ name, file, want string }{
		{"plain", "a,b\nc,d\n", "1 a|b\n2 c|d"},
		{"no end", "a,b\nc,d", "1 a|b\n2 c|d"},
		{"crlf", "a,b\r\nc,d\r\n", "1 a|b\n2 c|d"},
		{"cr", "a,b\rc,d\r", "1 a|b\n2 c|d"},
		{"mixed", "a,b\r\nc,d\re,f\ng,h", "1 a|b\n2 c|d\n3 e|f\n4 g|h"},
		{"blank lines", "\na,b\n\n\r\n", "1 \n2 a|b\n3 \n4 "},
		{"empty cells", ",,\n,\n", "1 ||\n2 |"},
		{"quotes", "\"a\",\"b,c\"\n\"d\"\"e\",\"\"\n", "1 a|b,c\n2 d\"e|"},
		{"lines in quotes", "\"a\r\nb\rc\",d\ne,f\n", "1 a\nb\nc|d\n4 e|f"},
		{"quotes inside", "a \"b\" c,5\" d\n", "1 a \"b\" c|5\" d"},
		{"blank behind a quote", "\"a\" ,b\n", "1 a|b"},
		{"text behind a quote", "\"a\"x,b\nc,d\n", "1 \"a\"x,b {there is text behind the quote that closes column 1: write two quotes for one inside a cell}\n2 c|d"},
		{"open quote", "a,\"b\nc,d\ne,f\n", "1 a,\"b {a quote is opened in column 2 and not closed within the 16 bytes of a cell: close it, or write two quotes for one}\n2 c|d\n3 e|f"},
		{"open quote at the end", "a,b\nc,\"", "1 a|b\n2 c,\" {a quote is opened in column 2 and not closed within the 16 bytes of a cell: close it, or write two quotes for one}"},
		{"quote closed by the next row", "a,\"b\nc,\"d\"\ne,f\n", "1 a,\"b {there is text behind the quote that closes column 2: write two quotes for one inside a cell}\n2 c|d\n3 e|f"},
		{"long cell", "a," + long + "\nc,d\n", "1 a|" + long + " {the cell is longer than 16 bytes}\n2 c|d"},
		{"long quoted cell", "a,\"" + strings.Repeat("x\n", 10) + "\"\n", "1 a,\"x {a quote is opened in column 2 and not closed within the 16 bytes of a cell: close it, or write two quotes for one}\n" + manyLines(2, 9) + "11 \" {a quote is opened in column 1 and not closed within the 16 bytes of a cell: close it, or write two quotes for one}"},
		{"columns", "a,b,c,d\ne,f,g,,,\nh\n", "1 a,b,c,d {the row has more than 3 columns}\n2 e|f|g\n3 h"},
		{"long line", strings.Repeat("y", 100) + "\nc,d\n", "1 " + strings.Repeat("y", 57) + " {the line is longer than 57 bytes; are there line ends in the file?}\n2 c|d"},
	}
	for _, tt := range tests {
		c, err := newCSV(strings.NewReader(tt.file), ',', Limits{Columns: 3, Cell: 16})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			r, err := c.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			line := fmt.Sprintf("%d %s", r.line, strings.Join(r.cells, "|"))
			for _, f := range r.faults {
				line += " {" + f.reason + "}"
			}
			got = append(got, line)
		}
		if g := strings.Join(got, "\n"); g != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, g, tt.want)
		}
	}
}

func manyLines(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d x\n", first+i)
	}
	return b.String()
}

func TestDelimiter(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"semicolon", "a;b;c\n1;2;3\n", ";"},
		{"comma", "a,b,c\n1,2,3\n", ","},
		{"tab", "a\tb\n1\t2\n", "\t"},
		{"bar", "a|b\n1|2\n", "|"},
		{"one column", "phone\n89160000001\n", ";"},
		{"commas in cells", "имя;телефон\nИванов, Иван;89160000001\nПетров, Пётр;89160000002\n", ";"},
		{"decimal commas", "a;b;c;d\n1,5;2,5;3,5;4,5\n1,5;2,5;3,5;4,5\n", ";"},
		{"semicolons in quotes", "a,b\n\"1;2;3\",x\n\"1;2;3\",y\n", ","},
		{"ragged", "a,b,c\n1\n2,3\n4,5,6\n", ","},
		{"told", "sep=|\na;b\n1;2\n", "|"},
		{"told in quotes", "\"sep=,\"\r\na;b\n", ","},
	}
	for _, tt := range tests {
		c, err := newCSV(strings.NewReader(tt.file), 0, Limits{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if string(c.delim) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, c.delim, tt.want)
		}
	}
	_, _, err := read(t, []byte("a\n"), Options{Delimiter: '!'})
	refused(t, err, "'!' does not delimit")
	if rows, report, err := read(t, []byte("sep=|\nphone|name\n89160000001|x;y\n"), Options{}); err != nil || len(rows) != 1 || rows[0].Line != 3 || report.Header != 2 {
		t.Error(rows, report, err)
	}
}

// TestBrokenQuotesAreOneRow loses the broken row only, and what has more cells than the
// header.
func TestBrokenQuotesAreOneRow(t *testing.T) {
	file := "phone;name\n+79160000001;\"ООО \"Ромашка\"\"\n+79160000002;ООО \"Ромашка\"\n+79160000003;\"открыта\n+79160000004;x\n+79160000005;a;b\n+79160000006;c;;\n"
	rows, report, err := read(t, []byte(file), Options{})
	if err != nil || report.Accepted != 3 || report.Invalid != 3 {
		t.Fatalf("%+v %v", report, err)
	}
	if rows[0].Name != `ООО "Ромашка"` || rows[1].Line != 5 || rows[2].Line != 7 {
		t.Errorf("%+v", rows)
	}
	for i, want := range []string{"text behind the quote that closes column 2", "a quote is opened in column 2", "3 columns and the header 2"} {
		if p := report.Problems[i]; !strings.Contains(p.Reason, want) {
			t.Errorf("%+v, want %s", p, want)
		}
	}
}
