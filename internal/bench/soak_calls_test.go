package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vpbx/internal/phone"
)

// plays are the ways in which a desk uses the server, and how often each comes.
var plays = []struct {
	name   string
	weight int
	run    func(*desk, context.Context) error
}{
	{"plain", 10, (*desk).plain},
	{"hold", 4, (*desk).hold},
	{"re-offer", 4, (*desk).reoffer},
	{"dtmf", 3, (*desk).dtmf},
	{"blind transfer", 4, (*desk).blind},
	{"attended transfer", 4, (*desk).attended},
	{"failed transfer", 3, (*desk).failed},
	{"recall", 2, (*desk).recall},
	{"transfer by keys", 2, (*desk).byKeys},
	{"transfer by API", 2, (*desk).byAPI},
	{"pickup", 4, (*desk).pickup},
	{"pickup by Replaces", 2, (*desk).replaces},
	{"park", 4, (*desk).park},
	{"parked caller gives up", 1, (*desk).parkAndGiveUp},
	{"intercom", 3, (*desk).intercom},
	{"page", 3, (*desk).page},
	{"forward", 2, (*desk).forward},
	{"do not disturb", 2, (*desk).dnd},
	{"API hold", 2, (*desk).apiHold},
	{"API record", 3, (*desk).apiRecord},
	{"API supervise", 4, (*desk).supervise},
	{"API hang up", 2, (*desk).apiHangup},
	{"API originate", 3, (*desk).originate},
	{"API watch", 2, (*desk).watch},
	{"cancel", 4, (*desk).cancel},
	{"busy", 4, (*desk).busy},
	{"unregistered", 2, (*desk).unregistered},
	{"from outside, recorded", 5, (*desk).inbound},
	{"no answer", 2, (*desk).noAnswer},
	{"prompt", 2, (*desk).prompt},
	{"to outside", 3, (*desk).outbound},
	{"lost ACK", 2, (*desk).lostACK},
	{"crash in talk", 2, (*desk).crashInTalk},
	{"crash while ringing", 2, (*desk).crashRinging},
	{"connection lost", 2, (*desk).disconnect},
	{"lamp", 3, (*desk).lamp},
	{"message", 2, (*desk).message},
}

func (d *desk) plain(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) hold(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	holder := x
	if d.one(2) == 0 {
		holder = y
	}
	if err := errors.Join(holder.Hold(ctx), d.talk(x, y)); err != nil {
		return err
	}
	if d.one(4) > 0 {
		if err := errors.Join(holder.Resume(ctx), d.talk(x, y)); err != nil {
			return err
		}
	}
	return d.either(ctx, x, y)
}

