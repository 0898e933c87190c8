package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
	"vpbx/media/audio"
	"vpbx/pbx"
)

func tenantID(s string) pbx.TenantID { return pbx.TenantID(s) }

// play carries a script out and waits until all calls are over.
func (w *world) play(s *script) error {
	if err := w.start(); err != nil {
		return err
	}
	for _, a := range w.order {
		if a.isExtension() && !a.c.has("unregistered") {
			if err := a.register(w.ctx, &a.c, false); err != nil {
				return err
			}
			if r := a.last; r == nil || !r.OK() {
				return fmt.Errorf("line %d: %s cannot register", a.c.line, a.name)
			}
		}
		if a.b.dead {
			a.phone.Gone()
		}
	}
	time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
	w.log.begin()
	w.perform(s)
	return w.settle()
}

// perform does the actions of a script at their times and waits until all are done. An
// action sees what those before it have done, also when they took until this moment.
func (w *world) perform(s *script) {
	var deeds []chan struct{}
	for i := range s.actions {
		c := &s.actions[i]
		time.Sleep(time.Until(w.log.start.Add(c.at)))
		synctest.Wait()
		done := make(chan struct{})
		deeds = append(deeds, done)
		w.wg.Go(func() {
			defer close(done)
			if err := w.act(c); err != nil {
				w.fail(fmt.Errorf("line %d: %w", c.line, err))
			}
		})
		synctest.Wait()
	}
	for _, d := range deeds {
		<-d
	}
}

// settle waits until nobody has a call any more and what SIP has to repeat is
// repeated, and starts the PBX again when it is down.
func (w *world) settle() error {
	if w.engine == nil {
		if err := w.start(); err != nil {
			return err
		}
	}
	for began := time.Now(); ; time.Sleep(time.Second) {
		var live struct{ Items []json.RawMessage }
		for _, company := range []string{"acme", "umbra"} {
			var some struct{ Items []json.RawMessage }
			if err := w.get(company, "calls?live=true", &some); err != nil {
				return err
			}
			live.Items = append(live.Items, some.Items...)
		}
		if len(live.Items) == 0 {
			break
		}
		if time.Since(began) > 5*time.Hour {
			return fmt.Errorf("a call does not end: %s", live.Items[0])
		}
	}
	time.Sleep(80 * time.Second) // twice 64·T1 and more
	return nil
}

// act does one line.
func (w *world) act(c *command) error {
	switch c.verb {
	case "agent":
		a := w.agent(c.who)
		if a == nil {
			return fmt.Errorf("there is no %s", c.who)
		}
		return a.do(w.ctx, c)
	case "call":
		a := w.agent(c.args[0])
		if a == nil {
			return fmt.Errorf("there is no %s", c.args[0])
		}
		return a.dial(c)
	case "attempt":
		return w.attempt(c)
	case "start":
		w.log.add("pbx", "starts")
		return w.start()
	case "stop":
		w.log.add("pbx", "is told to stop")
		err := w.stop()
		w.log.add("pbx", "has stopped")
		return err
	case "kill":
		w.log.add("pbx", "is killed")
		return w.kill()
	case "reload":
		return w.reload(c)
	case "put":
		return w.put(c)
	case "api":
		return w.ask(c)
	case "listen":
		return w.hearEvents(c.args[0], c.opts["show"])
	case "report":
		return w.equalToRecords(c.args[0])
	case "rtk":
		return w.integrate(c)
	case "fetch":
		return w.fetch(c)
	case "metric":
		return w.metric(c.args[0])
	case "send":
		return w.send(c)
	case "disk":
		return w.disk(c.args[0])
	case "prompt":
		w.log.add("prompt", "is %s", c.args[0])
		return os.WriteFile(filepath.Join(w.files, "welcome.wav"), []byte("RIFF"), 0o600)
	case "s3":
		return w.tellStorage(c.args[0])
	case "store":
		return w.lockOrFree(c.args[0])
	case "mail-is":
		w.log.add("mail", "is %s", c.args[0])
		w.mail.way.Store(&c.args[0])
	case "amo":
		return w.actAmo(c)
	case "crm-is":
		w.log.add("crm", "is %s", c.args[0])
		w.crm.down.Store(c.args[0] == "down")
	}
	return nil
}

func (w *world) agent(name string) *agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.agents[name]
}

