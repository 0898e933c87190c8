package app

import (
	"fmt"
	"path/filepath"

	"vpbx/sounds"
	"vpbx/speech"
)

// buildLibrary makes the speech engine and what makes prompts with it.
func (a *App) buildLibrary() error {
	c := a.cfg.Speech
	var engine speech.Engine
	switch c.Engine {
	case "espeak-ng":
		engine = speech.Espeak("")
	case "command":
		engine = speech.Command{Args: c.Command}
	case "http":
		a.engine = speech.NewHTTP(speech.HTTPOptions{URL: c.URL, Header: c.Header, Token: c.Token, Dial: a.host.Dial})
		engine = a.engine
	}
	speaker, err := speech.New(speech.Options{Engine: engine, Voice: c.Voice, Timeout: c.Timeout, AtOnce: c.AtOnce,
		Cache: filepath.Join(a.cfg.Data, "speech"), Log: a.log, Metrics: a.metrics})
	if err != nil {
		return fmt.Errorf("speech: %w", err)
	}
	a.library, err = sounds.New(sounds.Options{Dir: filepath.Join(a.cfg.Data, "sounds"), Speech: speaker, Log: a.log})
	if err != nil {
		return err
	}
	for _, company := range a.store.Directory().Companies() {
		if err := a.library.Sweep(company); err != nil {
			a.log.Warn("sounds that nobody has are still there", "tenant", company.ID, "error", err)
		}
	}
	return nil
}
