package sounds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/internal/durable"
	"vpbx/media"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/speech"
	"vpbx/speech/words"
)

const (
	// MaxFile bounds a sound file in bytes, whoever supplies it.
	MaxFile = 32 << 20
	// maxLength bounds how long a prompt or a piece of music sounds.
	maxLength = 10 * time.Minute
	rate      = 16000 // samples a second of what is kept, at most
	fresh     = 10 * time.Minute
	makers    = 2 // sounds that are made at the same time
)

// Options configures a Library.
type Options struct {
	Dir    string          // of uploaded sounds
	Speech *speech.Speaker // for texts
	Memory int64           // bytes of sounds kept in memory, 0: 256 MB
	Log    *slog.Logger
}

// Library makes prompts. Its methods may be called by any goroutine.
type Library struct {
	o     Options
	cache *cache
	turns chan struct{}

	life context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	pending map[string]*making // by key
}

// making is a sound that is being made for everybody who wants it.
type making struct {
	done   chan struct{}
	prompt *media.Prompt
	err    error
}

// New makes a Library.
func New(o Options) (*Library, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of prompts: %w", err)
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	l := &Library{o: o, cache: newCache(o.Memory), turns: make(chan struct{}, makers), pending: map[string]*making{}}
	l.life, l.end = context.WithCancel(context.Background())
	return l, nil
}

// Close ends what is being made and waits for it.
func (l *Library) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end()
	l.wg.Wait()
}

// Values gives the values of the variables of a text; nil has none.
type Values func(name string) (value string, ok bool)

// Load gives a prompt of a company for playing. The error is a pbx.Error whose message
// says in words for the record of a call why there is no sound, or that of ctx.
func (l *Library) Load(ctx context.Context, c *pbx.Company, p *pbx.Prompt, values Values) (*media.Prompt, error) {
	s, err := l.source(c, p, values)
	if err != nil {
		return nil, err
	}
	return l.load(ctx, s)
}

// Decode makes a sound file ready for playing, as loud as speech. It is not kept.
func (l *Library) Decode(ctx context.Context, data []byte) (*media.Prompt, error) {
	pcm, err := l.inTurn(ctx, source{make: func(context.Context) (audio.PCM, error) { return normal(data, false) }})
	if err != nil {
		return nil, err
	}
	p, err := media.NewPrompt(pcm.Samples, pcm.Rate)
	if err != nil {
		return nil, fmt.Errorf("play a sound: %w", err)
	}
	return p, nil
}

// Sound gives a prompt as a WAV file, as it would be played: for whoever wants to hear
// it without a call.
func (l *Library) Sound(ctx context.Context, c *pbx.Company, p *pbx.Prompt, values Values) ([]byte, error) {
	s, err := l.source(c, p, values)
	if err != nil {
		return nil, err
	}
	pcm, err := l.inTurn(ctx, s)
	if err != nil {
		return nil, err
	}
	data, err := audio.EncodeWAV(pcm)
	if err != nil {
		return nil, fmt.Errorf("encode prompt %s: %w", p.Name, err)
	}
	return data, nil
}

// Music gives the music of a company of that name, to be played in a loop; nil when the
// company has none of that name.
func (l *Library) Music(ctx context.Context, c *pbx.Company, name string) (*media.Prompt, error) {
	if c.Music[name] == nil {
		return nil, nil
	}
	s, err := l.music(c, c.Music[name])
	if err != nil {
		return nil, err
	}
	return l.load(ctx, s)
}

// Ready gives music that is in memory. Otherwise it is nil, and the music begins to be
// made for whoever asks next: Ready does not wait.
func (l *Library) Ready(c *pbx.Company, name string) *media.Prompt {
	if c.Music[name] == nil {
		return nil
	}
	s, err := l.music(c, c.Music[name])
	if err != nil {
		l.o.Log.Warn("music cannot be played", "tenant", c.ID, "music", name, "error", err)
		return nil
	}
	if p := l.cache.get(s.key); p != nil {
		return p
	}
	l.begin(s)
	return nil
}

