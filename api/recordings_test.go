package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// record makes a real recording of two seconds and the call it belongs to.
func (r *rig) record() pbx.Recording {
	r.t.Helper()
	now := time.Now()
	rec, err := r.sounds.Start("acme", pbx.NewCallID(now), now)
	r.check(err)
	for i := range 100 {
		for side := range 2 {
			rec.Side(side).RTP(audio.PCMA, uint16(i), uint32(i)*160, i == 0, bytes.Repeat([]byte{byte(i)}, 160), now.Add(time.Duration(i)*20*time.Millisecond))
		}
	}
	info := rec.Close()
	r.saveRecorded(now, "101", "+79161234567", info)
	return info
}

func TestRecording(t *testing.T) {
	r := newRig(t)
	rec := r.record()
	file, size, _, err := r.sounds.Open("acme", rec.ID)
	r.check(err)
	sound, err := io.ReadAll(file)
	r.check(errors.Join(err, file.Close()))
	if size != int64(len(sound)) || size < 1000 {
		t.Fatalf("a recording of %d bytes", size)
	}
	path := "/api/v1/tenants/acme/recordings/" + string(rec.ID)

	whole := r.ask("GET", path+"?format=wav", acmeToken, nil)
	whole.want(t, 200)
	if !bytes.Equal(whole.body, sound) || whole.Header.Get("Content-Type") != "audio/wav" {
		t.Errorf("%d bytes of %s", len(whole.body), whole.Header.Get("Content-Type"))
	}
	if got, want := whole.Header.Get("Content-Disposition"), "attachment; filename="+string(rec.ID)+".wav"; got != want {
		t.Errorf("Content-Disposition %q, want %q", got, want)
	}
	etag := whole.Header.Get("ETag")
	for _, c := range []struct {
		header, value string
		status        int
		body          []byte
	}{
		{"Range", "bytes=8-15", 206, sound[8:16]},
		{"Range", "bytes=-8", 206, sound[size-8:]},
		{"Range", fmt.Sprintf("bytes=%d-", size-4), 206, sound[size-4:]},
		{"Range", "lines=1-2", 416, nil},
		{"Range", fmt.Sprintf("bytes=%d-", size), 416, nil},
		{"If-None-Match", etag, 304, nil},
	} {
		a := r.ask("GET", path, acmeToken, nil, c.header, c.value)
		if a.StatusCode != c.status || c.body != nil && !bytes.Equal(a.body, c.body) {
			t.Errorf("%s: %s gives %d and %d bytes", c.header, c.value, a.StatusCode, len(a.body))
		}
	}
	if a := r.ask("GET", path, acmeToken, nil, "Range", "bytes=0-3", "If-Range", `"another"`); a.StatusCode != 200 {
		t.Errorf("a Range of another version gives %d", a.StatusCode)
	}
	if a := r.ask("HEAD", path, acmeToken, nil); a.StatusCode != 200 || len(a.body) != 0 || a.ContentLength != int64(len(sound)) {
		t.Errorf("HEAD gives %d, %d bytes of %d", a.StatusCode, len(a.body), a.ContentLength)
	}
}

func TestRecordingThatIsNotThere(t *testing.T) {
	r := newRig(t)
	rec := r.saveCall(time.Now(), "101", "+79161234567").Recordings[0]
	// Known, but the file is gone.
	r.ask("GET", "/api/v1/tenants/acme/recordings/"+string(rec.ID), acmeToken, nil).want(t, 404)
	// A file that no record names, and what is no id at all.
	now := time.Now()
	stray, err := r.sounds.Start("acme", pbx.NewCallID(now), now)
	r.check(err)
	for _, id := range []string{string(stray.Close().ID), "1", "..%2F..%2Fetc%2Fpasswd", "%00", "1%0d%0aX:%201"} {
		r.ask("GET", "/api/v1/tenants/acme/recordings/"+id, acmeToken, nil).want(t, 404)
	}
}

func TestRecordingList(t *testing.T) {
	r := newRig(t)
	old := r.saveCall(time.Unix(1000, 0), "101", "+79160000001")
	r.saveCall(time.Unix(2000, 0), "102", "+79160000002")
	var list List[pbx.Recording]
	r.ask("GET", "/api/v1/tenants/acme/recordings?number=101", acmeToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Call != old.ID || list.Items[0].Seconds != 10 {
		t.Errorf("%+v", list)
	}
	r.ask("GET", "/api/v1/tenants/acme/recordings?limit=1", acmeToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Next == "" {
		t.Errorf("%+v", list)
	}
}

func TestFileName(t *testing.T) {
	for in, want := range map[pbx.RecordingID]string{
		"0199ab": "0199ab.wav", "../../x": "x.wav", "a\"\r\nb": "ab.wav", "ы": ".wav",
	} {
		if got := fileName(in, "wav"); got != want {
			t.Errorf("fileName(%q) = %q, want %q", in, got, want)
		}
	}
}
