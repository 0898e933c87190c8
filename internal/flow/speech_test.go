package flow

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vpbx/config"
	"vpbx/media/audio"
)

// The tones of what the PBX plays beside the prompt, in hertz.
const (
	speechTone = 278
	musicTone  = 244
	busyTone   = 620 // of the United States; most others are that of ringing
)

const speechToken = "secret-of-the-engine"

// speaking is the speech engine of a flow, which answers a text with a tone of a second
// and a tenth for each word, and misbehaves as told.
type speaking struct {
	log    *transcript
	takes  time.Duration
	status int
	way    string // hangs, html, huge; "": well
}

// speechOf is what a script says about the engine, nil when it has none.
func (w *world) speechOf(s *script) (*speaking, error) {
	for _, c := range s.setup {
		if c.verb != "speech" {
			continue
		}
		x := &speaking{log: &w.log}
		var err error
		if x.takes, err = c.duration("takes", 100*time.Millisecond); err != nil {
			return nil, err
		}
		if x.status, err = c.number("status", http.StatusOK); err != nil {
			return nil, err
		}
		for _, way := range []string{"hangs", "html", "huge"} {
			if c.has(way) {
				x.way = way
			}
		}
		timeout, err := c.duration("timeout", 2*time.Second)
		w.cfg.Speech = config.Speech{Engine: "http", URL: "http://" + crmIP + "/say", Token: speechToken, Voice: "anna", Timeout: timeout, AtOnce: 2}
		return x, err
	}
	return nil, nil
}

func (x *speaking) say(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	var q struct{ Text, Language, Voice string }
	if err := json.Unmarshal(body, &q); err != nil || r.Header.Get("Authorization") != "Bearer "+speechToken {
		x.log.add("speech", "is asked in a wrong way")
		http.Error(w, "json or token", http.StatusBadRequest)
		return
	}
	x.log.add("speech", "says %q in %s by %s", q.Text, q.Language, q.Voice)
	select {
	case <-time.After(x.takes):
	case <-r.Context().Done():
		return
	}
	switch x.way {
	case "hangs":
		<-r.Context().Done()
		return
	case "html":
		fmt.Fprint(w, "<html>Willkommen</html>")
		return
	case "huge":
		for chunk := make([]byte, 1<<20); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	w.WriteHeader(x.status)
	sound := make([]int16, 8000+800*len(strings.Fields(q.Text)))
	audio.Tone(sound, 8000, speechTone, 0.3, 0)
	_, _ = w.Write(wav(sound)) // the PBX may have hung up
}

// writeSounds writes the sound files that scripts may name or upload.
func (w *world) writeSounds() error {
	music := make([]int16, 8*8000)
	audio.Tone(music, 8000, musicTone, 0.05, 0)
	tune := wav(music)
	cut := tune[:len(tune)/2]
	for name, data := range map[string][]byte{"music.wav": tune, "cut.wav": cut, "text.wav": []byte("this is no sound at all"), "empty.wav": nil} {
		if err := os.WriteFile(filepath.Join(w.files, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