// music is the pieces of music, one behind the other.
func (l *Library) music(c *pbx.Company, m *pbx.Music) (source, error) {
	var pieces []source
	for _, file := range m.Files {
		s, err := fileSource(file)
		if err != nil {
			return source{}, err
		}
		pieces = append(pieces, s)
	}
	for _, name := range m.Prompts {
		p := c.Prompts[name]
		if p == nil {
			return source{}, &pbx.Error{Kind: pbx.NotFound, Msg: "there is no prompt " + name}
		}
		s, err := l.source(c, p, nil)
		if err != nil {
			return source{}, err
		}
		pieces = append(pieces, s)
	}
	return joined(pieces), nil
}

// source is a sound that can be made.
type source struct {
	key    string // names its content
	make   func(ctx context.Context) (audio.PCM, error)
	spoken bool // the speech engine makes it, which has turns of its own
}

// source finds what a prompt is made of.
func (l *Library) source(c *pbx.Company, p *pbx.Prompt, values Values) (source, error) {
	switch {
	case p.Text != "":
		return l.text(c, p, values)
	case p.Upload && p.Sound == "":
		return source{}, &pbx.Error{Kind: pbx.NotFound, Msg: "no sound has been uploaded for it yet"}
	case p.Upload:
		file, err := l.path(c.ID, p.Sound)
		if err != nil {
			return source{}, err
		}
		return source{key: "upload " + file, make: func(context.Context) (audio.PCM, error) { return readFile(file) }}, nil
	}
	return fileSource(p.File)
}

// fileSource is a sound file; one that has changed is another.
func fileSource(file string) (source, error) {
	st, err := os.Stat(file)
	if err != nil {
		return source{}, &pbx.Error{Kind: pbx.NotFound, Msg: "its file cannot be read", Err: fmt.Errorf("find prompt: %w", err)}
	}
	key := fmt.Sprintf("file %d %d %s", st.ModTime().UnixNano(), st.Size(), file)
	return source{key: key, make: func(context.Context) (audio.PCM, error) { return readFile(file) }}, nil
}

// readFile reads and normalises a sound file.
func readFile(file string) (audio.PCM, error) {
	f, err := os.Open(file)
	if err != nil {
		return audio.PCM{}, &pbx.Error{Kind: pbx.NotFound, Msg: "its file cannot be read", Err: fmt.Errorf("open prompt: %w", err)}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return audio.PCM{}, &pbx.Error{Kind: pbx.NotFound, Msg: "its file cannot be read", Err: fmt.Errorf("read prompt: %w", err)}
	}
	return normal(data, false)
}

// normal reads a sound file and makes of it what is played.
func normal(data []byte, whole bool) (audio.PCM, error) {
	if len(data) > MaxFile {
		return audio.PCM{}, &pbx.Error{Kind: pbx.Invalid, Msg: fmt.Sprintf("the file is larger than %d bytes", MaxFile)}
	}
	pcm, err := audio.ReadSound(data, audio.Limits{Length: maxLength, Whole: whole})
	if err != nil {
		return audio.PCM{}, &pbx.Error{Kind: pbx.Invalid, Msg: err.Error(), Err: err}
	}
	if len(pcm.Samples) == 0 {
		return audio.PCM{}, &pbx.Error{Kind: pbx.Invalid, Msg: "there is no sound in the file"}
	}
	return at(pcm, min(pcm.Rate, rate), true), nil
}

// at turns a sound into one of a rate.
func at(pcm audio.PCM, to int, loudness bool) audio.PCM {
	if to > 8000 {
		to = rate
	}
	pcm.Samples, pcm.Rate = audio.Resample(pcm.Samples, pcm.Rate, to), to
	if loudness {
		audio.Normalise(pcm.Samples, pcm.Rate)
	}
	return pcm
}

// joined is several sounds one behind the other.
func joined(pieces []source) source {
	keys := make([]string, len(pieces))
	for i, s := range pieces {
		keys[i] = s.key
	}
	spoken := slices.ContainsFunc(pieces, func(s source) bool { return s.spoken })
	return source{key: "joined " + strings.Join(keys, "\x00"), spoken: spoken, make: func(ctx context.Context) (audio.PCM, error) {
		all := make([]audio.PCM, len(pieces))
		for i, s := range pieces {
			var err error
			if all[i], err = s.make(ctx); err != nil {
				return audio.PCM{}, err
			}
		}
		return concat(all)
	}}
}