// do is what agents can do.
func (a *agent) do(ctx context.Context, c *command) error {
	switch said := strings.Join(c.args, " "); said {
	case "registers":
		if err := a.relogin(c); err != nil {
			return err
		}
		return a.register(ctx, c, false)
	case "unregisters":
		r, err := a.phone.Unregister(ctx)
		return a.answered("unregisters", r, err)
	case "unregisters all":
		r, err := a.phone.UnregisterAll(ctx)
		return a.answered("unregisters everywhere", r, err)
	case "asks for bindings":
		r, err := a.phone.Query(ctx)
		if err == nil {
			a.note("has %d contacts registered", len(r.Contacts))
		}
		return err
	case "options":
		r, err := a.phone.Request(ctx, "OPTIONS", phone.RequestOptions{})
		return a.answered("asks OPTIONS", r, err)
	case "replays":
		return a.replay(ctx)
	case "counts pings":
		a.note("has heard %d keepalives", a.phone.Pings())
	case "is cut off":
		a.note("is cut off")
		a.link.Set(simnet.LinkOptions{Down: true})
	case "drops its connection":
		a.note("drops its connection")
		a.phone.Disconnect()
	case "is back":
		a.note("is back")
		a.link.Set(simnet.LinkOptions{})
	case "drops its quirk":
		err := a.checkQuirk()
		a.quirk.Store(nil)
		return err
	case "forgets its mappings":
		a.w.net.ForgetNAT(a.public)
	case "crashes":
		a.note("crashes")
		a.crashed = true
		a.phone.Gone()
	default:
		if done, err := a.doPresence(ctx, said, c); done {
			return err
		}
		if victim, ok := strings.CutPrefix(said, "injects into "); ok {
			return a.inject(victim)
		}
		if quirk, ok := strings.CutPrefix(said, "takes up the quirk "); ok {
			return a.takeUp(quirk)
		}
		leg, named := a.legOf(c)
		if leg == nil {
			a.note("has no call: %s%s", said, named)
			return nil
		}
		return a.doInCall(ctx, c, leg, named)
	}
	return nil
}

// doInCall is what agents can do in a call.
func (a *agent) doInCall(ctx context.Context, c *command, leg *phone.Call, named string) error {
	switch said := strings.Join(c.args, " "); said {
	case "holds":
		a.note("holds%s", named)
		return a.told(leg.Hold(ctx))
	case "resumes":
		if c.opts["offer"] == "none" {
			a.note("resumes without an offer%s", named)
			r, err := leg.ResumeWithoutOffer(ctx)
			return a.answered("re-INVITE", r, err)
		}
		a.note("resumes%s", named)
		return a.told(leg.Resume(ctx))
	case "reads the answer":
		a.note("was told %s%s", saidIn(leg.LastRemoteSDP()), named)
	case "restarts ICE":
		a.note("restarts ICE%s", named)
		leg.RestartICE()
		r, err := leg.ReInvite(ctx, nil)
		return a.answered("re-INVITE", r, err)
	case "re-offers":
		a.note("offers again%s", named)
		r, err := leg.ReInvite(ctx, nil)
		return a.answered("re-INVITE", r, err)
	case "hangs up":
		a.hangUpNamed(leg, named)
	case "goes silent":
		a.note("goes silent%s", named)
		leg.Misbehave(phone.Misbehave{Mute: true})
	case "speaks again":
		a.note("speaks again%s", named)
		leg.Misbehave(phone.Misbehave{})
	case "stops answering":
		leg.Gone()
	case "hears":
		digits := leg.Digits()
		if digits != "" {
			digits = " and the digits " + digits
		}
		if keys := leg.InfoDigits(); keys != "" {
			digits += " and the digits " + keys + " by INFO"
		}
		if keys := leg.ToneDigits(); keys != "" {
			digits += " and the digits " + keys + " as tones"
		}
		a.note("hears %s%s%s", a.w.hears(leg), digits, named)
	default:
		if keys, ok := strings.CutPrefix(said, "presses "); ok {
			return a.press(ctx, c, keys, leg, named)
		}
		return a.refer(ctx, c, leg, named)
	}
	return nil
}

// press sends digits as telephone events, as tones or in INFO requests, or in several
// of these ways at once.
func (a *agent) press(ctx context.Context, c *command, keys string, leg *phone.Call, named string) error {
	ways := strings.Split(c.opts["by"], "+")
	said := map[string]string{"": "", "rfc4733": " as events", "inband": " as tones", "info": " by INFO"}
	line := "presses " + keys
	for i, by := range ways {
		text, ok := said[by]
		if !ok {
			return fmt.Errorf("digits are not pressed by=%s", by)
		}
		if i > 0 {
			line += " and"
		}
		line += text
	}
	a.note("%s%s", line, named)
	for _, by := range ways {
		var err error
		switch by {
		case "info":
			err = leg.SendINFO(ctx, keys)
		case "inband":
			err = leg.SendTones(keys)
		default:
			err = leg.SendDTMF(keys)
		}
		if err := a.told(err); err != nil {
			return err
		}
	}
	return nil
}

// answered writes down what became of a request.
func (a *agent) answered(what string, r *phone.Reply, err error) error {
	if err != nil {
		a.note("%s: no answer", what)
		return nil
	}
	a.note("%s: %s", what, statusOf(r))
	return nil
}

// told writes down that a request in a call did not work.
func (a *agent) told(err error) error {
	if err != nil {
		a.note("cannot: %v", err)
	}
	return nil
}

