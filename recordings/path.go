package recordings

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"vpbx/pbx"
)

const (
	suffix  = ".wav"
	partial = ".part" // behind suffix, as long as a file is not finished
)

// dirOf gives the directory of a recording: tenant and day, in UTC, which is
// read off the id. ok is false for what is no id of ours: it has 12 hex digits
// of milliseconds and 20 of randomness.
func dirOf(t pbx.TenantID, id pbx.RecordingID) (dir string, ok bool) {
	if !isTenant(string(t)) || len(id) != 32 || !isHex(string(id)) {
		return "", false
	}
	ms, err := strconv.ParseInt(string(id[:12]), 16, 64)
	if err != nil {
		return "", false
	}
	day := time.UnixMilli(ms).UTC()
	if day.Year() > 9999 {
		return "", false
	}
	return path.Join(string(t), day.Format("2006/01/02")), true
}

// fileOf gives the name of a finished recording below the directory of the
// store.
func fileOf(t pbx.TenantID, id pbx.RecordingID) (string, error) {
	dir, ok := dirOf(t, id)
	if !ok {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "there is no such recording"}
	}
	return path.Join(dir, string(id)+suffix), nil
}

// parsePart reads the name of an unfinished file; ok is false for every other
// name.
func parsePart(name string) (t pbx.TenantID, id pbx.RecordingID, ok bool) {
	tenant, _, _ := strings.Cut(name, "/")
	base, is := strings.CutSuffix(path.Base(name), suffix+partial)
	t, id = pbx.TenantID(tenant), pbx.RecordingID(base)
	file, err := fileOf(t, id)
	return t, id, is && err == nil && file+partial == name
}

// parseFile reads the name of a finished file; ok is false for every other name.
func parseFile(name string) (t pbx.TenantID, id pbx.RecordingID, ok bool) {
	tenant, _, _ := strings.Cut(name, "/")
	base, is := strings.CutSuffix(path.Base(name), suffix)
	t, id = pbx.TenantID(tenant), pbx.RecordingID(base)
	file, err := fileOf(t, id)
	return t, id, is && err == nil && file == name
}

func isTenant(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isHex(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return true
}

// newFile gives an id for a recording that begins at that time, and the name of
// its file when finished.
func newFile(t pbx.TenantID, at time.Time) (pbx.RecordingID, string, error) {
	id := pbx.NewRecordingID(at)
	name, err := fileOf(t, id)
	if err != nil {
		return "", "", fmt.Errorf("name a recording of tenant %q: not an id", t)
	}
	return id, name, nil
}