// reoffer is a re-INVITE without an offer, or an UPDATE without one.
func (d *desk) reoffer(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	var reply *phone.Reply
	if d.one(3) == 0 {
		reply, err = x.Update(ctx, nil)
	} else {
		reply, err = x.ReInvite(ctx, nil)
	}
	if err != nil {
		return err
	}
	if !reply.OK() {
		return fmt.Errorf("re-offer: %d %s", reply.Status, reply.Reason)
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) dtmf(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if err := x.SendDTMF("12#"); err != nil {
		return err
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	if err := d.api(ctx, "POST", id+"/dtmf", `{"digits":"34","to":"`+d.b.ext+`"}`, 204, nil); err != nil {
		return err
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) blind(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	news, err := d.refer(ctx, y, d.c.ext, "")
	if err != nil {
		return err
	}
	z, err := d.take(ctx, d.c)
	if err != nil {
		return err
	}
	if err := errors.Join(d.outcome(ctx, news, 200), d.end(ctx, y), d.talk(x, z)); err != nil {
		return err
	}
	return d.either(ctx, x, z)
}

func (d *desk) attended(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := y.Hold(ctx); err != nil {
			return err
		}
	}
	ask, z, err := d.connect(ctx, d.b, d.c)
	if err != nil {
		return err
	}
	if err := d.talk(x, y, ask, z); err != nil {
		return err
	}
	from, other := y, ask
	if d.one(2) == 0 {
		from, other = other, from
	}
	to := d.c.ext
	if other == y {
		to = d.a.ext
	}
	news, err := d.refer(ctx, from, to, other.Dialog().Replaces())
	if err != nil {
		return err
	}
	if err := errors.Join(d.outcome(ctx, news, 200), d.end(ctx, y), d.end(ctx, ask), d.talk(x, z)); err != nil {
		return err
	}
	return d.either(ctx, x, z)
}

// failed is a transfer to somebody who is busy.
func (d *desk) failed(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	news, err := d.refer(ctx, y, d.c.ext, "")
	if err != nil {
		return err
	}
	z, err := d.rung(ctx, d.c)
	if err != nil {
		return err
	}
	if err := errors.Join(z.Reject(486), d.outcome(ctx, news, 486), d.pause(2*time.Second), d.talk(x, y)); err != nil {
		return err // one who hangs up sooner has not heard of it, and is called back
	}
	return d.either(ctx, x, y)
}

// recall is a failed transfer of which the transferor has gone.
func (d *desk) recall(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if _, err = d.refer(ctx, y, d.c.ext, ""); err != nil {
		return err
	}
	if err := d.end(ctx, y); err != nil {
		return err
	}
	z, err := d.rung(ctx, d.c)
	if err != nil {
		return err
	}
	if err := z.Reject(486); err != nil {
		return err
	}
	if y, err = d.take(ctx, d.b); err != nil {
		return err
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) byKeys(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if err := y.SendDTMF("##" + d.c.ext + "#"); err != nil {
		return err
	}
	return d.joined(ctx, x, y)
}

func (d *desk) byAPI(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	if err := d.api(ctx, "POST", id+"/transfer", `{"by":"`+d.b.ext+`","to":"`+d.c.ext+`"}`, 204, nil); err != nil {
		return err
	}
	return d.joined(ctx, x, y)
}

// joined takes the call at c, whose transferor is let go.
func (d *desk) joined(ctx context.Context, x, y *phone.Call) error {
	z, err := d.take(ctx, d.c)
	if err != nil {
		return err
	}
	if err := errors.Join(d.over(ctx, y), d.talk(x, z)); err != nil {
		return err
	}
	return d.either(ctx, x, z)
}

func (d *desk) pickup(ctx context.Context) error {
	code := "*8"
	if d.one(2) == 0 {
		code += d.b.ext
	}
	return d.pickedUp(ctx, func(*phone.Call) (*phone.Call, error) {
		return d.dial(ctx, d.c, code, phone.DialOptions{})
	})
}

// replaces picks up by the dialog that a lamp would tell.
func (d *desk) replaces(ctx context.Context) error {
	return d.pickedUp(ctx, func(y *phone.Call) (*phone.Call, error) {
		dialog := y.Dialog().Swapped()
		return d.dial(ctx, d.c, d.b.ext, phone.DialOptions{Headers: map[string]string{"Replaces": dialog.CallID + ";to-tag=" + dialog.LocalTag + ";from-tag=" + dialog.RemoteTag}})
	})
}

func (d *desk) pickedUp(ctx context.Context, pick func(ringing *phone.Call) (*phone.Call, error)) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	if err := x.WaitRinging(ctx); err != nil {
		return err
	}
	z, err := pick(y)
	if err != nil {
		return err
	}
	if err := errors.Join(z.Answered(ctx), x.Answered(ctx), d.over(ctx, y)); err != nil {
		return errors.Join(err, x.Hangup(ctx))
	}
	if err := d.talk(x, z); err != nil {
		return err
	}
	return d.either(ctx, x, z)
}

// parked has a call from a to b parked.
func (d *desk) parked(ctx context.Context) (*phone.Call, error) {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return nil, err
	}
	news, err := d.refer(ctx, y, d.orbit, "")
	if err != nil {
		return nil, err
	}
	return x, errors.Join(d.outcome(ctx, news, 200), d.end(ctx, y), d.talk(x))
}

func (d *desk) park(ctx context.Context) error {
	x, err := d.parked(ctx)
	if err != nil {
		return err
	}
	z, err := d.dial(ctx, d.c, d.orbit, phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := errors.Join(z.Answered(ctx), d.talk(x, z)); err != nil {
		return err
	}
	return d.either(ctx, x, z)
}

func (d *desk) parkAndGiveUp(ctx context.Context) error {
	x, err := d.parked(ctx)
	if err != nil {
		return err
	}
	return d.end(ctx, x)
}

func (d *desk) intercom(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, "*60"+d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.take(ctx, d.b)
	if err != nil {
		return err
	}
	if err := errors.Join(x.Answered(ctx), d.talk(x, y)); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) page(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, "*61"+d.group, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.take(ctx, d.b)
	if err != nil {
		return err
	}
	z, err := d.rung(ctx, d.c)
	if err != nil {
		return err
	}
	if d.one(3) > 0 { // else it rings until the page is over
		if err := z.Answer(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(x.Answered(ctx), d.talk(x, y, z)); err != nil {
		return err
	}
	return d.end(ctx, x, y, z)
}

func (d *desk) forward(ctx context.Context) error {
	if err := d.code(ctx, d.b, "*72"+d.c.ext); err != nil {
		return err
	}
	err := func() error {
		x, y, err := d.forwarded(ctx)
		if err != nil {
			return err
		}
		return d.either(ctx, x, y)
	}()
	return errors.Join(err, d.code(ctx, d.b, "*73"))
}

// forwarded is a call to b that c answers.
func (d *desk) forwarded(ctx context.Context) (x, y *phone.Call, err error) {
	if x, err = d.dial(ctx, d.a, d.b.ext, phone.DialOptions{}); err != nil {
		return nil, nil, err
	}
	if y, err = d.take(ctx, d.c); err != nil {
		return nil, nil, err
	}
	return x, y, errors.Join(x.Answered(ctx), d.talk(x, y))
}

func (d *desk) dnd(ctx context.Context) error {
	if err := d.code(ctx, d.b, "*78"); err != nil {
		return err
	}
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err == nil {
		err = d.refused(ctx, x, 486)
	}
	return errors.Join(err, d.code(ctx, d.b, "*79"))
}

func (d *desk) apiHold(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	if err := errors.Join(d.api(ctx, "POST", id+"/hold", `{"by":"`+d.b.ext+`"}`, 204, nil), d.talk(x, y)); err != nil {
		return err
	}
	if d.one(3) > 0 {
		if err := errors.Join(d.api(ctx, "POST", id+"/resume", "", 204, nil), d.talk(x, y)); err != nil {
			return err
		}
	}
	return d.either(ctx, x, y)
}

func (d *desk) apiRecord(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	if err := errors.Join(d.api(ctx, "POST", id+"/record", `{"on":true}`, 204, nil), d.talk(x, y)); err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := errors.Join(d.api(ctx, "POST", id+"/record", `{"on":false}`, 204, nil), d.talk(x, y)); err != nil {
			return err
		}
	}
	return d.either(ctx, x, y)
}

// supervise has c listen, whisper or barge in, perhaps while it is recorded.
func (d *desk) supervise(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := d.api(ctx, "POST", id+"/record", `{"on":true}`, 204, nil); err != nil {
			return err
		}
	}
	way := []string{"listen", "whisper", "barge"}[d.one(3)]
	body := `{"from":"` + d.c.ext + `"`
	if way == "whisper" {
		body += `,"to":"` + d.b.ext + `"`
	}
	if err := d.api(ctx, "POST", id+"/"+way, body+"}", 202, nil); err != nil {
		return err
	}
	d.s.made.Add(1)
	z, err := d.take(ctx, d.c)
	if err != nil {
		return err
	}
	if err := d.talk(x, y, z); err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := errors.Join(d.end(ctx, z), d.talk(x, y)); err != nil {
			return err
		}
	}
	return errors.Join(d.either(ctx, x, y), d.over(ctx, z))
}

func (d *desk) apiHangup(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := errors.Join(y.Answer(ctx), x.Answered(ctx), d.talk(x, y)); err != nil {
			return err
		}
	}
	id, err := d.live(ctx, d.a)
	if err != nil {
		return err
	}
	return errors.Join(d.api(ctx, "POST", id+"/hangup", "", 204, nil), d.over(ctx, x, y))
}

