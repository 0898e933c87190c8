package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"vpbx/config"
	"vpbx/events"
	"vpbx/mail"
	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/sounds"
)

// buildMail makes the sender of e-mails; without a server there is none.
func (a *App) buildMail() error {
	c := a.cfg.Mail
	if c.Server == "" {
		return nil
	}
	var roots *x509.CertPool
	if c.Certificate != "" {
		pem, err := os.ReadFile(c.Certificate)
		if err != nil {
			return fmt.Errorf("mail.certificate: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
			return errors.New("mail.certificate: there is no certificate in the file")
		}
	}
	var err error
	a.mail, err = mail.NewSender(mail.Options{Server: c.Server, TLS: c.TLS, Username: c.Username, Password: c.Password, From: c.From, Roots: roots,
		Dial: a.host.Dial, Queue: a.store, Sound: a.mailSound, Sent: a.mailSent, Log: a.log, Metrics: a.metrics})
	return err
}

// mailed wakes the sender.
func (a *App) mailed() {
	if a.up.Load() && a.mail != nil {
		a.mail.Wake()
	}
}

// mailSound gives a recording as a file that goes with an e-mail: MP3 where the machine
// has an encoder, otherwise WAV.
func (a *App) mailSound(ctx context.Context, t pbx.TenantID, s pbx.MailSound) (mail.File, error) {
	r, err := a.store.Recording(ctx, t, s.Recording)
	if err != nil {
		return mail.File{}, err
	}
	if r.Removed != nil {
		return mail.File{}, &pbx.Error{Kind: pbx.Gone, Msg: "the recording was removed"}
	}
	if a.cfg.Mail.Sound == config.MailMP3 {
		if data, err := readSound(a.recordings.OpenAs(ctx, t, s.Recording, "mp3")); err == nil {
			return mail.File{Name: s.Name + ".mp3", Type: "audio/mpeg", Data: data}, nil
		}
	}
	data, err := readSound(a.recordings.Open(t, s.Recording))
	if err != nil {
		return mail.File{}, err
	}
	// Both sides of a message are the same: one of them is half the size.
	pcm, err := audio.ReadSound(data, audio.Limits{Length: maxMailed})
	if err != nil {
		return mail.File{}, fmt.Errorf("read recording %s: %w", s.Recording, err)
	}
	wav, err := audio.EncodeWAV(pcm)
	if err != nil {
		return mail.File{}, fmt.Errorf("encode recording %s: %w", s.Recording, err)
	}
	return mail.File{Name: s.Name + ".wav", Type: "audio/wav", Data: wav}, nil
}

// maxMailed is above the longest message.
const maxMailed = 15 * time.Minute

func readSound(f io.ReadSeekCloser, size int64, _ time.Time, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > sounds.MaxFile {
		return nil, &pbx.Error{Kind: pbx.Invalid, Msg: "the recording is too large for an e-mail"}
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(io.LimitReader(f, sounds.MaxFile))
	return b.Bytes(), err
}

// mailSent removes the sound of an e-mail that was sent where the box wants that.
func (a *App) mailSent(ctx context.Context, t pbx.TenantID, m pbx.Mail) error {
	if m.Sound == nil || !m.Sound.Remove {
		return nil
	}
	err := a.keeper.Remove(ctx, t, m.Sound.Recording, pbx.Removal{At: time.Now().UTC(), By: pbx.ByMail, Why: "sent by e-mail"})
	if pbx.KindOf(err) == pbx.Gone {
		return nil
	}
	return err
}

// boxed tells phones and whoever watches what is in a box now.
func (a *App) boxed(b pbx.BoxState) {
	if a.up.Load() {
		a.sip.Mailbox(b.Tenant, b.Box, b.Mailbox)
	}
	kind := "voicemail.changed"
	if b.Left != nil {
		kind = "voicemail.left"
	}
	a.bus.Publish(events.Event{Tenant: b.Tenant, Kind: kind, At: time.Now(), Body: b})
}

// sweepBoxes removes the messages of a company that its boxes keep no longer. Those of a
// box that was taken away are kept for as long as boxes do that do not say.
func (a *App) sweepBoxes(ctx context.Context, c *pbx.Company, now time.Time) error {
	boxes, err := a.store.UsedBoxes(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, number := range boxes {
		keep := pbx.BoxKeep
		if box := c.Box(number); box != nil {
			keep = box.Keep
		}
		if keep <= 0 {
			continue
		}
		if err := a.sweepBox(ctx, c.ID, number, keep, now); err != nil {
			return err
		}
	}
	return nil
}

// sweepBox removes the messages of one box that are older than keep.
func (a *App) sweepBox(ctx context.Context, t pbx.TenantID, number string, keep time.Duration, now time.Time) error {
	why := pbx.Removal{At: now, By: pbx.ByRetention, Why: fmt.Sprintf("messages of %s are kept for %g hours", number, keep.Hours())}
	for {
		old, err := a.store.ExpiredMessages(ctx, t, number, now.Add(-keep), sweepBatch)
		if err != nil {
			return err
		}
		for _, id := range old {
			if err := a.keeper.Remove(ctx, t, id, why); err != nil && pbx.KindOf(err) != pbx.Gone {
				return fmt.Errorf("remove message %s: %w", id, err)
			}
		}
		if len(old) < sweepBatch {
			return nil
		}
	}
}

// sweepBatch is how many messages are listed at once.
const sweepBatch = 100
