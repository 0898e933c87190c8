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
