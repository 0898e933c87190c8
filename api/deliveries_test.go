package api

import (
	"fmt"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestDeliveries: what waits for the CRM and what is given up is listed by page,
// and sent again one by one or all at once, of the own company only.
func TestDeliveries(t *testing.T) {
	r := newRig(t)
	r.check(r.store.UpdateCompany(t.Context(), "acme", func(old *pbx.Company) (*pbx.Company, error) {
		c := *old
		c.CRM = pbx.CRM{Kind: "rtk", URL: "http://crm.test"}
		return &c, nil
	}))
	cdr := r.saveCall(time.Now(), "+79161234567", "+74950000000")
	path := "/api/v1/tenants/acme/deliveries"
	type page struct {
		Items []pbx.Delivery
		Next  string
	}
	list := func(query string) page {
		t.Helper()
		var p page
		a := r.ask("GET", path+query, acmeToken, nil)
		a.want(t, 200)
		a.into(t, &p)
		return p
	}
	all := list("")
	if len(all.Items) < 3 || all.Next != "" || all.Items[0].ID != fmt.Sprintf("%s-1", cdr.ID) || all.Items[0].Event != pbx.NotifyArrived || all.Items[0].State != pbx.DeliveryPending {
		t.Fatalf("deliveries %+v", all)
	}
	first := list("?state=pending&limit=1")
	if second := list("?limit=1&cursor=" + first.Next); len(first.Items) != 1 || second.Items[0].Seq != 2 {
		t.Errorf("pages %+v, %+v", first, second)
	}
	dead := pbx.Settled{Call: string(cdr.ID), Seq: 1, At: time.Now(), Dead: true, Error: "HTTP status 422"}
	r.check(r.store.SettleNotifications(t.Context(), "acme", []pbx.Settled{dead}))
	if d := list("?state=dead"); len(d.Items) != 1 || d.Items[0].Error != dead.Error || d.Items[0].Next != nil || d.Items[0].Tries != 1 || d.Items[0].Tried == nil {
		t.Errorf("dead %+v", d)
	}
	if d := list("?state=pending"); len(d.Items) != len(all.Items)-1 {
		t.Errorf("pending %+v", d)
	}
	again := path + "/" + all.Items[0].ID + "/retry"
	r.ask("POST", again, acmeToken, nil).want(t, 204)
	if d := list("?state=dead"); len(d.Items) != 0 {
		t.Errorf("dead after a retry %+v", d)
	}
	var n struct{ Events int }
	a := r.ask("POST", path+"/retry-all", acmeToken, nil)
	a.want(t, 200)
	if a.into(t, &n); n.Events != len(all.Items) {
		t.Errorf("%d sent again", n.Events)
	}
	r.ask("POST", path+"/nope-1/retry", acmeToken, nil).want(t, 404)
	r.ask("GET", path+"?state=gone", acmeToken, nil).want(t, 400)
	r.ask("GET", path+"?cursor=x", acmeToken, nil).want(t, 400)
	r.ask("GET", path, otherToken, nil).want(t, 404)
	r.ask("POST", "/api/v1/tenants/other/deliveries/"+all.Items[0].ID+"/retry", otherToken, nil).want(t, 404)
}
