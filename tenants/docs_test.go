package tenants

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocumentedCompany reads the company file that docs/config.md shows, as it stands there.
func TestDocumentedCompany(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(raw), "```yaml\ntenant: ")
	if !found {
		t.Fatal("docs/config.md shows no company file")
	}
	text, _, _ = strings.Cut(text, "```")
	dir := companyDir(t)
	for _, name := range []string{"closed.mp3", "music.mp3"} {
		writeFile(t, filepath.Join(dir, "prompts", name), "ID3\x03\x00\x00\x00\x00\x00\x00\x00\x00")
	}
	company(t, parse(t, "tenant: "+text, dir), nil)
}

// TestDocumentedCampaign reads the campaign that docs/config.md shows, as it stands there,
// in a company that has what it names.
func TestDocumentedCampaign(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "config.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(raw), "```yaml\ncampaigns:")
	if !found {
		t.Fatal("docs/config.md shows no campaign")
	}
	text, _, _ = strings.Cut(text, "```")
	const head = `tenant: acme
domain: acme.vpbx.test
country: RU
extensions: [{number: "101", password: s3cret-101}]
groups: [{number: "700", kind: queue, members: ["101"]}]
trunks: [{name: carrier, host: h.test}, {name: sipprov, host: h.test}]
numbers: [{number: "+74950000000", trunk: carrier}, {number: "+78120000000", trunk: carrier}]
schedules: [{name: calls, hours: ["09:00-20:00"]}]
prompts: [{name: reminder, upload: true}, {name: choose, upload: true}, {name: thanks, upload: true}, {name: removed, upload: true}, {name: details, upload: true}, {name: busy, upload: true}]
`
	company(t, parse(t, head+"campaigns:"+text, ""), nil)
}