func (d *desk) originate(ctx context.Context) error {
	if err := d.api(ctx, "POST", "calls", `{"from":"`+d.a.ext+`","to":"`+d.b.ext+`"}`, 202, nil); err != nil {
		return err
	}
	d.s.made.Add(1)
	x, err := d.rung(ctx, d.a)
	if err != nil {
		return err
	}
	if d.one(4) == 0 {
		return x.Reject(603)
	}
	if err := x.Answer(ctx); err != nil {
		return err
	}
	y, err := d.take(ctx, d.b)
	if err != nil {
		return err
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

// watch has a stream of events and a capture open for the length of a call, and
// reads it as a capture file.
func (d *desk) watch(ctx context.Context) error {
	short, leave := context.WithCancel(ctx)
	defer leave()
	gone := make(chan struct{}, 2)
	for method, path := range map[string]string{"GET": "events", "POST": "extensions/" + d.a.ext + "/capture"} {
		go func() {
			_ = d.api(short, method, path, `{"seconds":60}`, 200, nil) // ends with the context
			gone <- struct{}{}
		}()
	}
	x, y, err := d.connect(ctx, d.a, d.b)
	if err == nil {
		err = d.talk(x, y)
	}
	if err == nil {
		var id string
		if id, err = d.live(ctx, d.a); err == nil {
			err = errors.Join(d.api(ctx, "GET", id+"/pcap", "", 200, nil), d.either(ctx, x, y))
		}
	}
	leave()
	<-gone
	<-gone
	return err
}

func (d *desk) cancel(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := x.WaitRinging(ctx); err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	return errors.Join(x.Cancel(ctx), d.over(ctx, y))
}

func (d *desk) busy(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	status := []int{486, 480, 603}[d.one(3)]
	return errors.Join(y.Reject(status), d.refused(ctx, x, 486, 480, 603))
}

func (d *desk) unregistered(ctx context.Context) error {
	if reply, err := d.b.p.Unregister(ctx); err != nil || !reply.OK() {
		return fmt.Errorf("unregister: %v", err)
	}
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err == nil {
		err = d.refused(ctx, x, 480)
	}
	reply, again := d.b.p.Register(ctx, 2*time.Minute)
	if again == nil && !reply.OK() {
		again = fmt.Errorf("register again: %d", reply.Status)
	}
	return errors.Join(err, again)
}

func (d *desk) inbound(ctx context.Context) error {
	x, err := d.fromOutside(ctx, d.did)
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	z, err := d.rung(ctx, d.c)
	if err != nil {
		return err
	}
	if d.one(2) == 0 {
		y, z = z, y
	}
	if err := errors.Join(y.Answer(ctx), x.Answered(ctx), d.over(ctx, z), d.talk(x, y)); err != nil {
		return err
	}
	return d.either(ctx, x, y)
}

func (d *desk) noAnswer(ctx context.Context) error {
	x, err := d.fromOutside(ctx, d.did)
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	z, err := d.rung(ctx, d.c)
	if err != nil {
		return err
	}
	return errors.Join(d.refused(ctx, x, 480), d.over(ctx, y, z))
}

// prompt is heard, whole or in part.
func (d *desk) prompt(ctx context.Context) error {
	x, err := d.fromOutside(ctx, promptNumber)
	if err != nil {
		return err
	}
	if err := x.Answered(ctx); err != nil {
		return err
	}
	if d.one(2) == 0 {
		return d.over(ctx, x)
	}
	if err := d.pause(200 * time.Millisecond); err != nil {
		return err
	}
	return d.end(ctx, x)
}

func (d *desk) outbound(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.outside, phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := errors.Join(x.Answered(ctx), d.talk(x)); err != nil {
		return err
	}
	return d.end(ctx, x)
}

// lostACK leaves a call without ACK. The called hangs up, or neither does; the
// server can send its BYE to the caller after 64*T1 only (RFC 3261 §15), and the
// desk goes on meanwhile.
func (d *desk) lostACK(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{Misbehave: &phone.Misbehave{NoACK: true}})
	if err != nil {
		return err
	}
	y, err := d.take(ctx, d.b)
	if err != nil {
		return err
	}
	if d.one(2) == 0 {
		if err := d.end(ctx, y); err != nil {
			return err
		}
	}
	d.later.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		legs := []*phone.Call{x, y}
		if d.b.transport != "udp" {
			legs = legs[:1] // nobody can tell y of the end when its connection was lost meanwhile
		}
		if err := d.over(ctx, legs...); err != nil {
			d.s.wrong("lost ACK", err)
		}
	})
	return nil
}