// concat puts sounds one behind the other, at the best rate of them.
func concat(all []audio.PCM) (audio.PCM, error) {
	var whole audio.PCM
	for _, p := range all {
		whole.Rate = max(whole.Rate, p.Rate)
	}
	for _, p := range all {
		whole.Samples = append(whole.Samples, audio.Resample(p.Samples, p.Rate, whole.Rate)...)
		if whole.Duration() > maxLength {
			return audio.PCM{}, &pbx.Error{Kind: pbx.Invalid, Msg: fmt.Sprintf("it is longer than %v", maxLength)}
		}
	}
	return whole, nil
}

// load gives a sound from memory, or makes it once for all who want it.
func (l *Library) load(ctx context.Context, s source) (*media.Prompt, error) {
	if p := l.cache.get(s.key); p != nil {
		return p, nil
	}
	m := l.begin(s)
	if m == nil {
		return nil, &pbx.Error{Kind: pbx.Unavailable, Msg: "the PBX is being stopped"}
	}
	select {
	case <-m.done:
		return m.prompt, m.err
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a prompt: %w", ctx.Err())
	}
}

// begin begins to make a sound unless that is under way; nil after Close.
func (l *Library) begin(s source) *making {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.pending[s.key]
	if m == nil && !l.closed {
		m = &making{done: make(chan struct{})}
		l.pending[s.key] = m
		l.wg.Go(func() { l.make(m, s) })
	}
	return m
}

// make makes a sound. It goes on when those who wanted it have gone: the next will.
func (l *Library) make(m *making, s source) {
	defer func() {
		if r := recover(); r != nil {
			m.err = fmt.Errorf("make a prompt: panic: %v", r)
			l.o.Log.Error("prompt broke", "panic", r, "stack", string(debug.Stack()))
		}
		l.mu.Lock()
		delete(l.pending, s.key)
		l.mu.Unlock()
		close(m.done)
	}()
	pcm, err := l.inTurn(l.life, s)
	if err != nil {
		m.err = err
		return
	}
	if m.prompt, err = media.NewPrompt(pcm.Samples, pcm.Rate); err != nil {
		m.err = &pbx.Error{Kind: pbx.Invalid, Msg: "it cannot be played", Err: err}
		return
	}
	l.cache.put(s.key, m.prompt)
}

// inTurn makes a sound when it is its turn. Who waits for the speech engine takes none
// away from sounds that need no engine.
func (l *Library) inTurn(ctx context.Context, s source) (audio.PCM, error) {
	if !s.spoken {
		select {
		case l.turns <- struct{}{}:
		case <-ctx.Done():
			return audio.PCM{}, &pbx.Error{Kind: pbx.Unavailable, Msg: "it was not its turn in time", Err: ctx.Err()}
		}
		defer func() { <-l.turns }()
	}
	return s.make(ctx)
}

// text is a text in words, from recorded phrases where the company has all of them,
// otherwise from the speech engine: never half of each.
func (l *Library) text(c *pbx.Company, p *pbx.Prompt, values Values) (source, error) {
	language := p.Language
	if language == "" {
		language = c.Language()
	}
	t, err := words.Parse(p.Text)
	if err != nil {
		return source{}, &pbx.Error{Kind: pbx.Invalid, Msg: err.Error(), Err: err}
	}
	if values == nil {
		values = func(string) (string, bool) { return "", false }
	}
	spoken, err := t.Say(words.Base(language), c.Currency(), values)
	if err != nil {
		return source{}, &pbx.Error{Kind: pbx.Invalid, Msg: err.Error()}
	}
	if spoken == "" {
		return source{}, &pbx.Error{Kind: pbx.Invalid, Msg: "there is nothing to say"}
	}
	if pieces, ok := l.phrases(c, words.Base(language), spoken); ok {
		return joined(pieces), nil
	}
	r := speech.Request{Text: spoken, Language: language, Voice: p.Voice}
	return source{key: "text " + l.o.Speech.Key(r), spoken: true, make: func(ctx context.Context) (audio.PCM, error) {
		pcm, err := l.o.Speech.Say(ctx, r)
		if err != nil {
			return audio.PCM{}, &pbx.Error{Kind: pbx.Unavailable, Msg: reason(err), Err: err}
		}
		return at(pcm, min(pcm.Rate, rate), false), nil
	}}, nil
}

