package recordings

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"time"
)

// program is an MP3 encoder that is installed on the machine. MP3 has no encoder
// in Go that we would trust; the ones of the systems are good.
type program struct {
	path string
	args []string
}

const (
	maxComplaint = 2048            // bytes of what a program says on its standard error
	killWait     = 5 * time.Second // for its pipes after it was killed
)

// findMP3 gives the program at file, or the one that is in PATH when file is "";
// nil when there is none. One that is called ffmpeg is used as such, every other
// one as lame.
func findMP3(file string) *program {
	names := []string{"lame", "ffmpeg"}
	if file != "" {
		names = []string{file}
	}
	for _, name := range names {
		found, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if found, err = filepath.Abs(found); err != nil {
			continue
		}
		if filepath.Base(found) == "ffmpeg" {
			return &program{found, []string{"-hide_banner", "-loglevel", "error", "-f", "wav", "-i", "pipe:0", "-codec:a", "libmp3lame", "-b:a", "48k", "-f", "mp3", "pipe:1"}}
		}
		return &program{found, []string{"--quiet", "-b", "48", "-", "-"}}
	}
	return nil
}

// run converts a WAV file. The program gets it as its standard input and nothing
// of its name, no shell is between, and it is killed when ctx ends or when it
// writes more than to takes.
func (p *program) run(ctx context.Context, to io.Writer, from io.Reader) error {
	complaint := &beginning{}
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = from, to, complaint
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = killWait
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %q", filepath.Base(p.path), err, complaint.buf.String())
	}
	return nil
}

// beginning keeps the beginning of what is written and drops the rest.
type beginning struct{ buf bytes.Buffer }

func (w *beginning) Write(b []byte) (int, error) {
	w.buf.Write(b[:min(len(b), maxComplaint-w.buf.Len())])
	return len(b), nil
}
