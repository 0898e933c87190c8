package tenants

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"vpbx/pbx"
	"vpbx/speech/words"
)

const maxPieces = 20 // files and prompts of one piece of music

var (
	language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)
	voice    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+_.-]{0,63}$`)

	promptCode = regexp.MustCompile(`^[0-9]{1,6}$`)
)

// errOutside is what is wrong with a sound file that the company may not name.
var errOutside = errors.New("must be a file in the directory of the company's prompts, written without leading slash and dots")

func (c *checker) checkPrompt(path string, p *Prompt) {
	sources := 0
	for _, given := range []bool{p.File != "", p.Text != "", p.Upload} {
		if given {
			sources++
		}
	}
	switch {
	case sources == 0:
		c.note(path+".file", "is needed, or text or upload")
	case sources > 1:
		c.note(path, "a prompt is one of file, text and upload, not %d of them", sources)
	}
	if p.File != "" {
		c.checkSoundFile(path+".file", p.File)
	}
	if p.Text != "" {
		if _, err := words.Parse(p.Text); err != nil {
			c.note(path+".text", "%v", err)
		}
	}
	if p.Language != "" && !language.MatchString(p.Language) {
		c.note(path+".language", "%.60q is not a language; write it as ru or en-GB", p.Language)
	}
	if p.Voice != "" && !voice.MatchString(p.Voice) {
		c.note(path+".voice", "%.60q is not the name of a voice: letters, digits and + _ . -, 64 at most", p.Voice)
	}
	if p.Text == "" && (p.Language != "" || p.Voice != "") {
		c.note(path, "language and voice go with text only")
	}
	c.checkRecorders(path, p)
}

// checkRecorders looks at who may record a prompt by phone.
func (c *checker) checkRecorders(path string, p *Prompt) {
	switch {
	case p.Code == "" && len(p.Recorders) > 0:
		c.note(path+".code", "is needed with recorders")
	case p.Code != "" && !promptCode.MatchString(p.Code):
		c.note(path+".code", "%.60q is not 1 to 6 digits", p.Code)
	case p.Code != "" && !p.Upload:
		c.note(path+".code", "goes with upload: true only")
	case p.Code != "" && len(p.Recorders) == 0:
		c.note(path+".recorders", "is needed with code: the extensions that may record the prompt")
	}
	seen := map[string]int{}
	for i, number := range p.Recorders {
		at := fmt.Sprintf("%s.recorders[%d]", path, i)
		if _, ok := c.extensions[number]; !ok {
			c.note(at, "there is no extension %.60q", number)
		}
		c.once(at, seen, number, i, path+".recorders[%d]")
	}
}

func (c *checker) checkMusic() {
	for i, m := range c.Music {
		path := fmt.Sprintf("music[%d]", i)
		switch n := len(m.Files) + len(m.Prompts); {
		case n == 0:
			c.note(path+".files", "music needs files or prompts")
		case n > maxPieces:
			c.note(path+".files", "%d pieces; %d at most", n, maxPieces)
			continue
		}
		for j, f := range m.Files {
			c.checkSoundFile(fmt.Sprintf("%s.files[%d]", path, j), f)
		}
		for j, name := range m.Prompts {
			at := fmt.Sprintf("%s.prompts[%d]", path, j)
			if k, ok := c.prompts[name]; !ok {
				c.note(at, "there is no prompt %.60q", name)
			} else {
				c.checkConstant(at, c.Prompts[k])
			}
		}
	}
}

// checkConstant notes a text that is not the same in every call.
func (c *checker) checkConstant(path string, p Prompt) {
	if t, err := words.Parse(p.Text); err == nil && len(t.Variables()) > 0 {
		c.note(path, "its text has variables, and nobody is there to give their values")
	}
}

// checkSoundFile leaves absolute paths outside the directory to storedPath: only that
// knows whether the company has the file already.
func (c *checker) checkSoundFile(path, name string) {
	file, inside := c.promptFile(name)
	if !inside {
		if !filepath.IsAbs(name) {
			c.note(path, "%v", errOutside)
		}
		return
	}
	if err := checkSound(c.dir, file); err != nil {
		c.note(path, "%v", err)
	}
}

// promptFile gives the path of a sound file relative to the directory of the document,
// and whether it lies inside that.
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

// storedPath gives the path under which a file is kept. One outside the directory is
// taken only when it is what the company has already, so that a document that was read
// can be written back.
func (d *Document) storedPath(file string, had func(*pbx.Company) bool, old *pbx.Company) (string, error) {
	if relative, inside := d.promptFile(file); inside {
		return filepath.Abs(filepath.Join(d.dir, relative))
	}
	if old != nil && had(old) {
		return file, nil
	}
	return "", errOutside
}

func (b *build) prompt(path string, p *Prompt) {
	x := &pbx.Prompt{Name: p.Name, Upload: p.Upload, Text: p.Text, Language: p.Language, Voice: p.Voice, Code: p.Code, Recorders: clone(p.Recorders)}
	if p.File != "" {
		file, err := b.storedPath(p.File, func(old *pbx.Company) bool { return old.Prompts[p.Name] != nil && old.Prompts[p.Name].File == p.File }, b.old)
		if err != nil && filepath.IsAbs(p.File) { // others are noted by check
			b.note(path+".file", "%v", err)
		}
		x.File = file
	}
	b.company.Prompts[p.Name] = x
}

// uploads keeps the sounds that were uploaded: of the prompts that the document says
// are, and those that it does not name at all, as what a phone sets is kept. Who may record
// such a prompt is said by the document alone.
func (b *build) uploads() {
	if b.old == nil {
		return
	}
	for name, was := range b.old.Prompts {
		switch now := b.company.Prompts[name]; {
		case !was.Upload || was.Sound == "":
		case now == nil && len(b.company.Prompts) < maxList:
			b.company.Prompts[name] = &pbx.Prompt{Name: name, Upload: true, Sound: was.Sound}
		case now != nil && now.Upload:
			now.Sound = was.Sound
		}
	}
}

func (b *build) music() {
	for i, m := range b.Music {
		x := &pbx.Music{Name: m.Name, Prompts: clone(m.Prompts)}
		for j, name := range m.Files {
			file, err := b.storedPath(name, func(old *pbx.Company) bool { return hasPiece(old.Music[m.Name], name) }, b.old)
			if err != nil && filepath.IsAbs(name) {
				b.note(fmt.Sprintf("music[%d].files[%d]", i, j), "%v", err)
			}
			x.Files = append(x.Files, file)
		}
		if b.company.Music == nil {
			b.company.Music = map[string]*pbx.Music{}
		}
		b.company.Music[m.Name] = x
	}
}

func hasPiece(m *pbx.Music, file string) bool { return m != nil && slices.Contains(m.Files, file) }

// checkSound says what is wrong with the sound file name in dir, as far as its first
// bytes tell. Links out of dir are not followed.
func checkSound(dir, name string) error {
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
		return errors.New("not a sound file")
	}
	switch {
	case string(head[:4]) == "RIFF" && string(head[8:]) == "WAVE":
	case string(head[:4]) == "OggS", string(head[:3]) == "ID3", head[0] == 0xFF && head[1]&0xE6 == 0xE2:
	default:
		return errors.New("neither WAV nor MP3 nor Ogg Opus")
	}
	return nil
}
