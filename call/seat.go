package call

import (
	"slices"
	"sync/atomic"
	"time"

	"vpbx/media"
	"vpbx/pbx"
)

// maxMet bounds the names of those whom a member has met.
const maxMet = pbx.MaxConference

// seat is the place of a call in a room. What stands above the line never
// changes once the seat is asked for; the rest is the room's.
type seat struct {
	call      pbx.CallID
	who, name string
	moderator bool
	session   *media.Session
	mail      chan any      // of the call
	left      chan struct{} // closed when the call listens no more
	held      atomic.Bool   // its phone holds the conference: the call sets it

	joined time.Time // zero: not yet
	muted  bool
	silent bool // held, as the sound has it
	gain   float64
	role   media.Role // as the sound has it
	lonely bool       // it hears music
	met    []string
}

// What calls ask of a room.
type (
	// takeSeat asks for a place, before the sound is there.
	takeSeat struct {
		s     *seat
		reply chan *refusal // has room for one; nil: granted
	}
	// comeIn brings the sound.
	comeIn struct {
		s     *seat
		reply chan error // likewise
	}
	// goOut gives the place back.
	goOut struct {
		s     *seat
		reply chan farewell // likewise
	}
	// look says that held of a seat has changed.
	look struct{}
	// keyed is a key of a member, behind a star.
	keyed struct {
		s   *seat
		key byte
	}
	// roomCommand is done by the goroutine of the room.
	roomCommand struct {
		do    func(*room) error
		reply chan error // likewise
	}
)

// farewell is what a call learns of the room when it leaves.
type farewell struct {
	met  []string
	made []pbx.Recording // are now for the record of the call to have
}

// What a room tells its calls.
type (
	// cameIn is the first: from now the member hears and is heard.
	cameIn struct{ s *seat }
	// lonely says whether there is nobody to hear, so that music is played.
	lonely struct {
		s  *seat
		on bool
	}
	// mutedNews says that a member is heard no longer, or again.
	mutedNews struct {
		s  *seat
		on bool
	}
	// shownOut ends the membership: how is one of the texts of [pbx.LeftRoom].
	shownOut struct {
		s        *seat
		how, why string
	}
	// roomRecording says that a recording of the room goes on.
	roomRecording struct {
		s  *seat
		id pbx.RecordingID
	}
)

// meet notes that two were in the conference together.
func (s *seat) meet(o *seat) {
	if s != o && len(s.met) < maxMet && !slices.Contains(s.met, o.who) {
		s.met = append(s.met, o.who)
	}
}
