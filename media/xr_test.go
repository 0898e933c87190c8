package media

import (
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"vpbx/media/audio"
)

// xr waits for an extended report to a phone.
func (p *phone) xr(t *testing.T) *rtcp.ExtendedReport {
	t.Helper()
	for range 200 {
		time.Sleep(100 * time.Millisecond)
		for _, packet := range reports(t, p.rtcp) {
			if x, ok := packet.(*rtcp.ExtendedReport); ok {
				return x
			}
		}
	}
	return nil
}

// TestExtendedReports lets a phone ask for the reports of RFC 3611 and give its own.
func TestExtendedReports(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a := r.open("198.51.100.1")
		pa := r.phone("198.51.100.1:4000", a)
		a.answer(t, describe("198.51.100.1:4000", "a=rtcp-xr:pkt-loss-rle voip-metrics=1 rcvr-rtt=all:10000"))
		a.Expect()
		for i := range 300 {
			if i%100 >= 40 && i%100 < 44 {
				pa.seq++ // lost
				pa.ts += frameBytes
			} else {
				pa.voice(1)
			}
			time.Sleep(20 * time.Millisecond)
		}
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc}, &rtcp.ExtendedReport{SenderSSRC: pa.ssrc, Reports: []rtcp.ReportBlock{
			&rtcp.ReceiverReferenceTimeReportBlock{NTPTimestamp: 0x1234567890ABCDEF},
		}})
		reports(t, pa.rtcp) // what was sent before
		x := pa.xr(t)
		if x == nil || x.SenderSSRC != a.out.ssrc || len(x.Reports) != 3 {
			t.Fatalf("%+v", x)
		}
		mine := x.Reports[0].(*rtcp.ReceiverReferenceTimeReportBlock)
		if d := x.Reports[1].(*rtcp.DLRRReportBlock).Reports; len(d) != 1 || d[0].SSRC != pa.ssrc || d[0].LastRR != 0x567890AB || d[0].DLRR == 0 {
			t.Errorf("answer to the phone's time: %+v", d)
		}
		v := x.Reports[2].(*rtcp.VoIPMetricsReportBlock)
		if v.SSRC != pa.ssrc || v.LossRate != 10 || v.BurstDensity < 128 || v.GapDensity != 0 || v.BurstDuration < 40 || v.BurstDuration > 120 || v.Gmin != 16 {
			t.Errorf("voice metrics: %+v", v)
		}
		if v.RFactor < 70 || v.RFactor > 85 || v.MOSCQ < 35 || v.MOSCQ > 42 || v.MOSLQ < v.MOSCQ || v.SignalLevel != 127 || v.ExtRFactor != 127 {
			t.Errorf("voice metrics: %+v", v)
		}

		received := time.Now()
		time.Sleep(60 * time.Millisecond)
		pa.control(&rtcp.ReceiverReport{SSRC: pa.ssrc}, &rtcp.ExtendedReport{SenderSSRC: pa.ssrc, Reports: []rtcp.ReportBlock{
			&rtcp.DLRRReportBlock{Reports: []rtcp.DLRRReport{{SSRC: a.out.ssrc, LastRR: uint32(mine.NTPTimestamp >> 16), DLRR: uint32(time.Since(received)*65536/time.Second) - 3932}}},
			&rtcp.VoIPMetricsReportBlock{SSRC: a.out.ssrc, RFactor: 60, MOSCQ: 31},
			&rtcp.VoIPMetricsReportBlock{SSRC: 99, RFactor: 10},
		}})
		q := a.Quality()
		if q.RTTMs < 50 || q.RTTMs > 200 || math.Abs(q.RemoteMOS-audio.MOS(60)) > 0.01 {
			t.Errorf("%+v", q)
		}
	})
}

// TestNoExtendedReports: who did not ask for them gets none.
func TestNoExtendedReports(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		_, _, pa, _ := r.pair()
		pa.voice(1)
		if x := pa.xr(t); x != nil {
			t.Errorf("%+v", x)
		}
	})
}

// TestRemoteMOS is what the peer hears by its plain reports.
func TestRemoteMOS(t *testing.T) {
	tests := []struct {
		name  string
		block rtcp.VoIPMetricsReportBlock
		want  float64
	}{
		{"rating factor", rtcp.VoIPMetricsReportBlock{RFactor: 93, MOSCQ: 127}, 4.41},
		{"score only", rtcp.VoIPMetricsReportBlock{RFactor: 127, MOSCQ: 38}, 3.8},
		{"neither", rtcp.VoIPMetricsReportBlock{RFactor: 127, MOSCQ: 127}, 0},
		{"nonsense", rtcp.VoIPMetricsReportBlock{RFactor: 255, MOSCQ: 3}, 0},
	}
	for _, tt := range tests {
		if got := opinion(&tt.block); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%s: %.2f, want %.2f", tt.name, got, tt.want)
		}
	}
	r := receiver{reported: true, remoteLost: 50, remoteJitter: time.Millisecond}
	if got := r.heardOfUs("PCMA", 1000); got < 3.8 || got > 4 {
		t.Errorf("%.2f at 5 %% loss", got)
	}
	if got := r.heardOfUs("PCMA", 0); got != 0 {
		t.Errorf("%.2f of nothing", got)
	}
	if got := r.heardOfUs("PCMA", 10); got < 1 {
		t.Errorf("%.2f with more lost than sent", got)
	}
}
