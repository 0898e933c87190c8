package media
import ("testing";"github.com/pion/rtcp")
func FuzzZZ(f *testing.F){
 for _, p := range []rtcp.Packet{&rtcp.SenderReport{SSRC:1},&rtcp.ReceiverReport{SSRC:1},&rtcp.TransportLayerCC{},&rtcp.ExtendedReport{Reports: []rtcp.ReportBlock{&rtcp.DLRRReportBlock{}, &rtcp.LossRLEReportBlock{Chunks: []rtcp.Chunk{1,2}}}},&rtcp.SourceDescription{},&rtcp.Goodbye{Sources: []uint32{1}},&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate:10, SSRCs: []uint32{1}},&rtcp.CCFeedbackReport{}, &rtcp.SliceLossIndication{}, &rtcp.TransportLayerNack{}} {
  rr := &rtcp.ReceiverReport{SSRC:1}
  b, err := rtcp.Marshal([]rtcp.Packet{rr,p}); if err != nil { f.Log(err); continue }
  f.Add(b)
 }
 f.Fuzz(func(t *testing.T, b []byte){ parseRTCP(b) })
}
