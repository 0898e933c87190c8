package audio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "a.wav"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func readBack(t *testing.T, f *os.File) PCM {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := ReadWAV(bytes.NewReader(b), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

func TestWAVWriterIsPlayableAfterSync(t *testing.T) {
	f := tempFile(t)
	w, err := NewWAVWriter(f, 2, 8000)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]int16, 320)
	for i := range block {
		block[i] = int16(i)
	}
	for n := 1; n <= 3; n++ {
		if err := w.Write(block); err != nil {
			t.Fatal(err)
		}
		if err := w.Sync(); err != nil {
			t.Fatal(err)
		}
		if pcm := readBack(t, f); len(pcm.Samples) != 160*n || pcm.Rate != 8000 {
			t.Fatalf("after %d blocks: %d samples at %d Hz", n, len(pcm.Samples), pcm.Rate)
		}
	}
	if w.Frames() != 480 {
		t.Errorf("%d frames", w.Frames())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWAVWriterRefuses(t *testing.T) {
	for _, channels := range []int{0, -1, 9} {
		if _, err := NewWAVWriter(tempFile(t), channels, 8000); err == nil {
			t.Errorf("%d channels accepted", channels)
		}
	}
	w, err := NewWAVWriter(tempFile(t), 2, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]int16, 3)); err == nil {
		t.Error("half a frame accepted")
	}
	w.data = maxWAVData
	if err := w.Write(make([]int16, 2)); !errors.Is(err, ErrTooLong) {
		t.Errorf("beyond 4 GiB: %v", err)
	}
}

// fullDisk takes only so many bytes.
type fullDisk struct {
	*os.File
	room int
}

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) <= d.room {
		d.room -= len(b)
		return d.File.Write(b)
	}
	n, _ := d.File.Write(b[:d.room])
	d.room = 0
	return n, errFull
}

