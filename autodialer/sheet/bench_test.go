package sheet

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const million = 1_000_000

// line is a row of a list: number, name, zone, amount.
func line(i int) []any {
	return []any{fmt.Sprintf("+79%09d", i), fmt.Sprintf("Иванов Иван %d", i), "Asia/Yekaterinburg", float64(i) + 0.5}
}

// big makes a file on the disk, with a writer of this package.
func big(b *testing.B, kind Kind, rows int) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "list"))
	if err != nil {
		b.Fatal(err)
	}
	w, err := NewWriter(f, kind, []Heading{{"phone", Phone}, {"name", Text}, {"zone", Text}, {"debt", Number}}, WriteOptions{TempDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(line(i)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return f
}

// bigShared makes a workbook as Excel does: texts, each once, in a part of their own.
func bigShared(b *testing.B, _ Kind, rows int) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "list"))
	if err != nil {
		b.Fatal(err)
	}
	var sheet, shared strings.Builder
	shared.WriteString("<sst><si><t>phone</t></si><si><t>name</t></si><si><t>zone</t></si><si><t>debt</t></si><si><t>Asia/Yekaterinburg</t></si>")
	sheet.WriteString(`<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c><c r="D1" t="s"><v>3</v></c></row>`)
	for i := range rows {
		cells := line(i)
		fmt.Fprintf(&shared, "<si><t>%s</t></si><si><t>%s</t></si>", cells[0], cells[1])
		fmt.Fprintf(&sheet, `<row r="%[1]d"><c r="A%[1]d" t="s"><v>%[2]d</v></c><c r="B%[1]d" t="s"><v>%[3]d</v></c><c r="C%[1]d" t="s"><v>4</v></c><c r="D%[1]d"><v>%[4]v</v></c></row>`, i+2, 5+2*i, 6+2*i, cells[3])
	}
	if _, err := f.Write(smallest(b, sheet.String()+"</sheetData>", shared.String()+"</sst>")); err != nil {
		b.Fatal(err)
	}
	return f
}

func BenchmarkImport(b *testing.B) {
	tests := []struct {
		name string
		kind Kind
		rows int
		file func(*testing.B, Kind, int) *os.File
	}{
		{"csv", CSV, million, big},
		{"xlsx", XLSX, maxSheetRows - 1, big},
		{"xlsx-shared", XLSX, maxSheetRows - 1, bigShared},
	}
	for _, tt := range tests {
		rows := tt.rows
		if testing.Short() { // it is only seen to work
			rows = 10_000
		}
		b.Run(tt.name, func(b *testing.B) {
			f := tt.file(b, tt.kind, rows)
			defer func() { _ = f.Close() }()
			b.ReportAllocs()
			var peak, before uint64
			spent := cpu(b)
			for b.Loop() {
				runtime.GC()
				before = heap()
				n := 0
				report, err := Import(f, Options{Normalise: russian}, func(Row) error {
					if n++; n%20_000 == 0 {
						peak = max(peak, heap())
					}
					return nil
				})
				if err != nil || report.Accepted != rows {
					b.Fatal(report, err)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rows*b.N)/(cpu(b)-spent), "rows/cpu-s")
			b.ReportMetric((float64(peak)-float64(before))/(1<<20), "peak-MiB")
		})
	}
}

// heap is how much memory objects take, dead ones that nobody collected yet included.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is how long the processors worked for this process, in seconds: beside other load
// the clock on the wall tells little.
func cpu(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range []Kind{CSV, XLSX} {
		b.Run(string(kind), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, err := NewWriter(io.Discard, kind, []Heading{{"phone", Phone}, {"name", Text}, {"zone", Text}, {"debt", Number}}, WriteOptions{TempDir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				for i := range 100_000 {
					if err := w.Write(line(i)...); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkGuess is what it costs to find an encoding.
func BenchmarkGuess(b *testing.B) {
	text, err := encodings["windows-1251"].NewEncoder().Bytes(bytes.Repeat([]byte("+79161234567;Иванов Иван Иванович\n"), 1800))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		guess(text)
	}
}
