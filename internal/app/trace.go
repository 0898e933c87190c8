package app

import "vpbx/sip/hep"

// buildHEP makes the export to the Homer server, when there is one.
func (a *App) buildHEP() error {
	h := a.cfg.SIP.HEP
	if h.Address == "" {
		return nil
	}
	var err error
	a.hep, err = hep.New(hep.Options{Address: h.Address, ID: h.ID, Password: h.Password, Node: a.cfg.Node,
		ListenPacket: a.host.ListenPacket, Resolve: a.host.Resolve, Log: a.log, Metrics: a.metrics})
	return err
}
