package audio

// Resampler changes the rate of a stream, block after block, between 8, 16 and 48
// kHz, with the polyphase filter of Resample. It delays the sound by 2 ms. It
// belongs to one goroutine.
type Resampler struct {
	up, down int
	bank     [][]float32 // one filter for each place between two samples
	buf      []float32   // what the next samples still need, and what has come
	at       int         // place of the next output from buf[0], in 1/up of a sample
}

// ratio is one that a Resampler knows.
type ratio struct{ up, down int }

// banks are the filters for the ratios of 8, 16 and 48 kHz.
var banks = map[ratio][][]float32{
	{2, 1}: narrow(2, 1), {1, 2}: narrow(1, 2),
	{3, 1}: narrow(3, 1), {1, 3}: narrow(1, 3),
	{6, 1}: narrow(6, 1), {1, 6}: narrow(1, 6),
}

func narrow(up, down int) [][]float32 {
	var bank [][]float32
	for _, taps := range filterBank(up, down) {
		row := make([]float32, len(taps))
		for i, c := range taps {
			row[i] = float32(c)
		}
		bank = append(bank, row)
	}
	return bank
}

// NewResampler makes one between two of the rates, which must differ; nil for any
// other.
func NewResampler(from, to int) *Resampler {
	if from <= 0 || to <= 0 {
		return nil
	}
	g := gcd(from, to)
	bank := banks[ratio{to / g, from / g}]
	if bank == nil {
		return nil
	}
	r := &Resampler{up: to / g, down: from / g, bank: bank, buf: make([]float32, 0, 4096)}
	r.Reset()
	return r
}

// Reset forgets what has come.
func (r *Resampler) Reset() {
	r.buf, r.at = r.buf[:len(r.bank[0])-1], 0
	clear(r.buf)
}

// follow takes over what another of the same ratio has heard; nil changes nothing.
func (r *Resampler) follow(o *Resampler) {
	if r != nil && o != nil && r.up == o.up && r.down == o.down {
		r.buf, r.at = append(r.buf[:0], o.buf...), o.at
	}
}

// Resample writes what src becomes to dst and says how many samples that are: as
// many as the ratio says, if the length of src divides. dst must have room.
func (r *Resampler) Resample(dst, src []int16) int {
	for _, v := range src {
		r.buf = append(r.buf, float32(v))
	}
	taps, n := len(r.bank[0]), 0
	for first := r.at / r.up; first+taps <= len(r.buf); first = r.at / r.up {
		in := r.buf[first:][:taps]
		var sum float32
		for i, c := range r.bank[r.at%r.up] {
			sum += c * in[i]
		}
		dst[n] = round16(sum)
		n++
		r.at += r.down
	}
	used := min(r.at/r.up, len(r.buf))
	r.buf = r.buf[:copy(r.buf, r.buf[used:])]
	r.at -= used * r.up
	return n
}

func round16(v float32) int16 {
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v < 0:
		return int16(v - 0.5)
	}
	return int16(v + 0.5)
}
