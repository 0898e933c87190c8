package tenants

import "vpbx/pbx"

// RTK are the keys of the integration API that a CRM of kind rtk calls.
type RTK struct {
	API           *bool  `yaml:"api" json:"api,omitempty"`                       // whether it is served, default true
	HistoryFormat string `yaml:"history_format" json:"history_format,omitempty"` // zip, the default, or gzip
}

// checkRTK checks the keys of a CRM of kind rtk.
func (c *checker) checkRTK() {
	r := &c.CRM.RTK
	if c.CRM.Kind != "rtk" {
		if r.API != nil || r.HistoryFormat != "" {
			c.note("crm", "api and history_format are keys of kind rtk")
		}
		return
	}
	if f := r.HistoryFormat; f != "" && f != pbx.HistoryZIP && f != pbx.HistoryGZIP {
		c.note("crm.history_format", "must be zip or gzip")
	}
}

// rtk makes the settings of the integration API; nil when all is as usual.
func (b *build) rtk(c *pbx.CRM) {
	d := &b.CRM.RTK
	r := pbx.RTK{Off: d.API != nil && !*d.API}
	if d.HistoryFormat != pbx.HistoryZIP {
		r.HistoryFormat = d.HistoryFormat
	}
	if c.Kind == "rtk" && r != (pbx.RTK{}) {
		c.RTK = &r
	}
}

// documentRTK gives the keys of the integration API.
func documentRTK(r *pbx.RTK) RTK {
	if r == nil {
		return RTK{}
	}
	d := RTK{HistoryFormat: r.HistoryFormat}
	if r.Off {
		no := false
		d.API = &no
	}
	return d
}
