package api

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vpbx/media/audio"
)

const promptsOfAcme = "/api/v1/tenants/acme/prompts"

func soundFile(t *testing.T, d time.Duration) []byte {
	t.Helper()
	pcm := audio.PCM{Samples: make([]int16, int(d/time.Millisecond)*8), Rate: 8000}
	audio.Tone(pcm.Samples, 8000, 440, 0.1, 0)
	data, err := audio.EncodeWAV(pcm)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPrompts(t *testing.T) {
	r := newRig(t)
	wav := soundFile(t, 2*time.Second)
	a := r.ask("PUT", promptsOfAcme+"/welcome", acmeToken, string(wav))
	a.want(t, 200)
	var p PromptInfo
	a.into(t, &p)
	if p.Name != "welcome" || p.Kind != "upload" || p.Length != 2 || len(p.SHA256) != 64 || p.Size != int64(len(wav)) || p.PlayedBy != "" {
		t.Errorf("%+v", p)
	}
	a = r.ask("GET", promptsOfAcme+"/welcome", acmeToken, nil)
	a.want(t, 200)
	if a.Header.Get("Content-Type") != "audio/wav" || !bytes.HasPrefix(a.body, []byte("RIFF")) || len(a.body) != len(wav) {
		t.Errorf("%v, %d bytes", a.Header, len(a.body))
	}
	r.ask("PUT", promptsOfAcme+"/second", adminToken, string(soundFile(t, time.Second))).want(t, 200)
	var list List[PromptInfo]
	r.ask("GET", promptsOfAcme+"?limit=1", acmeToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Name != "second" || list.Next == "" {
		t.Errorf("%+v", list)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		r.ask(method, promptsOfAcme+"/welcome", otherToken, string(wav)).want(t, 404)
		r.ask(method, promptsOfAcme+"/welcome", "", string(wav)).want(t, 401)
	}
	r.ask("DELETE", promptsOfAcme+"/welcome", acmeToken, nil).want(t, 204)
	r.ask("DELETE", promptsOfAcme+"/welcome", acmeToken, nil).want(t, 404)
	r.ask("GET", promptsOfAcme+"/welcome", acmeToken, nil).want(t, 404)
	r.ask("GET", "/api/v1/tenants/acme/prompts/..%2f..%2fetc%2fpasswd", acmeToken, nil).want(t, 404)
}

// TestBadUploads: each is refused with a sentence and leaves nothing.
func TestBadUploads(t *testing.T) {
	r := newRig(t)
	wav := soundFile(t, 2*time.Second)
	huge := strings.Repeat("\x00", 100<<20)
	for name, tt := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"nothing": {"", 400, "body is required"}, "text": {`{"a": 1}`, 400, "neither WAV nor MP3 nor Ogg Opus"},
		"cut": {string(wav[:9999]), 400, "claims 32000 bytes of sound"}, "100 MB": {string(wav) + huge, 413, "too large"},
		"5 MB of garbage": {huge[:5<<20], 400, "neither WAV"}, "long": {string(soundFile(t, 11*time.Minute)), 400, "too long"},
	} {
		p := r.ask("PUT", promptsOfAcme+"/x", acmeToken, tt.body).want(t, tt.status)
		if !strings.Contains(p.Message, tt.want) {
			t.Errorf("%s: %q", name, p.Message)
		}
	}
	r.ask("PUT", promptsOfAcme+"/-x", acmeToken, string(wav)).want(t, 400)
	r.ask("PUT", promptsOfAcme+"/"+strings.Repeat("x", 41), acmeToken, string(wav)).want(t, 400)
	var list List[PromptInfo]
	r.ask("GET", promptsOfAcme, acmeToken, nil).into(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("%+v", list.Items)
	}
}