// reason is what the record of a call says about an error of the speech engine.
func reason(err error) string {
	for _, known := range []error{speech.ErrNone, speech.ErrTimeout, speech.ErrResting} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return speech.ErrFailed.Error()
}

// Stored is a sound that was uploaded.
type Stored struct {
	Hash   string        // SHA-256 of what is kept, hex
	Size   int64         // bytes of it
	Length time.Duration // that it sounds
}

// Add checks and normalises a sound file from outside and keeps it for a company. The
// error is a pbx.Error of kind Invalid when it is no sound that can be used; it says
// why.
func (l *Library) Add(ctx context.Context, t pbx.TenantID, data []byte) (Stored, error) {
	select {
	case l.turns <- struct{}{}:
	case <-ctx.Done():
		return Stored{}, fmt.Errorf("wait for a turn: %w", ctx.Err())
	}
	defer func() { <-l.turns }()
	pcm, err := normal(data, true)
	if err != nil {
		return Stored{}, err
	}
	wav, err := audio.EncodeWAV(pcm)
	if err != nil {
		return Stored{}, fmt.Errorf("encode a prompt: %w", err)
	}
	sum := sha256.Sum256(wav)
	s := Stored{Hash: hex.EncodeToString(sum[:]), Size: int64(len(wav)), Length: pcm.Duration()}
	file, err := l.path(t, s.Hash)
	if err != nil {
		return Stored{}, err
	}
	if err := write(file, wav); err != nil {
		return Stored{}, fmt.Errorf("keep a prompt: %w", err)
	}
	return s, nil
}

// write writes a file as a whole or not at all.
func write(file string, data []byte) error {
	now := time.Now()
	if err := os.Chtimes(file, now, now); err == nil {
		return nil // its name is its content; it is fresh again, for Sweep
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err == nil { // the document will name it
		return errors.Join(durable.SyncDir(dir), durable.SyncDir(filepath.Dir(dir)))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Stat tells about an uploaded sound.
func (l *Library) Stat(t pbx.TenantID, hash string) (Stored, error) {
	file, err := l.path(t, hash)
	if err != nil {
		return Stored{}, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return Stored{}, &pbx.Error{Kind: pbx.NotFound, Msg: "the sound is not there", Err: err}
	}
	const header = 44
	f, err := os.Open(file)
	if err != nil {
		return Stored{}, fmt.Errorf("open a prompt: %w", err)
	}
	defer f.Close()
	var head [header]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return Stored{}, fmt.Errorf("read a prompt: %w", err)
	}
	perSecond := 2 * (int64(head[24]) | int64(head[25])<<8) // mono, 16 bits
	return Stored{hash, info.Size(), time.Duration(info.Size()-header) * time.Second / time.Duration(max(perSecond, 1))}, nil
}

// Sweep removes the uploaded sounds of a company that it does not have any more, but
// none of the last minutes: an upload may be under way.
func (l *Library) Sweep(c *pbx.Company) error {
	var used []string
	for _, p := range c.Prompts {
		used = append(used, p.Sound)
	}
	for _, e := range c.Extensions {
		if e.Personal != nil {
			used = append(used, e.Personal.Greeting)
		}
	}
	dir := filepath.Join(l.o.Dir, string(c.ID))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || slices.Contains(used, strings.TrimSuffix(e.Name(), suffix)) || time.Since(info.ModTime()) < fresh {
			continue
		}
		errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
	}
	return errors.Join(append(errs, err)...)
}

const suffix = ".wav"

// path gives the file of an uploaded sound.
func (l *Library) path(t pbx.TenantID, hash string) (string, error) {
	plain := func(s, letters string, most int) bool {
		return s != "" && len(s) <= most && strings.Trim(s, letters) == ""
	}
	const digits = "0123456789"
	if !plain(string(t), "abcdefghijklmnopqrstuvwxyz-"+digits, 40) || len(hash) != 2*sha256.Size || !plain(hash, "abcdef"+digits, 64) {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "there is no such sound"}
	}
	return filepath.Join(l.o.Dir, string(t), hash+suffix), nil
}
