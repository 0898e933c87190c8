package tenants

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"vpbx/pbx"
)

// errOutside is what is wrong with a prompt file that the company may not name.
var errOutside = errors.New("must be a file in the directory of the company's prompts, written without leading slash and dots")

// checkPrompt leaves absolute paths outside the directory to storedPath: only
// that knows whether the company has the prompt already.
func (c *checker) checkPrompt(path string, p *Prompt) {
	if p.File == "" {
		if !bool(p.Text) {
			c.note(path+".file", "is needed")
		}
		return
	}
	file, inside := c.promptFile(p.File)
	if !inside {
		if !filepath.IsAbs(p.File) {
			c.note(path+".file", "%v", errOutside)
		}
		return
	}
	if err := checkWAV(c.dir, file); err != nil {
		c.note(path+".file", "%v", err)
	}
}

// promptFile gives the path of a prompt file relative to the directory of the
// document, and whether it lies inside that.
func (d *Document) promptFile(file string) (relative string, inside bool) {
	if d.dir == "" {
		return "", false
	}
	if filepath.IsAbs(file) {
		dir, err := filepath.Abs(d.dir)
		if err != nil {
			return "", false
		}
		if file, err = filepath.Rel(dir, file); err != nil {
			return "", false
		}
	}
	return filepath.Clean(file), filepath.IsLocal(file)
}

// storedPath gives the path under which a prompt is kept. A file outside the
// directory is taken only when it is what the company has already, so that a
// document that was read can be written back.
func (d *Document) storedPath(p *Prompt, old *pbx.Company) (string, error) {
	if relative, inside := d.promptFile(p.File); inside {
		return filepath.Abs(filepath.Join(d.dir, relative))
	}
	if old != nil && old.Prompts[p.Name] != nil && old.Prompts[p.Name].File == p.File {
		return p.File, nil
	}
	return "", errOutside
}

// checkWAV says what is wrong with the WAV file name in dir. Links out of dir
// are not followed.
func checkWAV(dir, name string) error {
	f, err := os.OpenInRoot(dir, name)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("there is no such file")
	}
	if err != nil {
		return errors.New("the file cannot be read")
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.New("not a file")
	}
	var head [12]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return errors.New("not a WAV file")
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return errors.New("not a WAV file")
	}
	return nil
}