// crashInTalk closes the sockets of one of two who talk. The other hangs up, or
// the call ends for want of sound.
func (d *desk) crashInTalk(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	victim, left := d.a, y
	if d.one(2) == 0 {
		victim, left = d.b, x
	}
	if err := victim.crash(ctx); err != nil {
		return err
	}
	if d.one(2) == 0 {
		return d.end(ctx, left)
	}
	return d.over(ctx, left)
}

// crashRinging closes the sockets of the caller or of the phone that rings.
func (d *desk) crashRinging(ctx context.Context) error {
	x, err := d.dial(ctx, d.a, d.b.ext, phone.DialOptions{})
	if err != nil {
		return err
	}
	y, err := d.rung(ctx, d.b)
	if err != nil {
		return err
	}
	if err := x.WaitRinging(ctx); err != nil {
		return err
	}
	if d.one(2) == 0 {
		return errors.Join(d.b.crash(ctx), x.Cancel(ctx))
	}
	if err := d.a.crash(ctx); err != nil {
		return err
	}
	if d.one(2) == 0 {
		_ = y.Reject(486) // the server may have seen the caller go
	} else if y.Answer(ctx) == nil {
		return y.Hangup(ctx)
	}
	return d.over(ctx, y)
}

// disconnect loses the connection of one side in a talk; the phone comes back on
// another one and tells the server so by an offer.
func (d *desk) disconnect(ctx context.Context) error {
	x, y, err := d.connect(ctx, d.a, d.b)
	if err != nil {
		return err
	}
	d.b.p.Disconnect()
	if reply, err := d.b.p.Register(ctx, 2*time.Minute); err != nil || !reply.OK() {
		return fmt.Errorf("register after the connection is lost: %v", err)
	}
	if reply, err := y.ReInvite(ctx, nil); err != nil || !reply.OK() {
		return fmt.Errorf("re-INVITE after the connection is lost: %v", err)
	}
	if err := d.talk(x, y); err != nil {
		return err
	}
	return d.end(ctx, x, y)
}

// lamp watches b during a call; now and then the subscription is left to lapse.
func (d *desk) lamp(ctx context.Context) error {
	event := []string{"dialog", "presence"}[d.one(2)]
	sub, reply, err := d.c.p.Subscribe(ctx, event, d.b.ext, time.Minute)
	if err != nil {
		return err
	}
	if sub == nil {
		return fmt.Errorf("SUBSCRIBE: %d %s", reply.Status, reply.Reason)
	}
	if err := d.plain(ctx); err != nil {
		return err
	}
	if d.one(5) == 0 {
		return nil
	}
	if reply, err = sub.Renew(ctx, 0); err == nil && !reply.OK() {
		err = fmt.Errorf("unsubscribe: %d %s", reply.Status, reply.Reason)
	}
	return err
}

func (d *desk) message(ctx context.Context) error {
	reply, err := d.a.p.Request(ctx, "MESSAGE", phone.RequestOptions{URI: d.b.ext, MIME: "text/plain", Body: []byte("hello")})
	if err == nil && !reply.OK() {
		err = fmt.Errorf("MESSAGE: %d %s", reply.Status, reply.Reason)
	}
	return err
}