func TestWAVWriterOnFullDisk(t *testing.T) {
	d := &fullDisk{File: tempFile(t), room: wavHeader + 4*10 + 3}
	w, err := NewWAVWriter(d, 2, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]int16, 40)); !errors.Is(err, errFull) {
		t.Fatalf("error %v", err)
	}
	if w.Frames() != 10 {
		t.Errorf("%d whole frames, want 10", w.Frames())
	}
	d.room = 1 << 20
	if err := w.Write([]int16{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	pcm := readBack(t, d.File)
	if len(pcm.Samples) != 12 || pcm.Samples[11] != 3 {
		t.Errorf("samples %v", pcm.Samples)
	}
}

func TestRepairWAV(t *testing.T) {
	f := tempFile(t)
	w, err := NewWAVWriter(f, 2, 8000)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(make([]int16, 2*100)); err != nil {
		t.Fatal(err)
	}
	// Killed here: sizes say nothing, and a part of a frame was on its way.
	if _, err := f.Write([]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	frames, err := RepairWAV(f)
	if err != nil || frames != 100 {
		t.Fatalf("%d frames, error %v", frames, err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != wavHeader+400 {
		t.Errorf("file of %d bytes", info.Size())
	}
	if pcm := readBack(t, f); len(pcm.Samples) != 100 {
		t.Errorf("%d samples", len(pcm.Samples))
	}
}

func TestRepairWAVLeavesOthersAlone(t *testing.T) {
	for _, content := range []string{"", "short", string(make([]byte, 100))} {
		f := tempFile(t)
		if _, err := f.WriteString(content); err != nil {
			t.Fatal(err)
		}
		if _, err := RepairWAV(f); !errors.Is(err, ErrNotWAV) {
			t.Errorf("%q: %v", content, err)
		}
		if b, _ := os.ReadFile(f.Name()); string(b) != content {
			t.Errorf("%q was changed", content)
		}
	}
}

// wavFile builds a file with the given fmt values and data chunk.
func wavFile(tag, channels, rate, bits int, claim uint32, data []byte) []byte {
	b := header(channels, rate)
	binary.LittleEndian.PutUint16(b[20:], uint16(tag))
	binary.LittleEndian.PutUint16(b[34:], uint16(bits))
	binary.LittleEndian.PutUint32(b[40:], claim)
	return append(b, data...)
}

func TestReadWAV(t *testing.T) {
	pcm16 := []byte{1, 0, 3, 0, 5, 0, 7, 0}
	extensible := wavFile(formatPCM, 1, 16000, 16, 8, pcm16)
	extensible = append(append(append([]byte{}, extensible[:16]...), 40, 0, 0, 0), append(append(append([]byte{0xFE, 0xFF}, extensible[22:36]...),
		22, 0, 16, 0, 0, 0, 0, 0, formatPCM, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71), extensible[36:]...)...)
	list := wavFile(formatPCM, 1, 8000, 16, 8, pcm16)
	list = append(append(append([]byte{}, list[:36]...), "LIST\x03\x00\x00\x00abc\x00"...), list[36:]...)
	tests := []struct {
		name string
		in   []byte
		want []int16
		rate int
		err  error
	}{
		{"mono", wavFile(formatPCM, 1, 8000, 16, 8, pcm16), []int16{1, 3, 5, 7}, 8000, nil},
		{"stereo", wavFile(formatPCM, 2, 48000, 16, 8, pcm16), []int16{2, 6}, 48000, nil},
		{"A-law", wavFile(formatALaw, 1, 8000, 8, 2, []byte{0xD5, 0xD5}), []int16{8, 8}, 8000, nil},
		{"µ-law", wavFile(formatULaw, 1, 8000, 8, 2, []byte{0xFF, 0xFF}), []int16{0, 0}, 8000, nil},
		{"extensible", extensible, []int16{1, 3, 5, 7}, 16000, nil},
		{"chunk before the sound", list, []int16{1, 3, 5, 7}, 8000, nil},
		{"unfinished", wavFile(formatPCM, 1, 8000, 16, 0, pcm16), []int16{1, 3, 5, 7}, 8000, nil},
		{"streamed", wavFile(formatPCM, 1, 8000, 16, math.MaxUint32, pcm16), []int16{1, 3, 5, 7}, 8000, nil},
		{"claims more", wavFile(formatPCM, 1, 8000, 16, 4000, pcm16), []int16{1, 3, 5, 7}, 8000, nil},
		{"half a sample", wavFile(formatPCM, 1, 8000, 16, 7, pcm16), []int16{1, 3, 5}, 8000, nil},
		{"too long", wavFile(formatPCM, 1, 8000, 16, 1<<30, make([]byte, 2*8000*2)), nil, 0, ErrTooLong},
		{"empty", nil, nil, 0, ErrNotWAV},
		{"not RIFF", []byte("OggS0000WAVE"), nil, 0, ErrNotWAV},
		{"no sound", wavFile(formatPCM, 1, 8000, 16, 0, nil)[:36], nil, 0, ErrNotWAV},
		{"MP3 inside", wavFile(85, 1, 8000, 16, 8, pcm16), nil, 0, ErrNotWAV},
		{"8 bits", wavFile(formatPCM, 1, 8000, 8, 3, []byte{0x80, 0xFF, 0}), []int16{0, 0x7F00, -0x8000}, 8000, nil},
		{"24 bits", wavFile(formatPCM, 2, 48000, 24, 12, []byte{9, 4, 0, 9, 6, 0, 9, 0xFE, 0xFF, 9, 0xFC, 0xFF}), []int16{5, -3}, 48000, nil},
		{"32 bits", wavFile(formatPCM, 1, 48000, 32, 8, []byte{9, 9, 4, 0, 9, 9, 0xFE, 0xFF}), []int16{4, -2}, 48000, nil},
		{"floating point", wavFile(formatFloat, 1, 48000, 32, 20, []byte{0, 0, 0, 0x3F, 0, 0, 0x80, 0xBF, 0, 0, 0x80, 0x7F, 0, 0, 0x80, 0xFF, 0, 0, 0xC0, 0x7F}),
			[]int16{0x4000, -0x8000, 0x7FFF, -0x8000, 0}, 48000, nil},
		{"floating point cut", wavFile(formatFloat, 1, 48000, 32, 8, []byte{0, 0, 0, 0x3F, 0, 0, 0x80}), []int16{0x4000}, 48000, nil},
		{"20 bits", wavFile(formatPCM, 1, 8000, 20, 8, pcm16), nil, 0, ErrNotWAV},
		{"16 bits of floating point", wavFile(formatFloat, 1, 8000, 16, 8, pcm16), nil, 0, ErrNotWAV},
		{"six channels", wavFile(formatPCM, 6, 8000, 16, 8, pcm16), nil, 0, ErrNotWAV},
		{"no rate", wavFile(formatPCM, 1, 0, 16, 8, pcm16), nil, 0, ErrNotWAV},
		{"sound first", []byte("RIFF0000WAVEdata\x04\x00\x00\x00abcd"), nil, 0, ErrNotWAV},
		{"tiny format", []byte("RIFF0000WAVEfmt \x04\x00\x00\x00abcd"), nil, 0, ErrNotWAV},
		{"chunk cut short", []byte("RIFF0000WAVELIST\xff\x00\x00\x00abcd"), nil, 0, ErrNotWAV},
		{"endless chunks", append([]byte("RIFF0000WAVE"), bytes.Repeat([]byte("junk\x00\x00\x00\x00"), 100)...), nil, 0, ErrNotWAV},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pcm, err := ReadWAV(bytes.NewReader(tt.in), Limits{Length: time.Second})
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if len(pcm.Samples) != len(tt.want) || pcm.Rate != tt.rate {
				t.Fatalf("%v at %d Hz, want %v at %d", pcm.Samples, pcm.Rate, tt.want, tt.rate)
			}
			for i := range tt.want {
				if pcm.Samples[i] != tt.want[i] {
					t.Fatalf("%v, want %v", pcm.Samples, tt.want)
				}
			}
		})
	}
}

func TestReadWAVPassesReadErrors(t *testing.T) {
	broken := io.MultiReader(bytes.NewReader(wavFile(formatPCM, 1, 8000, 16, 100, []byte{1, 2})), errReader{})
	if _, err := ReadWAV(broken, Limits{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errFull }

func FuzzReadWAV(f *testing.F) {
	f.Add(wavFile(formatPCM, 1, 8000, 16, 8, []byte{1, 0, 3, 0, 5, 0, 7, 0}))
	f.Add(wavFile(formatALaw, 2, 48000, 8, math.MaxUint32, []byte{1, 2, 3}))
	f.Add(wavFile(formatFloat, 2, 48000, 32, 8, []byte{0, 0, 0xC0, 0x7F, 0, 0, 0x80, 0x7F}))
	f.Add(wavFile(formatPCM, 2, 48000, 24, 6, []byte{1, 2, 3, 4, 5, 6}))
	f.Add([]byte("RIFF0000WAVELIST\xff\xff\xff\x7fabcd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pcm, err := ReadWAV(bytes.NewReader(b), Limits{Length: time.Second})
		if err == nil && (pcm.Rate < 8000 || pcm.Duration() > time.Second) {
			t.Errorf("%d samples at %d Hz", len(pcm.Samples), pcm.Rate)
		}
	})
}
