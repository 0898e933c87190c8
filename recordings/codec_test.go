package recordings

import (
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// TestEveryCodec records two sides of G.722 and Opus, over the wrap of the
// timestamps, with a lost packet, one that comes twice, and garbage.
func TestEveryCodec(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, dir)
		defer s.Close()
		r, err := s.Start("acme", "call-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		type side struct {
			track *Track
			codec audio.Codec
			enc   *audio.Encoder
			freq  float64
			phase float64
			ts    uint32
		}
		sides := []*side{
			{track: r.Side(0), codec: audio.G722, freq: 440, ts: 1<<32 - 8000},
			{track: r.Side(1), codec: audio.Opus, freq: 700, ts: 1<<32 - 48000},
		}
		for i := range 150 {
			for _, x := range sides {
				if x.enc == nil {
					x.enc = audio.NewEncoder(x.codec, rate)
				}
				pcm, buf := make([]int16, frame), make([]byte, audio.MaxFrame)
				x.phase = audio.Tone(pcm, rate, x.freq, 0.5, x.phase)
				n := x.enc.Encode(buf, pcm)
				switch i {
				case 80:
				case 90:
					x.track.RTP(x.codec, uint16(i), x.ts, false, buf[:n], time.Now())
					fallthrough
				default:
					x.track.RTP(x.codec, uint16(i), x.ts, false, buf[:n], time.Now())
				}
				x.ts += uint32(x.codec.Clock() / 50)
			}
			time.Sleep(20 * time.Millisecond)
		}
		sides[1].track.RTP(audio.Opus, 150, sides[1].ts, false, []byte{0xff, 0xff}, time.Now())
		rec := r.Close()
		if rec.Error != "" || rec.Seconds != 3 || rec.Lost != 0 {
			t.Errorf("recording %+v", rec)
		}
		left, right := openRecording(t, s, rec)
		for at := 100 * time.Millisecond; at < 2900*time.Millisecond; at += 100 * time.Millisecond {
			if !loud(between(left, at, at+100*time.Millisecond), 440) || !loud(between(right, at, at+100*time.Millisecond), 700) {
				t.Errorf("no tone at %v", at)
			}
		}
	})
}
