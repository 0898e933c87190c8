// Package recordings writes the sound of calls to disk: one stereo WAV file for
// each recorded talk, one party a side.
//
// What it is: a [Store] over a directory. A [Recorder] takes copies of the RTP
// packets of two parties, puts them on one time line and writes it as it grows,
// so that the file is playable at any moment, also after a kill -9. What a dead
// process left open is finished by Repair.
//
// A recording can be paused: both sides are silent then and as long as the pause
// lasts, and the record says from when to when.
//
// With an S3 storage, what is finished goes there: an uploader takes the files
// from the disk, which is its queue, and removes each when the storage is known
// to have it. All that can be done with a recording is done where it is.
//
// A [Keeper] looks after what is finished: it removes by rule and on request and
// leaves tombstones, and it verifies the chain of sums that shows what somebody
// altered or took away; a removal is a link of that chain. OpenAs gives a recording as Opus or MP3.
//
// What it is not: it keeps no metadata but the file itself; a [Ledger], the store,
// does. It mixes nothing but a third voice into both sides, records
// no other files than WAV of 8 kHz, and decodes what package audio knows: the side
// of another codec stays silent, and the recording says so. It does not decide
// who may listen.
//
// Who owns which goroutine: Start begins one writer for each recording, which
// ends with Recorder.Close, or with the disk that fails under it. Track.RTP is
// called on the goroutines that read packets: it copies into a bounded queue
// and never waits for the disk. A conversion has a goroutine of its own, two run
// at once. The uploader has one goroutine from New to Store.Close, and up to four
// more for uploads. Store.Close ends all that is still open.
//
// The time line: sample n of a file sounds n/8000 s after Start. The first
// packet of a side is placed at the time it arrived, the next ones relative to
// it by their RTP timestamps, so that jitter does not tear the sound; another
// session on the side begins anew. Packets are decoded in order: one behind a gap waits
// 150 ms for what is missing, which is made up then, up to 60 ms of it. What is
// older than 300 ms is written; a packet may be that late. What a stall held up for
// longer, 5 s at most, is put behind it into the file, where that is silent still. A side whose
// timestamps jump, or stay off the clock, is placed by arrival again; one that
// drifts (its clock is not ours) is pushed back by the amount. What nobody sent
// is silence, so both sides stay with the clock and with each other.
//
// Invariants: names of files are made of tenant and recording ids only, and
// nothing outside the directory can be named ([os.Root]). A file called .wav is
// finished; until then it is called .wav.part. The sizes in its header are at
// most one second old. A failing disk ends the recording and never the call;
// what was written stays playable. Nothing is dropped without being counted.
// A recording loses its record never, and its file only after its tombstone is
// stored; what it was converted to goes with the file. The file on the disk goes
// before that only when the S3 storage has told, or shown, the same bytes.
//
// Where the tests are: timeline_test.go places packets without a disk;
// store_test.go records on fake time and reads the files; disorder_test.go has a bad network; repair_test.go plays
// the dead process, diskfull_test.go the full disk; keeper_test.go alters, removes
// and crashes on a real ledger; convert_test.go plays what was encoded;
// pause_test.go looks for what must not be there; upload_test.go has a real S3
// server that is down, lies, or stops in the middle.
package recordings