// relogin makes the phone anew when it is to register with another password.
func (a *agent) relogin(c *command) error {
	password, ok := c.opts["password"]
	if !ok {
		return nil
	}
	if err := a.phone.Close(); err != nil {
		return err
	}
	a.cfg.Password = password
	return a.switchOn()
}

// replay sends the credentials of the last REGISTER again.
func (a *agent) replay(ctx context.Context) error {
	if a.last == nil {
		return errors.New("it has not registered yet")
	}
	_, value, _ := strings.Cut(a.last.Authorization, ": ")
	r, err := a.phone.Request(ctx, "REGISTER", phone.RequestOptions{Headers: map[string]string{"Authorization": value}})
	if err == nil && r.Status == 401 {
		stale := strings.Contains(strings.ToLower(r.Header("WWW-Authenticate")), "stale=true")
		a.note("replays its credentials: 401, stale %t", stale)
		return nil
	}
	return a.answered("replays its credentials", r, err)
}

// inject sends sound of its own to where the PBX hears somebody else.
func (a *agent) inject(victim string) error {
	v := a.w.agent(victim)
	if v == nil {
		return fmt.Errorf("there is no %s", victim)
	}
	leg := v.leg()
	if leg == nil {
		return fmt.Errorf("%s has no call", victim)
	}
	return a.shoot(leg.RemoteRTPAddr(), victim)
}

// shoot sends two seconds of the intruder's tone and counts what comes back.
func (a *agent) shoot(to netip.AddrPort, victim string) error {
	conn, err := a.host.ListenPacket("udp", a.host.Addrs()[0].String()+":0")
	if err != nil {
		return err
	}
	defer conn.Close()
	samples, payload := make([]int16, 160), make([]byte, 160)
	phase, back := 0.0, 0
	buf := make([]byte, 2048)
	for i := range 100 {
		phase = audio.Tone(samples, 8000, intruderTone, 0.3, phase)
		audio.EncodeALaw(payload, samples)
		packet := append([]byte{0x80, 8, byte(i >> 8), byte(i), 0, 0, byte(i * 160 >> 8), byte(i * 160), 0xde, 0xad, 0xbe, 0xef}, payload...)
		if _, err := conn.WriteTo(packet, net.UDPAddrFromAddrPort(to)); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
		if _, _, err := conn.ReadFrom(buf); err == nil {
			back++
		}
	}
	a.note("sent 100 packets where the PBX hears %s, %d came back", victim, back)
	return nil
}

// reload changes the company file and tells the PBX to read it.
func (w *world) reload(c *command) error {
	if w.engine == nil {
		return errors.New("the PBX does not run")
	}
	w.acme = replace(w.acme, c.block)
	if err := os.WriteFile(filepath.Join(w.files, "acme.yaml"), []byte(w.acme), 0o600); err != nil {
		return err
	}
	w.log.add("pbx", "is told to read its files")
	w.engine.reload <- os.Interrupt // any signal will do
	return nil
}

// send sends bytes as they are and writes down the status lines that come back
// within three seconds.
func (w *world) send(c *command) error {
	a := w.agent(c.args[1])
	if a == nil {
		return fmt.Errorf("there is no %s", c.args[1])
	}
	text := strings.ReplaceAll(c.block, "\n", "\r\n") + "\r\n\r\n"
	times, err := c.number("times", 1)
	if err != nil {
		return err
	}
	if c.args[0] == "tcp" && times > 1 {
		text = strings.Repeat(c.block+"\r\n", times) // one endless message
	}
	conn, err := a.host.Dial(w.ctx, c.args[0], pbxIP+":"+sipPort)
	if err != nil {
		a.note("cannot connect: %v", err)
		return nil
	}
	defer conn.Close()
	began := time.Now()
	if err := conn.SetDeadline(began.Add(3 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		a.note("the connection is closed while it sends")
		return nil
	}
	var answers []string
	buf := make([]byte, 65536)
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			answers = append(answers, "the connection is closed")
			break
		}
		first, _, _ := strings.Cut(string(buf[:n]), "\r\n")
		if answer := strings.TrimPrefix(first, "SIP/2.0 "); !slices.Contains(answers, answer) {
			answers = append(answers, answer)
		}
	}
	if len(answers) == 0 {
		answers = []string{"no answer"}
	}
	w.log.addAt(began, a.name, "sends something and gets %s", strings.Join(answers, ", "))
	return nil
}

// disk makes recordings impossible, or possible again: a file is in the place of
// the company's directory.
func (w *world) disk(state string) error {
	dir := filepath.Join(w.cfg.Data, "recordings", "acme")
	w.log.add("disk", "is %s", state)
	if state == "broken" {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		return os.WriteFile(dir, nil, 0o600)
	}
	return os.Remove(dir)
}

// lockOrFree keeps the database from being written, or lets it.
func (w *world) lockOrFree(state string) (err error) {
	w.log.add("store", "is %s", state)
	if state == "locked" {
		w.lock, err = lockStore(w.cfg.Data)
		return err
	}
	return w.lock.free()
}
