package e2e

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vpbx/media/audio"
)

const rate = 8000 // samples a second of everything here

// toneLength is how long a phone has something to say: one whose file ends hangs up.
const toneLength = 6 * time.Minute

// sound is decoded sound, by channel.
type sound struct {
	channels [][]int16
}

// seconds is how long it is.
func (s sound) seconds() float64 { return float64(len(s.channels[0])) / rate }

// readWAV reads a 16-bit WAV file; a last chunk that is cut short is read as
// far as it goes, as a player does.
func readWAV(t *testing.T, b []byte) sound {
	t.Helper()
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		t.Fatalf("no WAV file: %d bytes", len(b))
	}
	channels := 0
	for at := 12; at+8 <= len(b); {
		id, size, body := string(b[at:at+4]), int(binary.LittleEndian.Uint32(b[at+4:])), b[at+8:]
		size = min(size, len(body))
		switch id {
		case "fmt ":
			channels = int(binary.LittleEndian.Uint16(body[2:]))
			if r, bits := binary.LittleEndian.Uint32(body[4:]), binary.LittleEndian.Uint16(body[14:]); r != rate || bits != 16 || channels == 0 {
				t.Fatalf("WAV of %d channels, %d Hz, %d bits", channels, r, bits)
			}
		case "data":
			s := sound{channels: make([][]int16, channels)}
			for i := 0; i+2*channels <= size; i += 2 * channels {
				for c := range channels {
					s.channels[c] = append(s.channels[c], int16(binary.LittleEndian.Uint16(body[i+2*c:])))
				}
			}
			return s
		}
		at += 8 + size + size%2
	}
	t.Fatal("WAV without sound")
	return sound{}
}

// growing reads a mono WAV file that a phone is still writing: the lengths in its
// header are those of an empty file.
func growing(t *testing.T, path string) sound {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatalf("read what a phone heard: %v", err)
	}
	if len(raw) < 44 {
		return sound{channels: make([][]int16, 1)}
	}
	pcm := make([]int16, (len(raw)-44)/2)
	for i := range pcm {
		pcm[i] = int16(raw[44+2*i]) | int16(raw[45+2*i])<<8
	}
	return sound{channels: [][]int16{pcm}}
}

// share is how much of a channel's energy a tone has, in its loudest stretch of
// half a second: 1 for the pure tone, 0 for none of it.
func (s sound) share(channel int, freq float64) float64 {
	const block = rate / 2
	best := 0.0
	for pcm := s.channels[channel]; len(pcm) >= block; pcm = pcm[block:] {
		best = max(best, audio.Goertzel(pcm[:block], rate, freq))
	}
	return best
}

// tones is how many seconds of a channel are the tone.
func (s sound) tones(channel int, freq float64) float64 {
	const block = rate / 10
	n := 0
	for pcm := s.channels[channel]; len(pcm) >= block; pcm = pcm[block:] {
		if audio.Goertzel(pcm[:block], rate, freq) > 0.8 {
			n++
		}
	}
	return float64(n) / 10
}

// wantTone fails when a channel is not mostly that tone for so many seconds.
func (s sound) wantTone(t *testing.T, what string, channel int, freq, seconds float64) {
	t.Helper()
	if got := s.tones(channel, freq); got < seconds {
		t.Errorf("%s: %.0f Hz for %.1f s of %.1f s, want %.1f s at least", what, freq, got, s.seconds(), seconds)
	}
}

// wantNone fails when a channel holds a tone anywhere.
func (s sound) wantNone(t *testing.T, what string, channel int, freq float64) {
	t.Helper()
	if got := s.share(channel, freq); got > 0.05 {
		t.Errorf("%s: %.0f Hz is heard, with a share of %.2f", what, freq, got)
	}
}

// second is a second of a tone, after which it goes on as it began.
func second(freq float64) []int16 {
	pcm := make([]int16, rate)
	audio.Tone(pcm, rate, math.Round(freq), 0.5, 0)
	return pcm
}

// toneFile makes a mono WAV file of a tone that lasts for whole seconds.
func toneFile(t *testing.T, dir, name string, freq float64, length time.Duration) string {
	t.Helper()
	var pcm []byte
	for _, v := range second(freq) {
		pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
	}
	pcm = bytes.Repeat(pcm, int(length.Seconds()))
	file := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(36+len(pcm)))
	file = binary.LittleEndian.AppendUint32(append(file, "WAVEfmt "...), 16)
	for _, v := range []uint16{1, 1, rate, 0, 2 * rate, 0, 2, 16} { // PCM, mono
		file = binary.LittleEndian.AppendUint16(file, v)
	}
	file = binary.LittleEndian.AppendUint32(append(file, "data"...), uint32(len(pcm)))
	return write(t, filepath.Join(dir, name), string(append(file, pcm...)))
}

// alawFile makes a file of bare A-law samples of a second of a tone, which SIPp streams
// again and again.
func alawFile(t *testing.T, dir, name string, freq float64) string {
	t.Helper()
	pcm := second(freq)
	alaw := make([]byte, len(pcm))
	audio.EncodeALaw(alaw, pcm)
	return write(t, filepath.Join(dir, name), string(alaw))
}
